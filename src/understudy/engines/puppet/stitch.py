"""Sewing a quilt's pieces together without steps in colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about
from understudy.engines.puppet.poisson import level
from understudy.engines.puppet.quilt import Quilt
from understudy.engines.puppet.seams import NEXT, shifts
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

LEVELLED = 40.0  # colour by which a piece is levelled at most: more is no shade but another thing


def stitch(image: Floats, hole: Mask, quilt: Quilt) -> tuple[Floats, Floats]:
    """``image`` (H, W, 3) 0..255 with ``hole`` (H, W) filled by the pieces of ``quilt``, and (H, W) how many times
    what a pixel shows is shown in the hole.

    Across seams and at the hole's rim the *slopes* of the picture are copied instead of its colours (Pérez, Gangnet
    and Blake, SIGGRAPH 2003), as far as that changes them little.
    """
    which, shift = shifts(hole, quilt)
    height, width = hole.shape

    def source(y: Indices, x: Indices, of: NDArray[np.int32]) -> Indices:
        from_y, from_x = np.clip(y + shift[of, 1], 0, height - 1), np.clip(x + shift[of, 0], 0, width - 1)
        return np.asarray(from_y * width + from_x, np.int64)

    flat = np.asarray(image.reshape(-1, 3), np.float32)
    box = box_about(hole, 1)
    top, left = box[0].start, box[1].start
    inside, shown = hole[box], which[box]
    lack = np.zeros((*inside.shape, 3), np.float32)
    about = np.pad(shown, 1, constant_values=-1)
    for dx, dy in NEXT:
        beside = about[1 + dy : len(about) - 1 + dy, 1 + dx : about.shape[1] - 1 + dx]
        ay, ax = np.nonzero(inside & (beside != shown) & (beside >= 0))
        a, b, y, x = shown[ay, ax], beside[ay, ax], ay + top, ax + left
        step = flat[source(y + dy, x + dx, b)] - flat[source(y + dy, x + dx, a)]
        both = (step + flat[source(y, x, b)] - flat[source(y, x, a)]) / 2
        step = np.where((b > 0)[:, None], both, step)
        lack[ay, ax] += step * (LEVELLED / (LEVELLED + np.sqrt((step**2).sum(1, keepdims=True))))
    y, x = np.nonzero(inside)
    taken = source(y + top, x + left, shown[inside])
    filled = image.copy()
    filled[box][inside] = flat[taken]
    filled[box] += level(lack, inside)
    often = np.zeros(hole.shape, np.float32)
    often[box][inside] = _often(taken, width, quilt.step)
    return filled, often


def _often(taken: Indices, width: int, side: int) -> Floats:
    """(n,) how many times the square of ``side`` pixels is shown that each of the places ``taken`` (n,) lies in."""
    square = taken // width // side * (width // side + 1) + taken % width // side
    return np.asarray((np.bincount(square) / np.float32(side**2))[square], np.float32)


def levelled(image: Floats, hole: Mask, fill: Floats) -> Floats:
    """``fill`` (H, W, 3) of ``hole`` (H, W), with what it differs from ``image`` at the rim spread over the hole, so
    that the hole's outline does not show."""
    height, width = hole.shape
    lack = np.zeros_like(image)
    gap = np.pad(hole, 1)
    for dx, dy in NEXT:
        beside = np.roll(gap, (-dy, -dx), (0, 1))[1:-1, 1:-1]
        y, x = np.nonzero(hole & ~beside)
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        y, x = y[inside], x[inside]
        step = image[y + dy, x + dx] - fill[y, x]
        lack[y, x] += step * (LEVELLED / (LEVELLED + np.sqrt((step**2).sum(1, keepdims=True))))
    return np.where(hole[..., None], fill + level(lack, hole), image).astype(np.float32)
