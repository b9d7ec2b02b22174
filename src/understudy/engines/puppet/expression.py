"""Expression: what the performer's face does over time, relative to a neutral face, and freed of its build."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from understudy.tracking.motion import Floats, Motion

Bools = NDArray[np.bool_]

FULL_GAPE = 0.40  # gap between the inner lips over the distance of the outer eye corners: a mouth wide open
WIDEST = 0.30  # change of the mouth's width over its neutral width that counts as 1
BROW_TRAVEL = 0.07  # change of the brow's height over the distance of the outer eye corners that counts as 1
CLOSED_MOUTH = 0.06  # a neutral gap above this is an open mouth, not a habit of the tracker
FACES_AWAY_DEG = 55.0
EASE_S = 0.2
LOST_SCORE = 0.3

_LEFT = {"upper": (386, 385, 387), "lower": (374, 380, 373), "corners": (263, 362), "brow": (334, 296, 293)}
_RIGHT = {"upper": (159, 158, 160), "lower": (145, 153, 144), "corners": (33, 133), "brow": (105, 66, 63)}
_ACROSS = ((263, 33), (454, 234), (356, 127), (362, 133), (323, 93))  # pairs, own left and own right
_TOP, _BASE = (10, 151, 9), (2, 164, 94)  # forehead, and the nose's foot


@dataclass(frozen=True)
class Look:
    """The expression of one frame, ready to draw: all zero is the reference image's own face."""

    mouth_open: float = 0.0
    mouth_wide: float = 0.0
    lids: tuple[float, float] = (0.0, 0.0)
    brows: tuple[float, float] = (0.0, 0.0)
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0


@dataclass(frozen=True)
class Expression:
    """The performer's face over T frames. All float32; what is lost holds its last value and has weight 0.

    ``mouth_open``: 1 is a mouth wide open, below 0 it closes further than the reference's; ``mouth_wide``: above 0
    a smile, below 0 a pucker; ``lids`` (own left, own right): 0 as in the reference to 1 closed; ``brows``: above 0
    raised; ``yaw_deg``: above 0 turned to the picture's right; ``pitch_deg``: above 0 looking down. ``weight`` eases
    to 0 where the face is lost or turned away.
    """

    mouth_open: Floats  # (T,)
    mouth_wide: Floats  # (T,)
    lids: Floats  # (T, 2)
    brows: Floats  # (T, 2)
    yaw_deg: Floats  # (T,)
    pitch_deg: Floats  # (T,)
    weight: Floats  # (T,)

    def __len__(self) -> int:
        return len(self.weight)

    def at(self, frame: int) -> Look:
        """What to draw in one frame: the values with their weight."""
        w = float(self.weight[frame])
        left, right = (float(v) * w for v in self.lids[frame])
        brow_left, brow_right = (float(v) * w for v in self.brows[frame])
        return Look(
            mouth_open=float(self.mouth_open[frame]) * w,
            mouth_wide=float(self.mouth_wide[frame]) * w,
            lids=(left, right),
            brows=(brow_left, brow_right),
            yaw_deg=float(self.yaw_deg[frame]) * w,
            pitch_deg=float(self.pitch_deg[frame]) * w,
        )


@dataclass(frozen=True)
class Measures:
    """Bare measures of face meshes, lengths over the distance of the outer eye corners, angles in degrees."""

    gape: Floats  # (T,)
    width: Floats  # (T,)
    lids: Floats  # (T, 2) opening over the eye's own width
    brows: Floats  # (T, 2)
    yaw: Floats  # (T,)
    pitch: Floats  # (T,)


