"""The border between the road of a request and any way of making the video, with its fake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.engines.capabilities import FAKE, SLOW_FAKE, Capabilities
from understudy.media.picture import Picture
from understudy.progress import Progress, silent
from understudy.request import LeftOut, MotionRequest
from understudy.tracking.motion import Motion


@dataclass(frozen=True)
class Performance:
    """What an engine made: frames in order, drawn as they are asked for, and what the user should know of them."""

    width: int
    height: int
    frames: Iterator[NDArray[np.uint8]]  # each (height, width, 3) RGB, one for each frame of the motion
    character_found_by: str
    left_out: tuple[LeftOut, ...] = ()


class Engine(Protocol):
    """Makes the character of ``picture`` perform ``motion``. Frames are streamed, never held.

    An engine that does not follow motion is given one of NaN, whose times are the driving video's.
    """

    capabilities: Capabilities

    def perform(
        self, picture: Picture, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance: ...


class FakeEngine:
    """Shows the reference image, unmoved: for tests of an engine's users. ``slow_s`` is how long drawing takes
    at least, in seconds."""

    def __init__(self, *, slow_s: float = 0.0) -> None:
        self.capabilities = SLOW_FAKE if slow_s else FAKE
        self._slow_s = slow_s

    def perform(
        self, picture: Picture, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance:
        height, width = picture.height // 2 * 2, picture.width // 2 * 2
        still = picture.rgb[:height, :width]
        return Performance(width, height, self._drawn(still, len(motion)), "fake")

    def _drawn(self, still: NDArray[np.uint8], frames: int) -> Iterator[NDArray[np.uint8]]:
        for _ in range(frames):
            time.sleep(self._slow_s / frames)
            yield still
