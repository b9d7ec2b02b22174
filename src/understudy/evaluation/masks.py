"""Where people are in a sampled frame, for the figures that compare pixels."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.body import BodyLandmarks, region_about_joints
from understudy.tracking.segmentation import Segmentation
from understudy.tracking.tracker import Frame, Person

Mask = NDArray[np.bool_]  # (H, W)

MARGIN_PX = 20.0
SURE = 0.5
SUSPECTED = 0.3  # low, since a pixel of a person that passes for background spoils the background's figures


class Masker(Protocol):
    """Tells apart people and background."""

    def __call__(self, frame: Frame, person: Person | None) -> tuple[Mask, Mask]:
        """The followed person's pixels, and all people's, the latter grown by `MARGIN_PX`."""


class NetworkMasker:
    """The landmark network's own mask of the person, and with it that of the segmentation network for the rest."""

    def __init__(self, *, threads: int = 1) -> None:
        self._body = BodyLandmarks(threads=threads)
        self._segmentation = Segmentation(threads=threads)

    def __call__(self, frame: Frame, person: Person | None) -> tuple[Mask, Mask]:
        everybody = self._segmentation.segment(frame)
        if person is None or not np.isfinite(person.body[0, 0]):
            return np.zeros(frame.shape[:2], bool), grown(everybody > SUSPECTED)
        one = self._body.look(frame, region_about_joints(person.body), mask=True).mask
        if one is None:
            one = np.zeros(frame.shape[:2], np.float32)
        return one > SURE, grown(np.maximum(one, everybody) > SUSPECTED)


def grown(mask: Mask, by_px: float = MARGIN_PX) -> Mask:
    """``mask`` and everything within ``by_px`` of it."""
    if not mask.any():
        return mask
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(away <= by_px)


def box_about(person: Person, height: float, frame: Frame) -> tuple[slice, slice] | None:
    """Rows and columns of the box about the person's joints in the frame, grown by 8 % of ``height``."""
    visible = person.body[person.visibility > SURE, :2]
    if len(visible) == 0 or not np.isfinite(visible).all():
        return None
    margin = 0.08 * height
    (left, top), (right, bottom) = visible.min(axis=0) - margin, visible.max(axis=0) + margin
    rows = slice(max(0, int(top)), min(frame.shape[0], int(np.ceil(bottom))))
    columns = slice(max(0, int(left)), min(frame.shape[1], int(np.ceil(right))))
    if rows.stop - rows.start < 16 or columns.stop - columns.start < 16:
        return None
    return rows, columns
