"""What a found hand must be like to be this body's hand: a wrong hand is worse than none."""

from __future__ import annotations

from math import dist, hypot

import numpy as np

from understudy.tracking.motion import Floats

SHOULDERS, HIPS, ELBOWS, WRISTS = (11, 12), (23, 24), (13, 14), (15, 16)
FINGERS = ((5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
KNUCKLES = (5, 9, 17)
SHOULDERS_TO_TORSO = 1.3  # a torso's length over the shoulders' width: one of them is seen from every side
# Palm's span (wrist to the farthest knuckle, or across) in torso lengths. Right hands: 0.08 to 0.30.
SPAN = (0.065, 0.38)
LONGEST_FINGER = 2.1  # palm spans; right ones have at most 1.8
WRIST_OFF = 1.25  # palm spans between the hand's wrist and the body's; 0.2 to 0.5 is usual
# No hand folds back along its own forearm, as far as the forearm is seen from the side.
FOLDED = np.radians(105)
FOREARM_SEEN = 0.3  # of the torso's length


def body_length(body: Floats) -> float:
    """Pixels from shoulders to hips of landmarks (33, 3), or what the shoulders' width makes likely if that is more."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = body[[*SHOULDERS, *HIPS], :2].tolist()
    spine = hypot(ax + bx - cx - dx, ay + by - cy - dy) / 2
    return max(spine, SHOULDERS_TO_TORSO * hypot(ax - bx, ay - by))


def palm_span(hand: Floats) -> float:
    """Pixels: the palm's largest extent, whichever way it is turned; ``hand`` (21, 2 or 3)."""
    wrist, *knuckles = hand[[0, *KNUCKLES], :2].tolist()
    return max(dist(knuckles[0], knuckles[-1]), *(dist(wrist, knuckle) for knuckle in knuckles))


def is_plausible(hand: Floats, body: Floats, side: int) -> bool:
    """Whether landmarks (21, 3) can be the hand of ``side`` (0 left) of the body (33, 3), all in one picture's pixels.

    Looked at: the palm's size against the torso, the fingers' lengths against the palm, how far the wrists are apart,
    and that the hand does not fold back along a forearm that is seen from the side.
    """
    size, span = body_length(body), palm_span(hand)
    if not SPAN[0] * size <= span <= SPAN[1] * size:
        return False
    bones = np.diff(hand[np.array(FINGERS), :2], axis=1)
    if float(np.hypot(bones[..., 0], bones[..., 1]).sum(axis=1).max()) > LONGEST_FINGER * span:
        return False
    wrist = body[WRISTS[side], :2]
    if dist(hand[0, :2].tolist(), wrist.tolist()) > WRIST_OFF * span:
        return False
    forearm = wrist - body[ELBOWS[side], :2]
    if hypot(*forearm.tolist()) < FOREARM_SEEN * size:
        return True
    along = hand[9, :2] - hand[0, :2]
    turn = np.arctan2(forearm[0] * along[1] - forearm[1] * along[0], forearm @ along)
    return bool(abs(turn) < FOLDED)
