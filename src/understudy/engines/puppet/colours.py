"""Colours of a limb and of what lies about it, as they change along the limb."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

PLACES = 8  # kept apart per bone
LIGHT, TONE = 13.0, 5.0  # Lab units of a bin
BINS = (20, 24, 24)
BLUR = (1.1, 0.9, 0.8, 0.8)  # bins that samples spread over: place, lightness, tones
SPREAD = 2.5  # of these, as far as they do
FEWEST = 20.0  # samples about a place that tell its colours
UNKNOWN = 4e-4  # share of the samples of a side that have any colour, seen or not
ONE = np.ones(1)
MOST = 2.5  # log-odds that colour alone can give: alike colours do occur on both sides


class Colours:
    """Soft histograms over Lab and the place along a limb, for two sides of a border."""

    def __init__(self, lab: Floats, along: Floats) -> None:
        """``lab`` (..., 3) pixels in OpenCV's 8-bit ranges, ``along`` (...) bone and share of the way."""
        self._pixels = along.shape
        tones = [np.clip((lab[..., c] - 128) / TONE + BINS[c] / 2, 0, BINS[c] - 1).ravel() for c in (1, 2)]
        at = [along.ravel() * PLACES, np.clip(lab[..., 0] / LIGHT, 0, BINS[0] - 1).ravel(), *tones]
        last = (int(np.ceil(float(at[0].max(initial=0.0)))), *(count - 1 for count in BINS))
        self._kernels = [_bell(deviation) for deviation in BLUR]
        counts, lows, bins = [], [], []
        self._part: list[Floats] = []
        for axis, end, kernel in zip(at, last, self._kernels, strict=True):
            # Most pictures have few tones: bins that no sample reaches are left out.
            reach = len(kernel) // 2
            first = max(int(axis.min(initial=0.0)) - reach, 0)
            counts.append(min(int(np.ceil(float(axis.max(initial=0.0)))) + reach, end) - first + 1)
            place = (axis - first).astype(np.float32)
            bins.append(np.rint(place).astype(np.intp))
            lows.append(np.minimum(place.astype(np.intp), max(counts[-1] - 2, 0)))
            self._part.append(place - lows[-1].astype(np.float32))
        self._shape = tuple(counts)
        self._bin = np.ravel_multi_index(tuple(bins), self._shape)
        self._low = np.ravel_multi_index(tuple(lows), self._shape)

    def odds(self, ours: Floats, theirs: Floats) -> Floats:
        """(...) log of how much likelier each pixel's colour is on our side than on the other, within ``MOST``;
        ``ours`` and ``theirs`` (...) tell how surely each pixel is a sample of a side."""
        tables = self._tables(ours, theirs) + np.float32(UNKNOWN)
        log = np.log(tables[0] / tables[1])
        return self._between(np.clip(log, -MOST, MOST).ravel()).reshape(self._pixels)

    def _between(self, table: Floats, axis: int = 0) -> Floats:
        """(N,) the flat ``table`` at the pixels, linear between its bins in this axis and all that follow."""
        if axis == len(self._shape):
            return np.asarray(table.take(self._low), np.float32)
        near = self._between(table, axis + 1)
        if self._shape[axis] > 1:
            far = self._between(table[int(np.prod(self._shape[axis + 1 :])) :], axis + 1)
            near += self._part[axis] * (far - near)
        return near

    def _tables(self, *sides: Floats) -> Floats:
        """(sides, *bins) the share that each bin has of the samples about its place."""
        bins = int(np.prod(self._shape))
        counts = [np.bincount(self._bin, weight.ravel(), minlength=bins) for weight in sides]
        table = np.stack(counts, axis=1).astype(np.float32)
        for count, kernel in zip(
            self._shape, self._kernels, strict=True
        ):  # each axis once the first, then the last
            table = table.reshape(count, -1)
            table = cv2.sepFilter2D(table, cv2.CV_32F, ONE, kernel, borderType=cv2.BORDER_REPLICATE)
            table = np.ascontiguousarray(table.T)
        table = table.reshape(len(sides), *self._shape)
        total = table.sum(axis=(2, 3, 4), keepdims=True)
        return np.asarray(table / np.maximum(total, FEWEST), np.float32)


def _bell(deviation: float) -> NDArray[np.float64]:
    reach = int(SPREAD * deviation + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return np.asarray(weights / weights.sum(), np.float64)


def seen_along(along: Floats) -> Floats:
    """The way along an arm as its colours see it: a hand has the same ones from the wrist to the tips."""
    return np.asarray(np.minimum(along, 2.0) + 0.2 * np.maximum(along - 2.0, 0.0), np.float32)
