"""Sewing a quilt's pieces together without steps in colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.quilt import Quilt
from understudy.engines.puppet.seams import NEXT, shifts
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

LEVELLED = 40.0  # colour by which a piece is levelled at most: more is no shade but another thing
CYCLES = 3
SWEEPS = 2  # relaxations before and after each visit of the coarser level
CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def stitch(image: Floats, hole: Mask, quilt: Quilt) -> tuple[Floats, Floats]:
    """``image`` (H, W, 3) 0..255 with ``hole`` (H, W) filled by the pieces of ``quilt``, and (H, W) how many times
    what a pixel shows is shown in the hole.

    Across seams and at the hole's rim the *slopes* of the picture are copied instead of its colours (Pérez, Gangnet
    and Blake, SIGGRAPH 2003), as far as that changes them little.
    """
    shift = shifts(hole, quilt)
    height, width = hole.shape
    y, x = np.nonzero(hole)
    mine = shift[y, x]

    def take(at_y: Indices, at_x: Indices, of: Indices) -> Floats:
        from_y, from_x = np.clip(at_y + of[:, 1], 0, height - 1), np.clip(at_x + of[:, 0], 0, width - 1)
        return np.asarray(image[from_y, from_x], np.float32)

    lack = np.zeros_like(image)
    for dx, dy in NEXT:
        ny, nx = y + dy, x + dx
        inside = (ny >= 0) & (ny < height) & (nx >= 0) & (nx < width)
        ny, nx = np.where(inside, ny, y), np.where(inside, nx, x)
        theirs = shift[ny, nx]
        at = np.flatnonzero(inside & ((theirs != mine).any(1) | ~hole[ny, nx]))
        a, b, ay, ax, by, bx = mine[at], theirs[at], y[at], x[at], ny[at], nx[at]
        step = take(by, bx, b) - take(by, bx, a)
        both = (step + take(ay, ax, b) - take(ay, ax, a)) / 2
        step = np.where(hole[by, bx][:, None], both, step)
        lack[ay, ax] += step * (LEVELLED / (LEVELLED + np.sqrt((step**2).sum(1, keepdims=True))))
    filled = image.copy()
    filled[y, x] = take(y, x, mine)
    rows, columns = (slice(max(0, int(v.min()) - 1), int(v.max()) + 2) for v in (y, x))
    filled[rows, columns] += _level(lack[rows, columns], hole[rows, columns])
    return filled, _often(shift, hole, quilt.step)


def _often(shift: Indices, hole: Mask, side: int) -> Floats:
    """(H, W) how many times the square of ``side`` pixels is shown that each pixel's colour comes from."""
    height, width = hole.shape
    y, x = np.nonzero(hole)
    across = width // side + 1
    square = np.clip(y + shift[y, x, 1], 0, height - 1) // side * across
    square += np.clip(x + shift[y, x, 0], 0, width - 1) // side
    often = np.zeros(hole.shape, np.float32)
    often[y, x] = np.bincount(square)[square] / side**2
    return often


def levelled(image: Floats, hole: Mask, fill: Floats) -> Floats:
    """``fill`` (H, W, 3) of ``hole`` (H, W), with what it differs from ``image`` at the rim spread over the hole, so
    that the hole's outline does not show.

    Told at half the size: a fill without detail needs no more.
    """
    size = (max(2, hole.shape[1] // 2), max(2, hole.shape[0] // 2))
    seen = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    drawn = np.asarray(cv2.resize(fill, size, interpolation=cv2.INTER_AREA), np.float32)
    gap = np.pad(cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.01, 1)
    inner = gap[1:-1, 1:-1]
    lack = np.zeros_like(seen)
    for dx, dy in NEXT:
        beside = np.roll(gap, (-dy, -dx), (0, 1))[1:-1, 1:-1]
        y, x = np.nonzero(inner & ~beside)
        inside = (y + dy >= 0) & (y + dy < size[1]) & (x + dx >= 0) & (x + dx < size[0])
        y, x = y[inside], x[inside]
        step = seen[y + dy, x + dx] - drawn[y, x]
        lack[y, x] += step * (LEVELLED / (LEVELLED + np.sqrt((step**2).sum(1, keepdims=True))))
    level = cv2.resize(_level(lack, inner), hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], fill + level, image).astype(np.float32)


def _level(lack: Floats, hole: Mask) -> Floats:
    """(h, w, 3) the level whose differences to its neighbours add up to ``lack``; 0 outside ``hole`` (h, w).

    Multigrid: V cycles of damped Jacobi relaxation.
    """
    inside = np.pad(hole, 1).astype(np.float32)
    lack = np.pad(lack, ((1, 1), (1, 1), (0, 0)))
    level = np.zeros_like(lack)
    for _ in range(CYCLES):
        level = _cycle(level, lack, inside)
    return level[1:-1, 1:-1]


def _cycle(level: Floats, lack: Floats, inside: Floats) -> Floats:
    gap = inside[..., None]

    def missing(level: Floats) -> Floats:
        about = cv2.filter2D(level, -1, CROSS, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(gap * (about + lack - 4 * level), np.float32)

    for _ in range(SWEEPS):
        level = level + 0.2 * missing(level)
    if min(inside.shape) > 8:
        size = ((inside.shape[1] + 1) // 2, (inside.shape[0] + 1) // 2)
        # a coarse pixel that stands for known ones, too, must not move, or the cycles run away
        whole = (cv2.resize(inside, size, interpolation=cv2.INTER_AREA) > 0.99).astype(np.float32)
        rest = np.asarray(cv2.resize(missing(level), size, interpolation=cv2.INTER_AREA), np.float32)
        coarse = _cycle(np.zeros_like(rest), 4 * rest, whole)
        level = level + gap * cv2.resize(coarse, inside.shape[::-1], interpolation=cv2.INTER_LINEAR)
    for _ in range(SWEEPS):
        level = level + 0.2 * missing(level)
    return np.asarray(level, np.float32)
