"""Shortest ways over the pixels of a shape, each of which is joined to its eight neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.intp]
Lengths = NDArray[np.float64]
Price = Callable[[Numbers, Numbers], Lengths]
"""What a step costs between pixels (N,) and their neighbours (N,), per pixel of its length; the same both ways."""

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows and columns to a neighbour; the other four lead back


class Ways:
    """The ways inside a ``shape`` (H, W) that keeps off the picture's edge. Pixels are numbered row by row.

    Dijkstra's search, many pixels at a time: all those are settled at once that lie within one shortest step of the
    nearest unsettled one, since no way to them can lead over another (Dial's buckets, 1969).
    """

    def __init__(self, shape: NDArray[np.bool_], price: Price | None = None) -> None:
        held = shape.ravel()
        pixels = np.flatnonzero(held)
        offsets = [dy * shape.shape[1] + dx for dy, dx in STEPS]
        self._offsets = np.array([*offsets, *(-offset for offset in offsets)])
        self._prices = np.full((shape.size, 8), np.inf)
        for k, (offset, (dy, dx)) in enumerate(zip(offsets, STEPS, strict=True)):
            ends = pixels[held[pixels + offset]]
            step = np.full(len(ends), np.hypot(dy, dx))
            if price is not None:
                step *= price(ends, ends + offset)
            self._prices[ends, k] = self._prices[ends + offset, k + 4] = step
        self._least = float(self._prices.min(initial=np.inf))

    def start(self) -> Lengths:
        """(H W,) that nothing is reached yet."""
        return np.full(len(self._prices), np.inf)

    def lead(self, starts: Numbers, lengths: Lengths) -> Numbers:
        """Bring ``lengths`` (H W,) up to date, in place, when ``starts`` (N,) are reached too; the pixel before each
        (H W,) on its way from them, -1 for a start and where the way did not become shorter."""
        before = np.full(len(lengths), -1, np.intp)
        lengths[starts] = 0.0
        waiting = starts
        while waiting.size:
            far = lengths[waiting]
            settled = far < float(far.min()) + self._least
            nodes = np.unique(waiting[settled])
            ends = nodes[:, None] + self._offsets
            reached = lengths[nodes][:, None] + self._prices[nodes]
            row, column = np.nonzero(reached < lengths[ends])
            ends, reached = ends[row, column], reached[row, column]
            np.minimum.at(lengths, ends, reached)
            won = reached == lengths[ends]
            before[ends[won]] = nodes[row[won]]
            waiting = np.concatenate([waiting[~settled], ends[won]])
        return before
