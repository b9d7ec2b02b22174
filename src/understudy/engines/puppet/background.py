"""The picture without its character: what the motion reveals where the character first stood."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about, grown_round
from understudy.engines.puppet.lines import hidden_lines
from understudy.engines.puppet.membrane import membrane
from understudy.engines.puppet.mend import busyness, mend, with_grain, worth_detail
from understudy.engines.puppet.quilt import choose
from understudy.engines.puppet.shadow import with_shadow
from understudy.engines.puppet.stitch import levelled, stitch
from understudy.engines.puppet.straight_fill import straight_fill
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

GROWTH = 7  # pixels by which the hole exceeds the matte, at a short side of 720
FAR = 18.0  # pixels from the figure from where on a shadow is not taken out whole
LOOK = 4  # pixels of the picture to one looked at for what is left of a shadow
# Pixels by which the straight fill's coarse borders are softened where it is shown, at a short side of 720.
SOFT = 5.0
# Levels of a colour: where the straight fill's flat colours differ from the smoothest surface by less than the first,
# there is shading and no border, and from the second on there is a border.
SHADING, BORDER = 14.0, 36.0
FADED = 16  # pixels about the hole that are looked at where only it is drawn
FEW = 0.03  # share of the hole that may be busy and still go without detail
FAINT = 24.0  # levels of a colour by which the picture may be changed there


def clean_background(rgb: NDArray[np.uint8], alpha: Floats) -> NDArray[np.uint8]:
    """(H, W, 3) the picture with the character of ``alpha`` (H, W) 0..1 removed.

    Outside the matte grown by some pixels (and its shadow) the picture keeps its bytes. What runs straight into the
    hole goes on in it; pieces of the picture itself give the detail, where they fit.
    """
    image = rgb.astype(np.float32)
    hole = find_hole(alpha)
    if not hole.any():
        return rgb.copy()
    if hole.all():
        return np.full_like(rgb, 128)
    hole = with_shadow(image, hole)
    if hole.all():
        return np.full_like(rgb, 128)
    filled = _filled(image, hole)
    box = box_about(hole, FADED)
    result = rgb.copy()
    eased = _eased(image[box], filled[box], alpha[box], _unit(hole.shape))
    cv2.copyTo(cv2.convertScaleAbs(cv2.max(eased, 0.0)), hole[box].astype(np.uint8), result[box])
    return result


def _eased(image: Floats, filled: Floats, alpha: Floats, unit: float) -> Floats:
    """``filled`` (H, W, 3) that changes ``image`` little where it is far from the figure of ``alpha`` (H, W).

    A faint shadow goes wherever it falls; of a dark one what lies far from the figure is only lightened, since what
    looks like one may be part of the picture.
    """
    away = cv2.distanceTransform((alpha < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    near = _hole(alpha, unit) | (away < FAR)
    if near.all():
        return filled
    eased = cv2.add(image, np.clip(cv2.subtract(filled, image), -FAINT, FAINT))
    # What stays of the shadow fades out towards the other side of the figure; broken off it would be a new border.
    left = cv2.subtract(eased, filled)
    cv2.copyTo(np.zeros_like(left), near.astype(np.uint8), left)
    if np.abs(left).max() > 1:
        size = (max(8, near.shape[1] // LOOK), max(8, near.shape[0] // LOOK))
        share = 1 - cv2.resize(near.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(left, size, interpolation=cv2.INTER_AREA) / np.maximum(share, 0.1)[..., None]
        small = membrane(np.asarray(small, np.float32), np.asarray(share < 0.5, np.bool_))
        left = cv2.resize(small, near.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(cv2.add(filled, left), near.astype(np.uint8), eased)
    return np.asarray(eased, np.float32)


def _filled(image: Floats, hole: Mask) -> Floats:
    lines = hidden_lines(image, hole)
    straight = straight_fill(image, hole, lines)
    expected = busyness(image, hole, straight)
    busy = worth_detail(expected, hole)
    plain = with_grain(image, _plain(image, hole, straight), hole)
    if busy.sum() < FEW * hole.sum():
        return plain
    quilt = choose(image, hole, straight, lines)
    if quilt is None:
        return plain
    pieces, often = stitch(image, hole, quilt)
    return mend(image, hole, pieces, plain, straight, expected, often)


def _plain(image: Floats, hole: Mask, straight: Floats) -> Floats:
    """(H, W, 3) a fill without detail, drawn at half the size: the ``straight`` fill, softened, with smooth shading in
    place of the steps that it makes of shading."""
    box = box_about(hole, FADED)
    height, width = hole[box].shape
    size = (max(2, width // 2), max(2, height // 2))
    seen, drawn, gap = (
        np.asarray(cv2.resize(part[box], size, interpolation=cv2.INTER_AREA), np.float32)
        for part in (image, straight, hole.astype(np.float32))
    )
    inside = np.asarray(gap > 0.01, np.bool_)
    spread = SOFT * _unit(hole.shape) / 2
    soft = cv2.GaussianBlur(drawn, (0, 0), spread)
    smooth = membrane(seen, inside)
    apart = cv2.GaussianBlur(np.abs(soft - smooth).max(axis=2), (0, 0), spread)
    share = np.clip((apart - SHADING) / (BORDER - SHADING), 0, 1)[..., None]
    fill = levelled(seen, inside, smooth + share * (soft - smooth))
    plain = image.copy()
    large = cv2.resize(fill, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(large, hole[box].astype(np.uint8), plain[box])
    return plain


def find_hole(alpha: Floats) -> Mask:
    """(H, W) the matte, grown by its soft edge and some pixels more."""
    return _hole(alpha, _unit(alpha.shape))


def _hole(alpha: Floats, unit: float) -> Mask:
    return grown_round(np.asarray(alpha > 0.02, np.bool_), max(2, round(GROWTH * unit)))


def _unit(shape: tuple[int, ...]) -> float:
    return min(shape[:2]) / 720
