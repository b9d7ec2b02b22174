"""The visible mark on the second file: says that the video is generated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

TEXT = "Understudy · AI generated"
HEIGHT = 1 / 28  # of the letters, as a share of the short side
WIDEST = 0.8  # share of the picture's width that the text may take
MARGIN = 0.75  # of the letters' height, from the corner
OPACITY = 0.85


class Watermark:
    """White letters with a dark halo in the lower right corner, drawn once and blended into every frame."""

    def __init__(self, width: int, height: int, text: str = TEXT) -> None:
        stamp, size = _stamp(text, width, height)
        margin = round(size * MARGIN)
        self._rows = slice(max(height - margin - stamp.shape[0], 0), max(height - margin, 1))
        self._columns = slice(max(width - margin - stamp.shape[1], 0), max(width - margin, 1))
        rows, columns = self._rows.stop - self._rows.start, self._columns.stop - self._columns.start
        stamp = stamp[-rows:, -columns:].astype(np.uint16)
        opacity = np.rint(stamp[..., 3:] * OPACITY).astype(np.uint16)
        self._colour = stamp[..., :3] * opacity + 127
        self._rest = 255 - opacity
        self._frame = np.empty((height, width, 3), np.uint8)

    def mark(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frame ``(H, W, 3)`` with the mark on it; the frame itself stays clean.

        The array returned is the same at every call: use it before the next one.
        """
        np.copyto(self._frame, frame)
        corner = self._frame[self._rows, self._columns]
        corner[:] = (corner * self._rest + self._colour) // 255
        return self._frame


def _stamp(text: str, width: int, height: int) -> tuple[NDArray[np.uint8], float]:
    """RGBA letters ``(h, w, 4)`` with their halo, and the letters' size in pixels."""
    size = max(min(width, height) * HEIGHT, 6.0)
    font = ImageFont.load_default(size)
    length = font.getlength(text)
    if length > width * WIDEST:
        size *= width * WIDEST / length
        font = ImageFont.load_default(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    halo = max(round(size / 10), 1)
    pad = 3 * halo
    letters = Image.new("L", (right - left + 2 * pad, bottom - top + 2 * pad), 0)
    ImageDraw.Draw(letters).text((pad - left, pad - top), text, fill=255, font=font)
    shade = letters.filter(ImageFilter.MaxFilter(2 * halo + 1)).filter(ImageFilter.GaussianBlur(halo))
    white = np.asarray(letters, np.float32) / 255
    dark = np.minimum(np.asarray(shade, np.float32) / 255 * 0.8, 1) * (1 - white)
    alpha = white + dark
    grey = np.where(alpha > 0, white / np.maximum(alpha, 1e-6), 0)
    stamp = np.stack([grey, grey, grey, alpha], axis=2)
    return np.rint(stamp * 255).astype(np.uint8), size
