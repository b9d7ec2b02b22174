"""The picture without its character: what the motion reveals where the character first stood."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.lines import hidden_lines
from understudy.engines.puppet.mend import busyness, mend, with_grain, worth_detail
from understudy.engines.puppet.quilt import choose
from understudy.engines.puppet.shadow import with_shadow
from understudy.engines.puppet.stitch import levelled, stitch
from understudy.engines.puppet.straight_fill import straight_fill
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

GROWTH = 7  # pixels by which the hole exceeds the matte, at a short side of 720
FAR = 18.0  # pixels from the figure where a shadow is no longer taken out whole
SOFT = (
    5.0  # pixels by which the straight fill's coarse borders are softened where it is shown, at a side of 720
)
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
    filled = _eased(image, filled, alpha)
    result = rgb.copy()
    result[hole] = np.clip(np.rint(filled[hole]), 0, 255).astype(np.uint8)
    return result


def _eased(image: Floats, filled: Floats, alpha: Floats) -> Floats:
    """``filled`` (H, W, 3) that changes ``image`` the less, the farther from the figure of ``alpha`` (H, W).

    A faint shadow goes wherever it falls; of a dark one what lies far from the figure is only lightened, since what
    looks like one may be part of the picture.
    """
    away = cv2.distanceTransform((alpha < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    near = GROWTH * _unit(alpha.shape)
    share = np.clip((FAR - away) / max(1.0, FAR - near), 0, 1)
    most = np.where(find_hole(alpha), 255, FAINT + share**2 * (255 - FAINT))[..., None]
    return np.asarray(image + np.clip(filled - image, -most, most), np.float32)


def _filled(image: Floats, hole: Mask) -> Floats:
    lines = hidden_lines(image, hole)
    straight = straight_fill(image, hole, lines)
    expected = busyness(image, hole, straight)
    busy = worth_detail(expected, hole)
    soft = cv2.GaussianBlur(straight, (0, 0), SOFT * _unit(hole.shape))
    plain = with_grain(image, levelled(image, hole, soft), hole)
    if busy.sum() < FEW * hole.sum():
        return plain
    quilt = choose(image, hole, straight, lines)
    if quilt is None:
        return plain
    pieces, often = stitch(image, hole, quilt)
    return mend(image, hole, pieces, plain, straight, expected, often)


def find_hole(alpha: Floats) -> Mask:
    """(H, W) the matte, grown by its soft edge and some pixels more."""
    return _grow(alpha > 0.02, GROWTH * _unit(alpha.shape))


def _unit(shape: tuple[int, ...]) -> float:
    return min(shape[:2]) / 720


def _grow(mask: Mask, radius: float) -> Mask:
    size = 2 * max(2, round(radius)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, np.bool_)
