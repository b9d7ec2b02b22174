"""The picture without its character: what the motion reveals where the character first stood."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.lines import hidden_lines
from understudy.engines.puppet.mend import mend
from understudy.engines.puppet.quilt import choose
from understudy.engines.puppet.shadow import with_shadow
from understudy.engines.puppet.stitch import stitch
from understudy.engines.puppet.straight_fill import straight_fill
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

GROWTH = 7  # pixels by which the hole exceeds the matte, at a short side of 720


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
    lines = hidden_lines(image, hole)
    straight = straight_fill(image, hole, lines)
    quilt = choose(image, hole, straight, lines)
    pieces = straight if quilt is None else stitch(image, hole, quilt)
    filled = mend(image, hole, pieces, straight)
    result = rgb.copy()
    result[hole] = np.clip(np.rint(filled[hole]), 0, 255).astype(np.uint8)
    return result


def find_hole(alpha: Floats) -> Mask:
    """(H, W) the matte, grown by its soft edge and some pixels more."""
    return _grow(alpha > 0.02, GROWTH * _unit(alpha.shape))


def _unit(shape: tuple[int, ...]) -> float:
    return min(shape[:2]) / 720


def _grow(mask: Mask, radius: float) -> Mask:
    size = 2 * max(2, round(radius)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, np.bool_)
