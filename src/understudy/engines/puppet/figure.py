"""The figure taken apart into bones, and put together about a root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.engines.puppet.hands import Hand
from understudy.engines.puppet.skeleton import (
    ANKLES,
    FINGERS,
    HEAD,
    HEELS,
    HIPS,
    KNEES,
    LIMBS,
    SHOULDERS,
    TOES,
    WRISTS,
    Points,
    Reals,
)
from understudy.engines.puppet.torso import Torso


@dataclass(frozen=True)
class Figure:
    """All parts over T frames, in reference pixels before ``scale`` (T,) makes them larger or smaller."""

    torso: Torso
    head: Points  # (T, 11) about the mid-shoulder
    limbs: Points  # (T, 8)
    feet: Points  # (T, 2, 2)
    hands: tuple[Hand, Hand]
    scale: Reals

    def posed(self, root: Points, steps: Points | None = None) -> Points:
        """Landmarks (T, 33) with the mid-hip at ``root`` (T,); ``steps`` (T, 2) shift left and right ankle."""
        s = self.scale
        out = np.empty((len(root), 33), dtype=np.complex128)
        neck = root + s * self.torso.spine
        for i, half in ((0, 0.5), (1, -0.5)):
            out[:, HIPS[i]] = root + half * s * self.torso.hips
            out[:, SHOULDERS[i]] = neck + half * s * self.torso.shoulders
        out[:, HEAD] = neck[:, None] + s[:, None] * self.head
        for i, (a, b) in enumerate(LIMBS):
            out[:, b] = out[:, a] + s * self.limbs[:, i]
        if steps is not None:
            out[:, KNEES] += 0.5 * steps
            out[:, ANKLES] += steps
        for i in (0, 1):
            out[:, HEELS[i]] = out[:, ANKLES[i]] + s * self.feet[:, i, 0]
            out[:, TOES[i]] = out[:, ANKLES[i]] + s * self.feet[:, i, 1]
            out[:, FINGERS[i]] = out[:, WRISTS[i], None] + s[:, None] * self.hands[i].fingers
        return out

    def hand_points(self, posed: Points) -> Points:
        """Hand landmarks (T, 2, 21) at the wrists of ``posed`` (T, 33)."""
        return np.stack(
            [posed[:, WRISTS[i], None] + self.scale[:, None] * self.hands[i].points for i in (0, 1)], axis=1
        )
