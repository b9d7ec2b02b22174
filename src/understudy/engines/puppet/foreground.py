"""The figure's own colour where the matte is soft, so that no rim of the old background shows on a new one."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

WIDE, NARROW = 45, 6  # box radii in pixels of a picture whose short side is 720
SMALLER = 2  # how much smaller than the picture the wide means are taken
SOLID = 0.995  # alpha above which a pixel has its own colour


def estimate_foreground(rgb: NDArray[np.uint8], alpha: Floats) -> NDArray[np.uint8]:
    """(H, W, 3) foreground colours F with I = alpha F + (1 - alpha) B, for ``alpha`` (H, W) 0..1.

    Blur fusion: F and B start as local means weighted by alpha and 1 - alpha, then F takes up the rest of the
    compositing equation; once with a wide window and once with a narrow one (Forte, "Approximate Fast Foreground
    Colour Estimation", ICIP 2021). Where the matte is empty the nearest figure colours are spread, so that a
    resampler that reaches past the edge meets no background.
    """
    height, width = rgb.shape[:2]
    unit = min(height, width) / 720
    wide, narrow = (max(2, round(radius * unit)) for radius in (WIDE, NARROW))
    size = (max(width // SMALLER, 1), max(height // SMALLER, 1))
    small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    little = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    wide_fore, wide_back = _weights(small, wide // SMALLER)
    near_fore, near_back = _weights(alpha, narrow)
    soft = alpha <= SOLID
    shares = alpha[soft]
    found = rgb.copy()
    for channel, (plane, some) in enumerate(zip(cv2.split(rgb), cv2.split(little), strict=True)):
        image, part = plane.astype(np.float32), some.astype(np.float32)
        fore, back = (
            cv2.resize(mean(part), (width, height), interpolation=cv2.INTER_LINEAR)
            for mean in (wide_fore, wide_back)
        )
        fore = near_fore(_fused(image, fore, back, alpha))
        back = near_back(back)
        found[soft, channel] = np.rint(_fused(image[soft], fore[soft], back[soft], shares)).astype(np.uint8)
    return found


def _fused(image: Floats, fore: Floats, back: Floats, alpha: Floats) -> Floats:
    """The figure's colour near its mean ``fore`` that, over ``back``, makes the ``image``."""
    return np.asarray(np.clip(fore + alpha * (image - back - alpha * (fore - back)), 0, 255), np.float32)


def _weights(alpha: Floats, radius: int) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
    """How to take local means of a plane (H, W) over the figure, and over what is behind it.

    Where the window holds next to nothing, the colour stays as it was.
    """
    size = (2 * radius + 1, 2 * radius + 1)

    def over(weight: Floats) -> Callable[[Floats], Floats]:
        total = cv2.blur(weight, size)
        scale, empty = 1 / (total + 1e-6), total <= 1e-3

        def mean(plane: Floats) -> Floats:
            return np.asarray(np.where(empty, plane, cv2.blur(plane * weight, size) * scale), np.float32)

        return mean

    return over(_pure(alpha)), over(_pure(1 - alpha))


def _pure(share: Floats) -> Floats:
    """How much a pixel counts: by the fourth power, since half mixed ones say little about either side."""
    squared = share * share
    return squared * squared
