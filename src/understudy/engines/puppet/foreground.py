"""The figure's own colour where the matte is soft, so that no rim of the old background shows on a new one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

PURITY = 4  # power of alpha by which a pixel counts: half mixed ones say little about either side
WIDE, NARROW = 45, 6  # box radii in pixels of a picture whose short side is 720


def estimate_foreground(rgb: NDArray[np.uint8], alpha: Floats) -> NDArray[np.uint8]:
    """(H, W, 3) foreground colours F with I = alpha F + (1 - alpha) B, for ``alpha`` (H, W) 0..1.

    Blur fusion: F and B start as local means weighted by alpha and 1 - alpha, then F takes up the rest of the
    compositing equation; once with a wide window and once with a narrow one (Forte, "Approximate Fast Foreground
    Colour Estimation", ICIP 2021). Where the matte is empty the nearest figure colours are spread, so that a
    resampler that reaches past the edge meets no background.
    """
    image = rgb.astype(np.float32)
    unit = min(rgb.shape[:2]) / 720
    fore, back = image, image
    for radius in (WIDE, NARROW):
        fore, back = _fuse(image, fore, back, alpha, max(2, round(radius * unit)))
    fore = np.where(alpha[..., None] > 0.995, image, fore)
    return np.clip(np.rint(fore), 0, 255).astype(np.uint8)


def _fuse(image: Floats, fore: Floats, back: Floats, alpha: Floats, radius: int) -> tuple[Floats, Floats]:
    size = (2 * radius + 1, 2 * radius + 1)
    a = alpha[..., None]
    mean_fore = _mean(fore, alpha**PURITY, size)
    mean_back = _mean(back, (1 - alpha) ** PURITY, size)
    fused = mean_fore + a * (image - a * mean_fore - (1 - a) * mean_back)
    return np.asarray(np.clip(fused, 0, 255), np.float32), mean_back


def _mean(colour: Floats, weight: Floats, size: tuple[int, int]) -> Floats:
    """The weighted local mean; where the window holds next to nothing, the colour as it was."""
    total = cv2.blur(weight, size)[..., None]
    mean = cv2.blur(colour * weight[..., None], size) / (total + 1e-6)
    return np.asarray(np.where(total > 1e-3, mean, colour), np.float32)
