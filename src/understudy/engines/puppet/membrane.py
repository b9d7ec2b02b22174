"""The smoothest surface over a hole."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]


def membrane(image: Floats, hole: Mask) -> Floats:
    """``image`` (H, W, C) with the hole filled by the smoothest surface through its rim.

    Laplace's equation by relaxation, coarse to fine: each level starts from the next coarser one's answer.
    """
    height, width = hole.shape
    if not hole.any() or hole.all():
        return image
    if min(height, width) < 8:
        return np.where(hole[..., None], image[~hole].mean(0), image).astype(np.float32)
    known = (~hole).astype(np.float32)[..., None]
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32)[..., None]
    half = cv2.resize(image * known, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    half = membrane(np.asarray(half / np.maximum(weight, 1e-6), np.float32), weight[..., 0] < 1e-3)
    coarse = cv2.resize(half, (width, height)).reshape(image.shape)
    filled = np.where(hole[..., None], coarse, image).astype(np.float32)
    for _ in range(12):
        mean = cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE).reshape(image.shape)
        filled = np.where(hole[..., None], mean, filled)
    return np.asarray(filled, np.float32)
