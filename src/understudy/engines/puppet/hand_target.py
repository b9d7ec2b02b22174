"""What a rigged hand is asked for in every frame: its landmarks, and which of its sides shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.hand_points import palm_area
from understudy.engines.puppet.hand_rig import RiggedHand
from understudy.tracking.motion import Floats

FLIPPED = 0.2  # of the palm's area at rest, on the other side of nothing: the hand has turned over


@dataclass(frozen=True)
class HandTarget:
    """Landmarks ``points`` (21, 2) in the frame, how far to trust them, and whether back and inside changed places."""

    points: Floats
    weight: float
    mirrored: bool = False


class HandTargets:
    """What one hand is asked for over T frames: ``points`` (T, 21, 2), ``weight`` (T,); ``at`` gives one frame's."""

    def __init__(self, hand: RiggedHand, points: Floats, weight: Floats) -> None:
        self._points, self._weight = points, weight
        self._over = _turned_over(hand, points)

    def at(self, t: int) -> HandTarget:
        return HandTarget(self._points[t], float(self._weight[t]), bool(self._over[t]))


def _turned_over(hand: RiggedHand, points: Floats) -> NDArray[np.bool_]:
    """(T,) whether the hand shows its other side. It turns over from one frame to the next, where it is seen edge-on,
    both pictures being equally narrow, and only where it clearly does."""
    area = np.array([palm_area(p) for p in points]) / (hand.area if abs(hand.area) > 1e-3 else 1.0)
    over = np.zeros(len(points), np.bool_)
    state, edge = False, 0  # since which frame the other side has been showing
    for t, value in enumerate(area):
        other = value * (-1 if state else 1) < 0
        if not other:
            edge = t + 1
        elif abs(value) > FLIPPED:
            state = not state
            over[edge:t] = state
            edge = t + 1
        over[t] = state
    return over
