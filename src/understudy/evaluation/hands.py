"""Figures of the hands: do the fingers point as the performer's do, and are they hands at all?

Landmarks are MediaPipe's 21 of a hand, arrays (T, 2, 21, 3) in pixels of frames of height 720, the performer's own
left hand first, NaN where lost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.evaluation.limbs import angle_between
from understudy.tracking.motion import Floats, Motion

WRIST, INDEX, MIDDLE, PINKY = 0, 5, 9, 17
KNUCKLES, TIPS = [2, 5, 9, 13, 17], [4, 8, 12, 16, 20]  # thumb to little finger
LENGTH = 2.0  # of a stretched hand, in palms
WIDTH_TO_LENGTH = 1.2  # of a palm: wrist to middle knuckle over index to little finger's knuckle
# Which of the performer's hands count. Clips against themselves encoded again differ by 4 degrees on average so; hands
# that are smaller, or of whose being hands the tracker is less sure, by 12 to 22.
SURE = 0.9  # score
SMALLEST_PALM_PX = 16.0
SMALLEST_SHOWN_PX = 12.0  # of the output's: its fingers' directions are noise below
SHORTEST_FINGER = 0.4  # palms; a finger shorter in the picture is bent or points at the camera
FEWEST_FINGERS = 3
EDGE_ON = (
    0.2  # squared palms: twice the triangle of wrist and knuckles, under which neither side of the hand shows
)
FEWEST = 8  # hands over all samples


class HandFigures(NamedTuple):
    """See docs/quality.md; None where a figure cannot be had."""

    hand_deg: float | None
    hand_seen: float | None
    hand_swapped: float | None


def palm_size(hands: Floats) -> NDArray[np.float64]:
    """(..., ) pixels from the wrist to the middle knuckle of hands (..., 21, 3), also where the hand is tilted."""
    flat = hands[..., :2].astype(np.float64)
    length = np.linalg.norm(flat[..., MIDDLE, :] - flat[..., WRIST, :], axis=-1)
    width = np.linalg.norm(flat[..., PINKY, :] - flat[..., INDEX, :], axis=-1)
    return np.asarray(np.maximum(length, WIDTH_TO_LENGTH * width))


def fingers(hands: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors (..., 5, 2) from each finger's base knuckle to its tip, and their lengths (..., 5) in pixels."""
    flat = hands[..., :2].astype(np.float64)
    along = flat[..., TIPS, :] - flat[..., KNUCKLES, :]
    length = np.linalg.norm(along, axis=-1)
    return along / np.maximum(length, 1e-9)[..., None], length


def side_shown(hands: Floats) -> NDArray[np.float64]:
    """(...,) in squared palms: above 0 where a left hand shows its one side or a right hand its other, near 0 edge-on.

    The same hand's palm and back have opposite signs, and so have a left and a right hand's palm.
    """
    flat = hands[..., :2].astype(np.float64)
    first, last = flat[..., INDEX, :] - flat[..., WRIST, :], flat[..., PINKY, :] - flat[..., WRIST, :]
    turn = first[..., 0] * last[..., 1] - first[..., 1] * last[..., 0]
    return np.asarray(turn / np.maximum(palm_size(hands), 1e-9) ** 2)


def hand_length(motion: Motion) -> float | None:
    """Median length of the hands that were found, bent or not, in pixels of frames of height 720."""
    size = palm_size(motion.hands[np.isfinite(motion.hands).all(axis=(2, 3))])
    return float(LENGTH * np.median(size)) if len(size) else None


def hand_figures(performer: Motion, shown: Motion, reference: Motion) -> HandFigures:
    """``performer`` and ``shown`` hold T samples each, ``reference`` one."""
    counts = (performer.hand_score > SURE) & (palm_size(performer.hands) >= SMALLEST_PALM_PX)
    if counts.sum() < FEWEST or not reference.tracked[0]:
        return HandFigures(None, None, None)
    seen = counts & np.isfinite(shown.hands).all(axis=(2, 3))
    wanted, got = performer.hands[seen], shown.hands[seen]
    return HandFigures(_finger_angle(wanted, got), float(seen.sum() / counts.sum()), _swapped(wanted, got))


def _finger_angle(wanted: Floats, got: Floats) -> float | None:
    """Mean over hands (N, 21, 3) of the mean angle over their fingers that count."""
    theirs, length = fingers(wanted)
    ours, _ = fingers(got)
    counts = length >= SHORTEST_FINGER * palm_size(wanted)[:, None]
    usable = (counts.sum(axis=1) >= FEWEST_FINGERS) & (palm_size(got) >= SMALLEST_SHOWN_PX)
    if usable.sum() < FEWEST:
        return None
    angles = np.where(counts, angle_between(theirs, ours), 0.0)[usable]
    return float((angles.sum(axis=1) / counts[usable].sum(axis=1)).mean())


def _swapped(wanted: Floats, got: Floats) -> float | None:
    theirs, ours = side_shown(wanted), side_shown(got)
    clear = np.minimum(np.abs(theirs), np.abs(ours)) > EDGE_ON
    if clear.sum() < FEWEST:
        return None
    return float((theirs * ours < 0)[clear].mean())
