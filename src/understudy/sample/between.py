"""Values between key moments, by cubics that rise and fall only where the keys do."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]


def between(moments: ArrayLike, keys: ArrayLike, wanted: ArrayLike) -> Reals:
    """Values at the times ``wanted`` (T,) between three or more ``keys`` (N,) or (N, D) at rising ``moments`` (N,).

    Piecewise cubic Hermite interpolation with the slopes of Fritsch and Butland (1984): 0 at a turn, elsewhere a
    weighted harmonic mean of both sides' slopes; at the ends those of a parabola, held back (Moler 2004, pchiptx).
    """
    at, values = np.asarray(moments, np.float64), np.asarray(keys, np.float64)
    times = np.asarray(wanted, np.float64)
    rows = values.reshape(len(values), -1)
    lengths = np.diff(at)[:, None]
    rise = np.diff(rows, axis=0) / lengths
    slopes = _slopes(lengths, rise)
    part = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    into, length, chord = (times - at[part])[:, None], lengths[part], rise[part]
    bend = (slopes[part] + slopes[part + 1] - 2 * chord) / length
    cubic = bend / length
    square = (chord - slopes[part]) / length - bend
    found = rows[part] + into * (slopes[part] + into * (square + into * cubic))
    return found.reshape(len(times), *values.shape[1:])


def _slopes(lengths: Reals, rise: Reals) -> Reals:
    """(N, D) the slope at each key, for the ``lengths`` (N - 1, 1) between keys and the ``rise`` (N - 1, D) there."""
    before, after = rise[:-1], rise[1:]
    onward = before * after > 0
    near = (2 * lengths[1:] + lengths[:-1]) / np.where(onward, before, 1.0)
    far = (lengths[1:] + 2 * lengths[:-1]) / np.where(onward, after, 1.0)
    inner = np.where(onward, 3 * (lengths[:-1] + lengths[1:]) / (near + far), 0.0)
    first = _end(lengths[0], lengths[1], rise[0], rise[1])
    last = _end(lengths[-1], lengths[-2], rise[-1], rise[-2])
    return np.concatenate([first[None], inner, last[None]])


def _end(length: Reals, next_length: Reals, rise: Reals, next_rise: Reals) -> Reals:
    """(D,) the slope at an end, from the two parts next to it."""
    slope = ((2 * length + next_length) * rise - length * next_rise) / (length + next_length)
    slope = np.where(slope * rise > 0, slope, 0.0)
    return np.where((rise * next_rise <= 0) & (np.abs(slope) > 3 * np.abs(rise)), 3 * rise, slope)
