"""Strips of background that a mask takes along: beside an arm, between arm and body, between the legs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import capsules, torso
from understudy.engines.puppet.crf import BilateralGrid, Reach
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

NEAR = 0.6  # torsos about the figure in which background speaks of what lies beside a limb
AROUND = 0.25  # torsos: as far as colours of figure and background are asked for
LIGHT, COLOUR = 6.0, 3.0  # Lab units within which two colours are alike
FLOOR = 0.005  # share of alike neighbours that a few stray pixels make
EVERY = 2  # of the known pixels, one in so many rows and columns speaks
SEEN = 0.6  # mean belief along the outer half of the bone of a limb that the networks see
UNSEEN = 0.1  # torsos: the radius of a limb that they do not see, which stays whole
TRUST = 1.4  # log-odds: the most that belief in a doubtful place counts
HOME = 0.7  # log-odds that speak for the figure where a bare body would be
LIKELY = 0.0  # log-odds below which a strip begins,
MAYBE = 0.7  # and up to which it goes on
LEAST = 0.03  # torsos: the width of the thinnest strip worth cutting
CONTRAST = 12.0  # Lab units between a strip and the figure beside it that are an edge
CLEAR = 0.5  # of its border with the figure that must be such an edge: else it is the figure's own cloth
RIM = np.ones((3, 3), np.uint8)
ARM_SIDE = 0.35  # torsos from an arm's bone in which a strip is looked for
LEG_SIDE = 0.2
LIMBS = ((11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20))
SHINS = ((25, 27), (27, 29), (29, 31), (27, 31), (26, 28), (28, 30), (30, 32), (28, 32))


@dataclass(frozen=True)
class Body:
    """Where a bare body would be, by its joints (33, 2): all (H, W) masks at the label's size."""

    joints: Floats
    zone: Mask
    middle: Mask  # of the zone
    bones: Mask


