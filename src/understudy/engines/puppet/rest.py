"""The rest pose: the rig as it stands in the reference image, which it has to give back."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.rig import Rig
from understudy.tracking.motion import HAND, Floats

FPS = 30.0  # of performances that have no clip; an order of drawing wants to know
TOUCHED = 0.02  # of alpha: what belongs to the figure's box
EDGE_PX = 3  # beside a part's edge, where it is cut softly
SOLID = 250  # of 255: where a part is opaque
LEAST_SQUARE = 1e-3  # of an error that is none: 78 dB

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
    return _decibels(float(_square(frame[box], reference[box]).mean()))


def parts_psnr(rig: Rig, frame: Image, reference: Image) -> dict[str, float]:
    """Decibels by which ``frame`` is like the reference image inside each part, away from its edges.

    A hand is too small to count in the whole. Parts that are all edge, or made because the picture shows them
    shortened, are left out.
    """
    square = _square(frame, reference)
    made = {limb.layers[1].name for limb in rig.limbs if limb.made}
    likeness = {}
    for layer in parts(rig):
        if layer.name in made:
            continue
        inside = _inside(layer, square.shape)
        if inside.any():
            likeness[layer.name] = _decibels(float(square[inside].mean()))
    return likeness


def parts(rig: Rig) -> tuple[Layer, ...]:
    """Every layer of the rig, the trunk first."""
    front = () if rig.front is None else (rig.front,)
    return (rig.trunk, *front, *(layer for limb in rig.limbs for layer in limb.layers))


def _inside(layer: Layer, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) the layer's pixels that lie in the picture, `EDGE_PX` away from its edge."""
    size = 2 * EDGE_PX + 1
    solid = cv2.copyMakeBorder(
        (layer.texture[..., 3] >= SOLID).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT
    )
    solid = cv2.erode(solid, np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    x, y = layer.origin[0] - 1, layer.origin[1] - 1
    inside = np.zeros(shape[:2], bool)
    cut = solid[max(-y, 0) : shape[0] - y, max(-x, 0) : shape[1] - x]
    top, left = max(y, 0), max(x, 0)
    inside[top : top + cut.shape[0], left : left + cut.shape[1]] = cut > 0
    return inside


def _square(frame: Image, reference: Image) -> NDArray[np.float32]:
    """(H, W) the squared difference, mean of the colours."""
    error = frame.astype(np.float32) - reference
    return np.asarray((error**2).mean(axis=2), np.float32)


def _decibels(square: float) -> float:
    return float(10 * np.log10(255**2 / max(square, LEAST_SQUARE)))
