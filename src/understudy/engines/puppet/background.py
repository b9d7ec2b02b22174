"""The picture without its character: what the motion reveals where the character first stood."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

GROWTH = 7  # pixels by which the hole exceeds the matte, at a short side of 720


def clean_background(rgb: NDArray[np.uint8], alpha: Floats) -> NDArray[np.uint8]:
    """(H, W, 3) the picture with the character of ``alpha`` (H, W) 0..1 removed.

    Outside the matte grown by some pixels (and its contact shadow) the picture keeps its bytes.
    """
    hole = find_hole(alpha)
    if not hole.any():
        return rgb.copy()
    if hole.all():
        return np.full_like(rgb, 128)
    filled = membrane(rgb.astype(np.float32), hole)
    result = rgb.copy()
    result[hole] = np.clip(np.rint(filled[hole]), 0, 255).astype(np.uint8)
    return result


def find_hole(alpha: Floats) -> NDArray[np.bool_]:
    radius = max(2, round(GROWTH * min(alpha.shape) / 720))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate((alpha > 0.02).astype(np.uint8), kernel) > 0, np.bool_)


def membrane(image: Floats, hole: NDArray[np.bool_]) -> Floats:
    """``image`` (H, W, C) with the hole filled by the smoothest surface through its rim.

    Laplace's equation by relaxation, coarse to fine: each level starts from the next coarser one's answer.
    """
    height, width = hole.shape
    if min(height, width) < 8 or not hole.any():
        return image
    known = (~hole).astype(np.float32)[..., None]
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)[..., None]
    if not weight.any():
        return image
    half = cv2.resize(image * known, size, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)
    half = membrane(half.astype(np.float32), weight[..., 0] < 1e-3)
    filled = np.where(hole[..., None], cv2.resize(half, (width, height)), image).astype(np.float32)
    for _ in range(12):
        mean = cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE)
        filled = np.where(hole[..., None], mean, filled)
    return np.asarray(filled, np.float32)
