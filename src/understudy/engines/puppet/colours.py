"""Colours of a limb and of what lies about it, as they change along the limb."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from understudy.tracking.motion import Floats

PLACES = 8  # kept apart per bone
LIGHT, TONE = 13.0, 5.0  # Lab units of a bin
BINS = (20, 24, 24)
BLUR = (1.1, 0.9, 0.8, 0.8)  # bins that samples spread over: place, lightness, tones
FEWEST = 20.0  # samples about a place that tell its colours
UNKNOWN = 4e-4  # share of the samples of a side that have any colour, seen or not
MOST = 2.5  # log-odds that colour alone can give: alike colours do occur on both sides


class Colours:
    """Soft histograms over Lab and the place along a limb, for two sides of a border."""

    def __init__(self, lab: Floats, along: Floats) -> None:
        """``lab`` (H, W, 3) in OpenCV's 8-bit ranges, ``along`` (H, W) number of the bone and share of the way."""
        tones = [np.clip((lab[..., c] - 128) / TONE + BINS[c] / 2, 0, BINS[c] - 1) for c in (1, 2)]
        self._at = [along * PLACES, np.clip(lab[..., 0] / LIGHT, 0, BINS[0] - 1), *tones]
        self._shape = (int(np.ceil(float(self._at[0].max(initial=0.0)))) + 1, *BINS)
        self._bin = np.ravel_multi_index(
            tuple(np.rint(axis).astype(np.intp) for axis in self._at), self._shape
        ).ravel()

    def odds(self, ours: Floats, theirs: Floats) -> Floats:
        """(H, W) log of how much likelier each pixel's colour is on our side than on the other, within ``MOST``;
        ``ours`` and ``theirs`` (H, W) tell how surely each pixel is a sample of a side."""
        log = np.log((self._table(ours) + UNKNOWN) / (self._table(theirs) + UNKNOWN))
        odds = ndimage.map_coordinates(np.clip(log, -MOST, MOST), self._at, order=1, mode="nearest")
        return np.asarray(odds, np.float32)

    def _table(self, weight: Floats) -> NDArray[np.float32]:
        count = np.bincount(self._bin, weight.ravel(), minlength=int(np.prod(self._shape)))
        table = ndimage.gaussian_filter(
            count.reshape(self._shape).astype(np.float32), BLUR, truncate=2.5, mode="nearest"
        )
        total = table.sum(axis=(1, 2, 3), keepdims=True)
        return np.asarray(table / np.maximum(total, FEWEST), np.float32)


def seen_along(along: Floats) -> Floats:
    """The way along an arm as its colours see it: a hand has the same ones from the wrist to the tips."""
    return np.asarray(np.minimum(along, 2.0) + 0.2 * np.maximum(along - 2.0, 0.0), np.float32)
