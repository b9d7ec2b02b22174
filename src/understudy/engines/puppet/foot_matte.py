"""The matte about the feet, corrected by the picture: shoes of the floor's colour, shadows under soles.

A network's mask is coarse at the feet: the side of a white shoe on a white floor is missed and would stay behind as a
ghost, a contact shadow is taken along. Colours on both sides tell better there, and a correction counts only where the
picture has the stronger edge for it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline
from understudy.engines.puppet.matte import Matte
from understudy.engines.puppet.parts import LIMBS, figure_size
from understudy.engines.puppet.seam import edge_strength
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

LEGS = tuple(limb for limb in LIMBS if not limb.arm)
TOES = (31, 32)

# All in foot lengths: from ankle to toe's joint, or so many shins of a foot that points at the camera.
LEAST_SHIN = 0.3
FREE = 0.95  # about a foot's bone: there the matte may change
APART = 1.8  # between two feet: from there each is looked at by itself
ABOUT = 1.3  # beyond that: what tells the colours of floor and leg
SURE = 0.1  # about the bone: certainly foot, where the matte is
# Within the matte and about the bone: certainly foot, not floor between two
DEEP, DEEP_ABOUT = 0.3, 0.4
SMOOTH = 0.05  # spikes and dents below that are the colours' noise
SMALLEST_PX = 12.0  # a foot: below that there is nothing to correct
LARGEST_PX = 240  # of the picture's part that is looked at
ROUNDS = 2  # of estimating colours and cutting: a third moves one pixel in a thousand
EDGE_GAIN = 0.03  # by which the new border's edge is the stronger one
CLEAR = 0.3  # of an edge that ends a shoe: floors' own are weaker, or the floor is no help
CALM = 0.22  # of the edges inside of a shadow that was taken for foot; shoes have seams and laces
RESTLESS = 0.08  # of the floor about the feet that clear edges close off: a floor with a pattern
RIM_PX = 3  # half the width of a clear edge
THICK = 0.12  # half of what a line on the floor or a shadow's edge is thinner than
LARGEST_CHANGE = 0.6  # of the foot's area: more and the colours have mistaken the floor for the foot


def with_sharp_feet(matte: Matte, rgb: NDArray[np.uint8], character: Character) -> Matte:
    """The ``matte`` with its feet corrected by the picture ``rgb`` (H, W, 3).

    Colours of figure and floor are told apart by mixtures of Gaussians and a graph cut (Rother, Kolmogorov, Blake,
    "GrabCut", SIGGRAPH 2004), started from the matte, in the feet's surroundings alone.
    """
    joints = character.person.body[:, :2].astype(np.float32)
    bones = [
        joints[[limb.points[2], TOES[limb.side]]]
        for limb in LEGS
        if character.shown[[limb.points[2], TOES[limb.side]]].all()
    ]
    bones = [bone for bone in bones if np.isfinite(bone).all()]
    if not bones:
        return matte
    shins = [float(np.hypot(*(joints[limb.points[2]] - joints[limb.points[1]]))) for limb in LEGS]
    size = figure_size(joints)
    shin = min(float(np.nanmean(shins)), size) if np.isfinite(shins).any() else 0.0
    length = max(*(float(np.hypot(*(toe - ankle))) for ankle, toe in bones), LEAST_SHIN * shin)
    if not SMALLEST_PX < length < LARGEST_PX * 2:
        return matte
    for group in _groups(bones, length):
        matte = _corrected(matte, rgb, group, length)
    return matte


def _groups(bones: list[Floats], length: float) -> list[list[Floats]]:
    """Feet that stand near each other are looked at together."""
    apart = len(bones) == 2 and float(np.abs(bones[0].mean(0) - bones[1].mean(0)).max()) > APART * length
    return [[bone] for bone in bones] if apart else [bones]


def _corrected(matte: Matte, rgb: NDArray[np.uint8], bones: list[Floats], length: float) -> Matte:
    height, width = matte.alpha.shape
    points = np.concatenate(bones)
    x0, y0 = np.maximum(np.floor(points.min(axis=0) - ABOUT * length), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(points.max(axis=0) + ABOUT * length) + 1, [width, height]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return matte
    box = (slice(y0, y1), slice(x0, x1))
    shrink = max(1.0, max(x1 - x0, y1 - y0) / LARGEST_PX)
    size = (round((x1 - x0) / shrink), round((y1 - y0) / shrink))
    small = np.ascontiguousarray(cv2.resize(rgb[box], size, interpolation=cv2.INTER_AREA))
    alpha = np.asarray(cv2.resize(matte.alpha[box], size, interpolation=cv2.INTER_AREA), np.float32)
    lines = [((bone - [x0, y0] + 0.5) / shrink - 0.5).astype(np.float32) for bone in bones]
    before = alpha > 0.5
    away = _away(before.shape, lines)
    edges, free = edge_strength(small), away < FREE * length / shrink
    closed = _closed_off(before, edges, free, length / shrink)
    after = _cut(small, alpha, away, length / shrink)
    if after is None:
        return matte
    after = _better(before, after | closed, edges, free)
    changed = before != after
    if not changed.any():
        return matte
    whole = cv2.resize(after.astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    near = cv2.resize(changed.astype(np.uint8), (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    near = cv2.dilate(near, np.ones((5, 5), np.uint8)) > 0
    sharp = cv2.GaussianBlur((whole > 0.5).astype(np.float32), (0, 0), 0.8)
    full, foreground = matte.alpha.copy(), matte.foreground.copy()
    full[box] = np.where(near, sharp, full[box])
    added = near & (sharp > matte.alpha[box])
    foreground[box] = np.where(added[..., None], rgb[box], foreground[box])
    return replace(matte, alpha=full, foreground=foreground)


def _away(shape: tuple[int, ...], lines: list[Floats]) -> Floats:
    """(h, w) distance to the nearest of the feet's bones."""
    ys, xs = np.indices(shape[:2])
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float32)
    nearest: Floats = np.min([distance_to_polyline(pixels, line) for line in lines], axis=0)
    return nearest.reshape(shape[:2])


