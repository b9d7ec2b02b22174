"""A look inside the rig: matte, parts, rest pose, background, exercises, and every part turned by 60 degrees."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.engine import Puppet, PuppetEngine
from understudy.engines.puppet.exercises import EXERCISES, exercise_poses
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.learned_matte import matter_for
from understudy.engines.puppet.parts import HIPS, SHOULDERS
from understudy.engines.puppet.rest import painted, parts, parts_psnr, rest_frame, rest_poses, rest_psnr
from understudy.engines.puppet.rig import Rig
from understudy.media.picture import load_picture
from understudy.media.whole_file import check_places, write_whole
from understudy.progress import Progress, silent
from understudy.request import Matting, Mode, MotionRequest
from understudy.tracking.motion import Floats

SHEET_PX = 2000  # wide at most: eight upright 720p pictures side by side
PICTURE_PX, PART_PX = 430, 260  # heights of the cells
MOST_ENLARGED = 3.0  # a hand of 30 pixels is not blown up to the cell's height
GAP_PX = 6
CAPTION_PX = 22
LEAST_WIDE, MOST_WIDE = 130, 655  # of a cell: a caption is still legible; three landscapes fit side by side
PAPER, INK = 24, (235, 235, 235)
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5
MAGENTA = (255, 0, 255)
TURN_DEG = 60.0
TINT = 0.5  # share of a part's own colour in the picture of the parts
HUE_STEP = 0.381966  # of the colour circle, the golden section: neighbours in the list never look alike

Image = NDArray[np.uint8]  # (H, W, 3)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Cell:
    """One picture of the sheet and what it shows."""

    caption: str
    picture: Image
    ink: Colour = INK


def write_rig_sheet(
    image: Path,
    sheet: Path,
    *,
    mode: Mode = Mode.STD,
    joints: Path | None = None,
    limits: bool = True,
    matting: Matting = Matting.OWN,
    progress: Progress = silent,
) -> str:
    """Write the sheet as PNG; gives how the character was found. Raises the errors of `animate`."""
    check_places((sheet,), (image, joints))
    request = MotionRequest(image=image, output=sheet, mode=mode, joints=joints, limits=limits)
    engine = PuppetEngine(matter=matter_for(matting))
    puppet = engine.prepare(load_picture(image, limits=limits), request, progress)
    _, png = cv2.imencode(".png", cv2.cvtColor(rig_sheet(puppet, progress), cv2.COLOR_RGB2BGR))
    write_whole(sheet, png.tobytes())
    return puppet.character.found_by


def rig_sheet(puppet: Puppet, progress: Progress = silent) -> Image:
    """(H, W, 3) the page, captions in it, to be looked at in its own size."""
    sections: tuple[tuple[Callable[[Puppet], list[Cell]], int], ...] = (
        (_insides, PICTURE_PX),
        (_exercises, PICTURE_PX),
        (_exercises_on_magenta, PICTURE_PX),
        (_parts_turned, PART_PX),
    )
    strips: list[Image] = []
    for number, (cells, height) in enumerate(sections):
        progress("sheet", number, len(sections))
        strips += _flowed(cells(puppet), height)
    progress("sheet", len(sections), len(sections))
    width = max(strip.shape[1] for strip in strips)
    return np.vstack([_padded(strip, width=width) for strip in strips])


def part_colours(rig: Rig) -> tuple[Colour, ...]:
    """A colour for each of `parts`."""
    return tuple(_colour(number) for number in range(len(parts(rig))))


def _insides(puppet: Puppet) -> list[Cell]:
    rig, matte, reference = puppet.rig, puppet.matte, puppet.reference
    a = matte.alpha[..., None]
    cut_out = np.rint(matte.foreground * a + np.array(MAGENTA) * (1 - a)).astype(np.uint8)
    alpha = np.repeat(np.rint(255 * matte.alpha).astype(np.uint8)[..., None], 3, axis=2)
    rest = rest_frame(rig)
    likeness = rest_psnr(rest, reference, matte.alpha)
    return [
        Cell("reference image", reference),
        Cell("alpha", alpha),
        Cell("figure", cut_out),
        Cell("parts", with_bones(parts_over(reference, rig), rig)),
        Cell(f"rest pose, {likeness:.1f} dB", rest),
        Cell("rest pose, figure", painted(rig, rest_poses(rig), _magenta(rig))[0]),
        Cell("background", rig.background),
    ]


def _exercises(puppet: Puppet, ground: Image | None = None) -> list[Cell]:
    frames = painted(puppet.rig, exercise_poses(puppet.rig), ground)
    return [Cell(exercise.name, frame) for exercise, frame in zip(EXERCISES, frames, strict=True)]


def _exercises_on_magenta(puppet: Puppet) -> list[Cell]:
    return _exercises(puppet, _magenta(puppet.rig))


def _parts_turned(puppet: Puppet) -> list[Cell]:
    rig = puppet.rig
    likeness = parts_psnr(rig, rest_frame(rig), puppet.reference)
    cells = []
    for layer, colour in zip(parts(rig), part_colours(rig), strict=True):
        told = f", {likeness[layer.name]:.0f} dB" if layer.name in likeness else ""
        cells.append(Cell(f"{layer.name}{told}", _turned(layer), colour))
    return cells


def parts_over(picture: Image, rig: Rig) -> Image:
    """The picture in dark grey, each part of the rig in its own colour over it, as they lie on each other at rest."""
    colours = dict(zip((layer.name for layer in parts(rig)), part_colours(rig), strict=True))

    def dyed(layer: Layer) -> Layer:
        seen = layer.texture[..., 3:].astype(np.float32) / 255
        dye = np.rint(np.array(colours[layer.name]) * seen).astype(np.uint8)
        return replace(layer, texture=np.concatenate([dye, layer.texture[..., 3:]], axis=2))

    limbs = tuple(
        replace(limb, layers=(dyed(limb.layers[0]), dyed(limb.layers[1]), dyed(limb.layers[2])))
        for limb in rig.limbs
    )
    front = None if rig.front is None else dyed(rig.front)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    dark = np.zeros_like(rig.background)
    flat = rest_frame(replace(rig, trunk=dyed(rig.trunk), limbs=limbs, front=front, background=dark))
    return np.asarray(np.rint(TINT * flat + (1 - TINT) * grey), np.uint8)


def with_bones(picture: Image, rig: Rig) -> Image:
    """The picture with the bones that move (yellow), the trunk's (white) and the joints: green where they are shown,
    magenta where they are guessed."""
    drawn = picture.copy()
    thick = max(round(min(picture.shape[:2]) / 300), 2)
    joints = rig.joints
    _line(drawn, joints[[*SHOULDERS, HIPS[1], HIPS[0], SHOULDERS[0]]], (255, 255, 255), thick)
    for limb in rig.limbs:
        _line(drawn, limb.limb.polyline(joints), (255, 230, 0), thick)
    for (x, y), shown in zip(joints, rig.shown, strict=True):
        colour = (0, 255, 120) if shown else MAGENTA
        cv2.circle(drawn, (round(float(x)), round(float(y))), 2 * thick, colour, -1, cv2.LINE_AA)
    return drawn


def _line(picture: Image, points: Floats, colour: Colour, thick: int) -> None:
    for a, b in pairwise(np.rint(points).astype(int).tolist()):
        cv2.line(picture, a, b, (0, 0, 0), thick + 2, cv2.LINE_AA)
        cv2.line(picture, a, b, colour, thick, cv2.LINE_AA)


def _turned(layer: Layer) -> Image:
    """The layer turned about its middle, on magenta: edges and fills show best so."""
    height, width = layer.texture.shape[:2]
    side = int(np.hypot(height, width)) + 8
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), TURN_DEG, 1.0)
    turn[:, 2] += [(side - width) / 2, (side - height) / 2]
    texture = cv2.warpAffine(layer.texture, turn, (side, side), flags=cv2.INTER_LINEAR)
    seen = texture[..., 3:].astype(np.float32) / 255
    on = np.asarray(np.rint(texture[..., :3] + np.array(MAGENTA) * (1 - seen)).clip(0, 255), np.uint8)
    filled = np.argwhere(texture[..., 3] > 0)
    if not len(filled):
        return on
    (top, left), (bottom, right) = filled.min(axis=0), filled.max(axis=0) + 1
    return np.ascontiguousarray(on[max(top - 4, 0) : bottom + 4, max(left - 4, 0) : right + 4])


def _magenta(rig: Rig) -> Image:
    ground = np.empty_like(rig.background)
    ground[:] = MAGENTA
    return ground


def _colour(number: int) -> Colour:
    """The trunk is grey, limbs have colours."""
    if number == 0:
        return (170, 170, 170)
    red, green, blue = colorsys.hsv_to_rgb(HUE_STEP * number % 1.0, 0.7, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _flowed(cells: Sequence[Cell], height: int) -> list[Image]:
    """The cells side by side, in as few rows as the sheet's width allows, all about equally wide."""
    drawn = [_drawn(cell, height) for cell in cells]
    fewest = len(_rows(drawn, SHEET_PX))
    widths = range(max(one.shape[1] for one in drawn), SHEET_PX, GAP_PX)
    width = next((width for width in widths if len(_rows(drawn, width)) == fewest), SHEET_PX)
    return [
        np.hstack([_padded(one, height=max(other.shape[0] for other in row)) for one in row])
        for row in _rows(drawn, width)
    ]


