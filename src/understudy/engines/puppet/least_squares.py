"""Least squares over the nodes of a grid: smooth fields through a few given values, solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Indices = NDArray[np.intp]

# Pull towards 0 of every node, over the strongest demand: what no demand reaches stays there, and rounding makes no
# matrix indefinite.
UNTOLD = 1e-11
SMALL = 32  # rows of a triangle that is inverted at once


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
    the next. The normal equations are then block tridiagonal, and positive definite, and are solved by a block Cholesky
    factorisation (Golub and Van Loan, Matrix Computations, 4.5), in float64.
    """

    def __init__(self, number: Indices, size: int, channels: int) -> None:
        blocks = int(number.max(initial=0)) // size + 1
        self._number, self._size = number, size
        self._own = np.zeros((blocks, size, size))
        self._next = np.zeros((blocks - 1, size, size))
        self._right = np.zeros((blocks, size, channels))

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
        diagonal = np.arange(self._size)
        self._own[:, diagonal, diagonal] += max(UNTOLD * float(self._own.max()), 1e-300)
        joined = np.count_nonzero(self._next, axis=2)
        if joined.max(initial=0) <= 1 and np.count_nonzero(self._next, axis=1).max(initial=0) <= 1:
            solved = self._chained()
        else:
            solved = self._factorised()
        return np.asarray(solved.reshape(-1, solved.shape[2])[self._number])

    def _factorised(self) -> Floats:
        """(blocks, size, C) the values of each block's nodes."""
        solved, carried, roots = (np.empty_like(a) for a in (self._right, self._next, self._own))
        matrix, wanted = self._own[0], self._right[0]
        for i, link in enumerate(self._next):
            roots[i] = _inverse(np.linalg.cholesky(matrix))
            np.matmul(roots[i], link, out=carried[i])
            np.matmul(roots[i], wanted, out=solved[i])
            matrix = self._own[i + 1] - carried[i].T @ carried[i]
            wanted = self._right[i + 1] - carried[i].T @ solved[i]
        roots[-1] = _inverse(np.linalg.cholesky(matrix))
        solved[-1] = roots[-1].T @ (roots[-1] @ wanted)
        for i in range(len(carried) - 1, -1, -1):
            solved[i] = roots[i].T @ (solved[i] - carried[i] @ solved[i + 1])
        return solved

    def _chained(self) -> Floats:
        """`_factorised` where each node hears at most one of the next block, and one of the block before: then what
        a block hands on is a part of its inverse, and no product of matrices is needed."""
        solved, inverse = np.empty_like(self._right), np.empty_like(self._own)
        ends = np.abs(self._next).argmax(axis=2)  # of each node the one that it is joined to
        ties = np.take_along_axis(self._next, ends[..., None], 2)
        matrix, wanted = self._own[0], self._right[0]
        for i, (end, tie) in enumerate(zip(ends, ties, strict=True)):
            inverse[i] = np.linalg.inv(matrix)
            solved[i] = inverse[i] @ wanted
            own = np.flatnonzero(tie[:, 0])
            there, shares = end[own], tie[own]
            matrix = self._own[i + 1].copy()
            matrix[there[:, None], there] -= shares * shares.T * inverse[i][own[:, None], own]
            wanted = self._right[i + 1].copy()
            wanted[there] -= shares * solved[i][own]
        inverse[-1] = np.linalg.inv(matrix)
        solved[-1] = inverse[-1] @ wanted
        for i in range(len(ends) - 1, -1, -1):
            solved[i] -= inverse[i] @ (ties[i] * solved[i + 1][ends[i]])
        return solved


def _inverse(lower: Floats) -> Floats:
    """(n, n) the inverse of a lower triangular matrix, by halves: products are quicker than substitution."""
    half = len(lower) // 2
    if half < SMALL:
        return np.linalg.inv(lower)
    inverse = np.zeros_like(lower)
    inverse[:half, :half] = _inverse(lower[:half, :half])
    inverse[half:, half:] = _inverse(lower[half:, half:])
    inverse[half:, :half] = -(inverse[half:, half:] @ (lower[half:, :half] @ inverse[:half, :half]))
    return inverse
