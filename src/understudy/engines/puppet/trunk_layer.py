"""The trunk's layer, with the head: what the limbs leave, filled where they hid it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import disc
from understudy.engines.puppet.bare_body import BareBody, arm_pixels
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.layer import Layer, cropped, soft
from understudy.engines.puppet.limb_layers import OVERLAP, joint_radius
from understudy.engines.puppet.parts import HIPS, SHOULDERS, centre
from understudy.engines.puppet.stray import TRUNK
from understudy.tracking.motion import Floats

ARM_STUB = 0.65  # how much of the arm stays with the trunk: more shows as a bump under a raised arm


def rig_trunk(
    alpha: Floats,
    rgb: NDArray[np.uint8],
    body: BareBody,
    cut: list[Corridor],
    joints: Floats,
    pad: int,
) -> Layer:
    """Cut trunk and head out of the ``body``, with stubs of the limbs out of the picture ``rgb``; ``pad`` continues a
    figure that the edge cuts."""
    core = alpha > 0.5
    zone = (body.labels == TRUNK) | (body.behind == TRUNK)
    stubs = _crotch(cut, joints, alpha.shape) & core & ~arm_pixels(body.labels, cut)
    roots = np.zeros_like(stubs)
    for i, c in enumerate(cut):
        reach = joint_radius(c.radii, 0) * (ARM_STUB if c.limb.arm else OVERLAP)
        mine = disc(alpha.shape, c.polyline[0], reach) & ((body.labels == i + 1) | (body.behind == i + 1))
        stubs |= mine
        if c.limb.arm:
            roots |= mine
    colours = np.where(roots[..., None], rgb, body.rgb)
    return cropped("trunk", colours, alpha * soft(zone | stubs), pad)


def _crotch(cut: list[Corridor], joints: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) between the hips and a little below, where the trunk has to close the gap of spread legs."""
    area = np.zeros(shape[:2], np.uint8)
    legs = [c for c in cut if not c.limb.arm]
    if len(legs) == 2:
        down = centre(joints, HIPS) - centre(joints, SHOULDERS)
        down = down / max(float(np.hypot(*down)), 1.0) * 0.9 * min(joint_radius(c.radii, 0) for c in legs)
        left, right = joints[HIPS[0]], joints[HIPS[1]]
        cv2.fillPoly(area, [np.rint(np.array([left, right, right + down, left + down])).astype(np.int32)], 1)
    return area.astype(bool)
