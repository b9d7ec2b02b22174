"""Thin-plate splines: the smoothest bending of the plane that takes some points to others (Bookstein 1989).

The bending is f(x) = A (1, x) + sum of w_k U(|x - x_k|) with U(r) = r^2 ln r, and the w_k free of any straight part.
With a ``smoothing`` s it may miss by s w_k: it minimises the squared misses plus s times the bending energy
(Wahba 1990). The unit of length matters to it: it is the unit of the points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class ThinPlate:
    """Values (N, D) at points (N, 2) and, between them, as smooth as can be."""

    points: Reals
    bends: Reals  # (N, D)
    straight: Reals  # (3, D) of (1, x, y), from the middle of the points
    middle: Reals  # (2,)

    @classmethod
    def through(
        cls, points: NDArray[np.floating], values: NDArray[np.floating], smoothing: float
    ) -> ThinPlate:
        """Raises numpy.linalg.LinAlgError where all points lie on a line."""
        at = np.asarray(points, np.float64)
        middle = at.mean(axis=0)
        count = len(at)
        plain = _plain(at, middle)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _bumps(at, at) + smoothing * np.eye(count)
        system[:count, count:] = plain
        system[count:, :count] = plain.T
        wanted = np.concatenate([np.asarray(values, np.float64), np.zeros((3, values.shape[1]))])
        found = np.linalg.solve(system, wanted)
        return cls(at, found[:count], found[count:], middle)

    def __call__(self, places: NDArray[np.floating]) -> Reals:
        """The values (M, D) at places (M, 2)."""
        at = np.asarray(places, np.float64)
        return np.asarray(_bumps(at, self.points) @ self.bends + _plain(at, self.middle) @ self.straight)


def _plain(at: Reals, middle: Reals) -> Reals:
    return np.concatenate([np.ones((len(at), 1)), at - middle], axis=1)


def _bumps(at: Reals, points: Reals) -> Reals:
    """(M, N) U(r) of each place from each point; U(0) is 0."""
    squares = np.square(at[:, None] - points[None]).sum(axis=-1)
    return np.asarray(squares * np.log(np.where(squares > 0, squares, 1.0)) / 2)
