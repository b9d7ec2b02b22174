"""The border between the road of a request and any way of making the video, with its fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
    """Makes the character of ``picture`` perform ``motion``. Frames are streamed, never held."""

    name: str

    def perform(
        self, picture: Picture, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance: ...


class FakeEngine:
    """Shows the reference image, unmoved: for tests of an engine's users."""

    name = "fake"

    def perform(
        self, picture: Picture, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance:
        height, width = picture.height // 2 * 2, picture.width // 2 * 2
        still = picture.rgb[:height, :width]
        return Performance(width, height, (still for _ in range(len(motion))), "fake")
