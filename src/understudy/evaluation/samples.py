"""Sampling a video for the figures: 12 frames a second, at a height of 720, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from understudy.media.clip import Clip, read_frames
from understudy.tracking.tracker import Frame

RATE_HZ = 12.0
LONGEST_S = 10.0
HEIGHT_PX = 720
MARGIN_S = 0.5  # about the samples, in which the nearest frame is looked for


def sample_times(duration_s: float) -> list[float]:
    """Seconds from the start of the part that is compared: at least one sample, at most `LONGEST_S` of them."""
    span = min(duration_s, LONGEST_S)
    # The last sample lies inside the video: a frame lasts until the next one.
    return [k / RATE_HZ for k in range(max(1, int(np.ceil(span * RATE_HZ - 1e-6))))]


def nearest(frames: Iterable[tuple[float, Frame]], times_s: Iterable[float]) -> Iterator[Frame]:
    """For each of the rising ``times_s`` the frame nearest in time; after the last frame, that one again.

    ``frames`` are (seconds, frame) in order of time; only two are held. Nothing is yielded for no frames.
    """
    source = iter(frames)
    now = next(source, None)
    if now is None:
        return
    later = next(source, None)
    for time_s in times_s:
        while later is not None and abs(later[0] - time_s) <= abs(now[0] - time_s):
            now, later = later, next(source, None)
        yield now[1]


def sampled(clip: Clip, times_s: Sequence[float], *, height: int = HEIGHT_PX) -> Iterator[Frame]:
    """The clip's frames nearest to ``times_s``, each ``height`` pixels high. Raises ClipError."""
    size = (max(1, round(clip.width * height / clip.height)), height)
    frames = read_frames(
        clip,
        start_s=max(0.0, times_s[0] - MARGIN_S),
        stop_s=times_s[-1] + MARGIN_S,
        short_side_max=max(2, min(size)),
    )
    # The decoder scales down for nearly nothing; what it rounds otherwise is put right here.
    return (scaled(frame, size) for frame in nearest(frames, times_s))


def scaled(frame: Frame, size: tuple[int, int] | None = None) -> Frame:
    """The frame at ``size`` (width, height), or at a height of `HEIGHT_PX` with its own aspect."""
    height, width = frame.shape[:2]
    if size is None:
        size = (max(1, round(width * HEIGHT_PX / height)), HEIGHT_PX)
    if size == (width, height):
        return frame
    shrinking = size[1] < height
    way = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, size, interpolation=way), np.uint8)
