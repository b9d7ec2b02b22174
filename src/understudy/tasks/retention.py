"""What is kept, and for how long: uploads for three days, inputs until soon after the end, results for some
days, records for good."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update

from understudy.errors import UnavailableError
from understudy.storage import Storage
from understudy.tasks.acceptance import KEY_LIFE
from understudy.tasks.database import Database
from understudy.tasks.element_retention import ElementRetention
from understudy.tasks.folders import WorkFolders
from understudy.tasks.queue import delete_ended_jobs
from understudy.tasks.tables import idempotency, tasks
from understudy.tasks.task import Status
from understudy.tasks.uploads import Uploads

INPUTS_LIFE = timedelta(hours=1)  # after the end, so that a failed task can be tried again
STOPPING = timedelta(minutes=10)  # after which no worker puts anything more into a task that ended
ORPHANS_LIFE_S = 3600.0  # of files that no task has; handing a task in takes seconds
BATCH = 500

logger = logging.getLogger(__name__)


class Retention:
    """Deletes what is past its time. ``run`` is the function of the queue's upkeep job, a few minutes apart."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        folders: WorkFolders,
        *,
        result_days: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._storage = storage
        self._folders = folders
        self._results_life = timedelta(days=result_days)
        self._clock = clock
        self._uploads = Uploads(database, storage, clock=clock)
        self._elements = ElementRetention(database, storage, clock=clock)
        self._orphans: dict[str, dict[int, float]] = {}  # when this process saw them first, by folder

    async def run(self, _: int) -> datetime | None:
        """Everything once. What cannot be done now, the next run does."""
        self._folders.clear_leftovers()
        steps: tuple[Callable[[], Awaitable[None]], ...] = (
            self._delete_inputs,
            self._delete_segments,
            self._delete_results,
            self._delete_idempotency_keys,
            self._uploads.delete_expired,
            self._elements.run,
            lambda: delete_ended_jobs(self._database.url),
        )
        for step in steps:
            try:
                await step()
            except UnavailableError as error:
                logger.warning("retention: %s", error.message)
        return None

    async def _delete_inputs(self) -> None:
        """Those of ended tasks, and those that no task has: its process was killed while the task was handed in."""
        await self._delete_below(
            "inputs", (tasks.c.status == Status.SUCCEED) | (tasks.c.ended_at < func.now() - INPUTS_LIFE)
        )

    async def _delete_segments(self) -> None:
        """Those of tasks that ended while their worker could not delete them, and those that no task has."""
        await self._delete_below("segments", tasks.c.ended_at.is_not(None))

    async def _delete_below(self, folder: str, past: ColumnElement[bool]) -> None:
        """What ``folder`` holds for tasks that are ``past``, and for none that there is."""
        kept = [int(name) for name in await self._storage.names(folder) if name.isdecimal()]
        before, orphans = self._orphans.get(folder, {}), dict[int, float]()
        for ids in (kept[at : at + BATCH] for at in range(0, len(kept), BATCH)):
            query = select(tasks.c.id, past.label("past")).where(tasks.c.id.in_(ids))
            async with self._database.begin() as connection:
                known = {row.id: bool(row.past) for row in await connection.execute(query)}
            for task_id in ids:
                if task_id not in known:
                    orphans[task_id] = before.get(task_id, self._clock())
                elif known[task_id]:
                    await self._storage.delete(f"{folder}/{task_id}")
        for task_id, since in orphans.items():
            if self._clock() - since >= ORPHANS_LIFE_S:
                await self._storage.delete(f"{folder}/{task_id}")
        self._orphans[folder] = orphans

    async def _delete_results(self) -> None:
        query = (
            select(tasks.c.id)
            .where(
                tasks.c.files_deleted_at.is_(None),
                (tasks.c.ended_at < func.now() - self._results_life)
                | (tasks.c.deleted_at.is_not(None) & (tasks.c.ended_at < func.now() - STOPPING)),
            )
            .order_by(tasks.c.ended_at)
            .limit(BATCH)
        )
        while True:
            async with self._database.begin() as connection:
                ids = list(await connection.scalars(query))
            for task_id in ids:
                await self._storage.delete(f"results/{task_id}")
            if not ids:
                return
            async with self._database.begin() as connection:
                await connection.execute(
                    update(tasks).where(tasks.c.id.in_(ids)).values(files_deleted_at=func.clock_timestamp())
                )

    async def _delete_idempotency_keys(self) -> None:
        async with self._database.begin() as connection:
            await connection.execute(
                delete(idempotency).where(idempotency.c.created_at < func.now() - KEY_LIFE)
            )
