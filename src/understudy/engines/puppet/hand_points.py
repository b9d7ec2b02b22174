"""A hand's 21 landmarks: its fingers' chains and its palm."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

# Landmarks of thumb and fingers from the root to the tip, MediaPipe's numbers.
CHAINS: Final = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
THUMB = 0
THUMB_ROOT = 0.5  # of its first bone, which lies in the palm: from there on it is free
KNUCKLES: Final = (5, 9, 13, 17)
PALM: Final = (0, 1, 5, 9, 13, 17)


def chain(points: Floats, finger: int) -> Floats:
    """(4, 2) a finger's middle line in the hand's ``points`` (21, 2), from its knuckle to its tip."""
    line = points[[*CHAINS[finger]]].astype(np.float32)
    if finger == THUMB:
        line[0] += THUMB_ROOT * (line[1] - line[0])
    return line


def palm_area(points: Floats) -> float:
    """Twice the signed area of wrist, index knuckle and little finger's knuckle."""
    (ax, ay), (bx, by) = (points[5] - points[0]).tolist(), (points[17] - points[0]).tolist()
    return float(ax * by - ay * bx)


def palm_hull(shape: tuple[int, ...], points: Floats, numbers: tuple[int, ...] = PALM) -> NDArray[np.bool_]:
    """(H, W) what lies between a palm's landmarks, or those of these ``numbers``."""
    hull = cv2.convexHull(points[[*numbers]].reshape(-1, 1, 2).astype(np.float32))
    area = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(area, np.rint(hull).astype(np.int32), 1)
    return np.asarray(area > 0, np.bool_)
