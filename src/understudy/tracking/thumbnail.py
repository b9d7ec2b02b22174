"""Small grey copies of frames, for whatever looks at the picture as a whole."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.tracker import Frame

Grey = NDArray[np.uint8]  # (h, w)

SHORT_SIDE = 240
TINY = 64


def small(frame: Frame) -> Grey:
    """The frame in grey, its short side 240 to 480 pixels, aspect kept: pixels picked, not averaged."""
    step = max(1, min(frame.shape[:2]) // SHORT_SIDE)
    # Whole rows are made grey: to pick three bytes here and there first takes longer.
    rows = cv2.cvtColor(frame[::step], cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(rows[:, ::step], np.uint8)


def tiny(grey: Grey) -> Grey:
    """(64, 64), averaged, aspect ignored."""
    return np.asarray(cv2.resize(grey, (TINY, TINY), interpolation=cv2.INTER_AREA), np.uint8)
