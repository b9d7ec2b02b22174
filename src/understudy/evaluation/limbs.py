"""Figures of the limbs' directions: how far off, and how late.

Joints are BlazePose's 33, arrays (T, 33, ...). The person's left limbs come first of each pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.evaluation.joints import counted, present
from understudy.request import Orientation
from understudy.tracking.motion import Floats, Motion

LIMBS = ((11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28))
STARTS, ENDS = (list(joints) for joints in zip(*LIMBS, strict=True))
SHORTEST = 0.06  # person heights
MOST_TURNED_DEG = 45.0
FURTHEST_LAG = 6  # samples, half a second
FLAT_DEG = 1.0  # between the best and the worst shift, under which no shift can be told from another


class LimbFigures(NamedTuple):
    """See docs/quality.md; None where a figure cannot be had."""

    limb_deg: float | None
    limb_deg_p95: float | None
    turned: float | None
    lag: int | None


def torso_yaw(world: Floats) -> NDArray[np.float64]:
    """Yaw (T,) in degrees about the vertical, 0 when facing the camera, from world landmarks (T, 33, 3)."""
    across = world[:, 11] - world[:, 12] + world[:, 23] - world[:, 24]
    return np.asarray(np.degrees(np.arctan2(across[:, 2], across[:, 0]).astype(np.float64)))


def angle_between(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees between unit vectors along the last axis."""
    return np.asarray(np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1.0, 1.0))))


def wrapped(angle_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angle in -180 to 180."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def directions(motion: Motion, orientation: Orientation) -> NDArray[np.float64]:
    """Unit vectors (T, 8, D) of the limbs: D = 2 in the picture, or D = 3 in the torso's own frame."""
    points = (motion.body[..., :2] if orientation is Orientation.VIDEO else motion.world).astype(np.float64)
    along = _unit(points[:, ENDS] - points[:, STARTS])
    if orientation is Orientation.VIDEO:
        return along
    return np.asarray(np.einsum("tad,tkd->tka", _torso(points), along))


def limb_figures(
    performer: Motion, shown: Motion, reference: Motion, height: float, orientation: Orientation
) -> LimbFigures:
    """``reference`` holds one sample; ``height`` is the performer's in pixels; ``shown`` has no gaps."""
    facing = np.isfinite(performer.world[:, 11, 0])
    if not np.isfinite(reference.body[0, 0, 0]) or not facing.any():
        return LimbFigures(None, None, None, None)
    off = np.abs(wrapped(torso_yaw(performer.world) - torso_yaw(reference.world)))
    turned = facing & (off > MOST_TURNED_DEG)

    inside = counted(performer)
    length = np.linalg.norm(performer.body[:, ENDS, :2] - performer.body[:, STARTS, :2], axis=2)
    known = present(reference)[0]
    counts = inside[:, STARTS] & inside[:, ENDS] & (known[STARTS] & known[ENDS])
    counts &= (length >= SHORTEST * height) & (facing & ~turned)[:, None]

    wanted, got = directions(performer, orientation), directions(shown, orientation)
    share = float(turned.sum() / facing.sum())
    if not counts.any():
        return LimbFigures(None, None, share, None)
    angles = angle_between(wanted, got)
    frames = counts.any(axis=1)
    per_frame = np.nanmean(np.where(counts, angles, np.nan)[frames], axis=1)
    return LimbFigures(
        float(angles[counts].mean()), float(np.percentile(per_frame, 95)), share, _lag(wanted, got, counts)
    )


def _lag(wanted: NDArray[np.float64], got: NDArray[np.float64], counts: NDArray[np.bool_]) -> int | None:
    """Samples by which the output comes late; None where no shift fits better than the others."""
    total = len(wanted)
    reach = min(FURTHEST_LAG, total // 4)
    middle = slice(reach, total - reach)
    if reach < 1 or counts[middle].sum() < 8:
        return None
    shifts = sorted(range(-reach, reach + 1), key=abs)
    errors = []
    for shift in shifts:
        moved = got[reach + shift : total - reach + shift]
        errors.append(float(angle_between(wanted[middle], moved)[counts[middle]].mean()))
    if max(errors) - min(errors) < FLAT_DEG:
        return None
    return shifts[int(np.argmin(errors))]


def _torso(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axes (T, 3, 3) as rows: to the person's left, down the spine, forwards or back by the right-hand rule."""
    down = _unit(points[:, (23, 24)].mean(axis=1) - points[:, (11, 12)].mean(axis=1))
    across = points[:, 11] - points[:, 12] + points[:, 23] - points[:, 24]
    across = _unit(across - (across * down).sum(axis=-1, keepdims=True) * down)
    return np.stack([across, down, np.cross(across, down)], axis=1)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
