"""Where a quilt's pieces are cut: along lines on which both neighbours show the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about, nearest
from understudy.engines.puppet.pieces import packed, unpacked
from understudy.engines.puppet.quilt import Quilt
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

SWEEPS = 8  # rounds in which a seam moves by a sample each
NEXT = ((0, 1), (0, -1), (1, 0), (-1, 0))
NEVER = np.float32(1e9)


def shifts(hole: Mask, quilt: Quilt) -> tuple[NDArray[np.int32], Indices]:
    """(H, W) which of the shifts (n, 2) x, y, tells where each pixel of ``hole`` takes its colour from; outside the
    hole it is the first, (0, 0).

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
    code = cut.label[..., 1] * 4 * width + cut.label[..., 0]
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    told = cut.label.reshape(-1, 2)[first]
    shown = np.where(cut.gap & cut.label.any(2), which.reshape(code.shape) + 1, 0).astype(np.int32)
    full = np.repeat(np.repeat(shown, every, 0), every, 1)
    beyond = ((0, max(0, height - full.shape[0])), (0, max(0, width - full.shape[1])))
    full = np.pad(full, beyond, mode="edge")[:height, :width]
    box = box_about(hole, 1)
    inside = hole[box]
    # Pixels at the rim whose sample lay outside the hole take the nearest pixel's piece.
    completed = nearest(full[box], inside & (full[box] > 0))
    chosen = np.zeros(hole.shape, np.int32)
    chosen[box] = np.where(inside, completed, 0)
    return chosen, np.concatenate([np.zeros((1, 2), np.int64), told])


class _Cut:
    """Every ``spacing``-th pixel's piece, ``label`` (rows, columns, 2), in the ``gap`` (rows, columns)."""

    def __init__(self, hole: Mask, quilt: Quilt) -> None:
        every, middle = quilt.spacing, quilt.spacing // 2
        self._hole, self._every = hole, every
        self._pixels = packed(quilt.soft)
        self.gap = hole[middle::every, middle::every]
        place = [
            np.minimum(np.rint((np.arange(n) * every + middle) / quilt.step).astype(int), most - 1)
            for n, most in zip(self.gap.shape, quilt.shift.shape[:2], strict=True)
        ]
        self.label = quilt.shift[np.ix_(*place)]
        self.label[~self.gap] = 0
        self._y, self._x = np.nonzero(self.gap)
        rows, columns = self.gap.shape
        dx, dy = np.array(NEXT).T
        # (4, n) the samples beside each
        self._beside = (
            np.clip(self._y + dy[:, None], 0, rows - 1),
            np.clip(self._x + dx[:, None], 0, columns - 1),
        )

    def move(self, dx: int, dy: int, turn: int) -> bool:
        """Every second sample takes its neighbour's piece where that fits better; tells whether any did."""
        side = NEXT.index((dx, dy))
        ny, nx = (at[side] for at in self._beside)
        other = (self.label[ny, nx] != self.label[self._y, self._x]).any(1) & self.gap[ny, nx]
        which = np.flatnonzero(other & ((self._y + self._x + turn) % 2 == 0))
        both = np.stack([self.label[ny[which], nx[which]], self.label[self._y[which], self._x[which]]])
        new, old = self._cost(which, both)
        better = which[new < old]
        self.label[self._y[better], self._x[better]] = both[0, new < old]
        return len(better) > 0

    def _cost(self, which: Indices, label: Indices) -> Floats:
        """(2, n) by how much the pieces ``label`` (2, n, 2) differ from those beside, on both sides of the seams."""
        every, (height, width) = self._every, self._hole.shape
        y, x = (at[which] * every + every // 2 for at in (self._y, self._x))
        ny, nx = (at[:, None, which] for at in self._beside)
        dx, dy = (every * np.array(NEXT).T)[..., None, None]

        def look(at_y: Indices, at_x: Indices, of: Indices) -> Floats:
            from_y = np.clip(at_y + of[..., 1], 0, height - 1)
            return unpacked(self._pixels[from_y * width + np.clip(at_x + of[..., 0], 0, width - 1)])

        theirs = self.label[ny, nx]
        there = look(y + dy, x + dx, label) - look(y + dy, x + dx, theirs)
        here = look(y, x, label) - look(y, x, theirs)
        total = np.einsum("dknc,dknc->kn", there, there)
        total += np.einsum("dknc,dknc,dkn->kn", here, here, self.gap[ny, nx].astype(np.float32))
        from_y, from_x = y + label[..., 1], x + label[..., 0]
        bad = (from_y < 0) | (from_y >= height) | (from_x < 0) | (from_x >= width)
        bad |= self._hole[np.clip(from_y, 0, height - 1), np.clip(from_x, 0, width - 1)]
        return np.where(bad, NEVER, total)
