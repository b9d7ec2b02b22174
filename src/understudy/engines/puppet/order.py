"""Which part lies in front of which, stable in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.parts import HIPS, SHOULDERS, Limb, figure_size
from understudy.engines.puppet.pose import Poses
from understudy.tracking.motion import Floats

HOLD_S = 0.15  # an order stands at least so long


@dataclass(frozen=True)
class DrawingOrder:
    """For every limb: (T,) whether it lies in front of the trunk; and (T,) whether the left leg lies before the
    right."""

    before_trunk: dict[str, NDArray[np.bool_]]
    left_leg_first: NDArray[np.bool_]


def drawing_order(
    poses: Poses, limbs: tuple[Limb, ...], rest: Floats, fps: float, rest_depth: Floats | None = None
) -> DrawingOrder:
    """The order over T frames. Depths are noisy: an arm goes behind only when it clearly is, and comes back late.

    ``rest`` (33, 2) and ``rest_depth`` (33,) are the reference's joints: a thigh that comes forward in the reference
    already (somebody seated) is drawn as the reference shows it.
    """
    size = figure_size(rest) * np.maximum(poses.scale, 0.2)
    hold = max(round(HOLD_S * fps), 1)
    depth = poses.depth
    body = depth[:, [*SHOULDERS, *HIPS]].mean(axis=1)
    before = {}
    for limb in limbs:
        root, middle, end = limb.points
        if limb.arm:
            gap = (0.4 * depth[:, middle] + 0.6 * depth[:, end] - body) / size
            before[limb.name] = ~_switched(gap, 0.45, 0.25, hold)
        else:
            gap = (depth[:, root] - depth[:, middle]) / size
            if rest_depth is not None and np.isfinite(rest_depth[[root, middle]]).all():
                gap = gap - max(float(rest_depth[root] - rest_depth[middle]) / figure_size(rest), 0.0)
            before[limb.name] = _switched(gap, 0.75, 0.55, hold)
    legs = (depth[:, 26] + depth[:, 28] - depth[:, 25] - depth[:, 27]) / (2 * size)
    return DrawingOrder(before, _switched(legs, 0.08, -0.08, hold))


def _switched(value: Floats, on: float, off: float, hold: int) -> NDArray[np.bool_]:
    """(T,) a Schmitt trigger: True from above ``on`` until below ``off``, each state held ``hold`` frames."""
    state = bool(value[0] > (on + off) / 2) if len(value) else False
    states = np.zeros(len(value), bool)
    since = hold
    for t, v in enumerate(value):
        wanted = v > off if state else v > on
        if wanted != state and since >= hold:
            state, since = bool(wanted), 0
        since += 1
        states[t] = state
    return states
