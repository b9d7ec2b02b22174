"""Plate: the lattice's nodes as a thin elastic plate that is cut along the lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from understudy.engines.puppet.relief import Lattice
from understudy.tracking.motion import Floats

STRETCH = 0.02  # resistance to stretching, where bending's is 1: it keeps what is far from any point at rest


@dataclass(frozen=True)
class Plate:
    """``side`` (nodes,) is -1 above the cut and 1 below it, and 0 where there is none: no edge joins -1 and 1."""

    lattice: Lattice
    side: NDArray[np.int8]

    def pulled(self, ties: sparse.csr_matrix, pulls: Floats, held: Floats) -> Floats:
        """(nodes, N) how far each node goes with each of N points, tied to the plate by ``ties`` ``(N, nodes)``.

        ``pulls`` (N,) and ``held`` (nodes,) are the strengths with which points pull and nodes stay. The plate comes
        to the least energy of bending (squared Laplacian of the graph), stretching and springs.
        """
        edges = self._edges()
        laplacian = edges.T @ edges
        springs = sparse.csr_matrix(ties.multiply(pulls[:, None])).T
        energy = laplacian @ laplacian + STRETCH * laplacian + springs @ ties + sparse.diags(held)
        return np.asarray(splu(sparse.csc_matrix(energy)).solve(springs.toarray()))

    def ties(self, points: Floats, side: NDArray[np.int8]) -> sparse.csr_matrix:
        """(N, nodes) bilinear shares of the nodes at picture points ``(N, 2)``, of those on the points' own side.

        A point of side 0 takes all nodes, one of side -1 or 1 none of the other.
        """
        lattice = self.lattice
        x = np.clip((points[:, 0] + 0.5 - lattice.x0) / lattice.step - 0.5, 0, lattice.columns - 1.001)
        y = np.clip((points[:, 1] + 0.5 - lattice.y0) / lattice.step - 0.5, 0, lattice.rows - 1.001)
        left, top = x.astype(int), y.astype(int)
        nodes, shares = [], []
        # The rows next to the cell's count a trace, for points whose cell lies wholly on the other side.
        for down in (-1, 0, 1, 2):
            for along in (0, 1):
                node = np.clip(top + down, 0, lattice.rows - 1) * lattice.columns + left + along
                share = np.maximum(1.0 - np.abs(along - (x - left)), 0.0)
                share = share * np.maximum(1.0 - np.abs(down - (y - top)), 0.0) + 1e-5
                nodes.append(node)
                shares.append(np.where(self.side[node] * side < 0, 0.0, share))
        share = np.stack(shares, axis=1)
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
        rows = np.repeat(np.arange(len(points)), share.shape[1])
        where = (rows, np.stack(nodes, axis=1).ravel())
        return sparse.csr_matrix((share.ravel(), where), (len(points), len(self.side)))

    def _edges(self) -> sparse.csr_matrix:
        """(edges, nodes) differences along the graph's edges."""
        number = np.arange(len(self.side)).reshape(self.lattice.rows, self.lattice.columns)
        one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
        other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
        whole = self.side[one] * self.side[other] >= 0
        one, other = one[whole], other[whole]
        rows = np.tile(np.arange(len(one)), 2)
        signs = np.repeat([1.0, -1.0], len(one))
        return sparse.csr_matrix((signs, (rows, np.concatenate([one, other]))), (len(one), len(self.side)))
