"""Left and right that the network mixed up for a moment, put back."""

from __future__ import annotations

import numpy as np

from understudy.tracking.motion import Floats

ARM = (13, 15, 17, 19, 21)
LEG = (25, 27, 29, 31)
LONGEST = 3  # frames of one mix-up
LEAST = 0.04  # of the person's height: the error that it must cause
GAIN = 2.5  # how much better the exchange must fit


def mixed_up(body: Floats, height: float) -> tuple[list[int], list[int]]:
    """Frames in which the arms, and those in which the legs, changed sides for at most three frames.

    ``body`` (T, 33, 3) in pixels. A frame counts where the line between the frames before and after fits the
    exchanged limbs far better than the limbs as they are.
    """
    return _exchanged(body, ARM, height), _exchanged(body, LEG, height)


def _exchanged(body: Floats, limb: tuple[int, ...], height: float) -> list[int]:
    left, right = list(limb), [i + 1 for i in limb]
    points = body[:, left + right, :2].copy()
    other = body[:, right + left, :2]
    found: list[int] = []
    frame = 1
    while (first := _first(points, other, frame, height)) is not None:
        frame, run = first
        inside = slice(frame, frame + run)
        points[inside] = other[inside]
        found += range(frame, frame + run)
        frame += run
    return found


def _first(points: Floats, other: Floats, start: int, height: float) -> tuple[int, int] | None:
    """The first frame from ``start`` on in which a mix-up begins, and how many frames it lasts; the shortest counts.

    ``points`` (T, N, 2), and ``other``, the same exchanged.
    """
    best: tuple[int, int] | None = None
    for run in range(1, LONGEST + 1):
        count = len(points) - start - run
        if count <= 0:
            break
        first, last = points[start - 1 : start - 1 + count], points[start + run : start + run + count]
        kept, swapped = np.zeros(count, np.float32), np.zeros(count, np.float32)
        for step in range(run):
            line = first + np.float32((step + 1) / (run + 1)) * (last - first)
            inside = slice(start + step, start + step + count)
            kept += _apart(points[inside], line) / np.float32(run)
            swapped += _apart(other[inside], line) / np.float32(run)
        wrong = np.flatnonzero((kept > LEAST * height) & (kept > GAIN * swapped))
        if len(wrong) and (best is None or start + int(wrong[0]) < best[0]):
            best = start + int(wrong[0]), run
    return best


def _apart(one: Floats, other: Floats) -> Floats:
    """(T,) the mean distance of points (T, N, 2)."""
    off = one - other
    return np.asarray(np.hypot(off[..., 0], off[..., 1]).mean(axis=1), np.float32)
