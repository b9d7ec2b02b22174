"""Pieces of a picture, as a quilt compares them: by samples some pixels apart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

STEP = 4  # samples between two places; a piece is twice as wide, so that neighbours overlap
BLOCKS = 4  # a piece is first looked for by the mean colours of its 4 x 4 parts


def packed(picture: Bytes) -> NDArray[np.uint32]:
    """(H · W,) pixels as single numbers, which are looked up quicker than three."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA).view(np.uint32).ravel())


def unpacked(pixels: NDArray[np.uint32]) -> Floats:
    """(..., 3) the colours of pixels that were `packed`."""
    return np.asarray(pixels[..., None].view(np.uint8)[..., :3].astype(np.float32))


def means(pixels: Floats) -> Floats:
    """(..., BLOCKS², C) the mean values of a piece's parts, of its samples (..., 4 STEP², C)."""
    each = 2 * STEP // BLOCKS
    rows = pixels.reshape(*pixels.shape[:-2], BLOCKS, each, 2 * STEP, pixels.shape[-1])
    rows = sum((rows[..., i, :, :] for i in range(1, each)), start=rows[..., 0, :, :])
    parts = rows.reshape(*rows.shape[:-2], BLOCKS, each, pixels.shape[-1])
    # of whole numbers, hence exact
    sums = sum((parts[..., i, :] for i in range(1, each)), start=parts[..., 0, :])
    found = np.rint(sums / np.float32(each**2))
    return np.asarray(found.reshape(*pixels.shape[:-2], BLOCKS**2, pixels.shape[-1]), np.float32)


def softened(image: Floats, hole: Mask, spacing: int) -> Bytes:
    """``image`` softened to what samples ``spacing`` pixels apart can show, without the colours of the hole."""
    picture = cv2.convertScaleAbs(image)
    if spacing < 2:
        return np.asarray(picture, np.uint8)
    sigma = 0.4 * spacing
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    reach = int(np.ceil(4 * sigma))
    about = box_about(hole, 2 * reach)
    known = (~hole[about]).astype(np.float32)
    seen = cv2.multiply(image[about], cv2.merge([known] * 3))
    share = np.maximum(cv2.GaussianBlur(known, (0, 0), sigma), 0.02)
    near = cv2.divide(cv2.GaussianBlur(seen, (0, 0), sigma), cv2.merge([share] * 3))
    mixed = cv2.dilate(hole[about].astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    cv2.copyTo(cv2.convertScaleAbs(near), mixed, soft[about])
    return soft
