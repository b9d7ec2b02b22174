"""Where a quilt's pieces are cut: along lines on which both neighbours show the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import nearest
from understudy.engines.puppet.quilt import Quilt
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

SWEEPS = 8  # rounds in which a seam moves by a sample each
NEXT = ((0, 1), (0, -1), (1, 0), (-1, 0))
NEVER = np.float32(1e9)


def shifts(hole: Mask, quilt: Quilt) -> Indices:
    """(H, W, 2) x, y to where each pixel of ``hole`` takes its colour from; 0 outside.

    Each pixel begins with the piece of the nearest place; then seams move, a sample at a time, to where the colours
    on both sides of them agree better.
    """
    every = quilt.spacing
    cut = _Cut(hole, quilt)
    for sweep in range(SWEEPS):
        moved = [cut.move(dx, dy, sweep + turn) for turn, (dx, dy) in enumerate(NEXT)]
        if not any(moved):
            break
    height, width = hole.shape
    full = np.repeat(np.repeat(cut.label, every, 0), every, 1)
    beyond = ((0, max(0, height - full.shape[0])), (0, max(0, width - full.shape[1])), (0, 0))
    full = np.pad(full, beyond, mode="edge")[:height, :width]
    full[~hole] = 0
    return _completed(full, hole)


class _Cut:
    """Every ``spacing``-th pixel's piece, ``label`` (rows, columns, 2)."""

    def __init__(self, hole: Mask, quilt: Quilt) -> None:
        every, middle = quilt.spacing, quilt.spacing // 2
        self._soft, self._hole, self._every = quilt.soft, hole, every
        self._gap = hole[middle::every, middle::every]
        place = [
            np.minimum(np.rint((np.arange(n) * every + middle) / quilt.step).astype(int), most - 1)
            for n, most in zip(self._gap.shape, quilt.shift.shape[:2], strict=True)
        ]
        self.label = quilt.shift[np.ix_(*place)]
        self.label[~self._gap] = 0
        self._y, self._x = np.nonzero(self._gap)

    def move(self, dx: int, dy: int, turn: int) -> bool:
        """Every second sample takes its neighbour's piece where that fits better; tells whether any did."""
        ny, nx = self._beside(np.arange(len(self._y)), dx, dy)
        other = (self.label[ny, nx] != self.label[self._y, self._x]).any(1) & self._gap[ny, nx]
        which = np.flatnonzero(other & ((self._y + self._x + turn) % 2 == 0))
        new, old = self.label[ny[which], nx[which]], self.label[self._y[which], self._x[which]]
        better = self._cost(which, new) < self._cost(which, old)
        self.label[self._y[which[better]], self._x[which[better]]] = new[better]
        return bool(better.any())

    def _beside(self, which: Indices, dx: int, dy: int) -> tuple[Indices, Indices]:
        rows, columns = self._gap.shape
        return np.clip(self._y[which] + dy, 0, rows - 1), np.clip(self._x[which] + dx, 0, columns - 1)

    def _cost(self, which: Indices, label: Indices) -> Floats:
        """(n,) by how much the pieces ``label`` (n, 2) differ from those about them, on both sides of the seams."""
        y = self._y[which] * self._every + self._every // 2
        x = self._x[which] * self._every + self._every // 2
        height, width = self._hole.shape

        def look(of: Indices, dx: int, dy: int) -> Floats:
            at_y = np.clip(y + dy * self._every + of[:, 1], 0, height - 1)
            at_x = np.clip(x + dx * self._every + of[:, 0], 0, width - 1)
            return np.asarray(self._soft[at_y, at_x], np.float32)

        total = np.zeros(len(which), np.float32)
        for dx, dy in NEXT:
            ny, nx = self._beside(which, dx, dy)
            theirs = self.label[ny, nx]
            total += ((look(label, dx, dy) - look(theirs, dx, dy)) ** 2).sum(1)
            total += self._gap[ny, nx] * ((look(label, 0, 0) - look(theirs, 0, 0)) ** 2).sum(1)
        from_y, from_x = y + label[:, 1], x + label[:, 0]
        bad = (from_y < 0) | (from_y >= height) | (from_x < 0) | (from_x >= width)
        bad |= self._hole[np.clip(from_y, 0, height - 1), np.clip(from_x, 0, width - 1)]
        return np.where(bad, NEVER, total)


def _completed(shift: Indices, hole: Mask) -> Indices:
    """Pixels at the rim whose sample lay outside the hole take the nearest pixel's piece."""
    lost = hole & (shift == 0).all(2)
    told = hole & ~lost
    if not lost.any() or not told.any():
        return shift
    shift[lost] = nearest(shift, told)[lost]
    return shift
