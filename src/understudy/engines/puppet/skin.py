"""Bare skin, told by the face's tone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import pixel_of
from understudy.engines.puppet.parts import MOUTH_LEFT, MOUTH_RIGHT, NOSE
from understudy.tracking.motion import Floats

SAME_TONE = 11.0  # Lab units without lightness: skin in light and in shade
GREY = 6.0  # a tone nearer to none than this tells nothing


def skin_tone(lab: Floats, joints: Floats) -> Floats | None:
    """(2,) the face's tone (Lab's a and b) between nose and mouth in ``lab`` (H, W, 3); None outside the picture and
    for a grey one."""
    mouth = (joints[MOUTH_LEFT] + joints[MOUTH_RIGHT]) / 2
    radius = max(0.35 * float(np.linalg.norm(joints[NOSE] - mouth)), 2.0)
    area = np.zeros(lab.shape[:2], np.uint8)
    for corner in (joints[NOSE], joints[MOUTH_LEFT], joints[MOUTH_RIGHT]):
        cv2.circle(area, pixel_of((joints[NOSE] + corner) / 2), round(radius), 1, -1)
    if not area.any():
        return None
    tone: Floats = np.median(lab[area > 0][:, 1:], axis=0).astype(np.float32)
    return tone if float(np.hypot(*(tone - 128))) >= GREY else None


def is_bare(lab: Floats, tone: Floats) -> NDArray[np.bool_]:
    """(H, W) the pixels of ``lab`` (H, W, 3) that have the ``tone``."""
    return np.asarray(np.hypot(lab[..., 1] - tone[0], lab[..., 2] - tone[1]) < SAME_TONE, np.bool_)
