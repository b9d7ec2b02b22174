"""The smoothest surface over a hole."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]


ROUNDS = 12  # of relaxation on each level
LEAST = 8  # pixels of a side that is not halved any more


def membrane(image: Floats, hole: Mask) -> Floats:
    """``image`` (H, W, C) with the hole filled by the smoothest surface through its rim.

    Laplace's equation by relaxation, coarse to fine: each level starts from the next coarser one's answer.
    """
    height, width = hole.shape
    if not hole.any() or hole.all():
        return image
    if min(height, width) < LEAST:
        return np.where(hole[..., None], image[~hole].mean(0), image).astype(np.float32)
    known = (~hole).astype(np.float32)
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32)
    half = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA)
    half = half.reshape(size[1], size[0], -1) / np.maximum(weight, 1e-6)[..., None]
    half = membrane(np.asarray(half, np.float32), weight < 1e-3)
    inside = hole.astype(np.uint8)
    filled = np.array(image, np.float32)
    cv2.copyTo(cv2.resize(half, (width, height)).reshape(image.shape), inside, filled)
    mean = np.empty_like(filled)
    for _ in range(ROUNDS):
        cv2.blur(filled, (3, 3), dst=mean, borderType=cv2.BORDER_REPLICATE)
        cv2.copyTo(mean, inside, filled)
    return filled
