"""Least squares over the nodes of a grid: smooth fields through a few given values, solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Indices = NDArray[np.intp]

UNTOLD = 1e-9  # pull towards 0 of every node: what no demand reaches stays there


@dataclass(frozen=True)
class Grid:
    """Nodes in rows and columns, numbered row by row."""

    rows: int
    columns: int

    def edges(self) -> tuple[Indices, Indices]:
        """(n, 2) each node and the next one to the right, and (m, 2) the next one below."""
        node = np.arange(self.rows * self.columns).reshape(self.rows, self.columns)
        right = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
        down = np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)
        return right, down

    def bends(self, whole: NDArray[np.bool_] | None = None) -> tuple[Indices, Floats]:
        """(nodes, 5) each node and its neighbours, and their shares in the graph's Laplacian: how far the node is from
        its neighbours' mean, times their number. Only edges that are ``whole`` (n + m,) join."""
        right, down = self.edges()
        count = self.rows * self.columns
        places = np.repeat(np.arange(count)[:, None], 5, axis=1)
        shares = np.zeros((count, 5))
        joins = np.ones(len(right) + len(down), bool) if whole is None else whole
        parts = ((right, joins[: len(right)], 1), (down, joins[len(right) :], 3))
        for pairs, kept, at in parts:
            one, other = pairs[kept].T
            places[one, at], shares[one, at] = other, -1.0
            places[other, at + 1], shares[other, at + 1] = one, -1.0
        shares[:, 0] = -shares.sum(axis=1)
        return places, shares

    def blocks(self, rows: int, columns: int) -> tuple[Indices, int]:
        """(nodes,) numbers by which `LeastSquares` is quickest, and its blocks' size, for demands that reach over so
        many ``rows`` and ``columns``."""
        node = np.arange(self.rows * self.columns)
        if rows * self.columns <= columns * self.rows:
            return node, rows * self.columns
        row, column = np.divmod(node, self.columns)
        return column * self.rows + row, columns * self.rows


class LeastSquares:
    """Values ``x`` (nodes, C) that make the sum of ``weight · (shares · x[places] - wanted)²`` over all demands least.

    ``number`` (nodes,) puts the nodes into blocks of ``size``, and no demand may reach farther than from a block into
    the next. The normal equations are then block tridiagonal and are solved by block elimination (Golub and Van Loan,
    Matrix Computations, 4.5), in float64.
    """

    def __init__(self, number: Indices, size: int, channels: int) -> None:
        blocks = int(number.max(initial=0)) // size + 1
        self._number, self._size = number, size
        self._own = np.zeros((blocks, size, size))
        self._next = np.zeros((blocks - 1, size, size))
        self._right = np.zeros((blocks, size, channels))
        self._own[:, np.arange(size), np.arange(size)] = UNTOLD

    def add(
        self,
        places: Indices,
        shares: Floats,
        weights: Floats | float = 1.0,
        wanted: Floats | None = None,
    ) -> None:
        """``n`` demands on the nodes ``places`` (n, k), with ``shares`` (n, k) or (k,) and ``weights`` (n,) or one for
        all; ``wanted`` (n, C) is 0 where left out."""
        shares = np.broadcast_to(np.asarray(shares, np.float64), places.shape)
        weighted = shares * np.reshape(weights, (-1, 1))
        number = self._number[places]
        block, within = np.divmod(number, self._size)
        step = block[:, None] - block[..., None]
        at = (number * self._size)[..., None] + within[:, None]
        value = weighted[..., None] * shares[:, None]
        for matrix, there in ((self._own, step == 0), (self._next, step == 1)):
            np.add.at(matrix.reshape(-1), at[there], value[there])
        if wanted is not None:
            right = self._right.reshape(-1, self._right.shape[2])
            for k in range(places.shape[1]):
                np.add.at(right, number[:, k], weighted[:, k, None] * wanted)

    def solve(self) -> Floats:
        """(nodes, C) the values."""
        size = self._size
        solved, carried = np.empty_like(self._right), np.empty_like(self._next)
        matrix, wanted = self._own[0], self._right[0]
        for i, link in enumerate(self._next):
            found = np.linalg.solve(matrix, np.concatenate([link, wanted], axis=1))
            carried[i], solved[i] = found[:, :size], found[:, size:]
            matrix = self._own[i + 1] - link.T @ carried[i]
            wanted = self._right[i + 1] - link.T @ solved[i]
        solved[-1] = np.linalg.solve(matrix, wanted)
        for i in range(len(carried) - 1, -1, -1):
            solved[i] -= carried[i] @ solved[i + 1]
        return np.asarray(solved.reshape(-1, solved.shape[2])[self._number])
