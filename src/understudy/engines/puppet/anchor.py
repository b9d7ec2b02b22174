"""The frame in which the performer stands as the character does in the reference image, if there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.performer import Performer
from understudy.engines.puppet.skeleton import Points, Reals

_JOINTS = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_ALIKE = 0.013  # mean distance over the pose's height under which two poses are one, wherever they stand
_SAME_PLACE = (0.025, 0.04)  # the same for a frame of the very clip: moved and scaled, and as it is
_FARTHEST = 0.06
_STILL = 0.006


@dataclass(frozen=True)
class Anchor:
    """``frame`` is the best match, ``weights`` (T,) the still frames about it that share its pose, summing to 1.

    ``gain`` is reference pixels per driving pixel there, ``px_per_m`` reference pixels per metre of the performer.
    """

    frame: int
    weights: Reals
    gain: float
    px_per_m: float

    def point(self, values: Points) -> complex:
        """The mean of ``values`` (T,) over the anchor's frames."""
        return complex(self.weights @ values)

    def number(self, values: Reals) -> float:
        """The mean of ``values`` (T,) over the anchor's frames."""
        return float(self.weights @ values)


def find_anchor(
    performer: Performer, rest: Points, known: NDArray[np.bool_], enlarged: float
) -> Anchor | None:
    """The frame whose pose is the reference's, or None.

    Joints ``known`` (33,) in the reference and trusted in the frame are compared; at least 6 of them, and only where
    nearly all of what the reference shows is seen. Poses are one when they differ by 1.3 % of their height after
    moving and scaling, or, because a tracker sees a picture and a clip a little differently, by 2.5 % when they also
    lie in the same place of the picture (``enlarged``: output over driving picture). Two people who happen to stand
    alike differ by 2 % and more.
    """
    joints = np.array([j for j in _JOINTS if known[j]])
    if len(joints) < 6 or len(performer) == 0:
        return None
    there = rest[joints]
    here = performer.pixels[:, joints]
    w = performer.trust[:, joints]
    total = w.sum(axis=1, keepdims=True)
    enough = total[:, 0] > 0.9 * len(joints)
    if not enough.any():
        return None
    total = np.maximum(total, 1e-6)
    a = here - (w * here).sum(1, keepdims=True) / total
    b = there - (w * there).sum(1, keepdims=True) / total
    gain = (w * (a.conj() * b).real).sum(1) / np.maximum((w * np.abs(a) ** 2).sum(1), 1e-6)
    height = max(float(np.ptp(there.imag)), float(np.ptp(there.real)), 1.0)
    off = w * np.abs(gain[:, None] * a - b) / height
    distance = np.where(enough & (gain > 0), off.sum(1) / total[:, 0], np.inf)
    frame = int(np.argmin(distance))
    if not (distance[frame] < _SAME_PLACE[0] and off[frame].max() < _FARTHEST):
        return None
    moved = float((w[frame] * np.abs(enlarged * here[frame] - there)).sum() / total[frame, 0] / height)
    if distance[frame] > _ALIKE and moved > _SAME_PLACE[1]:
        return None
    still = np.abs(here - here[frame]).mean(axis=1) * gain[frame] / height < _STILL
    first = last = frame
    while first > 0 and still[first - 1]:
        first -= 1
    while last + 1 < len(still) and still[last + 1]:
        last += 1
    weights = np.zeros(len(performer))
    weights[first : last + 1] = 1.0 / (last + 1 - first)
    return Anchor(frame, weights, float(gain[frame]), float(gain[frame] * (weights @ performer.px_per_m)))
