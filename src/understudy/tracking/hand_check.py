"""What a found hand must be like to be this body's hand: a wrong hand is worse than none."""

from __future__ import annotations

from itertools import pairwise
from math import atan2, dist, hypot, radians

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
FOLDED = radians(105)
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
    at: list[list[float]] = hand[:, :2].tolist()
    if any(sum(dist(at[a], at[b]) for a, b in pairwise(chain)) > LONGEST_FINGER * span for chain in FINGERS):
        return False
    (x, y), (elbow_x, elbow_y) = body[[WRISTS[side], ELBOWS[side]], :2].tolist()
    if dist(at[0], (x, y)) > WRIST_OFF * span:
        return False
    arm_x, arm_y = x - elbow_x, y - elbow_y
    if hypot(arm_x, arm_y) < FOREARM_SEEN * size:
        return True
    hand_x, hand_y = at[9][0] - at[0][0], at[9][1] - at[0][1]
    turn = atan2(arm_x * hand_y - arm_y * hand_x, arm_x * hand_x + arm_y * hand_y)
    return abs(turn) < FOLDED
