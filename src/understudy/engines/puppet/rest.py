"""The rest pose: the rig as it stands in the reference image, which it has to give back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.rig import Rig
from understudy.tracking.motion import HAND, Floats

FPS = 30.0  # of performances that have no clip; an order of drawing wants to know
TOUCHED = 0.02  # of alpha: what belongs to the figure's box

Image = NDArray[np.uint8]  # (H, W, 3)


def rest_poses(rig: Rig) -> Poses:
    """One frame in which the character stands as in the reference image."""
    return poses_at(rig, rig.joints[None])


def poses_at(rig: Rig, joints: Floats) -> Poses:
    """A performance with the ``joints`` (T, 33, 2), everything at one depth and as near as in the reference image."""
    frames = len(joints)
    return Poses(
        joints=joints.astype(np.float32),
        depth=np.zeros(joints.shape[:2], np.float32),
        facing=np.ones(frames, np.float32),
        scale=np.ones(frames, np.float32),
        hands=np.zeros((frames, 2, HAND, 2), np.float32),
        hand_weight=np.zeros((frames, 2), np.float32),
        shown=rig.shown,
    )


def rest_frame(rig: Rig) -> Image:
    """(H, W, 3) the rig in rest pose over its background: the reference image, if all is well."""
    return painted(rig, rest_poses(rig))[0]


def painted(rig: Rig, poses: Poses, background: Image | None = None) -> list[Image]:
    """The frames of ``poses`` over the rig's own background, or over another one."""
    stage = rig if background is None else replace(rig, background=background)
    order = drawing_order(poses, tuple(limb.limb for limb in rig.limbs), rig.joints, FPS)
    painter = Painter(stage, poses, order)
    return [painter.frame(t) for t in range(len(poses))]


def rest_psnr(frame: Image, reference: Image, alpha: Floats) -> float:
    """Decibels by which the rest pose is like the reference image, inside the box of what ``alpha`` (H, W) touches."""
    rows, columns = np.nonzero(alpha > TOUCHED)
    if not len(rows):
        return float("nan")
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    error = frame[box].astype(np.float64) - reference[box]
    return float(10 * np.log10(255**2 / max(float(np.mean(error**2)), 1e-3)))
