"""A look inside the rig: matte, parts, rest pose, background, and every part turned by 60 degrees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.engine import Puppet, PuppetEngine
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.rig import Rig
from understudy.media.picture import load_picture
from understudy.media.whole_file import check_places, write_whole
from understudy.progress import Progress, silent
from understudy.request import Mode, MotionRequest
from understudy.tracking.motion import HAND

CELL = 420  # height of a cell
MAGENTA = (255, 0, 255)
TURN_DEG = 60.0

Cell = NDArray[np.uint8]


def write_rig_sheet(
    image: Path,
    sheet: Path,
    *,
    mode: Mode = Mode.STD,
    joints: Path | None = None,
    limits: bool = True,
    progress: Progress = silent,
) -> str:
    """Write the sheet as PNG; gives how the character was found. Raises the errors of `animate`."""
    check_places((sheet,), (image, joints))
    request = MotionRequest(image=image, output=sheet, mode=mode, joints=joints, limits=limits)
    puppet = PuppetEngine().prepare(load_picture(image, limits=limits), request, progress)
    cells = [
        _fit(puppet.picture.rgb),
        _fit(_joints_over(puppet)),
        _fit(_whole(puppet.rig)),
        _fit(rest_frame(puppet.rig)),
        _fit(puppet.rig.background),
    ]
    layers = [puppet.rig.trunk, *(layer for limb in puppet.rig.limbs for layer in limb.layers)]
    cells += [_fit(_turned(layer)) for layer in layers]
    rows = [cells[:5]]
    rows += [cells[i : i + 7] for i in range(5, len(cells), 7)]
    strips = [np.hstack(row) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    page = np.vstack(
        [cv2.copyMakeBorder(s, 0, 6, 0, width - s.shape[1], cv2.BORDER_CONSTANT) for s in strips]
    )
    _, png = cv2.imencode(".png", cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
    write_whole(sheet, png.tobytes())
    return puppet.character.found_by


def rest_poses(rig: Rig) -> Poses:
    """One frame in which the character stands as in the reference image."""
    return Poses(
        joints=rig.joints[None].astype(np.float32),
        depth=np.zeros((1, len(rig.joints)), np.float32),
        facing=np.ones(1, np.float32),
        scale=np.ones(1, np.float32),
        hands=np.zeros((1, 2, HAND, 2), np.float32),
        hand_weight=np.zeros((1, 2), np.float32),
        shown=rig.shown,
    )


def rest_frame(rig: Rig) -> Cell:
    """(H, W, 3) the rig in rest pose over its background: the reference image, if all is well."""
    poses = rest_poses(rig)
    order = drawing_order(poses, tuple(limb.limb for limb in rig.limbs), rig.joints, 30.0)
    return Painter(rig, poses, order).frame(0)


def _over_magenta(texture: Cell) -> Cell:
    seen = texture[..., 3:].astype(np.float32) / 255
    return np.rint(texture[..., :3] + np.array(MAGENTA) * (1 - seen)).clip(0, 255).astype(np.uint8)


def _turned(layer: Layer) -> Cell:
    """The layer turned about its middle, on magenta: edges and fills show best so."""
    height, width = layer.texture.shape[:2]
    side = int(np.hypot(height, width)) + 8
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), TURN_DEG, 1.0)
    turn[:, 2] += [(side - width) / 2, (side - height) / 2]
    return _over_magenta(np.asarray(cv2.warpAffine(layer.texture, turn, (side, side)), np.uint8))


def _whole(rig: Rig) -> Cell:
    """All layers in rest pose on magenta, spread apart only by their own edges."""
    blank = Rig(rig.joints, rig.shown, rig.trunk, rig.limbs, np.full_like(rig.background, 0) + np.uint8(0))
    blank.background[:] = MAGENTA
    return rest_frame(blank)


def _joints_over(puppet: Puppet) -> Cell:
    picture = puppet.picture.rgb.copy()
    for limb in puppet.rig.limbs:
        cv2.polylines(
            picture,
            [np.rint(np.vstack([limb.starts, limb.starts[2] + limb.bones[2]])).astype(np.int32)],
            False,
            (255, 255, 0),
            2,
            cv2.LINE_AA,
        )
    for number, (x, y) in enumerate(puppet.rig.joints):
        colour = (0, 255, 255) if puppet.rig.shown[number] else (255, 0, 255)
        cv2.circle(picture, (round(float(x)), round(float(y))), 4, colour, -1, cv2.LINE_AA)
    return picture


def _fit(picture: Cell) -> Cell:
    scale = CELL / picture.shape[0]
    size = (max(round(picture.shape[1] * scale), 1), CELL)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(cv2.copyMakeBorder(small, 0, 0, 0, 6, cv2.BORDER_CONSTANT), np.uint8)
