"""Bare measures of face meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.tracking.motion import Floats

_LEFT = {"upper": (386, 385, 387), "lower": (374, 380, 373), "corners": (263, 362)}
_RIGHT = {"upper": (159, 158, 160), "lower": (145, 153, 144), "corners": (33, 133)}
_ACROSS = ((263, 33), (454, 234), (356, 127), (362, 133), (323, 93))  # pairs, own left and own right
_TOP, _BASE = (10, 151, 9), (2, 164, 94)  # forehead, and the nose's foot


@dataclass(frozen=True)
class Measures:
    """Bare measures of face meshes, lengths over the distance of the outer eye corners, angles in degrees."""

    gape: Floats  # (T,)
    width: Floats  # (T,)
    lids: Floats  # (T, 2) opening over the eye's own width
    yaw: Floats  # (T,)
    pitch: Floats  # (T,)


def measure(mesh: Floats) -> Measures:
    """Measure meshes ``(T, 468, 3)`` in pixels. Distances are taken in space, so that a turned head counts less."""

    def apart(a: tuple[int, ...], b: tuple[int, ...]) -> Floats:
        between = mesh[:, list(a)] - mesh[:, list(b)]
        return np.asarray(np.linalg.norm(between, axis=-1).mean(axis=1), np.float32)

    span = np.maximum(apart((33,), (263,)), 1e-3)
    eyes = [apart(e["upper"], e["lower"]) / np.maximum(apart(*_corners(e)), 1e-3) for e in (_LEFT, _RIGHT)]
    across = np.sum([mesh[:, a] - mesh[:, b] for a, b in _ACROSS], axis=0)
    down = mesh[:, list(_BASE)].mean(axis=1) - mesh[:, list(_TOP)].mean(axis=1)
    # Roll must not leak into the angles: lengths in the picture plane, not x or y alone.
    yaw = np.degrees(np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1])))
    pitch = np.degrees(np.arctan2(down[:, 2], np.hypot(down[:, 0], down[:, 1])))
    return Measures(
        gape=apart((13, 82, 312), (14, 87, 317)) / span,
        width=apart((61,), (291,)) / span,
        lids=np.stack(eyes, axis=1),
        yaw=yaw.astype(np.float32),
        pitch=pitch.astype(np.float32),
    )


def _corners(eye: dict[str, tuple[int, ...]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    outer, inner = eye["corners"]
    return (outer,), (inner,)


def without_noise(values: Floats, band: float) -> Floats:
    """Values shrunk near zero, smoothly: what is far below ``band`` is the tracker's noise, far above it stays."""
    square = values.astype(np.float32) ** 2
    return np.asarray(values * (square / (square + band * band)), np.float32)
