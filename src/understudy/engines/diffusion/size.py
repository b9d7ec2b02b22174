"""Sizes: what the model draws at, and how pictures of other shapes get into that frame and out of it again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.assignment import MOST_SIDE, SIDE_STEP
from understudy.request import Mode

# Pixels of a frame: Wan-Animate-2's own default is an area of 640 x 800; 720 x 1280 is the largest that its authors
# support. What the mode promises beyond that is scaled up, and the report says so.
AREAS = {Mode.STD: 640 * 800, Mode.PRO: 720 * 1280}


@dataclass(frozen=True)
class Fit:
    """How a picture lies in a frame of ``width`` x ``height``: scaled to the box at ``left``, ``top``, black around."""

    width: int
    height: int
    left: int
    top: int
    inner_width: int
    inner_height: int

    def applied(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(height, width, 3) the picture in its frame."""
        smaller = self.inner_width < rgb.shape[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        frame = np.zeros((self.height, self.width, 3), np.uint8)
        inner = frame[self.top : self.top + self.inner_height, self.left : self.left + self.inner_width]
        inner[:] = cv2.resize(rgb, (self.inner_width, self.inner_height), interpolation=how)
        return frame

    def undone(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture's part of a frame, a view of it."""
        return frame[self.top : self.top + self.inner_height, self.left : self.left + self.inner_width]

    def affine(self, width: int, height: int) -> NDArray[np.float32]:
        """(2, 3) from pixels of a picture of that size to pixels of the frame."""
        x, y = self.inner_width / width, self.inner_height / height
        return np.array([[x, 0, self.left], [0, y, self.top]], np.float32)


def native_size(width: int, height: int, mode: Mode, most_pixels: int = 0) -> tuple[int, int]:
    """Width and height of the model's frames for a picture of that shape: the mode's area, or that of ``most_pixels``
    where that is less and not 0; multiples of 16."""
    area, aspect = min(AREAS[mode], most_pixels or AREAS[mode]), height / width
    sides = math.sqrt(area / aspect), math.sqrt(area * aspect)
    scale = min(1.0, MOST_SIDE / max(sides))
    wide, high = (max(int(side * scale) // SIDE_STEP * SIDE_STEP, SIDE_STEP) for side in sides)
    return wide, high


def fit(width: int, height: int, frame_width: int, frame_height: int) -> Fit:
    """The largest scale at which a picture of that size lies whole in the frame, in its middle."""
    scale = min(frame_width / width, frame_height / height)
    inner_width = max(min(round(width * scale), frame_width), 1)
    inner_height = max(min(round(height * scale), frame_height), 1)
    left, top = (frame_width - inner_width) // 2, (frame_height - inner_height) // 2
    return Fit(frame_width, frame_height, left, top, inner_width, inner_height)


def scaled_up(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A frame at the output's size. No network: Lanczos invents nothing."""
    if rgb.shape[:2] == (height, width):
        return rgb
    smaller = width < rgb.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=how), np.uint8)
