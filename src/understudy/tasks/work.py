"""A worker's side of a task: take it up, say how far it is, end it. ``attempt`` fences whoever comes late."""

from __future__ import annotations

from sqlalchemy import func, select, update

from understudy.errors import EngineError, UnderstudyError
from understudy.tasks import ledger
from understudy.tasks.changes import announce, end_badly, end_well
from understudy.tasks.database import Database
from understudy.tasks.jobs import Jobs, render_job
from understudy.tasks.prices import price
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.tables import tasks
from understudy.tasks.task import Output, Status, Task

MOST_CRASHES = 3
NOBODY_AT_IT: dict[str, object] = {"stage": None, "time_left_s": None}  # of a task that waits for a worker


class Work:
    """What a worker does to a task's record. All methods raise UnavailableError while the database is away."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def load(self, task_id: int) -> Task | None:
        async with self._database.begin() as connection:
            row = (await connection.execute(select(*COLUMNS).where(tasks.c.id == task_id))).first()
        return None if row is None else task_of(row)

    async def fetched(self, task: Task, duration_s: float) -> bool:
        """Both inputs are here and within the limits: reserve the clip's price, put the render into the queue.

        False: the task has ended, or this was done before. Raises AccountError (``balance_used_up``).
        """
        wanted = price(task.model, task.mode, duration_s)
        async with self._database.begin() as connection:
            row = (
                await connection.execute(
                    update(tasks)
                    .where(tasks.c.id == task.id, tasks.c.ended_at.is_(None), tasks.c.fetched_at.is_(None))
                    .values(
                        fetched_at=func.clock_timestamp(), reserved=func.greatest(tasks.c.reserved, wanted)
                    )
                    .returning(tasks.c.reserved)
                )
            ).one_or_none()
            if row is None:
                return False
            if row.reserved > task.reserved:
                await ledger.reserve(connection, task.account_id, task.id, row.reserved - task.reserved)
            await self._jobs.put(connection, render_job(task.engine, task.scene), task.id)
        return True

    async def claim(self, task_id: int) -> Task | None:
        """Take the task up: a new attempt. None: it has ended."""
        now = func.clock_timestamp()
        async with self._database.begin() as connection:
            before = await connection.scalar(
                select(tasks.c.status)
                .where(tasks.c.id == task_id, tasks.c.ended_at.is_(None))
                .with_for_update()
            )
            if before is None:
                return None
            values = {"attempt": tasks.c.attempt + 1, "seen_at": now, "progress": 0.0, **NOBODY_AT_IT}
            if before == Status.SUBMITTED:
                values |= {"status": Status.PROCESSING, "updated_at": now, "started_at": now}
            row = await connection.execute(
                update(tasks).where(tasks.c.id == task_id).values(**values).returning(*COLUMNS)
            )
            task = task_of(row.one())
            if before == Status.SUBMITTED:
                await announce(connection, self._jobs, task)
        return task

    async def report(self, task: Task, stage: str, progress: float, time_left_s: float | None) -> bool:
        """Tell how far the work is (0 to 1), and that its worker lives. False: stop, it has ended or was taken over."""
        async with self._database.begin() as connection:
            told = await connection.execute(
                update(tasks)
                .where(tasks.c.id == task.id, tasks.c.attempt == task.attempt, tasks.c.ended_at.is_(None))
                .values(
                    stage=stage, progress=progress, time_left_s=time_left_s, seen_at=func.clock_timestamp()
                )
            )
        return told.rowcount == 1

    async def let_go(self, task: Task) -> None:
        """Nobody works at this attempt any more, and its job goes back into the queue. ``progress`` stays as it was."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(tasks)
                .where(tasks.c.id == task.id, tasks.c.attempt == task.attempt, tasks.c.ended_at.is_(None))
                .values(**NOBODY_AT_IT)
            )

    async def succeed(self, task: Task, output: Output) -> bool:
        """End it well. False: it had ended or was taken over, so the output is nobody's."""
        async with self._database.begin() as connection:
            return await end_well(connection, self._jobs, task, output)

    async def fail(self, task: Task, error: UnderstudyError) -> bool:
        """End it as failed with the error's message, for nothing. False: it had ended or was taken over."""
        async with self._database.begin() as connection:
            return await end_badly(connection, self._jobs, task.id, error, attempt=task.attempt)

    async def crashed(self, task: Task, how: str) -> Status:
        """Count a worker or child that died of this attempt; the third death ends the task. Returns its status."""
        async with self._database.begin() as connection:
            crashes = await connection.scalar(
                update(tasks)
                .where(tasks.c.id == task.id, tasks.c.attempt == task.attempt, tasks.c.ended_at.is_(None))
                .values(crashes=tasks.c.crashes + 1, **NOBODY_AT_IT)
                .returning(tasks.c.crashes)
            )
            if crashes is not None and crashes >= MOST_CRASHES:
                error = EngineError(
                    "worker_lost",
                    f"The work was begun {crashes} times, and each time its process died ({how}).",
                    value=f"{crashes} times",
                    limit=f"{MOST_CRASHES} times",
                    fix="Try another picture or video; if it happens with every one, tell the operator.",
                )
                await end_badly(connection, self._jobs, task.id, error, attempt=task.attempt)
        after = await self.load(task.id)
        return after.status if after is not None else Status.FAILED
