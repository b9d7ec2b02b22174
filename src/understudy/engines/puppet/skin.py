"""Bare skin, told by the face's tone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, pixel_of
from understudy.engines.puppet.parts import MOUTH_LEFT, MOUTH_RIGHT, NOSE
from understudy.tracking.motion import Floats

SAME_TONE = 11.0  # Lab units without lightness: skin in light and in shade
GREY = 6.0  # a tone nearer to none than this tells nothing
PALM = 0.6  # half widths about a hand's bone that surely are the hand
BARE_PALM = 0.3  # of the palm that must show the face's tone, to be taken for bare
SPREAD = 3.2  # half widths about a hand's bone within which spread fingers lie
LEAST_FLESH = 12  # pixels of an island that is more than noise

Mask = NDArray[np.bool_]


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


def is_bare(lab: Floats, tone: Floats) -> Mask:
    """(H, W) the pixels of ``lab`` (H, W, 3) that have the ``tone``."""
    return np.asarray(np.hypot(lab[..., 1] - tone[0], lab[..., 2] - tone[1]) < SAME_TONE, np.bool_)


def bare_hand(lab: Floats, where: Mask, bone: Floats, width: float, tone: Floats | None) -> Mask | None:
    """(H, W) the whole of a bare hand about ``bone`` (2, 2) with half width ``width``, out of ``where`` (H, W); None if
    it is not bare.

    Fingers and thumb have the palm's own tone and end within `SPREAD`. What goes on beyond that is a hand only as far
    as it hangs together with the palm.
    """
    if tone is None:
        return None
    margin = SPREAD * width
    low = np.floor(np.maximum(bone.min(axis=0) - margin, 0)).astype(int)
    high = np.ceil(bone.max(axis=0) + margin).astype(int) + 1
    box = (slice(int(low[1]), max(int(high[1]), 0)), slice(int(low[0]), max(int(high[0]), 0)))
    inside = where[box]
    ys, xs = np.nonzero(inside)
    if not len(xs):
        return None
    away = np.full(inside.shape, np.inf, np.float32)
    away[ys, xs] = distance_to_polyline(np.stack([xs, ys], axis=1).astype(np.float32) + low, bone)
    near = away < PALM * width
    seen = lab[box]
    bare = is_bare(seen, tone)
    if not near.any() or float(bare[near].mean()) < BARE_PALM:
        return None
    bare |= is_bare(seen, np.median(seen[near & bare][:, 1:], axis=0))
    bare = cv2.medianBlur((bare & (away < margin)).astype(np.uint8), 5) > 0
    _, islands, stats, _ = cv2.connectedComponentsWithStats(bare.astype(np.uint8), connectivity=8)
    keep = np.ones(len(stats), np.bool_)
    keep[np.unique(islands[bare & (away > margin - 2)])] = False
    keep[np.unique(islands[bare & near])] = True
    keep[stats[:, cv2.CC_STAT_AREA] < LEAST_FLESH] = False
    keep[0] = False
    hand = np.zeros_like(where)
    hand[box] = keep[islands]
    return hand
