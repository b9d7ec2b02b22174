"""The reference image, as the figures see it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from understudy.evaluation.pixels import difference
from understudy.evaluation.samples import sample_times, sampled
from understudy.media.clip import probe
from understudy.tracking.tracker import Frame

# Mean difference of thumbnails under which the reference image is a frame of the driving video.
SAME_PICTURE = 8.0
THUMBNAIL = (48, 48)


def is_frame_of(picture: Frame, clip: Path) -> bool:
    """Whether ``picture`` is one of the clip's frames, judged on thumbnails of at most 10 s at 12 Hz."""
    small = _thumbnail(picture)
    facts = probe(clip)
    frames = sampled(facts, sample_times(facts.duration_s), height=THUMBNAIL[1])
    return any(float(difference(_thumbnail(frame), small).mean()) < SAME_PICTURE for frame in frames)


def _thumbnail(frame: Frame) -> Frame:
    return np.asarray(cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA), np.uint8)
