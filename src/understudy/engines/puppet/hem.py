"""The hem of what hangs from the trunk over the legs: a skirt, a coat, a long shirt, a drawn body without hips."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.bare_body import NOTHING, BareBody, arm_pixels
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.parts import HIPS, centre
from understudy.tracking.motion import Floats

GRID = 48  # samples to one thigh's length: folds and stitches are finer, hems are not
ABOVE, BELOW, ASIDE = 0.6, 2.3, 1.7  # what is looked at about the hips, in thigh lengths
HIGHEST = 0.12  # a hem lies so far below the hips at least: pockets and belts lie above
HIPS_ABOVE = 0.25  # how far above the hips a thigh may have been cut out of the trunk
BAND = 2  # samples above and below an edge that are compared
CLEAR = 18.0  # Lab units across a clear edge
LIGHTNESS = 0.6  # how much a change of lightness alone counts: folds and shadows are that
SHARE_OF_THIGH = 0.6  # the legs' place reaches so many half widths of a thigh beyond the hip joints
MIDDLE = 0.8  # the share of that place in which nothing may gape above a hem
GAPE, UNSEEN, BESIDE, ASTRAY = 1.5, 0.5, 0.3, 1.0  # costs where an edge would be 0 and none 1
SLOPE, BEND = 3, 0.12  # samples that a hem rises from one to the next at most, and what one of them costs
DOUBTFUL = 0.14  # mean cost above which there is no hem
CLIMB = 0.15  # thigh lengths that a hem may rise to its middle: more, and it is two trouser legs
# From so many thigh lengths on, trousers' legs that touch end like a dress, but narrower
LONG, NARROWING = 0.95, 0.85
# Shorts whose legs touch look like a skirt. They end between here, are hardly wider than the hips, and end above too,
# at a waist or below a shirt; a dress does not.
SHORTS, WIDE = (0.55, 1.1), 1.1
WAIST = 0.4  # mean cost up to which there is an edge all across above
FAR = 4 * GRID  # samples: no figure reaches so far aside
STANDING = 0.65  # legs of whose length the picture shows less point at the camera


@dataclass(frozen=True)
class Hem:
    """``above`` (H, W) bool is all that lies between the hips and the hem, ``depth`` pixels below them."""

    above: NDArray[np.bool_]
    depth: float


@dataclass(frozen=True)
class _Frame:
    """A grid of samples about the hips: ``points`` (h, w, 2) pixels, row ``hips`` at the hips, ``unit`` pixels each;
    columns ``aside`` (w,) samples from the middle."""

    points: Floats
    aside: Floats
    hips: int
    unit: float


def find_hem_over_legs(alpha: Floats, body: BareBody, cut: list[Corridor], joints: Floats) -> Hem | None:
    """The hem in a picture cut into ``cut``; None too where not both legs can be moved."""
    legs = [c for c in cut if not c.limb.arm]
    if len(legs) != 2:
        return None
    shows = ((alpha > 0.5) & ~arm_pixels(body.labels, cut)) | (body.behind != NOTHING)
    return find_hem(body.rgb, shows, joints, float(np.mean([c.radii[0] for c in legs])))


def find_hem(rgb: NDArray[np.uint8], body: NDArray[np.bool_], joints: Floats, radius: float) -> Hem | None:
    """The hem of a garment that hangs over both legs, or None.

    It is the best path from side to side below the hips (dynamic programming): along edges that run across, or along
    the end of the matte, with nothing gaping above it. A pair of trousers has no such path, since it gapes between the
    legs, or has no edge across a thigh. ``rgb`` (H, W, 3) is the picture without arms, ``body`` (H, W) where it shows
    the body, ``joints`` (33, 2), ``radius`` a thigh's half width.
    """
    frame = _frame(joints)
    if frame is None:
        return None
    half = (float(np.hypot(*(joints[HIPS[0]] - joints[HIPS[1]]))) / 2 + SHARE_OF_THIGH * radius) / frame.unit
    legs = np.abs(frame.aside) <= half
    cost = _cost(rgb, body, frame, legs, np.abs(frame.aside) <= MIDDLE * half)
    first = frame.hips + round(HIGHEST * GRID)
    row = _hem(cost, legs, first, len(cost), DOUBTFUL)
    inside = cv2.remap(body.astype(np.float32), frame.points, None, cv2.INTER_LINEAR) > 0.5
    if row is not None and _is_shorts(cost, legs, inside, row, frame.hips):
        row = _hem(cost, legs, first, frame.hips + round(SHORTS[0] * GRID), DOUBTFUL)
    if row is None:
        return None
    thighs = legs & (np.abs(frame.aside) > half / 2)
    middle = np.abs(frame.aside) < half / 3
    if float(row[thighs].mean() - row[middle].mean()) > CLIMB * GRID:
        return None
    depth = float(row[legs].mean()) - frame.hips
    if depth > LONG * GRID:
        low = frame.hips + round(0.85 * depth)
        if inside[low].sum() < NARROWING * inside[frame.hips].sum():
            return None
    line = frame.points[row, np.arange(len(row))]
    aside = (line[-1] - line[0]) * (FAR / len(line))
    top = frame.points[frame.hips - round(HIPS_ABOVE * GRID), [-1, 0]]
    outline = np.concatenate([line, line[-1:] + aside, top[:1] + aside, top[1:] - aside, line[:1] - aside])
    area = np.zeros(body.shape, np.uint8)
    cv2.fillPoly(area, [np.rint(outline).astype(np.int32)], 1)
    return Hem(area.astype(bool), depth * frame.unit)


def _frame(joints: Floats) -> _Frame | None:
    hips, knees = centre(joints, HIPS), centre(joints, (25, 26))
    thigh = float(max(np.hypot(*(joints[25] - joints[23])), np.hypot(*(joints[26] - joints[24]))))
    along = float(np.hypot(*(knees - hips)))
    across = joints[HIPS[0]] - joints[HIPS[1]]
    if thigh < GRID / 4 or along < STANDING * thigh or float(np.hypot(*across)) < 1:
        return None
    down = (knees - hips) / along
    aside = np.array([-down[1], down[0]], np.float32)
    aside = aside if float(aside @ across) >= 0 else -aside
    unit = thigh / GRID
    rows = np.arange(-round(ABOVE * GRID), round(BELOW * GRID)) * unit
    columns = np.arange(-round(ASIDE * GRID), round(ASIDE * GRID) + 1).astype(np.float32)
    points = hips + rows[:, None, None] * down + (columns * unit)[None, :, None] * aside
    return _Frame(points.astype(np.float32), columns, round(ABOVE * GRID), unit)


def _cost(
    rgb: NDArray[np.uint8],
    body: NDArray[np.bool_],
    frame: _Frame,
    legs: NDArray[np.bool_],
    middle: NDArray[np.bool_],
) -> Floats:
    """(h, w) what a hem through each sample costs; ``legs`` and ``middle`` (w,) are the columns of the legs' place."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), max(0.5 * frame.unit, 0.6))
    colour = cv2.remap(lab, frame.points, None, cv2.INTER_LINEAR).astype(np.float32)
    inside = cv2.remap(body.astype(np.float32), frame.points, None, cv2.INTER_LINEAR) > 0.5
    above, seen_above = _band(colour, inside, -BAND)
    below, seen_below = _band(colour, inside, 1)
    change = (above - below) * np.array([LIGHTNESS, 1, 1], np.float32)
    edge = np.minimum(np.hypot(np.hypot(change[..., 0], change[..., 1]), change[..., 2]) / CLEAR, 1)
    ends = (seen_above > 2 * BAND * 0.9) & (seen_below < BAND)
    cost = 1 - np.where(ends, 1.0, edge)
    x, y = frame.points[..., 0], frame.points[..., 1]
    outside = (x < 0) | (y < 0) | (x > rgb.shape[1] - 1) | (y > rgb.shape[0] - 1 - BAND * frame.unit)
    cost[outside & ends] = UNSEEN
    cloth = seen_above > 2 * BAND * 0.9
    cost = np.where(cloth, cost, np.where(legs[None], ASTRAY, BESIDE))
    gaping = ~inside
    gaping[: frame.hips + BAND] = False
    open_above = np.cumsum(gaping, axis=0) - gaping > BAND
    return np.asarray(cost + GAPE * (open_above & middle[None]), np.float32)


