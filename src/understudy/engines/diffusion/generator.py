"""Makes the segments of assignments, one after the other, with a model that stays loaded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import clear_frames

from understudy.engines.diffusion.assignment import (
    Assignment,
    finished,
    keep_segment,
    load_assignment,
    tail,
)
from understudy.engines.diffusion.maker import StoppedError
from understudy.engines.diffusion.model import Model, Step
from understudy.engines.diffusion.shortage import Shortage, shortage
from understudy.engines.diffusion.source import STAGE
from understudy.engines.diffusion.spec import LOADING
from understudy.errors import EngineError
from understudy.progress import Progress

Loader = Callable[[Assignment, Step], Model]
"""Gives the model that an assignment wants, loaded. Tells between its parts how much of it is loaded; what that raises
ends the loading. Raises ModelError, EngineError."""

StepDown = Callable[[Assignment], bool]
"""Called after the card's memory did not suffice: whether the next that is loaded for the assignment needs less."""

LOOK_S = 0.1  # whether one that waits is still wanted

log = logging.getLogger(__name__)


class Generator:
    """A `Maker`. ``load`` gives the model; one that fits stays for the next assignment. Of threads that come at once
    the others wait: a model has its state."""

    def __init__(self, load: Loader, step_down: StepDown = lambda _: False) -> None:
        self._load = load
        self._step_down = step_down
        self._model: Model | None = None
        self._one = threading.Lock()

    def make(
        self, folder: Path, progress: Progress, stopped: Callable[[], bool] = lambda: False
    ) -> Mapping[str, float]:
        """Make what is missing of the folder's assignment; each segment is kept as soon as it is made.

        ``stopped`` is asked after each denoising step and each part that is loaded; where it says True the work ends
        with StoppedError, and what is made stays. Where the card's memory does not suffice it goes on with the plan
        that needs less. Returns seconds by stage. Raises EngineError (``assignment_invalid``, ``gpu_memory`` ...),
        ModelError.
        """
        assignment = load_assignment(folder)
        while not self._one.acquire(timeout=LOOK_S):
            if stopped():
                raise StoppedError
        try:
            return self._all(folder, assignment, progress, stopped)
        finally:
            self._one.release()

    def _all(
        self, folder: Path, assignment: Assignment, progress: Progress, stopped: Callable[[], bool]
    ) -> dict[str, float]:
        """What ``make`` makes, by as many plans as it takes."""
        spent: dict[str, float] = {}
        while True:
            try:
                self._made(folder, assignment, progress, stopped, spent)
            except (MemoryError, RuntimeError) as error:
                short = shortage(error)
                if short is None:
                    raise
                log.warning("%s: %s", type(error).__name__, error)
                clear_frames(error.__traceback__)  # they hold what was on the device
            else:
                return spent
            # Outside of ``except``, so that nothing holds the error, and without it as a cause, for whoever keeps
            # this one.
            if self._model is not None:
                self._model.forget()
            if short is Shortage.MACHINE or not self._step_down(assignment):
                raise out_of_memory(assignment, short)

    def _made(
        self,
        folder: Path,
        assignment: Assignment,
        progress: Progress,
        stopped: Callable[[], bool],
        spent: dict[str, float],
    ) -> None:
        self._model = None
        total = assignment.segments * assignment.steps
        at = finished(folder, assignment)
        if at == assignment.segments:
            progress(STAGE, total, total)
            return

        def loaded(done: int, whole: int) -> None:
            progress(LOADING, done, whole + 1)  # encoding comes after it
            if stopped():
                raise StoppedError

        progress(LOADING, 0, 1)
        with _spent(spent, LOADING):
            model = self._model = self._load(assignment, loaded)
        if stopped():
            raise StoppedError
        with _spent(spent, "encoding"):
            begun = model.begin(folder, assignment)
        progress(LOADING, 1, 1)
        progress(STAGE, at * assignment.steps, total)
        for number in range(at, assignment.segments):

            def step(done: int, steps: int, number: int = number) -> None:
                progress(STAGE, number * assignment.steps + done * assignment.steps // steps, total)
                if stopped():
                    raise StoppedError

            if stopped():
                raise StoppedError
            before = tail(folder, assignment, number - 1) if number else None
            with _spent(spent, STAGE):
                frames, end = model.make(begun, number, before, step)
            keep_segment(folder, number, frames, end)


@contextmanager
def _spent(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the seconds of a block to a stage's."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = round(seconds.get(stage, 0.0) + time.perf_counter() - begun, 3)


def out_of_memory(assignment: Assignment, whose: Shortage) -> EngineError:
    size = f"{assignment.width} x {assignment.height}"
    if whose is Shortage.MACHINE:
        return EngineError(
            "gpu_memory",
            f"The machine's own memory does not suffice for {size} pixels.",
            value=size,
            fix="Close what else uses it, give the machine or the container more, or choose a plan that keeps more on "
            "the card: UNDERSTUDY_GPU_PLAN, docs/gpu.md.",
        )
    return EngineError(
        "gpu_memory",
        f"The GPU's memory does not suffice for {size} pixels.",
        value=size,
        fix="Close what else uses the GPU, take mode std, UNDERSTUDY_GPU_PRECISION=8, or a plan that needs less: "
        "UNDERSTUDY_GPU_PLAN, docs/gpu.md.",
    )
