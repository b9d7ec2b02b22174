"""The wan-animate engine: from a request to an assignment, and from the segments that are made of it to frames."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.engines.capabilities import WAN_ANIMATE
from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter
from understudy.engines.diffusion.caption import caption, unread
from understudy.engines.diffusion.maker import StoppedError
from understudy.engines.diffusion.room import arrays_bytes, check_room, unwritable
from understudy.engines.diffusion.size import Fit, fit, native_size, scaled_up
from understudy.engines.diffusion.source import SegmentSource
from understudy.engines.diffusion.spec import (
    SPECS,
    UNDISTILLED_STEPS,
    WAN_ANIMATE_1,
    WAN_ANIMATE_2,
    ModelSpec,
)
from understudy.engines.diffusion.timeline import SAME_S, model_times, retimed, sampled, shown_times
from understudy.engines.engine import Performance
from understudy.errors import RequestError
from understudy.media.ahead import ahead
from understudy.media.clip import Clip, probe, read_frames
from understudy.media.picture import Picture, output_sides
from understudy.progress import Progress, silent
from understudy.request import LeftOut, Matting, MotionRequest, Orientation, Scene
from understudy.tracking.motion import Floats, Motion

READING = "clip"  # the stage in which the driving frames are brought to the model's size and rate


@dataclass(frozen=True)
class Ready:
    """The reference image as it is, and the driving video."""

    picture: Picture
    clip: Clip


@dataclass(frozen=True)
class _Plan:
    """How one video is made: the model's frame, what of it is shown, and the output's size."""

    spec: ModelSpec
    shown: Fit
    width: int
    height: int


class WanAnimateEngine:
    """Has a diffusion model make the video. ``source`` is who has the model; ``threads`` decode the clip.

    ``most_pixels`` a frame that the model draws, where that is less than the mode's, and denoising ``steps`` other than
    the model's own: 0 leaves each as it is. Not ``distilled``: the model of the video's scene is known to be without
    the LoRA that spares it steps.
    """

    capabilities = WAN_ANIMATE

    def __init__(
        self,
        source: SegmentSource,
        *,
        threads: int = 2,
        most_pixels: int = 0,
        steps: int = 0,
        distilled: bool = True,
    ) -> None:
        self._source = source
        self._threads = threads
        self._most_pixels = most_pixels
        self._steps = steps
        self._distilled = distilled

    def prepare(self, picture: Picture, request: MotionRequest, progress: Progress = silent) -> Ready:
        """Raises RequestError (``video_missing``): the model looks at the video itself."""
        progress("rig", 1, 1)
        if request.video is None:
            raise RequestError(
                "video_missing",
                f"The engine {self.capabilities.name} looks at the driving video itself; a motion file is not enough.",
                fix="Give --video, or take the engine puppet.",
            )
        return Ready(picture, probe(request.video))

    def perform(
        self, ready: Ready, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance:
        plan = _plan(ready, request, self._most_pixels)
        unwanted = threading.Event()

        def told(stage: str, done: int, total: int) -> None:
            if unwanted.is_set():
                raise StoppedError
            progress(stage, done, total)

        frames = self._frames(plan, ready, motion, request, told)
        left_out = _left_out(plan, motion, request)
        if plan.spec.name == WAN_ANIMATE_1.name and not self._distilled:
            taken = self._steps or UNDISTILLED_STEPS
            detail = f"The model's LoRA for {plan.spec.steps} steps is not here: it took {taken} of the ordinary ones."
            left_out += (LeftOut("steps", detail),)
        return Performance(
            plan.width, plan.height, frames, "model", left_out, tells_progress=True, stop=unwanted.set
        )

    def _frames(
        self, plan: _Plan, ready: Ready, motion: Motion, request: MotionRequest, progress: Progress
    ) -> Iterator[NDArray[np.uint8]]:
        with self._source.place() as folder:
            try:
                assignment = self._assigned(folder, plan, ready, motion, request, progress)
            except OSError as error:
                raise unwritable(folder, error) from error
            with closing(self._source.segments(folder, assignment, progress)) as segments:
                made = _single(segments, assignment.frames)
                shown_s = shown_times(motion.times_s, model_times(motion.times_s, plan.spec.fps))
                for frame in retimed(made, shown_s, motion.times_s):
                    yield scaled_up(plan.shown.undone(frame), plan.width, plan.height)

    def _assigned(
        self,
        folder: Path,
        plan: _Plan,
        ready: Ready,
        motion: Motion,
        request: MotionRequest,
        progress: Progress,
    ) -> Assignment:
        times = model_times(motion.times_s, plan.spec.fps)
        frame = plan.shown.width, plan.shown.height
        blank = Assignment(
            model=plan.spec.name,
            width=frame[0],
            height=frame[1],
            frames=len(times),
            caption=caption(request.prompt, request.orientation, request.scene),
            seed=request.seed or 0,
            steps=self._steps or plan.spec.steps,
            digest="",
            chosen=bool(self._steps),
        )
        check_room(folder, arrays_bytes(blank))  # of the segments who makes them knows how many there are
        picture = ready.picture
        reference = fit(picture.width, picture.height, *frame).applied(picture.on_white())
        with closing(AssignmentWriter(folder, blank, reference)) as writer:
            with closing(self._entries(plan, ready, motion, times)) as entries:
                for index, entry in enumerate(entries):
                    for name, array in entry.items():
                        writer.add(name, array)
                    progress(READING, index + 1, len(times))
            return writer.finish()

    def _entries(
        self, plan: _Plan, ready: Ready, motion: Motion, times: Floats
    ) -> Generator[dict[str, NDArray[np.uint8]]]:
        """What the model is given of each of its frames."""
        clip = ready.clip
        lies = fit(clip.width, clip.height, plan.shown.width, plan.shown.height)
        first_s, last_s = motion.start_s, motion.start_s + float(motion.times_s[-1])
        half_s = 0.5 / float(
            clip.fps
        )  # times come in single precision; what is too much is not the nearest frame
        begin_s, stop_s = max(first_s - half_s, 0.0), last_s + half_s
        with closing(ahead(read_frames(clip, start_s=begin_s, stop_s=stop_s, threads=self._threads))) as read:
            frames = sampled(((time_s - first_s, rgb) for time_s, rgb in read), times)
            pictures = ((lies.applied(rgb), rgb) for rgb in frames)
            if plan.spec.name == WAN_ANIMATE_2.name:
                yield from ({"driving": native} for native, _ in pictures)
                return
            from understudy.engines.diffusion.replacement import replacement_entries  # its networks

            seen = np.searchsorted(motion.times_s, shown_times(motion.times_s, times) - SAME_S)
            numbered = ((int(t), native, rgb) for t, (native, rgb) in zip(seen, pictures, strict=True))
            affine = lies.affine(motion.width, motion.height)
            yield from replacement_entries(numbered, motion, affine, threads=self._threads)


def _plan(ready: Ready, request: MotionRequest, most_pixels: int) -> _Plan:
    replaced = request.scene is Scene.VIDEO
    around: Picture | Clip = ready.clip if replaced else ready.picture
    spec = SPECS[(WAN_ANIMATE_1 if replaced else WAN_ANIMATE_2).name]
    frame = native_size(around.width, around.height, request.mode, most_pixels)
    shown = fit(around.width, around.height, *frame)
    return _Plan(spec, shown, *output_sides(around.width, around.height, request.mode))


def _single(segments: Iterator[NDArray[np.uint8]], frames: int) -> Iterator[NDArray[np.uint8]]:
    """Frame by frame, without the last segment's padding."""
    left = frames
    for made in segments:
        yield from made[:left]
        left -= len(made)


