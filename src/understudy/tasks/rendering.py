"""Making a task's video: claim it, render in a child, keep the result, end the task."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.errors import UnavailableError, UnderstudyError
from understudy.storage import Storage
from understudy.tasks.child import view_names
from understudy.tasks.device import needs_gpu
from understudy.tasks.folders import WorkFolders
from understudy.tasks.intake import get_input
from understudy.tasks.patience import patiently
from understudy.tasks.renderer import Cancelled, ChildDied, Rendered, Renderer
from understudy.tasks.rows import input_key, result_key, segments_key
from understudy.tasks.task import Output, Task
from understudy.tasks.trials import Trials
from understudy.tasks.watch import TaskOverError, Watch
from understudy.tasks.work import Work

if TYPE_CHECKING:
    from understudy.tasks.handover import Handover

PREPARING, STORING = "preparing", "storing"
VIDEO_NAME, WATERMARKED_NAME, COVER_NAME = "video.mp4", "watermarked.mp4", "cover.jpg"

logger = logging.getLogger(__name__)


class Rendering:
    """Makes videos. ``run`` is the function of the queues' render jobs. ``handover`` None: this worker has no GPU."""

    def __init__(
        self,
        work: Work,
        storage: Storage,
        renderer: Renderer,
        folders: WorkFolders,
        handover: Handover | None = None,
    ) -> None:
        self._work = work
        self._storage = storage
        self._renderer = renderer
        self._folders = folders
        self._handover = handover

    async def run(self, task_id: int) -> datetime | None:
        trials = Trials()
        while True:
            task = await patiently(lambda: self._work.claim(task_id))
            if task is None:
                return None
            watch = Watch(self._work, task, PREPARING)
            try:
                begun = time.monotonic()
                async with self._folders.new(task.id) as folder:
                    output = await watch.over(self._make(task, folder, watch))
                # Not under the watch, which would see the task ended and take it for another's doing.
                await self._succeed(task, output, time.monotonic() - begun)
            except (TaskOverError, Cancelled):
                logger.info("task %d: it is over, attempt %d is dropped", task.id, task.attempt)
                await self._drop(task)
            except ChildDied as error:
                logger.warning("task %d: the render died: %s", task.id, error)
                if not await self._crashed(task, str(error)):
                    continue
            except UnderstudyError as error:
                await self._fail(task, error)
            except Exception:
                failure = await trials.failed(task)
                if failure is None:
                    continue
                await self._fail(task, failure)
            await self._forget_segments(task)
            return None

    async def _make(self, task: Task, folder: Path, watch: Watch) -> Output:
        """The task's video, in the storage."""
        for which in ("image", "video"):
            await get_input(self._storage, input_key(task.id, which), folder / which)
        for name, view in zip(view_names(len(task.views)), task.views, strict=True):
            await get_input(self._storage, view.key, folder / name)

        async def report(stage: str, progress: float, time_left_s: float | None) -> bool:
            watch.tell(stage, progress, time_left_s)
            return True  # the watch itself ends the render where it is to stop

        order = None if self._handover is None else self._handover.order(task)
        rendered = await self._renderer.render(folder, task, report, order)
        watch.tell(STORING, 1.0, 0.0)
        return await self._keep(task, rendered)

    async def _succeed(self, task: Task, output: Output, took_s: float) -> None:
        if not await patiently(lambda: self._work.succeed(task, output)) and not await self._is_ours(task):
            logger.info("task %d: attempt %d came too late", task.id, task.attempt)
            await self._drop(task)
            return
        logger.info("task %d: made in %.1f s, attempt %d", task.id, took_s, task.attempt)
        with suppress(UnavailableError):  # what nobody needs any more; else retention deletes it later
            await self._storage.delete(f"inputs/{task.id}")
            for earlier in range(1, task.attempt):
                await self._storage.delete(f"results/{task.id}/{earlier}")

    async def _keep(self, task: Task, rendered: Rendered) -> Output:
        """Put the result where the record will name it; nobody knows of it before the task has ended."""
        key = await self._put(task, VIDEO_NAME, rendered.video, f"understudy-{task.id}.mp4")
        marked_key = None
        if rendered.watermarked is not None:
            name = f"understudy-{task.id}-watermarked.mp4"
            marked_key = await self._put(task, WATERMARKED_NAME, rendered.watermarked, name)
        cover_key = None
        if rendered.cover is not None:
            cover_key = await self._put(task, COVER_NAME, rendered.cover, f"understudy-{task.id}-cover.jpg")
        return Output(
            key=key,
            watermark_key=marked_key,
            cover_key=cover_key,
            width=rendered.width,
            height=rendered.height,
            fps=rendered.fps,
            frames=rendered.frames,
            duration_s=rendered.duration_s,
            size_bytes=rendered.size_bytes,
            sound=rendered.sound,
            character_found_by=rendered.character_found_by,
            driving_start_s=rendered.driving_start_s,
            left_out=rendered.left_out,
            timings_s=rendered.timings_s,
        )

    async def _put(self, task: Task, name: str, path: Path, filename: str) -> str:
        key = result_key(task.id, task.attempt, name)
        await patiently(lambda: self._storage.put_file(key, path, filename=filename))
        return key

    async def _is_ours(self, task: Task) -> bool:
        """Whether the task ended with this attempt's video: the answer to that may have been lost with the database."""
        now = await patiently(lambda: self._work.load(task.id))
        return now is not None and now.output is not None and now.attempt == task.attempt

    async def _drop(self, task: Task) -> None:
        """Delete what this attempt may have put into the storage for nobody."""
        if not await self._is_ours(task):
            with suppress(UnavailableError):
                await self._storage.delete(f"results/{task.id}/{task.attempt}")

    async def _forget_segments(self, task: Task) -> None:
        """Where the task has ended; else another worker goes on after them."""
        if self._handover is None or not needs_gpu(task.engine):
            return
        now = await patiently(lambda: self._work.load(task.id))
        if now is None or now.status.ended:
            with suppress(UnavailableError):
                await self._storage.delete(segments_key(task.id))

    async def _fail(self, task: Task, error: UnderstudyError) -> None:
        if await patiently(lambda: self._work.fail(task, error)):
            logger.info("task %d: failed in attempt %d [%s]", task.id, task.attempt, error.code)
        await self._drop(task)

    async def _crashed(self, task: Task, how: str) -> bool:
        """Count it. True: the task has ended."""
        return (await patiently(lambda: self._work.crashed(task, how))).ended
