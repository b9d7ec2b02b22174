"""Poisson's equation over a hole: the smoothest change that has given steps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

CYCLES = 3
SWEEPS = 2  # relaxations before and after each visit of the coarser level
DAMPED = 0.2  # of what a pixel lacks is added in each: 0.25 would not smooth
CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
MIDDLE = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)
MISSING = CROSS - 4 * MIDDLE
KEPT = DAMPED * CROSS + (1 - 4 * DAMPED) * MIDDLE
SMALLEST = 8  # pixels of the coarsest level's short side


def level(lack: Floats, hole: Mask) -> Floats:
    """(h, w, 3) the level whose differences to its neighbours add up to ``lack``; 0 outside ``hole`` (h, w).

    Multigrid: V cycles of damped Jacobi relaxation.
    """
    inside = np.pad(hole, 1).astype(np.float32)
    gaps = [cv2.merge([inside] * 3)]
    while min(inside.shape) > SMALLEST:
        size = ((inside.shape[1] + 1) // 2, (inside.shape[0] + 1) // 2)
        # a coarse pixel that stands for known ones, too, must not move, or the cycles run away
        inside = (cv2.resize(inside, size, interpolation=cv2.INTER_AREA) > 0.99).astype(np.float32)
        gaps.append(cv2.merge([inside] * 3))
    lack = cv2.multiply(cv2.copyMakeBorder(lack, 1, 1, 1, 1, cv2.BORDER_CONSTANT), gaps[0])
    found: Floats | None = None
    for _ in range(CYCLES):
        found = _cycle(found, lack, gaps)
    return np.asarray(found, np.float32)[1:-1, 1:-1]


def _cycle(found: Floats | None, lack: Floats, gaps: list[Floats]) -> Floats:
    """``found`` (h, w, 3), None where all of it is 0, brought nearer to what has ``lack``, on this level and on the
    coarser ones whose inner pixels are 1 in ``gaps``; outside all values are 0."""
    part = cv2.multiply(lack, (DAMPED,) * 4)
    found = _relaxed(found, part, gaps[0])
    if len(gaps) > 1:
        rest = cv2.filter2D(found, -1, MISSING, borderType=cv2.BORDER_REPLICATE)
        rest = cv2.add(cv2.multiply(rest, gaps[0], dst=rest), lack, dst=rest)
        rest = cv2.resize(rest, gaps[1].shape[1::-1], interpolation=cv2.INTER_AREA)
        coarse = _cycle(None, cv2.multiply(rest, gaps[1], scale=4), gaps[1:])
        coarse = cv2.resize(coarse, found.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        found = cv2.add(found, cv2.multiply(coarse, gaps[0], dst=coarse), dst=coarse)
    return _relaxed(found, part, gaps[0])


def _relaxed(found: Floats | None, part: Floats, gap: Floats) -> Floats:
    for _ in range(SWEEPS):
        if found is None:
            found = part
            continue
        about = cv2.filter2D(found, -1, KEPT, borderType=cv2.BORDER_REPLICATE)
        found = cv2.add(cv2.multiply(about, gap, dst=about), part, dst=about)
    return np.asarray(found, np.float32)
