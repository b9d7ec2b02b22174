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
    while frame < len(points) - 1:
        for run in range(1, LONGEST + 1):
            if frame + run >= len(points):
                break
            share = np.arange(1, run + 1, dtype=np.float32)[:, None, None] / np.float32(run + 1)
            line = points[frame - 1] + share * (points[frame + run] - points[frame - 1])
            inside = slice(frame, frame + run)
            kept = float(np.linalg.norm(points[inside] - line, axis=-1).mean())
            swapped = float(np.linalg.norm(other[inside] - line, axis=-1).mean())
            if kept > LEAST * height and kept > GAIN * swapped:
                points[inside] = other[inside]
                found += range(frame, frame + run)
                frame += run - 1
                break
        frame += 1
    return found
