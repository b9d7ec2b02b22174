"""Filters of values along one axis, mostly time: averages, medians and extremes of a moving window.

Windows of an odd size are centred; an even one reaches one value further back than ahead. Beyond the ends a series
goes on with its first and last value, unless a filter says otherwise. All results have the shape and the precision
of the values; sums are taken in double precision. Values are floats; an unknown one (NaN) spoils the windows that
hold it and no others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=np.floating[Any])

FAR = 4.0  # deviations after which a Gaussian is cut off: what is left out weighs 0.00006
# Values that are worked on at a time, 2 MB in double precision: a long clip's landmarks are never held twice.
BLOCK = 1 << 18


def gaussian(values: NDArray[F], deviation: float, axis: int = 0) -> NDArray[F]:
    """Averages under a Gaussian of a standard deviation in samples, cut off at `FAR` of them."""
    reach = int(FAR * deviation + 0.5)
    if reach < 1:
        return values.copy()
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    return correlate(values, weights / weights.sum(), axis)


def uniform(values: NDArray[F], size: int, axis: int = 0) -> NDArray[F]:
    """Plain averages of ``size`` values."""
    return correlate(values, np.full(size, 1.0 / size), axis)


def correlate(
    values: NDArray[F], weights: NDArray[np.floating[Any]], axis: int = 0, *, zeros: bool = False
) -> NDArray[F]:
    """Sums of the values about each, weighted by ``weights`` (K,), of which number K // 2 stands on the value itself.

    With ``zeros`` the series is 0 beyond its ends.
    """
    down = np.asarray(weights, np.float64)
    border = cv2.BORDER_CONSTANT if zeros else cv2.BORDER_REPLICATE

    def summed(part: NDArray[F]) -> NDArray[Any]:
        found: NDArray[Any] = cv2.sepFilter2D(
            part, cv2.CV_64F, np.ones(1), down, anchor=(0, len(down) // 2), borderType=border
        )
        return found

    return _by_columns(values, axis, summed)


def median(values: NDArray[F], size: int, axis: int = 0) -> NDArray[F]:
    """Medians of ``size`` values; of an even number the upper one of the two in the middle."""

    def middle(part: NDArray[F]) -> NDArray[Any]:
        windows = np.lib.stride_tricks.sliding_window_view(_lengthened(part, size), size, axis=0)
        found = np.empty_like(part)
        rows = max(BLOCK // (size * part.shape[1]), 1)
        for first in range(0, len(part), rows):
            some = windows[first : first + rows]
            found[first : first + rows] = np.partition(some, size // 2, axis=-1)[..., size // 2]
        return found

    return _by_columns(values, axis, middle)


def maximum(values: NDArray[F], size: int, axis: int = 0) -> NDArray[F]:
    """The largest of ``size`` values."""
    return _by_columns(values, axis, lambda part: _extreme(part, size, np.maximum))


def minimum(values: NDArray[F], size: int, axis: int = 0) -> NDArray[F]:
    """The smallest of ``size`` values."""
    return _by_columns(values, axis, lambda part: _extreme(part, size, np.minimum))


def closing(values: NDArray[F], size: int, axis: int = 0) -> NDArray[F]:
    """Without the dips that are shorter than ``size`` (odd) values: the smallest of the largest."""
    return minimum(maximum(values, size, axis), size, axis)


def _by_columns(values: NDArray[F], axis: int, work: Callable[[NDArray[F]], NDArray[Any]]) -> NDArray[F]:
    """``work`` (T, C) -> (T, C) done along an axis, some columns at a time."""
    moved = np.moveaxis(values, axis, 0)
    flat = moved.reshape(len(moved), math.prod(moved.shape[1:]))
    found = np.empty_like(flat)
    columns = max(BLOCK // max(len(flat), 1), 1)
    for first in range(0, flat.shape[1] if len(flat) else 0, columns):
        part = flat[:, first : first + columns]
        found[:, first : first + columns] = work(part).reshape(part.shape)
    return np.moveaxis(found.reshape(moved.shape), 0, axis)


def _lengthened(part: NDArray[F], size: int) -> NDArray[F]:
    """The (T, C) values with their ends repeated, so that each has a whole window: (T + size - 1, C)."""
    return part.take(np.arange(len(part) + size - 1) - size // 2, axis=0, mode="clip")


def _extreme(part: NDArray[F], size: int, of: Callable[..., NDArray[Any]]) -> NDArray[Any]:
    """The extreme of each window, from those of two windows of half the size, which may overlap."""
    run: NDArray[Any] = _lengthened(part, size)
    reach = 1
    while 2 * reach <= size:
        run = of(run[:-reach], run[reach:])
        reach *= 2
    rest = size - reach
    return of(run[: len(part)], run[rest : rest + len(part)])