def _between(spec: ModelSpec, motion: Motion) -> int:
    """How many frames of the output are none of the model's."""
    shown_s = shown_times(motion.times_s, model_times(motion.times_s, spec.fps))
    return int((~np.isin(motion.times_s.astype(np.float64), shown_s)).sum())


def _left_out(plan: _Plan, motion: Motion, request: MotionRequest) -> tuple[LeftOut, ...]:
    told = []
    inner = plan.shown.inner_width, plan.shown.inner_height
    if inner != (plan.width, plan.height):
        told.append(
            LeftOut(
                "size",
                f"The model drew {inner[0]} x {inner[1]} pixels; they were scaled to {plan.width} x {plan.height}.",
            )
        )
    between = _between(plan.spec, motion)
    if between:
        told.append(
            LeftOut(
                "rate",
                f"The model drew {plan.spec.fps} frames a second; {between} of the video's {len(motion)} frames lie "
                "between two of them, and were made by following the movement.",
            )
        )
    cut = unread(request.prompt, request.scene)
    if cut:
        told.append(
            LeftOut("prompt", f"The model's caption has no room for the prompt's last {cut} characters.")
        )
    if request.orientation is Orientation.IMAGE and request.scene is Scene.IMAGE:
        told.append(
            LeftOut(
                "orientation",
                "The model takes the facing from the driving video; its caption asks for the picture's.",
            )
        )
    if request.views:
        told.append(
            LeftOut(
                "views",
                "The model is given the reference picture alone: the character's other views "
                f"({len(request.views)}) are not shown.",
            )
        )
    if request.joints is not None:
        told.append(
            LeftOut("joints", "The model finds the character itself: the file of joints is not used.")
        )
    if request.matting is Matting.LEARNED:
        told.append(LeftOut("matting", "The model cuts nothing out: the learned matte is not used."))
    return tuple(told)
