"""Plate: the lattice's nodes as a thin elastic plate that is cut along the lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.least_squares import Grid, Indices, LeastSquares
from understudy.engines.puppet.relief import Lattice
from understudy.tracking.motion import Floats

STRETCH = 0.02  # resistance to stretching, where bending's is 1: it keeps what is far from any point at rest
TIE_ROWS = (-1, 0, 1, 2)  # about a point's cell, whose nodes it may be tied to
TIE_REACH = (3, 2)  # rows and columns that ties and bending reach over


@dataclass(frozen=True)
class Ties:
    """Points as means of nodes: ``places`` (N, 8) and their ``shares`` (N, 8), which add up to 1."""

    places: Indices
    shares: Floats

    def of(self, nodes: Floats) -> Floats:
        """(N, C) the values at the points, from the ``nodes``' (nodes, C)."""
        return np.asarray(np.einsum("nk,nkc->nc", self.shares, nodes[self.places]), nodes.dtype)


@dataclass(frozen=True)
class Plate:
    """``side`` (nodes,) is -1 above the cut and 1 below it, and 0 where there is none: no edge joins -1 and 1."""

    lattice: Lattice
    side: NDArray[np.int8]

    def pulled(self, ties: Ties, pulls: Floats, held: Floats) -> Floats:
        """(nodes, N) how far each node goes with each of N points, tied to the plate by ``ties``.

        ``pulls`` (N,) and ``held`` (nodes,) are the strengths with which points pull and nodes stay. The plate comes
        to the least energy of bending (squared Laplacian of the graph), stretching and springs.
        """
        grid = Grid(self.lattice.rows, self.lattice.columns)
        edges = np.concatenate(grid.edges())
        whole = self.side[edges[:, 0]] * self.side[edges[:, 1]] >= 0
        energy = LeastSquares(*grid.blocks(*TIE_REACH), len(pulls))
        energy.add(*grid.bends(whole))
        energy.add(edges[whole], np.array([-1.0, 1.0]), STRETCH)
        energy.add(np.arange(len(held))[:, None], np.ones(1), held)
        energy.add(ties.places, ties.shares, pulls, np.eye(len(pulls)))
        return energy.solve()

    def ties(self, points: Floats, side: NDArray[np.int8]) -> Ties:
        """Bilinear shares of the nodes at picture points ``(N, 2)``, of those on the points' own ``side`` (N,).

        A point of side 0 takes all nodes, one of side -1 or 1 none of the other.
        """
        lattice = self.lattice
        x = np.clip((points[:, 0] + 0.5 - lattice.x0) / lattice.step - 0.5, 0, lattice.columns - 1.001)
        y = np.clip((points[:, 1] + 0.5 - lattice.y0) / lattice.step - 0.5, 0, lattice.rows - 1.001)
        left, top = x.astype(int), y.astype(int)
        nodes, shares = [], []
        # The rows next to the cell's count a trace, for points whose cell lies wholly on the other side.
        for down in TIE_ROWS:
            for along in (0, 1):
                node = np.clip(top + down, 0, lattice.rows - 1) * lattice.columns + left + along
                share = np.maximum(1.0 - np.abs(along - (x - left)), 0.0)
                share = share * np.maximum(1.0 - np.abs(down - (y - top)), 0.0) + 1e-5
                nodes.append(node)
                shares.append(np.where(self.side[node] * side < 0, 0.0, share))
        share = np.stack(shares, axis=1)
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
        return Ties(np.stack(nodes, axis=1), share)
