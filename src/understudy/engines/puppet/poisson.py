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
SMALLEST = 8  # pixels of the coarsest level's short side


def level(lack: Floats, hole: Mask) -> Floats:
    """(h, w, 3) the level whose differences to its neighbours add up to ``lack``; 0 outside ``hole`` (h, w).

    Multigrid: V cycles of damped Jacobi relaxation.
    """
    inside = np.pad(hole, 1).astype(np.float32)
    gap = cv2.merge([inside] * 3)
    lack = cv2.multiply(cv2.copyMakeBorder(lack, 1, 1, 1, 1, cv2.BORDER_CONSTANT), gap)
    found: Floats | None = None
    for _ in range(CYCLES):
        found = _cycle(found, lack, inside)
    return np.asarray(found, np.float32)[1:-1, 1:-1]


def _cycle(found: Floats | None, lack: Floats, inside: Floats) -> Floats:
    """``found`` (h, w, 3), None where all of it is 0, brought nearer; ``lack`` and all levels are 0 outside."""
    gap = cv2.merge([inside] * 3)
    found = _relaxed(found, lack, gap)
    if min(inside.shape) > SMALLEST:
        size = ((inside.shape[1] + 1) // 2, (inside.shape[0] + 1) // 2)
        missing = cv2.filter2D(found, -1, CROSS - 4 * MIDDLE, borderType=cv2.BORDER_REPLICATE)
        missing = cv2.add(cv2.multiply(missing, gap, dst=missing), lack, dst=missing)
        # a coarse pixel that stands for known ones, too, must not move, or the cycles run away
        whole = (cv2.resize(inside, size, interpolation=cv2.INTER_AREA) > 0.99).astype(np.float32)
        rest = cv2.resize(missing, size, interpolation=cv2.INTER_AREA) * (4 * whole[..., None])
        coarse = cv2.resize(_cycle(None, rest, whole), inside.shape[::-1], interpolation=cv2.INTER_LINEAR)
        found = cv2.add(found, cv2.multiply(coarse, gap, dst=coarse), dst=coarse)
    return _relaxed(found, lack, gap)


def _relaxed(found: Floats | None, lack: Floats, gap: Floats) -> Floats:
    part = cv2.multiply(lack, (DAMPED,) * 4)
    for _ in range(SWEEPS):
        if found is None:
            found = part
            continue
        about = cv2.filter2D(
            found, -1, DAMPED * CROSS + (1 - 4 * DAMPED) * MIDDLE, borderType=cv2.BORDER_REPLICATE
        )
        found = cv2.add(cv2.multiply(about, gap, dst=about), part, dst=about)
    return np.asarray(found, np.float32)
