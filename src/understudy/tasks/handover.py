"""Between the confined child, which wants segments made, and the GPU's process, which never sees the child's folder.

The assignment is copied out of the child's reach, made there, and each segment linked into the child's folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from understudy.config import Settings
from understudy.engines.diffusion.assignment import Assignment, segment_name, take_over
from understudy.engines.diffusion.size import AREAS
from understudy.engines.diffusion.spec import WAN_ANIMATE_1, WAN_ANIMATE_2
from understudy.engines.diffusion.weights import fingerprint
from understudy.errors import EngineError, UnderstudyError
from understudy.progress import Progress
from understudy.request import Scene
from understudy.storage import Storage
from understudy.tasks.answers import ChildDied
from understudy.tasks.child_process import running
from understudy.tasks.folders import WorkFolders
from understudy.tasks.gpu_hosts import GpuHosts, Waiting
from understudy.tasks.kept_segments import KeptSegments
from understudy.tasks.task import Task
from understudy.tasks.wording import for_the_sender

KEEP_S = 60.0  # what is made before a process dies is stored all the same, if that does not take longer

MOST_S = 30  # of a driving video
MOST_THIN = 16 * 2048  # pixels of a frame whose short side is the least that there is

log = logging.getLogger(__name__)


class Handover:
    """Makes orders for tasks."""

    def __init__(self, hosts: GpuHosts, storage: Storage, folders: WorkFolders, settings: Settings) -> None:
        self._hosts = hosts
        self._storage = storage
        self._folders = folders
        self._settings = settings

    def order(self, task: Task) -> Order:
        def check(assignment: Assignment) -> None:
            check_fits(assignment, task, self._settings)

        return Order(self._hosts, self._storage, self._folders, task.id, check)


class Order:
    """One attempt's segments. ``timings_s`` are the maker's seconds by stage, once all is made."""

    def __init__(
        self,
        hosts: GpuHosts,
        storage: Storage,
        folders: WorkFolders,
        task_id: int,
        check: Callable[[Assignment], None],
    ) -> None:
        self._check = check
        self._hosts = hosts
        self._storage = storage
        self._folders = folders
        self._task_id = task_id
        self.timings_s: dict[str, float] = {}

    async def make(
        self, given: Path, wanted: asyncio.Future[int], progress: Progress, waiting: Waiting
    ) -> None:
        """Wait until so many segments are wanted of the assignment in ``given``, the child's folder, and put each
        there. Those of an earlier attempt are not made again; ``waiting`` is entered for as long as no GPU is free.
        Raises EngineError, ModelError and ChildDied."""
        segments = await wanted
        try:
            await self._make(given, segments, progress, waiting)
        except UnderstudyError as error:
            log.warning("task %d: the GPU's part failed [%s]: %a", self._task_id, error.code, str(error))
            raise for_the_sender(error) from None

    async def _make(self, given: Path, segments: int, progress: Progress, waiting: Waiting) -> None:
        async with self._folders.new(self._task_id) as folder:
            assignment = await asyncio.to_thread(take_over, given, folder, self._check)
            if assignment.segments != segments:
                raise ChildDied(f"it wants {segments} segments of an assignment of {assignment.segments}")
            weights = await asyncio.to_thread(fingerprint, assignment.model)
            kept = KeptSegments(self._storage, self._task_id, assignment, weights)
            ready = await kept.fetch(folder)
            if ready:
                log.info("task %d: %d of %d segments are there", self._task_id, ready, segments)
            for number in range(ready):
                _give(folder, given, number)
            if ready == segments:
                return
            async with (
                _keeping(kept, folder) as keep,
                self._hosts.one(self._task_id, waiting) as turn,
            ):

                def made(number: int) -> None:
                    if not ready <= number < assignment.segments:
                        raise ChildDied("the GPU's process told of a segment that is none")
                    _give(folder, given, number)
                    keep(number)

                self.timings_s = await turn.make(folder, progress, made)


def check_fits(assignment: Assignment, task: Task, settings: Settings) -> None:
    """Raises ChildDied where the assignment is none of this task's: its child may be in a stranger's power."""
    spec = WAN_ANIMATE_1 if task.scene is Scene.VIDEO else WAN_ANIMATE_2
    most = AREAS[task.mode]
    most = min(most, settings.gpu_pixels or most)
    fits = (
        assignment.model == spec.name
        and assignment.seed == task.noise_seed
        and assignment.steps == (settings.gpu_steps or spec.steps)
        and assignment.chosen == bool(settings.gpu_steps)
        and assignment.width * assignment.height <= max(most, MOST_THIN)
        and assignment.frames <= (MOST_S + 1) * spec.fps
    )
    if not fits:
        raise ChildDied("it wants made what its task does not ask for")


@asynccontextmanager
async def _keeping(kept: KeptSegments, folder: Path) -> AsyncIterator[Callable[[int], None]]:
    """Stores segments beside the making of the next ones. Those that are made are stored also where the making failed;
    where it was cancelled nobody waits."""
    numbers: asyncio.Queue[int | None] = asyncio.Queue()

    async def keep() -> None:
        while (number := await numbers.get()) is not None:
            await kept.keep(folder, number)

    async with running(keep()) as keeping:
        try:
            yield numbers.put_nowait
        except asyncio.CancelledError:
            raise
        except ChildDied:
            numbers.put_nowait(None)
            await asyncio.wait((keeping,), timeout=KEEP_S)
            raise
        numbers.put_nowait(None)
        await keeping


def _give(folder: Path, given: Path, number: int) -> None:
    """A link to the same file: nothing is copied. What has that name already is the child's own doing."""
    name = segment_name(number)
    try:
        os.link(folder / name, given / name, follow_symlinks=False)
    except OSError as error:
        raise EngineError(
            "assignment_invalid",
            f"What the GPU made cannot be handed over: {error.strerror}.",
            fix="Try again; if it stays, look at the disk of the work folder.",
        ) from error
