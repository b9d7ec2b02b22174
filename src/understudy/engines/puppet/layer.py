"""A part of the character as a picture of its own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

FEATHER_PX = 2.5  # half width of a soft inner cut


@dataclass(frozen=True)
class Layer:
    """One part: premultiplied RGBA ``texture`` (h, w, 4) uint8 whose first pixel lies at ``origin`` (x, y) of the
    picture (negative where the part is continued beyond its edge)."""

    name: str
    texture: NDArray[np.uint8]
    origin: tuple[int, int]


def cropped(name: str, rgb: NDArray[np.uint8], alpha: Floats, pad: int = 0) -> Layer:
    """Crop to what is visible and premultiply; with ``pad`` continue a cut figure by its mirror image."""
    if pad:
        alpha = cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        rgb = np.asarray(cv2.copyMakeBorder(rgb, pad, pad, pad, pad, cv2.BORDER_REFLECT_101), np.uint8)
    ys, xs = np.nonzero(alpha > 1 / 255)
    if not len(xs):
        return Layer(name, np.zeros((1, 1, 4), np.uint8), (0, 0))
    y0, y1, x0, x1 = int(ys.min()), int(ys.max()) + 1, int(xs.min()), int(xs.max()) + 1
    a = alpha[y0:y1, x0:x1, None]
    texture = np.concatenate([rgb[y0:y1, x0:x1] * a, a * 255], axis=2)
    return Layer(name, np.rint(texture).astype(np.uint8), (x0 - pad, y0 - pad))


def soft(mask: NDArray[np.bool_] | NDArray[np.uint8], feather: float = FEATHER_PX) -> Floats:
    """A mask with a soft edge: 0..1 float32, half at the mask's border."""
    blurred: Floats = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), feather * 0.6)
    return blurred