def strips(label: Floats, belief: Floats, lab: Floats, body: Body, held: Mask) -> Mask:
    """(H, W) what ``label`` (H, W) 0..1 holds and is likelier background, by colours nearby and by ``belief``.

    ``lab`` (H, W, 3); ``held`` (H, W) is what surely goes with the figure. Where labels follow colour, black shorts
    and hair speak for a black door beside the arm. Here each doubtful pixel is asked once: how many of the sure
    figure's pixels nearby have its colour, how many of the background's?
    """
    unit = torso(body.joints)
    # the bone of a limb that is seen may lie beside it, found wrong; one that is not seen is all there is of it
    unseen = _unseen(belief, body.joints, unit)
    bare = (belief > 0.5) | unseen
    known = (
        (body.middle & (belief > 0.7)) | (body.zone & (belief > 0.95)) | (body.bones & bare) | unseen | held
    )
    doubt = (label > 0.3) & ~known & _beside_limbs(label.shape, body.joints, unit)
    if not (doubt & (label > 0.5)).any():
        return np.zeros_like(doubt)
    outside = cv2.distanceTransform((label < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    ground = (label < 0.1) & (belief < 0.3) & (outside > 2) & (outside < NEAR * unit)
    figure = known & (label > 0.5)
    sparse = np.zeros_like(doubt)
    sparse[::EVERY, ::EVERY] = True
    asked = doubt | ((figure | ground) & sparse)
    y, x = np.nonzero(asked)
    reach = Reach(AROUND * unit, LIGHT, COLOUR, 1.0)
    grid = BilateralGrid(
        np.stack([x, y], 1).astype(np.float32), lab[asked], np.ones(len(y), np.float32), reach
    )
    alike = [grid.total((kind & sparse)[asked].astype(np.float32)) for kind in (figure, ground)]
    around = [_around((kind & sparse).astype(np.float32), AROUND * unit)[asked] for kind in (figure, ground)]
    both = 0.05 * (around[0] + around[1]) + 1e-6
    ours, theirs = (a / (n + both) for a, n in zip(alike, around, strict=True))
    odds = np.log((belief + 0.02) / (1.02 - belief))
    odds = np.where(body.zone & bare, odds + HOME, np.minimum(odds, TRUST)).astype(np.float32)
    colours = np.log((ours + FLOOR) / (theirs + FLOOR))
    odds[asked] += colours
    odds = np.where(doubt, odds, 4.0).astype(np.float32)
    gone = _regions(cv2.medianBlur(odds, 5), doubt, unit)
    return _set_off(gone, label, lab) if gone.any() else gone


def _unseen(belief: Floats, joints: Floats, unit: float) -> Mask:
    """(H, W) about the bones of arms, shins and feet in which there is little ``belief``."""
    height, width = belief.shape
    part = np.linspace(0.5, 1.0, 6)[:, None]  # the end counts: a hand in doubt below a sleeve is not seen
    bones = []
    for a, b in (*LIMBS, *SHINS):
        x, y = np.rint(joints[a] * (1 - part) + joints[b] * part).astype(int).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if inside.any() and belief[y[inside], x[inside]].mean() < SEEN:
            bones.append((a, b))
    return capsules(belief.shape, joints, bones, UNSEEN * unit)


def _beside_limbs(shape: tuple[int, ...], joints: Floats, unit: float) -> Mask:
    """(H, W) beside arms, shins and feet and between the legs."""
    zone = capsules(shape, joints, list(LIMBS), ARM_SIDE * unit) | capsules(
        shape, joints, list(SHINS), LEG_SIDE * unit
    )
    between = zone.astype(np.uint8)
    legs = np.concatenate([joints[[23, 24]].mean(0, keepdims=True), joints[[26, 28, 27, 25]]])
    cv2.fillConvexPoly(between, cv2.convexHull(np.rint(legs).astype(np.int32)), 1)
    return np.asarray(between > 0, np.bool_)


def _around(kind: Floats, reach: float) -> Floats:
    """(H, W) how much of ``kind`` (H, W) lies about each pixel, of any colour, as the grid of colours counts it."""
    size = (max(1, kind.shape[1] // 8), max(1, kind.shape[0] // 8))
    small = cv2.resize(kind, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.9 * reach / 8, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(0.125 * reach**2 * cv2.resize(small, kind.shape[::-1]), np.float32)


def _regions(odds: Floats, doubt: Mask, unit: float) -> Mask:
    """(H, W) the pieces of ``doubt`` of little ``odds`` (H, W) that are wide enough to be seen, with what goes on."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    begins = cv2.erode((doubt & (odds < LIKELY)).astype(np.uint8), kernel) > 0
    goes_on = (doubt & (odds < MAYBE)).astype(np.uint8)
    count, pieces = cv2.connectedComponents(cv2.morphologyEx(goes_on, cv2.MORPH_OPEN, kernel))
    size = np.bincount(pieces[begins], minlength=count)
    keep = size > (LEAST * unit) ** 2
    keep[0] = False
    return np.asarray(keep[pieces], np.bool_)


def _set_off(gone: Mask, label: Floats, lab: Floats) -> Mask:
    """(H, W) the pieces of ``gone`` that are of another colour than the figure beside them, up to its edge."""
    kept = (label > 0.5) & ~gone
    strip_colour, figure_colour = (
        _mean(lab, gone, 4.0),
        _mean(lab, cv2.erode(kept.astype(np.uint8), RIM) > 0, 4.0),
    )
    contrast = np.linalg.norm(strip_colour - figure_colour, axis=2)
    count, pieces = cv2.connectedComponents(gone.astype(np.uint8))
    # every pixel of the figure within reach of a strip goes with the colour that it is nearer to
    wide = cv2.dilate(pieces.astype(np.float32), np.ones((9, 9), np.uint8)).astype(np.int32)
    ring = kept & (wide > 0)
    total = np.bincount(wide[ring], minlength=count)
    clear = np.bincount(wide[ring & (contrast > CONTRAST)], minlength=count)
    keep = clear > CLEAR * total
    keep[0] = False
    gone = keep[pieces]
    theirs = np.linalg.norm(lab - strip_colour, axis=2) < 0.8 * np.linalg.norm(lab - figure_colour, axis=2)
    return np.asarray(gone | (ring & keep[wide] & theirs & (contrast > CONTRAST)), np.bool_)


def _mean(lab: Floats, of: Mask, reach: float) -> Floats:
    """(H, W, 3) the mean colour of the pixels ``of`` about each pixel."""
    share = of.astype(np.float32)
    total = cv2.GaussianBlur(lab * share[..., None], (0, 0), reach)
    return np.asarray(total / (cv2.GaussianBlur(share, (0, 0), reach)[..., None] + 1e-6), np.float32)