def _cut(rgb: NDArray[np.uint8], alpha: Floats, away: Floats, length: float) -> Mask | None:
    """(h, w) the figure by colours, or None where one side has nothing to tell them by."""
    core = alpha > 0.5
    deep = cv2.distanceTransform(np.pad(core, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    free = away < FREE * length
    start = np.where(core, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    start[~free] = np.where(core[~free], cv2.GC_FGD, cv2.GC_BGD)
    inner = (deep > DEEP * length) & (away < DEEP_ABOUT * length)
    start[core & (inner | ((away < SURE * length) & (alpha > 0.9)))] = cv2.GC_FGD
    if not (start == cv2.GC_FGD).any() or not (start == cv2.GC_BGD).any():
        return None
    cv2.setRNGSeed(0)
    sides = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(rgb, start, None, *sides, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # one colour alone
        return None
    found = ((start == cv2.GC_FGD) | (start == cv2.GC_PR_FGD)).astype(np.uint8)
    kernel = _round(max(round(SMOOTH * length), 1))
    # Holes first: laces and stripes have the floor's colours too.
    _, islands, stats, _ = cv2.connectedComponentsWithStats(1 - found, connectivity=4)
    enclosed = ~np.isin(np.arange(len(stats)), np.unique(islands[start == cv2.GC_BGD]))
    found = (found > 0) | (enclosed[islands] & (islands > 0))
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, kernel)
    joined: Mask = (found > 0) & free | core & ~free
    changed = float((joined != core).sum())
    return joined if changed < LARGEST_CHANGE * max(float((core & free).sum()), 1.0) else None


def _closed_off(before: Mask, edges: Floats, free: Mask, length: float) -> Mask:
    """(h, w) what clear edges part from the floor about the feet, beside the figure: shoes of the floor's colour."""
    floor = ((edges < CLEAR) & ~(before & ~free)).astype(np.uint8)
    _, islands = cv2.connectedComponents(floor, connectivity=4)
    around = ~free & ~before
    open_to = np.unique(islands[around & (floor > 0)])
    shut = ~np.isin(islands, open_to[open_to > 0])
    if not around.any() or float(shut[around].mean()) > RESTLESS:
        return np.zeros_like(before)
    whole = cv2.erode((shut | before).astype(np.uint8), _round(RIM_PX))
    solid: Mask = cv2.morphologyEx(whole, cv2.MORPH_OPEN, _round(max(round(THICK * length), 1))) > 0
    return _joined(before | solid & free, before) & ~before


def _round(radius: int) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8
    )


def _joined(mask: Mask, to: Mask) -> Mask:
    """(h, w) the pieces of a mask that hold some of ``to``."""
    count, islands = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    keep = np.bincount(islands[to & mask], minlength=count) > 0
    keep[0] = False
    return np.asarray(keep[islands], np.bool_)


def _better(before: Mask, after: Mask, edges: Floats, free: Mask) -> Mask:
    """(h, w) ``before`` with what the difference betters: pieces to add end at a clear edge, or at a stronger one than
    before; pieces to take away lie between a weak edge and a stronger one, and are as calm as a shadow."""
    result = before.copy()
    square = np.ones((3, 3), np.uint8)
    rims = [
        cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, square) > 0 for mask in (before, after)
    ]
    for change, adds in ((after & ~before & free, True), (before & ~after & free, False)):
        pieces, islands, stats, _ = cv2.connectedComponentsWithStats(change.astype(np.uint8), connectivity=4)
        for piece in range(1, pieces):
            x, y, w, h, area = stats[piece]
            if area < 4:
                continue
            part = (slice(max(y - 2, 0), y + h + 2), slice(max(x - 2, 0), x + w + 2))
            mine = islands[part] == piece
            about = cv2.dilate(mine.astype(np.uint8), square) > 0
            old, new = (about & rim[part] for rim in rims)
            old, new = old & ~new, new & ~old
            was, would_be = (float(edges[part][rim].mean()) if rim.any() else 0.0 for rim in (old, new))
            good = would_be > was + EDGE_GAIN
            if adds:
                good |= would_be > CLEAR
            else:
                inner = cv2.erode(mine.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
                good &= was < CLEAR
                good &= not inner.any() or float(edges[part][inner].mean()) < CALM
            if good:
                result[part][mine] = adds
    return _joined(result, before)
