"""The border between the road of a request and any way of making the video, with its fake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.capabilities import FAKE, SLOW_FAKE, Capabilities
from understudy.media.limits import API_PICTURES
from understudy.media.picture import Picture, load_picture
from understudy.progress import Progress, silent
from understudy.request import LeftOut, MotionRequest
from understudy.tracking.motion import Motion

Ready = TypeVar("Ready")  # a character made ready, in the engine's own form


@dataclass(frozen=True)
class Performance:
    """What an engine made: frames in order, drawn as they are asked for, and what the user should know of them.

    ``tells_progress``: the engine itself tells how far it is while frames are asked for, since their number says little
    of its work. ``stop`` may be called from another thread than that which waits for a frame: no more of them are
    wanted.
    """

    width: int
    height: int
    frames: Iterator[NDArray[np.uint8]]  # each (height, width, 3) RGB, one for each frame of the motion
    character_found_by: str
    left_out: tuple[LeftOut, ...] = ()
    tells_progress: bool = False
    stop: Callable[[], None] = lambda: None


class Engine(Protocol[Ready]):
    """Makes the character of a picture perform a motion, in two steps: the first needs no motion.

    An engine that does not follow motion is given one of NaN, whose times are the driving video's.
    """

    capabilities: Capabilities

    def prepare(self, picture: Picture, request: MotionRequest, progress: Progress = silent) -> Ready:
        """The character made ready (stage ``rig``). May run in a thread of its own while the motion is tracked."""

    def perform(
        self, ready: Ready, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance:
        """What ``prepare`` gave, performing ``motion``. Frames are streamed, never held. ``progress`` may be called
        from another thread."""


class FakeEngine:
    """Shows the reference image, unmoved, and after it as long each further view of the character: for tests of an
    engine's users. ``slow_s`` is how long drawing takes at least, in seconds."""

    def __init__(self, *, slow_s: float = 0.0) -> None:
        self.capabilities = SLOW_FAKE if slow_s else FAKE
        self._slow_s = slow_s

    def prepare(
        self, picture: Picture, request: MotionRequest, progress: Progress = silent
    ) -> tuple[Picture, ...]:
        return picture, *(load_picture(view, kinds=API_PICTURES) for view in request.views)

    def perform(
        self,
        ready: tuple[Picture, ...],
        motion: Motion,
        request: MotionRequest,
        progress: Progress = silent,
    ) -> Performance:
        first, *views = ready
        height, width = first.height // 2 * 2, first.width // 2 * 2
        stills = [first.rgb[:height, :width], *(_scaled(view.rgb, width, height) for view in views)]
        return Performance(width, height, self._drawn(stills, len(motion)), "fake")

    def _drawn(self, stills: Sequence[NDArray[np.uint8]], frames: int) -> Iterator[NDArray[np.uint8]]:
        for index in range(frames):
            time.sleep(self._slow_s / frames)
            yield stills[index * len(stills) // frames]


def _scaled(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
