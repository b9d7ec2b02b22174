"""The process that opens a stranger's files: ``python -m understudy.tasks.child``, for one job.

The job is one line of JSON on standard input, which stays open as long as the parent lives. Answers are lines of
JSON on standard output: what confinement could not be had, progress, then one result or one error. What libraries
print goes to standard error. Only the standard library is imported before the process is confined.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.tasks.sandbox import Confinement, confine, die_with

if TYPE_CHECKING:
    from understudy.engines.engine import Engine
    from understudy.errors import UnderstudyError
    from understudy.request import MotionRequest

CHECK, RENDER, VIEWS = "check", "render", "views"
IMAGE, VIDEO, MADE, MARKED = "image", "video", "result.mp4", "result-watermarked.mp4"
COVER = "cover.jpg"
COVER_QUALITY = 90  # of JPEG's 100
VIEW = "view-{}"  # further pictures of the character, numbered from 1
LINE_BYTES = 65536
PROGRESS_S = 0.1


@dataclass(frozen=True)
class Job:
    """What the child is to do in its folder, which holds IMAGE and VIDEO, and as many further ``views``.

    For VIEWS the folder holds either views to be checked, or none and a VIDEO to pick them from."""

    verb: str
    confinement: Confinement
    orientation: str
    mode: str
    sound: bool
    watermark: bool
    prompt: str
    engine: str
    matting: str
    threads: int
    views: int = 0
    matroska: bool = False
    scene: str = "image"
    seed: int = 0
    gpu_pixels: int = 0
    gpu_steps: int = 0

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Job:
        told = json.loads(line)
        return cls(**{**told, "confinement": Confinement(**told["confinement"])})


class Answers:
    """The way back to the parent, out of reach of whatever prints."""

    def __init__(self) -> None:
        self._pipe = os.dup(1)
        os.dup2(2, 1)
        self._stage = ""
        self._next_s = 0.0

    def say(self, **message: object) -> None:
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._pipe, line) :]

    def wanted(self, segments: int) -> None:
        self.say(wanted={"segments": segments})

    def progress(self, stage: str, done: int, total: int) -> None:
        """Not every frame: the parent tells others twice a second."""
        now_s = time.monotonic()
        if stage == self._stage and done < total and now_s < self._next_s:
            return
        self._stage, self._next_s = stage, now_s + PROGRESS_S
        self.say(progress=[stage, done, total])


def main() -> None:
    answers = Answers()
    job = Job.from_line(_line(0))
    answers.say(missing=confine(job.confinement))
    die_with(0)
    from understudy.errors import EngineError, UnderstudyError
    from understudy.tasks.wording import OPERATOR, for_the_sender

    try:
        result = _done(job, answers)
    except UnderstudyError as error:
        told = out_of_memory() if _lacked_memory(error) else for_the_sender(error)
        answers.say(error=told.fields())
    except Exception as error:  # an engine's own fault: told in words, and in full to the operator
        traceback.print_exc()
        sys.stderr.flush()
        if _lacked_memory(error):
            answers.say(error=out_of_memory().fields())
            return
        failed = EngineError(
            "engine_failed",
            f"The engine failed at this picture and video ({type(error).__name__}).",
            fix=f"Try another picture or video. {OPERATOR}",
        )
        answers.say(error=failed.fields())
    else:
        answers.say(result=result)


def out_of_memory() -> UnderstudyError:
    from understudy.errors import EngineError

    return EngineError(
        "out_of_memory",
        "The work on this picture and video needs more memory than one task may have.",
        fix="Scale the picture and the video down; 1080 pixels on the short side are plenty.",
    )


def _done(job: Job, answers: Answers) -> Mapping[str, object]:
    if job.verb == CHECK:
        return _check(job)
    return _views(job) if job.verb == VIEWS else _render(job, answers)


def _check(job: Job) -> Mapping[str, object]:
    from understudy.media.clip import probe
    from understudy.media.limits import API_PICTURES, api_clips, check_clip
    from understudy.media.picture import load_picture
    from understudy.request import Orientation

    load_picture(IMAGE, kinds=API_PICTURES)
    clip = probe(VIDEO, containers=api_clips(matroska=job.matroska))
    check_clip(clip, Orientation(job.orientation))
    return {"duration_s": clip.duration_s}


def _views(job: Job) -> Mapping[str, object]:
    from understudy.errors import PictureError
    from understudy.media.limits import API_PICTURES
    from understudy.media.picture import load_picture
    from understudy.tasks.element_limits import MOST_VIEWS
    from understudy.tasks.element_views import pick_views

    if not job.views:
        return {
            "views": pick_views(Path(VIDEO), [Path(path) for path in view_names(MOST_VIEWS)], job.threads)
        }
    for number, path in enumerate(view_names(job.views), 1):
        try:
            load_picture(path, kinds=API_PICTURES)
        except PictureError as error:
            message = f"The element's picture {number} of {job.views} (the first is the frontal one): {error.message}"
            raise PictureError(
                error.code, message, value=error.value, limit=error.limit, fix=error.fix
            ) from None
    return {"views": job.views}


def _render(job: Job, answers: Answers) -> Mapping[str, object]:
    from understudy.animate import fulfil

    result = fulfil(_request(job), answers.progress, _engine(job, answers))
    _keep_cover(job.threads)
    return {
        "width": result.width,
        "height": result.height,
        "fps": result.fps,
        "frames": result.frames,
        "duration_s": result.duration_s,
        "sound": result.sound,
        "character_found_by": result.character_found_by,
        "driving_start_s": result.driving_start_s,
        "left_out": [[part.what, part.detail] for part in result.left_out],
        "timings_s": result.timings_s,
    }


def _engine(job: Job, answers: Answers) -> Engine[Any] | None:
    """A GPU's engine without its model, which no stranger's file comes near; None: the one that the job names."""
    from understudy.tasks.device import needs_gpu

    if not needs_gpu(job.engine):
        return None
    from understudy.engines.diffusion.engine import WanAnimateEngine
    from understudy.tasks.announcing import Announcing

    return WanAnimateEngine(
        Announcing(Path(), answers.wanted),
        threads=job.threads,
        most_pixels=job.gpu_pixels,
        steps=job.gpu_steps,
    )


def _keep_cover(threads: int) -> None:
    """The first frame of the video beside it, as a picture: it is made here, where alone the video is opened."""
    from PIL import Image

    from understudy.media.clip import probe, read_frames

    _, rgb = next(read_frames(probe(MADE), threads=threads))
    Image.fromarray(rgb).save(COVER, "JPEG", quality=COVER_QUALITY)


def _request(job: Job) -> MotionRequest:
    """Unsigned: the key is the parent's, and stays away from a stranger's file."""
    from understudy.request import Matting, Mode, MotionRequest, Orientation, Scene

    return MotionRequest(
        image=Path(IMAGE),
        video=Path(VIDEO),
        output=Path(MADE),
        orientation=Orientation(job.orientation),
        mode=Mode(job.mode),
        sound=job.sound,
        watermark=job.watermark,
        prompt=job.prompt,
        engine=job.engine,
        provenance=False,
        threads=job.threads,
        matting=Matting(job.matting),
        any_format=False,
        matroska=job.matroska,
        views=tuple(Path(path) for path in view_names(job.views)),
        scene=Scene(job.scene),
        seed=job.seed,
    )


def view_names(count: int) -> tuple[str, ...]:
    """The views' names in the child's folder."""
    return tuple(VIEW.format(number + 1) for number in range(count))


def _lacked_memory(error: BaseException) -> bool:
    """Whether this error, or one that it came from, is a lack of memory."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return False
        # OpenCV has a code of its own for it.
        if isinstance(seen, MemoryError) or getattr(seen, "code", None) == -4:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _line(handle: int) -> bytes:
    """One line, and nothing behind it: the rest of the pipe is watched, not read."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(handle, LINE_BYTES)
        if not more:
            os._exit(1)  # the parent is gone
        line += more
    return line


if __name__ == "__main__":
    main()
