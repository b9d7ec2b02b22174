"""The worker's side of a render: what a confined child is to do, and what it made, of which nothing is believed
unchecked."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy import config
from understudy.config import Settings
from understudy.engines.registry import capabilities_of
from understudy.errors import EngineError
from understudy.request import LeftOut, Matting, Mode, Orientation
from understudy.tasks import pace
from understudy.tasks.answers import (
    ChildDied,
    check_file,
    left_out_of,
    number_in,
    text_of,
    timings_of,
)
from understudy.tasks.child import (
    CHECK,
    COVER,
    MADE,
    MARKED,
    RENDER,
    VIEWS,
    Job,
    view_names,
)
from understudy.tasks.child_process import LONGER, running, time_limit
from understudy.tasks.children import Children
from understudy.tasks.element_limits import MOST_VIEWS
from understudy.tasks.sandbox import Confinement
from understudy.tasks.task import Task
from understudy.tasks.wording import OPERATOR

if TYPE_CHECKING:
    from understudy.tasks.handover import Order

__all__ = ["Cancelled", "ChildDied", "Rendered", "Renderer"]

REPORT_S = 0.5
CHECK_TIMEOUT_S = 120
LEAST_TOLD_S = 0.1  # of a wait for a GPU, among the seconds of the stages
SIGN = "sign"  # the stage after the child's own

Report = Callable[[str, float, float | None], Awaitable[bool]]
log = logging.getLogger(__name__)


class Cancelled(Exception):  # noqa: N818 - a wish, not a mistake
    """The one who is told of the progress wants no more of it."""


@dataclass(frozen=True)
class Rendered:
    """A finished, signed video in the work folder, and what it is: pixels, seconds, bytes. ``cover`` is one frame of
    it, a signed JPEG."""

    video: Path
    watermarked: Path | None
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    size_bytes: int
    sound: bool
    character_found_by: str
    driving_start_s: float
    left_out: tuple[LeftOut, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    cover: Path | None = None


class Renderer:
    """Opens strangers' files in confined child processes, one for each call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = settings.threads or min(os.cpu_count() or 1, 4)
        self._children = Children(settings.time_limit_s(gpu=False))

    async def check(self, folder: Path, task: Task) -> float:
        """The clip's duration in seconds, where ``folder``'s files ``image`` and ``video`` are what a task may have.

        Raises the UnderstudyError that the child found, EngineError (``render_timeout``) and ChildDied.
        """
        timeout_s = min(CHECK_TIMEOUT_S, self._settings.time_limit_s(gpu=False))
        job = self._job_of(folder, task, CHECK)
        async with self._children.at_work(folder, f"task {task.id}", job) as process, time_limit(timeout_s):
            answer = await self._children.answer(process, lambda *_: None)
        return number_in(answer, "duration_s", 0, 1e6)

    async def views(self, folder: Path, element_id: int, pictures: int) -> int:
        """How many views of an element's character ``folder`` then holds, as files ``view-1`` and so on: the
        ``pictures`` that lie there already, found fit, or, where they are none, what was picked from the file
        ``video``.

        Raises the UnderstudyError that the child found, EngineError (``render_timeout``) and ChildDied.
        """
        timeout_s = min(CHECK_TIMEOUT_S, self._settings.time_limit_s(gpu=False))
        job = self._job(folder, VIEWS, views=pictures)
        async with (
            self._children.at_work(folder, f"element {element_id}", job) as process,
            time_limit(timeout_s),
        ):
            answer = await self._children.answer(process, lambda *_: None)
        count = int(number_in(answer, "views", 1, MOST_VIEWS))
        for name in view_names(count):
            check_file(folder / name)
        return count

    async def render(self, folder: Path, task: Task, report: Report, order: Order | None = None) -> Rendered:
        """Make the task's video from ``folder``'s files ``image``, ``video`` and the task's views, and sign it.

        ``report(stage, share, left_s)`` is awaited about twice a second with the share of the whole done (0 to 1) and
        the seconds left; what it raises ends the work. ``order`` has made what the child of a GPU's engine wants; how
        long that waits for a GPU does not count for the time limit.
        Whatever ends it, the child is dead on return. Raises Cancelled when ``report`` answers False, the
        UnderstudyError that the child or the order found, EngineError (``render_timeout``, ``provenance_failed``) and
        ChildDied.
        """
        progress = pace.Pace(pace.stages_of(task.engine), pro=task.mode is Mode.PRO, now_s=time.monotonic())
        wanted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def tell(stage: str, done: int, total: int) -> None:
            progress.tell(stage, done, total, time.monotonic())

        @contextmanager
        def waiting(left: Callable[[], float | None]) -> Iterator[None]:
            progress.wait(left, time.monotonic())
            try:
                with limit.stopped():
                    yield
            finally:
                progress.go_on(time.monotonic())

        async with (
            self._children.at_work(folder, f"task {task.id}", self._job_of(folder, task, RENDER)) as process,
            time_limit(self._settings.time_limit_s(gpu=order is not None), LONGER) as limit,
            running(self._children.answer(process, tell, wanted)) as answered,
            running(
                _nothing(wanted) if order is None else order.make(folder, wanted, tell, waiting)
            ) as making,
        ):
            while not answered.done():
                told = progress.forecast(time.monotonic())
                if not await report(told.stage, told.share, told.left_s):
                    raise Cancelled
                awaited = (answered,) if making.done() else (answered, making)
                await asyncio.wait(awaited, timeout=REPORT_S, return_when=asyncio.FIRST_COMPLETED)
                if making.done() and not answered.done():
                    making.result()
            answer = answered.result()
        if not await report(SIGN, pace.MOST_SHARE, 0.0):
            raise Cancelled
        rendered = await self._rendered(folder, task, answer)
        if order is None:
            return rendered
        waited = {pace.WAITING: round(progress.waited_s, 3)} if progress.waited_s >= LEAST_TOLD_S else {}
        return replace(rendered, timings_s={**rendered.timings_s, **order.timings_s, **waited})

    async def _rendered(self, folder: Path, task: Task, answer: Mapping[str, Any]) -> Rendered:
        video, cover = folder / MADE, folder / COVER
        marked = folder / MARKED if task.watermark else None
        made = [path for path in (video, cover, marked) if path is not None]
        for path in made:
            check_file(path)
        for path in made:
            await asyncio.to_thread(_sign, path, task)
        return Rendered(
            video=video,
            watermarked=marked,
            width=int(number_in(answer, "width", 2, 16384)),
            height=int(number_in(answer, "height", 2, 16384)),
            fps=number_in(answer, "fps", 0.01, 1000),
            frames=int(number_in(answer, "frames", 1, 10**7)),
            duration_s=number_in(answer, "duration_s", 0, 1e6),
            size_bytes=video.stat().st_size,
            sound=answer.get("sound") is True,
            character_found_by=text_of(answer.get("character_found_by")),
            driving_start_s=number_in(answer, "driving_start_s", 0, 1e6),
            left_out=left_out_of(answer.get("left_out")),
            timings_s=timings_of(answer.get("timings_s")),
            cover=cover,
        )

    def _job_of(self, folder: Path, task: Task, verb: str) -> Job:
        engine = capabilities_of(task.engine)
        job = self._job(folder, verb, views=len(task.views))
        return replace(
            job,
            # The operator's choice, which only some engines have a use for: a task is not told of it.
            matting=job.matting if engine is None or engine.cuts_out else Matting.OWN.value,
            orientation=task.orientation.value,
            mode=task.mode.value,
            sound=task.sound,
            watermark=task.watermark,
            prompt=task.prompt,
            engine=task.engine,
            matroska=task.matroska,
            scene=task.scene.value,
            seed=task.noise_seed,
        )

    def _job(self, folder: Path, verb: str, *, views: int) -> Job:
        """A job of no task."""
        return Job(
            verb=verb,
            confinement=Confinement(
                folder=str(folder.absolute()),
                readable=(str(config.models_dir().absolute()),),
                hidden=(str(self._settings.data_dir),),
                memory_mb=self._settings.render_memory_mb,
                cpu_s=self._settings.time_limit_s(gpu=False) * (self._threads + 2),
                parent=os.getpid(),
            ),
            orientation=Orientation.VIDEO.value,
            mode=Mode.STD.value,
            sound=False,
            watermark=False,
            prompt="",
            engine=self._settings.engine,
            matting=self._settings.matting,
            threads=self._threads,
            views=views,
            gpu_pixels=self._settings.gpu_pixels,
            gpu_steps=self._settings.gpu_steps,
        )


async def _nothing(wanted: asyncio.Future[int]) -> None:
    await wanted
    raise ChildDied("it wants what its engine has no need of")


def _sign(path: Path, task: Task) -> None:
    """Put the content credentials in. The key never comes near a stranger's file: that was the child's."""
    from understudy.media import provenance

    try:
        known = capabilities_of(task.engine)
        model = known.model(task.scene) if known else ""
        provenance.sign(path, title=path.name, engine=task.engine, scene=task.scene, model=model)
    except EngineError as error:
        log.warning("task %d: %a", task.id, error.message)
        raise EngineError(
            error.code, "The video could not be signed.", fix=f"Try again later. {OPERATOR}"
        ) from None