def _rows(drawn: Sequence[Image], width: int) -> list[list[Image]]:
    rows: list[list[Image]] = [[]]
    for one in drawn:
        if rows[-1] and sum(other.shape[1] for other in rows[-1]) + one.shape[1] > width:
            rows.append([])
        rows[-1].append(one)
    return rows


def _drawn(cell: Cell, height: int) -> Image:
    """The cell with its caption above and the gap to its neighbours."""
    tall, wide = cell.picture.shape[:2]
    scale = min(height / tall, MOST_ENLARGED, MOST_WIDE / wide)
    size = (max(round(wide * scale), 1), max(round(tall * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(cell.picture, size, interpolation=how)
    drawn = np.full((CAPTION_PX + size[1] + GAP_PX, max(size[0], LEAST_WIDE) + GAP_PX, 3), PAPER, np.uint8)
    drawn[CAPTION_PX : CAPTION_PX + size[1], : size[0]] = small
    wanted = cv2.getTextSize(cell.caption, FONT, FONT_SCALE, 1)[0][0]
    fitting = FONT_SCALE * min(1.0, (drawn.shape[1] - GAP_PX) / max(wanted, 1))
    place = (2, CAPTION_PX - 7)
    cv2.putText(drawn, cell.caption, place, FONT, fitting, cell.ink, 1, cv2.LINE_AA)
    return drawn


def _padded(picture: Image, height: int = 0, width: int = 0) -> Image:
    """The picture with paper below and beside it, up to the size asked for."""
    below, beside = max(height - picture.shape[0], 0), max(width - picture.shape[1], 0)
    paper = (PAPER,) * 3
    return np.asarray(
        cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=paper), np.uint8
    )
