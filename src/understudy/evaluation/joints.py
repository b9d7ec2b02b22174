"""Figures of the joints' places: how far off, how many lost, how restless.

Joints are BlazePose's 33, arrays (T, 33, ...), pixels of frames of height 720.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Motion

# Nose, shoulders, elbows, wrists, hips, knees, ankles.
JOINTS = [0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
HIPS = (23, 24)
VISIBLE = 0.5
STILL = 0.004  # person heights a sample, under which every joint of somebody who stands still moves
FEWEST_STILL = 6


class JointFigures(NamedTuple):
    """See docs/quality.md; None where a figure cannot be had. ``mkr_shown`` is ``mkr`` over the joints that the
    reference image shows: a half figure cannot lose its legs."""

    akd: float | None
    akd_p95: float | None
    mkr: float | None
    mkr_shown: float | None
    jitter: float | None
    still_p99: float | None


def present(motion: Motion) -> NDArray[np.bool_]:
    """(T, 33) whether a joint is visible and lies inside the frame."""
    x, y = motion.body[..., 0], motion.body[..., 1]
    inside = (x >= 0) & (x < motion.width) & (y >= 0) & (y < motion.height)
    return np.asarray((motion.visibility > VISIBLE) & inside)


def counted(performer: Motion) -> NDArray[np.bool_]:
    """(T, 33) the joints that count: those of `JOINTS` that are `present` in the driving video."""
    counts = np.zeros(performer.visibility.shape, bool)
    counts[:, JOINTS] = present(performer)[:, JOINTS]
    return counts


def person_height(motion: Motion) -> float | None:
    """Median over the tracked samples of the vertical extent of the joints, in pixels."""
    rows = motion.body[motion.tracked][:, JOINTS, 1]
    if len(rows) == 0:
        return None
    height = float(np.median(np.ptp(rows, axis=1)))
    return height if height > 1 else None


def without_gaps(shown: Motion, reference: Motion) -> Motion:
    """The output's motion, with the reference's person where it shows nobody: nothing moved there."""
    lost = ~shown.tracked
    if not lost.any():
        return shown
    scale = np.array([shown.width / reference.width, shown.height / reference.height, 1.0], np.float32)
    body, world = shown.body.copy(), shown.world.copy()
    body[lost] = reference.body[0] * scale
    world[lost] = reference.world[0]
    return replace(shown, body=body, world=world)


def joint_figures(
    performer: Motion, shown: Motion, reference: Motion, height: float, *, self_reenactment: bool
) -> JointFigures:
    """``height`` is the performer's in pixels; ``reference`` holds one sample; ``shown`` may have gaps."""
    counts = counted(performer)
    filled = without_gaps(shown, reference)
    akd = akd_p95 = None
    if self_reenactment and counts.any() and filled.tracked.all():
        scale = np.array([performer.width / shown.width, performer.height / shown.height], np.float32)
        apart = np.linalg.norm(filled.body[..., :2] * scale - performer.body[..., :2], axis=2) / height
        frames = counts.any(axis=1)
        per_frame = np.nanmean(np.where(counts, apart, np.nan)[frames], axis=1)
        akd, akd_p95 = float(per_frame.mean()), float(np.percentile(per_frame, 95))
    mkr = mkr_shown = None
    if reference.tracked[0] and counts.any():
        lost = ~(shown.visibility >= VISIBLE)
        mkr = float(lost[counts].mean())
        could = counts & present(reference)
        mkr_shown = float(lost[could].mean()) if could.any() else None
    jitter = still = None
    if reference.tracked[0]:
        jitter, still = _restlessness(performer, shown, counts, height)
    return JointFigures(akd, akd_p95, mkr, mkr_shown, jitter, still)


def root_drift(shown: Motion, reference: Motion) -> float | None:
    """95th percentile of the mid-hip's distance from its place in the reference, over the character's height."""
    height = person_height(shown)
    if height is None or not reference.tracked[0]:
        return None
    scale = np.array([shown.width / reference.width, shown.height / reference.height], np.float32)
    home = reference.body[0, HIPS, :2].mean(axis=0) * scale
    away = np.linalg.norm(shown.body[shown.tracked][:, HIPS, :2].mean(axis=1) - home, axis=1)
    return float(np.percentile(away, 95) / height)


def _restlessness(
    performer: Motion, shown: Motion, counts: NDArray[np.bool_], height: float
) -> tuple[float | None, float | None]:
    """Ratio of median second differences, in pixels of both; 99th percentile while still, pixels."""
    if len(performer) < 3:
        return None, None
    both = counts & np.isfinite(shown.body[..., 0])
    usable = both[:-2] & both[1:-1] & both[2:]
    if not usable.any():
        return None, None
    wanted, got = _second_difference(performer), _second_difference(shown)
    base = float(np.median(wanted[usable]))
    jitter = float(np.median(got[usable])) / base if base > 0 else None

    step = np.linalg.norm(np.diff(performer.body[..., :2], axis=0), axis=2)
    known = counts[:-1] & counts[1:]
    fastest = np.where(known, step, 0).max(axis=1)
    calm = known.any(axis=1) & (fastest < STILL * height)
    stands = calm[:-1] & calm[1:]
    if stands.sum() < FEWEST_STILL:
        return jitter, None
    return jitter, float(np.percentile(got[stands][usable[stands]], 99)) if usable[stands].any() else None


def _second_difference(motion: Motion) -> NDArray[np.float64]:
    places = motion.body[..., :2].astype(np.float64)
    bend: NDArray[np.float64] = np.linalg.norm(places[2:] - 2 * places[1:-1] + places[:-2], axis=2)
    return bend
