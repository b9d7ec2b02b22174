"""The trunk's layer, with the head: what the limbs leave, filled where they hid it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import below_hips, disc, grown
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.fill import fill_hidden
from understudy.engines.puppet.labels import TRUNK
from understudy.engines.puppet.layer import Layer, cropped, soft
from understudy.engines.puppet.limb_layers import OVERLAP, joint_radius
from understudy.engines.puppet.parts import HIPS, SHOULDERS, centre
from understudy.tracking.motion import Floats

ARM_STUB = 0.65  # how much of the arm stays with the trunk: more shows as a bump under a raised arm
ARM_RIM = 3  # pixels beside a cut arm that are filled anew


def rig_trunk(
    alpha: Floats,
    rgb: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    cut: list[Corridor],
    joints: Floats,
    pad: int,
) -> Layer:
    """Cut trunk and head out of ``rgb`` by ``labels``; ``pad`` continues a figure that the edge cuts."""
    core = alpha > 0.5
    own = (labels == TRUNK) & core
    arms = np.isin(labels, [i + 1 for i, c in enumerate(cut) if c.limb.arm]) & core
    stubs = _crotch(cut, joints, alpha.shape) & core
    for i, c in enumerate(cut):
        reach = joint_radius(c.radii, 0) * (ARM_STUB if c.limb.arm else OVERLAP)
        stub = disc(alpha.shape, c.polyline[0], reach)
        stubs |= stub & ((labels == i + 1) if c.limb.arm else ((labels == i + 1) | arms))
    # What a hand hides about the hips is filled, with the hand's rim on the legs.
    widest = max((float(c.radii[0]) for c in cut), default=0.0)
    hips = stubs & grown(arms, ARM_RIM) & below_hips(joints, alpha.shape, OVERLAP * widest) & ~own
    hidden = _behind_arms(own, core, labels, cut, joints) | hips
    # Beside an arm the trunk shows the arm's edge and shadow, which are left behind when it moves.
    rim = grown(hidden, ARM_RIM) & own
    hidden |= rim
    own &= ~rim
    axis = (centre(joints, HIPS), centre(joints, SHOULDERS))
    colours = fill_hidden(rgb, own, hidden, axis)
    zone = (labels == TRUNK) | hidden
    # Under a soft cut the picture's own pixels stay, so that the rest pose is the picture.
    near = grown(own | (stubs & ~hips), 2) & ~rim & ~hips
    colours = np.where(near[..., None], rgb, colours)
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


def _behind_arms(
    own: NDArray[np.bool_],
    core: NDArray[np.bool_],
    labels: NDArray[np.uint8],
    cut: list[Corridor],
    joints: Floats,
) -> NDArray[np.bool_]:
    """The trunk's pixels that an arm hides: inside the trunk's outline as far as it can be told, and under an arm."""
    arms = [i + 1 for i, c in enumerate(cut) if c.limb.arm]
    if not arms:
        return np.zeros_like(own)
    under = np.isin(labels, arms) & core
    left, right = joints[SHOULDERS[0]], joints[SHOULDERS[1]]
    hip_left, hip_right = joints[HIPS[0]], joints[HIPS[1]]
    across = hip_left - hip_right
    # The outline narrows at the armpits: a trunk that is as wide there as at the shoulders shows spikes.
    inwards = 0.12 * (left - right)
    outline = [right + inwards, left - inwards]
    outline += [left * 0.45 + hip_left * 0.55 + across * 0.06, hip_left + across * 0.32]
    outline += [hip_right - across * 0.32, right * 0.45 + hip_right * 0.55 - across * 0.06]
    hull = np.zeros(own.shape, np.uint8)
    cv2.fillPoly(hull, [np.rint(np.array(outline)).astype(np.int32)], 1)
    # Where the trunk is seen on both sides of an arm in its row, or below the waist in its column (hands clasped
    # before a skirt), the arm lies in front of it.
    waist = centre(joints, HIPS) + 0.25 * (centre(joints, SHOULDERS) - centre(joints, HIPS))
    columns = _between(own.T).T
    columns[: max(round(float(waist[1])), 0)] = False
    return under & (hull.astype(bool) | _between(own) | columns)


def _between(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) pixels with the part on both sides in their row."""
    return np.logical_or.accumulate(own, axis=1) & np.logical_or.accumulate(own[:, ::-1], axis=1)[:, ::-1]
