"""The first work on a task: fetch both inputs at once, since sources expire, keep them, and check them."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime
from pathlib import Path

from understudy.errors import ServiceError, TaskError, UnavailableError, UnderstudyError
from understudy.media.fetch import fetch
from understudy.media.limits import CLIP_BYTES, PICTURE_BYTES
from understudy.media.network import NetworkGuard
from understudy.storage import Storage
from understudy.tasks.folders import WorkFolders
from understudy.tasks.patience import patiently
from understudy.tasks.renderer import ChildDied, Renderer
from understudy.tasks.rows import WHAT, input_key
from understudy.tasks.submission import Link, Stored
from understudy.tasks.task import Task
from understudy.tasks.trials import Trials
from understudy.tasks.watch import TaskOverError, Watch
from understudy.tasks.work import Work

FETCHING, CHECKING = "fetching", "checking"
CHECKS_AT_ONCE = 2
LIMITS_BYTES = {"image": PICTURE_BYTES, "video": CLIP_BYTES}
DEADLINES_S = {"image": 60.0, "video": 300.0}

logger = logging.getLogger(__name__)


async def get_input(storage: Storage, key: str, path: Path) -> None:
    """Bring an input out of the storage. Raises TaskError (``inputs_gone``)."""
    try:
        await patiently(lambda: storage.get_file(key, path))
    except ServiceError as error:
        if error.code != "file_missing":
            raise
        raise TaskError(
            "inputs_gone",
            "The picture or the video is not there any more.",
            fix="Create a new task with both.",
        ) from None


class Intake:
    """Takes tasks in. ``run`` is the function of the queue's intake jobs."""

    def __init__(
        self, work: Work, storage: Storage, guard: NetworkGuard, renderer: Renderer, folders: WorkFolders
    ) -> None:
        self._work = work
        self._storage = storage
        self._guard = guard
        self._renderer = renderer
        self._folders = folders
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def run(self, task_id: int) -> datetime | None:
        trials = Trials()
        while True:
            task = await patiently(lambda: self._work.load(task_id))
            if task is None or task.status.ended:
                return None
            watch = Watch(self._work, task, FETCHING)
            try:
                async with self._folders.new(task.id) as folder:
                    duration_s = await watch.over(self._take_in(task, folder, watch))
                await self._fetched(task, duration_s)
            except TaskOverError:
                logger.info("task %d: it is over, its intake is dropped", task.id)
            except ChildDied as error:
                logger.warning("task %d: the check of its inputs died: %s", task.id, error)
                if not await self._crashed(task, str(error)):
                    continue
            except UnderstudyError as error:
                await self._fail(task, error)
            except Exception:
                failure = await trials.failed(task)
                if failure is None:
                    continue
                await self._fail(task, failure)
            return None

    async def _take_in(self, task: Task, folder: Path, watch: Watch) -> float:
        """The clip's duration in seconds, with both inputs in the storage and found right."""
        begun = time.monotonic()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._get(task, "image", task.image, folder / "image"))
                both.create_task(self._get(task, "video", task.video, folder / "video"))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        here = time.monotonic()
        async with self._checks:
            watch.tell(CHECKING, 0.0, None)
            duration_s = await self._renderer.check(folder, task)
        took_s = time.monotonic() - here
        logger.info("task %d: here after %.1f s, checked in %.1f s", task.id, here - begun, took_s)
        return duration_s

    async def _get(self, task: Task, which: str, source: Link | Stored, path: Path) -> None:
        """Bring one input here; one that comes from elsewhere is kept in the storage as well."""
        key = input_key(task.id, which)
        if isinstance(source, Stored):
            await get_input(self._storage, source.key, path)
        elif await self._kept(key):  # an earlier try got so far; the source may be gone since
            await get_input(self._storage, key, path)
        else:
            await self._fetch(source.url, path, which)
            await patiently(lambda: self._storage.put_file(key, path))

    async def _fetch(self, url: str, path: Path, which: str) -> None:
        await patiently(
            lambda: fetch(
                url,
                path,
                guard=self._guard,
                limit_bytes=LIMITS_BYTES[which],
                deadline_s=DEADLINES_S[which],
                what=WHAT[which],
            )
        )

    async def _kept(self, key: str) -> bool:
        try:
            await patiently(lambda: self._storage.size(key))
        except UnavailableError:
            raise
        except UnderstudyError:  # there is no such file
            return False
        return True

    async def _fetched(self, task: Task, duration_s: float) -> None:
        await patiently(lambda: self._work.fetched(task, duration_s))

    async def _fail(self, task: Task, error: UnderstudyError) -> None:
        if await patiently(lambda: self._work.fail(task, error)):
            logger.info("task %d: failed at its intake [%s]", task.id, error.code)

    async def _crashed(self, task: Task, how: str) -> bool:
        """Count it. True: the task has ended."""
        return (await patiently(lambda: self._work.crashed(task, how))).ended
