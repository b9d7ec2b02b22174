"""A soft mask of the people in a picture: the selfie segmentation network."""

from __future__ import annotations

import cv2
import numpy as np

from understudy.tracking.motion import Floats
from understudy.tracking.network import Network
from understudy.tracking.tracker import Frame


class Segmentation:
    """Runs the general (256 x 256) selfie segmentation model; about 4 ms on one CPU thread."""

    def __init__(self, *, threads: int = 1) -> None:
        self._network = Network("selfie_segmentation", threads=threads)

    def segment(self, picture: Frame) -> Floats:
        """(H, W) 0..1, how surely each pixel of ``picture`` (H, W, 3) belongs to a person.

        The picture is squeezed to a square, aspect ignored, as the model was trained.
        """
        size = (self._network.width, self._network.height)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        np.multiply(small, np.float32(1 / 255), out=self._network.input)
        (mask,) = self._network.run()
        full = cv2.resize(mask, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.clip(full, 0, 1), np.float32)


def segment(picture: Frame) -> Floats:
    """`Segmentation.segment` for a single picture."""
    return Segmentation().segment(picture)
