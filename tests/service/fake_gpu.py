"""A GPU that is none: ``python -P -m fake_gpu worker``, ``host`` or ``child`` are the processes of the service, with a
model and an engine that need no torch. The prompt tells the model what is to happen; ``wonders`` names its folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.engines.capabilities import WAN_ANIMATE
from understudy.engines.diffusion import host
from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter, load_assignment
from understudy.engines.diffusion.maker import FakeMaker
from understudy.engines.diffusion.source import SegmentSource
from understudy.engines.diffusion.spec import WAN_ANIMATE_2
from understudy.engines.engine import Performance
from understudy.errors import EngineError, ModelError
from understudy.extras import install
from understudy.media.picture import Picture
from understudy.progress import Progress, silent
from understudy.request import MotionRequest
from understudy.tracking.motion import Motion

SIDE, STEPS, SEGMENTS, SEED = 64, 2, 4, 1
FRAMES = WAN_ANIMATE_2.segment_frames + (SEGMENTS - 1) * WAN_ANIMATE_2.advance
BOTH = "render-wan-animate-image,render-wan-animate-video"
LOG = "UNDERSTUDY_TEST_LOG"  # a file with a line for each segment that was begun: process, number
QUEUES = "UNDERSTUDY_TEST_QUEUES"  # those that a worker with a GPU looks into
NO_MODEL = "UNDERSTUDY_TEST_NO_MODEL"


def command(role: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "fake_gpu", role)


def begun(log: Path) -> list[tuple[int, int]]:
    """Process and number of each segment that a model began."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(pid), int(number)) for pid, number in (line.split() for line in lines)]


class TinyEngine:
    """Has a small square made in SEGMENTS segments, and shows as many of its frames as the clip has."""

    capabilities = replace(WAN_ANIMATE, follows_motion=False)

    def __init__(self, source: SegmentSource, **options: int) -> None:
        self._source = source

    def prepare(self, picture: Picture, request: MotionRequest, progress: Progress = silent) -> Picture:
        return picture

    def perform(
        self, ready: Picture, motion: Motion, request: MotionRequest, progress: Progress = silent
    ) -> Performance:
        frames = self._frames(len(motion), request, progress)
        return Performance(SIDE, SIDE, frames, "model", tells_progress=True)

    def _frames(self, count: int, request: MotionRequest, progress: Progress) -> Iterator[NDArray[np.uint8]]:
        shown = {index * FRAMES // count for index in range(count)}
        with self._source.place() as folder:
            assignment = written(folder, request.prompt, seed=request.seed or 0)
            progress("clip", FRAMES, FRAMES)
            at = 0
            for made in self._source.segments(folder, assignment, progress):
                for frame in made:
                    if at in shown:
                        yield np.asarray(frame)
                    at += 1


def written(folder: Path, caption: str = "", *, frames: int = FRAMES, seed: int = SEED) -> Assignment:
    blank = Assignment(WAN_ANIMATE_2.name, SIDE, SIDE, frames, caption, seed, STEPS, "", chosen=True)
    writer = AssignmentWriter(folder, blank, np.full((SIDE, SIDE, 3), 200, np.uint8))
    for index in range(frames):
        writer.add("driving", np.full((SIDE, SIDE, 3), index % 256, np.uint8))
    return writer.finish()


def open_gate(log: Path) -> None:
    """Lets those go on whose prompt has them stay at a gate."""
    _gate(log).touch()


def _gate(log: Path) -> Path:
    return log.with_suffix(".open")


def happen(folder: Path, number: int, done: int) -> None:
    """What the prompt asks for, before a step."""
    caption = load_assignment(folder).caption
    log = Path(os.environ[LOG])
    if done == 0:
        with log.open("a") as file:
            file.write(f"{os.getpid()} {number}\n")
    if caption.startswith("slow"):
        time.sleep(0.3)
    if number != 2 or done != 1:
        return
    if caption == "die" and not log.with_suffix(".died").exists():
        log.with_suffix(".died").touch()
        time.sleep(0.3)  # the storing is beside
        os.kill(os.getpid(), signal.SIGKILL)
    if caption == "memory":
        raise EngineError("gpu_memory", "The GPU's memory does not suffice.", fix="Take mode std.")
    if caption == "broken":
        raise RuntimeError("an inner matter")
    if caption.endswith("stuck"):
        time.sleep(600)
    while caption.endswith("gated") and not _gate(log).exists():
        time.sleep(0.02)


def maker() -> FakeMaker:
    if os.environ.get(NO_MODEL):
        raise ModelError("gpu_packages_missing", "There is no torch.", fix=install("gpu"))
    return FakeMaker(happen)


def child() -> None:
    engine: Any = ModuleType("understudy.engines.diffusion.engine")
    engine.WanAnimateEngine = TinyEngine
    sys.modules[engine.__name__] = engine
    from understudy.tasks import child

    child.main()


def worker() -> None:
    from understudy.server import worker_process
    from understudy.tasks import children, gpu_host

    gpu_host.COMMAND, children.COMMAND = command("host"), command("child")
    worker_process.gpus_of = lambda settings: () if settings.work == "cpu" else ("",)
    worker_process.gpu_queues = lambda settings: tuple(os.environ.get(QUEUES, BOTH).split(","))
    worker_process.main()


if __name__ == "__main__":
    {"worker": worker, "child": child, "host": lambda: host.serve(maker)}[sys.argv[1]]()
