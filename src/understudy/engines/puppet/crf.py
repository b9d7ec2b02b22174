"""Labels that follow colour: a two-label conditional random field over all pairs of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Numbers = NDArray[np.intp]

# Of a cell, the width in each direction within which pixels speak with one voice: that moves the mean of a
# neighbourhood by hundredths, and leaves a fourth of the points, or fewer.
ALIKE = 0.4
# How many of its direct neighbours a pixel hears, pixels, and how strongly, in log-odds
BESIDE_PX, BESIDE = 1.5, 2.0
BESIDE_SIZE = (13, 13)  # of the Gaussian's window: four deviations to each side


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
    weights over its 32 corners. A picture fills a hundredth of it, so only the cells are kept that a pixel touches;
    what the blur would carry through the others is lost (as in Adams, Baek and Davis, "Fast High-Dimensional
    Filtering Using the Permutohedral Lattice", 2010). Pixels that hardly differ, in place and in colour, enter it as
    one point: their mean.
    """

    def __init__(self, places: Floats, lab: Floats, weight: Floats, reach: Reach) -> None:
        """``places`` (N, 2) pixels, ``lab`` (N, 3), ``weight`` (N,) how loud each pixel speaks."""
        cell = np.array([reach.space, reach.space, reach.light, reach.colour, reach.colour], np.float32)
        at = np.ascontiguousarray(np.concatenate([places, lab], 1).T) / cell[:, None]
        at -= at.min(1, keepdims=True)
        fine = (at / np.float32(ALIKE)).astype(np.intp)
        _, self._point = _numbered(_strides(fine) @ fine)
        count = np.bincount(self._point)
        points = np.stack([np.bincount(self._point, axis) / count for axis in at])  # (5, P)
        low = points.astype(np.intp)
        part = (points - low).astype(np.float32)
        strides = _strides(low)
        origins, origin = _numbered(strides @ low)
        corner = np.zeros(1, np.intp)
        share = np.ones((1, len(count)), np.float32)
        for stride, high in zip(strides, part, strict=True):
            corner = np.concatenate([corner, corner + stride])
            share = np.concatenate([share * (1 - high), share * high])
        cells, number = _numbered((corner[:, None] + origins).ravel())
        self._corners = number.reshape(32, -1).take(origin, axis=1)  # (32, P)
        self._share = share
        self._room = np.empty(share.shape)  # used again and again: fresh memory costs as much as the sums
        self._cells = len(cells)  # one more stands for all that are not kept
        self._beside = [_neighbours(cells, int(stride)) for stride in strides]
        self._weight = weight
        self._total = np.maximum(self.total(weight), 1e-6)

    def mean(self, values: Floats) -> Floats:
        """(N,) the weighted mean of ``values`` (N,) over each pixel's neighbours in place and colour."""
        return np.asarray(self.total(values * self._weight) / self._total, np.float32)

    def total(self, values: Floats) -> Floats:
        """(N,) the sum of ``values`` (N,) over each pixel's neighbours in place and colour."""
        spoken = np.bincount(self._point, values, minlength=self._share.shape[1])
        np.multiply(self._share, spoken, out=self._room)
        grid = np.bincount(self._corners.ravel(), self._room.ravel(), minlength=self._cells + 1)
        for below, above in self._beside:
            grid[:-1] = 0.5 * grid[:-1] + 0.25 * (grid[below] + grid[above])
        np.take(grid, self._corners, out=self._room, mode="clip")
        np.multiply(self._room, self._share, out=self._room)
        return np.asarray(self._room.sum(0)[self._point], np.float32)


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
    label = _logistic(evidence)
    if not inside.any():
        return label
    y, x = np.nonzero(inside)
    places = np.stack([x, y], 1).astype(np.float32)
    grids = [BilateralGrid(places, lab[inside], weight[inside], reach) for reach in reaches]
    given = evidence[inside]
    for _ in range(rounds):
        now = label[inside]
        beside = cv2.GaussianBlur(label, BESIDE_SIZE, BESIDE_PX, borderType=cv2.BORDER_REFLECT)
        heard = given + BESIDE * (2 * beside[inside] - 1)
        for grid, reach in zip(grids, reaches, strict=True):
            heard = heard + reach.strength * (2 * grid.mean(now) - 1)
        label[inside] = _logistic(heard)
    return label


def _strides(cells: Numbers) -> Numbers:
    """(5,) what makes one number of each cell's five (5, N); no cell's neighbour is another row's first or last."""
    span = cells.max(1) + 3
    return np.append(np.cumprod(span[:0:-1])[::-1], 1)


def _numbered(keys: Numbers) -> tuple[Numbers, Numbers]:
    """((M,), (N,)) the different ``keys`` (N,) in order, and the number of each key among them."""
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.append(True, ordered[1:] != ordered[:-1])
    number = np.empty(len(keys), np.intp)
    number[order] = np.cumsum(new) - 1
    return ordered[new], number


def _neighbours(cells: Numbers, stride: int) -> tuple[Numbers, Numbers]:
    """((M,), (M,)) for each of the ordered ``cells`` (M,) the numbers of the one below and the one above it in one
    direction; M where there is none."""
    count = len(cells)
    at = np.minimum(np.searchsorted(cells, cells + stride), count - 1)
    found = cells[at] == cells + stride
    above = np.where(found, at, count)
    below = np.full(count, count)
    below[at[found]] = np.flatnonzero(found)
    return below, above


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)
