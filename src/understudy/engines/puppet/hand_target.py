"""What a cut hand is asked for in every frame: its landmarks, and which of its sides shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.hand_cut import CutHand
from understudy.engines.puppet.hand_points import palm_area
from understudy.tracking.motion import Floats

FLIPPED = 0.12  # of the palm's area at rest, on the other side of nothing: the hand has turned over
FLIP_FRAMES = 3  # over which the two sides of a hand fade into each other
TRUSTED = 0.5  # weight from which on a hand may turn over
LAYS_OVER = (
    2.0  # a fading hand stays whole until the other one is: two half seen ones would show what lies behind
)


@dataclass(frozen=True)
class HandTarget:
    """Landmarks ``points`` (21, 2) in the frame, how far to trust them, whether back and inside changed places, and
    how much of the hand shows in this state."""

    points: Floats
    weight: float
    mirrored: bool = False
    opacity: float = 1.0


class HandTargets:
    """The states of one hand over T frames; ``at`` gives one, or two while it turns over, from back to front."""

    def __init__(self, cut: CutHand, points: Floats, weight: Floats) -> None:
        self._points, self._weight = points, weight
        self._share = _faded(_turned_over(cut, points, weight))

    def at(self, t: int) -> tuple[HandTarget, ...]:
        points, weight, share = self._points[t], float(self._weight[t]), float(self._share[t])
        if share in (0.0, 1.0):
            return (HandTarget(points, weight, share == 1.0),)
        falling = t > 0 and bool(self._share[t] < self._share[t - 1])
        new = 1 - share if falling else share
        return (
            HandTarget(points, weight, falling, min(LAYS_OVER * (1 - new), 1.0)),
            HandTarget(points, weight, not falling, min(LAYS_OVER * new, 1.0)),
        )


def _turned_over(cut: CutHand, points: Floats, weight: Floats) -> NDArray[np.bool_]:
    """(T,) whether the hand shows its other side: it changes where the palm clearly has the other sign."""
    rest = palm_area(cut.points)
    area = np.array([palm_area(p) for p in points]) / (rest if abs(rest) > 1e-3 else 1.0)
    state, states = False, np.zeros(len(points), np.bool_)
    for t, value in enumerate(area):
        if weight[t] < TRUSTED:
            state = False
        elif value * (-1 if state else 1) < -FLIPPED:
            state = not state
        states[t] = state
    return states


def _faded(states: NDArray[np.bool_]) -> Floats:
    """(T,) share of the mirrored state: 0 or 1 but for the frames after a change."""
    kernel = np.full(FLIP_FRAMES + 1, 1 / (FLIP_FRAMES + 1))
    padded = np.concatenate([np.full(FLIP_FRAMES, states[:1].any()), states]).astype(np.float64)
    return np.round(np.convolve(padded, kernel, mode="valid"), 6).astype(np.float32)