def _hem(
    cost: Floats, legs: NDArray[np.bool_], first: int, last: int, limit: float
) -> NDArray[np.intp] | None:
    """(w,) the row of the best path between two rows, or None where it costs the legs' columns more than ``limit``."""
    row = _path(cost[first:last]) + first
    return row if float(cost[row, np.arange(len(row))][legs].mean()) <= limit else None


def _is_shorts(
    cost: Floats, legs: NDArray[np.bool_], inside: NDArray[np.bool_], row: NDArray[np.intp], hips: int
) -> bool:
    """Whether what ends at ``row`` (w,) may well be two trouser legs that touch."""
    depth = float(row[legs].mean()) - hips
    if not SHORTS[0] * GRID < depth < SHORTS[1] * GRID:
        return False
    widths = inside[[hips, hips + round(0.85 * depth)]].sum(axis=1)
    if widths[1] > WIDE * min(float(widths[0]), GRID):
        return False
    return _hem(cost, legs, 0, hips + round(0.6 * depth), WAIST) is not None


def _band(colour: Floats, inside: NDArray[np.bool_], start: int) -> tuple[Floats, Floats]:
    """Mean colour (h, w, 3) of the ``BAND`` rows from ``start`` on, over three columns, and how many samples it has."""
    weight = inside.astype(np.float32)
    sums = np.concatenate([colour * weight[..., None], weight[..., None]], axis=2)
    sums = cv2.blur(sums, (3, 1), borderType=cv2.BORDER_CONSTANT) * 3
    total = np.zeros_like(sums)
    for k in range(start, start + BAND):
        rows = np.clip(np.arange(len(sums)) + k, 0, len(sums) - 1)
        total += sums[rows]
    return total[..., :3] / np.maximum(total[..., 3:], 1), total[..., 3]


def _path(cost: Floats) -> NDArray[np.intp]:
    """(w,) the row of each column on the cheapest path from side to side."""
    height, width = cost.shape
    rise = np.abs(np.arange(height)[:, None] - np.arange(height)[None, :])
    step = np.where(rise > SLOPE, 1e3, BEND * rise).astype(np.float32)
    total = cost[:, 0]
    back = np.zeros((width, height), np.intp)
    for i in range(1, width):
        ways = total[:, None] + step
        back[i] = ways.argmin(axis=0)
        total = ways.min(axis=0) + cost[:, i]
    path = np.zeros(width, np.intp)
    path[-1] = int(total.argmin())
    for i in range(width - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path
