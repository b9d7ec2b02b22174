"""A part of the character as a picture of its own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about
from understudy.tracking.motion import Floats

FEATHER_PX = 2.5  # half width of a soft inner cut
BLUR_REACH = 4  # deviations to each side that OpenCV takes of a Gaussian in float32


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
    rows, columns = box_about(alpha > 1 / 255, 0)
    if rows.stop == 0:
        return Layer(name, np.zeros((1, 1, 4), np.uint8), (0, 0))
    a = alpha[rows, columns, None]
    texture = np.concatenate([rgb[rows, columns] * a, a * 255], axis=2)
    return Layer(name, np.rint(texture).astype(np.uint8), (columns.start - pad, rows.start - pad))


def soft(mask: NDArray[np.bool_] | NDArray[np.uint8], feather: float = FEATHER_PX) -> Floats:
    """A mask with a soft edge: 0..1 float32, half at the mask's border."""
    sigma = feather * 0.6
    blurred = np.zeros(mask.shape, np.float32)
    box = box_about(mask > 0, round(2 * BLUR_REACH * sigma) + 2)  # beyond, there is nothing to blur
    if box[0].stop:
        blurred[box] = cv2.GaussianBlur(mask[box].astype(np.float32), (0, 0), sigma)
    return blurred