def measure(mesh: Floats) -> Measures:
    """Measure meshes ``(T, 468, 3)`` in pixels. Distances are taken in space, so that a turned head counts less."""

    def apart(a: tuple[int, ...], b: tuple[int, ...]) -> Floats:
        between = mesh[:, list(a)] - mesh[:, list(b)]
        return np.asarray(np.linalg.norm(between, axis=-1).mean(axis=1), np.float32)

    span = np.maximum(apart((33,), (263,)), 1e-3)
    eyes = [apart(e["upper"], e["lower"]) / np.maximum(apart(*_corners(e)), 1e-3) for e in (_LEFT, _RIGHT)]
    brows = [apart(e["brow"], e["upper"]) / span for e in (_LEFT, _RIGHT)]
    across = np.sum([mesh[:, a] - mesh[:, b] for a, b in _ACROSS], axis=0)
    down = mesh[:, list(_BASE)].mean(axis=1) - mesh[:, list(_TOP)].mean(axis=1)
    # Roll must not leak into the angles: lengths in the picture plane, not x or y alone.
    yaw = np.degrees(np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1])))
    pitch = np.degrees(np.arctan2(down[:, 2], np.hypot(down[:, 0], down[:, 1])))
    return Measures(
        gape=apart((13, 82, 312), (14, 87, 317)) / span,
        width=apart((61,), (291,)) / span,
        lids=np.stack(eyes, axis=1),
        brows=np.stack(brows, axis=1),
        yaw=yaw.astype(np.float32),
        pitch=pitch.astype(np.float32),
    )


def expressions(motion: Motion, reference: Floats | None = None) -> Expression:
    """The performer's expression over time, to be drawn on a character.

    ``reference`` is the character's own face mesh ``(468, 3)`` in the reference image. What it shows already is
    subtracted, so that the drawn face reaches the performer's state, and a still clip of the reference gives zeros.
    The neutral face is the clip's own: eyes by a high quantile of their opening, mouth by a low one, the rest by
    the median.
    """
    frames = len(motion)
    seen = np.isfinite(motion.face).all(axis=(1, 2)) & (motion.face_score >= LOST_SCORE)
    if seen.any():
        m = measure(motion.face[seen])
        seen[np.flatnonzero(seen)[np.abs(m.yaw) > FACES_AWAY_DEG]] = False
    if not seen.any():
        zero, pair = np.zeros(frames, np.float32), np.zeros((frames, 2), np.float32)
        return Expression(zero, zero, pair, pair, zero, zero, zero)
    m = measure(motion.face[seen])
    own = None
    if reference is not None and np.isfinite(reference).all():
        own = measure(np.asarray(reference, np.float32)[None])

    step_s = 1.0 / max(motion.fps, 1.0)
    edges = (0, *motion.cuts, frames)

    def spread(values: Floats, smooth_s: float) -> Floats:
        """From the frames seen to all frames, without noise, never across a cut."""
        out = np.empty(frames, np.float32)
        inside = np.flatnonzero(seen)
        out[:] = np.interp(np.arange(frames), inside, values)
        for a, b in itertools.pairwise(edges):
            if b - a > 2:
                out[a:b] = gaussian_filter1d(out[a:b], smooth_s / step_s, mode="nearest")
        return out

    return Expression(
        mouth_open=spread(_mouth_open(m, own), 0.02),
        mouth_wide=spread(_mouth_wide(m, own), 0.04),
        lids=np.stack([spread(v, 0.012) for v in _lids(m, own).T], axis=1),
        brows=np.stack([spread(v, 0.06) for v in _brows(m).T], axis=1),
        yaw_deg=spread(_angle(m.yaw, None if own is None else own.yaw, most=8.0), 0.06),
        pitch_deg=spread(_angle(m.pitch, None if own is None else own.pitch, most=4.0), 0.06),
        weight=_weight(seen, step_s, edges),
    )


