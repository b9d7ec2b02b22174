"""Labels that follow colour: a two-label conditional random field over all pairs of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class Reach:
    """How far alike pixels speak to each other: pixels, and Lab units of lightness and of colour."""

    space: float
    light: float
    colour: float
    strength: float


class BilateralGrid:
    """Sums over pixels near in place and colour, by splatting to a coarse 5-D grid, blurring there and slicing.

    The grid is that of Paris and Durand ("A Fast Approximation of the Bilateral Filter", ECCV 2006) with linear
    weights over its 32 corners.
    """

    def __init__(self, places: Floats, lab: Floats, weight: Floats, reach: Reach) -> None:
        """``places`` (N, 2) pixels, ``lab`` (N, 3), ``weight`` (N,) how loud each pixel speaks."""
        scale = np.array([reach.space, reach.space, reach.light, reach.colour, reach.colour], np.float32)
        points = np.concatenate([places, lab], 1) / scale
        points -= points.min(0)
        low = np.floor(points).astype(np.int64)
        part = (points - low).astype(np.float32)
        self._shape = tuple(int(v) + 2 for v in low.max(0))
        strides = np.cumprod([1, *self._shape[:0:-1]])[::-1]
        index = (low @ strides).astype(np.int32)[:, None]
        corners = np.ones((len(points), 1), np.float32)
        for axis in range(5):
            index = np.concatenate([index, index + np.int32(strides[axis])], 1)
            share = part[:, axis, None]
            corners = np.concatenate([corners * (1 - share), corners * share], 1)
        rows = np.arange(0, index.size + 1, 32, dtype=np.int32)
        self._slice = sparse.csr_array(
            (corners.ravel(), index.ravel(), rows), shape=(len(points), int(np.prod(self._shape)))
        )
        self._splat = self._slice.T
        self._weight = weight
        self._total = np.maximum(self.total(weight), 1e-6)

    def mean(self, values: Floats) -> Floats:
        """(N,) the weighted mean of ``values`` (N,) over each pixel's neighbours in place and colour."""
        return np.asarray(self.total(values * self._weight) / self._total, np.float32)

    def total(self, values: Floats) -> Floats:
        """(N,) the sum of ``values`` (N,) over each pixel's neighbours in place and colour."""
        grid: Floats = np.asarray(self._splat @ values, np.float32).reshape(self._shape)
        for axis in range(5):
            grid = _blur(grid, axis)
        return np.asarray(self._slice @ grid.ravel(), np.float32)


def _blur(grid: Floats, axis: int) -> Floats:
    """(1, 2, 1) / 4 along one axis; zero outside."""
    view = np.moveaxis(grid, axis, 0)
    out = 0.5 * grid
    target = np.moveaxis(out, axis, 0)
    target[1:] += 0.25 * view[:-1]
    target[:-1] += 0.25 * view[1:]
    return out


def settle(
    evidence: Floats,
    lab: Floats,
    weight: Floats,
    inside: NDArray[np.bool_],
    reaches: tuple[Reach, ...],
    rounds: int = 6,
) -> Floats:
    """(H, W) 0..1 after ``rounds`` of mean field from ``evidence`` (H, W), log-odds, where ``inside``.

    Each pixel hears the mean label of the pixels like it, those of more ``weight`` (H, W) louder, and of its direct
    neighbours (Kraehenbuehl and Koltun,
    "Efficient Inference in Fully Connected CRFs", NIPS 2011).
    """
    if not inside.any():
        return _logistic(evidence)
    y, x = np.nonzero(inside)
    places = np.stack([x, y], 1).astype(np.float32)
    grids = [BilateralGrid(places, lab[inside], weight[inside], reach) for reach in reaches]
    label = _logistic(evidence)
    given = evidence[inside]
    for _ in range(rounds):
        now = label[inside]
        heard = given + 2.0 * (2 * ndimage.gaussian_filter(label, 1.5)[inside] - 1)
        for grid, reach in zip(grids, reaches, strict=True):
            heard = heard + reach.strength * (2 * grid.mean(now) - 1)
        label[inside] = _logistic(heard)
    return np.asarray(label, np.float32)


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)