def _corners(eye: dict[str, tuple[int, ...]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    outer, inner = eye["corners"]
    return (outer,), (inner,)


def _mouth_open(m: Measures, own: Measures | None) -> Floats:
    closed = min(float(np.quantile(m.gape, 0.1)), CLOSED_MOUTH)
    change = m.gape - closed
    if own is not None:
        change = change - (own.gape[0] - min(float(own.gape[0]), closed, CLOSED_MOUTH))
    return _without_noise(change / FULL_GAPE, 0.015)


def _mouth_wide(m: Measures, own: Measures | None) -> Floats:
    neutral = float(np.median(m.width))
    change = m.width / neutral - 1.0
    if own is not None:
        # Mouths differ in width more than in smiles: only half of the difference to the reference is a smile.
        change = change + 0.5 * np.clip(neutral / own.width[0] - 1.0, -0.25, 0.25)
    return np.clip(_without_noise(change / WIDEST, 0.04), -1.2, 1.2)


def _lids(m: Measures, own: Measures | None) -> Floats:
    """Closing of the lids; the eye away from the camera is not trusted when the head is turned.

    The mesh never sees an eye quite shut: on real clips a blink reaches 0.5 to 0.75 of the open eye, so each
    performer's own lowest opening counts as closed, within those bounds.
    """
    opening = m.lids / np.maximum(np.quantile(m.lids, 0.85, axis=0), 1e-3)
    both = opening.mean(axis=1, keepdims=True)
    near_left = np.clip(
        0.5 + (-m.yaw[:, None] - 0.0) / 60.0, 0.0, 1.0
    )  # turned to its own right: left is near
    nearer = near_left * opening[:, :1] + (1.0 - near_left) * opening[:, 1:]
    turned = np.clip((np.abs(m.yaw[:, None]) - 15.0) / 15.0, 0.0, 1.0)
    # Two eyes share most of their motion; a share of the mean halves the tracker's noise and leaves a wink.
    opening = (1.0 - turned) * (0.6 * opening + 0.4 * both) + turned * nearer
    shut = np.clip(np.quantile(opening, 0.003) + 0.04, 0.56, 0.74)
    open_from = 0.90
    closing = np.clip((open_from - opening) / (open_from - shut), 0.0, 1.0)
    if own is not None:
        usual = float(np.quantile(m.lids, 0.85))
        shown = np.clip(1.0 - own.lids[0] / max(usual, 1e-3) - 0.1, 0.0, 0.4)
        closing = np.clip((closing - shown) / (1.0 - shown), 0.0, 1.0)
    return np.asarray(closing * closing * (3.0 - 2.0 * closing), np.float32)


def _brows(m: Measures) -> Floats:
    change = (m.brows - np.median(m.brows, axis=0)) / BROW_TRAVEL
    return np.clip(_without_noise(change, 0.12), -1.0, 1.2)


def _angle(values: Floats, own: Floats | None, most: float) -> Floats:
    """Angles against the performer's neutral; a reference that faces elsewhere keeps its facing, but for ``most``."""
    neutral = float(np.median(values))
    change = values - neutral
    if own is not None:
        change = change + most * np.tanh((neutral - float(own[0])) / most)
    return _without_noise(change, 0.4)


def _without_noise(values: Floats, band: float) -> Floats:
    """Values shrunk near zero, smoothly: what is far below ``band`` is the tracker's noise, far above it stays."""
    square = values.astype(np.float32) ** 2
    return np.asarray(values * (square / (square + band * band)), np.float32)


def _weight(seen: Bools, step_s: float, edges: tuple[int, ...]) -> Floats:
    """1 where the face is seen, easing to 0 towards each lost stretch; gaps shorter than the ease are bridged."""
    ramp = max(EASE_S / step_s, 1.0)
    weight = np.ones(len(seen), np.float32)
    for a, b in itertools.pairwise(edges):
        lost = ~seen[a:b]
        starts = np.flatnonzero(lost & ~np.r_[False, lost[:-1]])
        stops = np.flatnonzero(lost & ~np.r_[lost[1:], False]) + 1
        for start, stop in zip(starts, stops, strict=True):
            inner = start > 0 and stop < b - a
            if inner and stop - start < ramp:
                continue
            at = np.arange(b - a)
            away = np.maximum(np.maximum(start - at, at - (stop - 1)), 0) / ramp
            eased = np.clip(away, 0.0, 1.0)
            weight[a:b] = np.minimum(weight[a:b], eased * eased * (3.0 - 2.0 * eased))
    return weight
