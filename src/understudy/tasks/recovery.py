"""Work whose worker was lost goes to another one, and no task and no callback is ever without a job.

Every second, one worker at a time (under an advisory lock) looks at all jobs that are being done. A job is lost
when nothing was heard of it for a while: of its worker, which sends a heartbeat every two seconds, and of its task,
whose worker tells half a second apart that it is at it. Neither can be heard while the database is away, so nothing is
judged until it has been there for a while, nor soon after the machine was suspended or its clock was put forward.

This is a loop and no periodic job of the queue: it watches over the queue, and must not depend on it.
"""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import UnavailableError
from understudy.request import Scene
from understudy.tasks.database import Database
from understudy.tasks.device import gpu_engines
from understudy.tasks.intake import CHECKING
from understudy.tasks.jobs import DELIVER, INTAKE, RENDER, is_render, render_job
from understudy.tasks.listeners import DESERTED_S, deserted
from understudy.tasks.queue import UPKEEP, ProcrastinateJobs, connection_lost, opened, queue_app
from understudy.tasks.work import Work

EVERY_S = 1.0
SILENT_S = 10.0  # a worker without a heartbeat for as long, whose task nobody spoke of either, is lost
FORGOTTEN_S = {
    INTAKE: 30.0,
    RENDER: 30.0,
    DELIVER: 180.0,
    UPKEEP: 3600.0,
}  # its worker lives, but not for this job
POSTGRES_UP_S = 15.0  # nothing is judged before it is up for as long,
IN_TOUCH_S = 10.0  # and before we have reached it for as long
MOST_GAP_S = 5.0  # between two looks; in a longer one we stood still, and maybe all the workers with us
MISSING_EVERY_S = 30.0
MISSING_S = 60.0  # what should have a job, and has none for as long, gets one again
DESERTED_EVERY_S = 3600.0  # a queue that no worker looks into is told of so often
RECOVERING = 0x756E6467  # the advisory lock under which one worker at a time recovers
HOW = "its worker was lost"

logger = logging.getLogger(__name__)

UP_S = text("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")
LOCK = text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=RECOVERING)

# When anything was last heard of each of these jobs, and whether its task still needs it. An intake that is done but
# for the end of its job has put its task's render into the queue: then it is no loss.
HEARD = text(
    """
    SELECT job.id,
           tasks.id IS NOT NULL AND tasks.ended_at IS NULL
               AND (job.queue_name <> 'intake' OR tasks.fetched_at IS NULL) AS needed,
           extract(epoch FROM clock_timestamp() - greatest(
               tasks.seen_at,
               (SELECT max(at) FROM procrastinate_events event WHERE event.job_id = job.id AND type = 'started')
           )) AS silent_s
      FROM procrastinate_jobs job
      LEFT JOIN tasks ON (job.queue_name = 'intake' OR starts_with(job.queue_name, 'render'))
           AND tasks.id = (job.args->>'id')::bigint
     WHERE job.id IN :jobs AND job.status = 'doing'
    """
).bindparams(bindparam("jobs", expanding=True))

# A render that waits in another queue than its task's own (see ``render_job``) is none: maybe nobody looks into it.
# NOT IN becomes a hash whatever the statistics say; NOT EXISTS took 7 s among 10,000 tasks before the first ANALYZE.
MISSING_TASKS = text(
    """
    SELECT id, engine, scene, fetched_at IS NULL AS intake
      FROM tasks
     WHERE ended_at IS NULL AND seen_at < clock_timestamp() - make_interval(secs => :silent_s)
       AND id NOT IN (
           SELECT coalesce((args->>'id')::bigint, 0) FROM procrastinate_jobs
            WHERE queue_name = 'intake' AND status IN ('todo', 'doing')
               OR starts_with(queue_name, 'render') AND status = 'doing')
       AND (id, CASE WHEN engine IN :on_gpus THEN 'render-' || engine || '-' || scene ELSE 'render' END) NOT IN (
           SELECT coalesce((args->>'id')::bigint, 0), queue_name FROM procrastinate_jobs
            WHERE status = 'todo' AND starts_with(queue_name, 'render'))
     LIMIT 100
    """
).bindparams(bindparam("on_gpus", expanding=True))
MOVE_STRAYED = text(
    """
    UPDATE procrastinate_jobs SET queue_name = :queue, task_name = :queue
     WHERE status = 'todo' AND id = (
           SELECT min(id) FROM procrastinate_jobs
            WHERE status = 'todo' AND starts_with(queue_name, 'render') AND (args->>'id')::bigint = :task)
    """
)
MISSING_DELIVERIES = text(
    """
    SELECT id, task_id
      FROM deliveries
     WHERE state = 'pending' AND next_at < clock_timestamp() - make_interval(secs => :silent_s)
       AND id NOT IN (
           SELECT coalesce((args->>'id')::bigint, 0) FROM procrastinate_jobs
            WHERE status IN ('todo', 'doing') AND queue_name = 'deliver')
     ORDER BY id LIMIT 100
    """
)


class Recovery:
    """Looks after the jobs of all workers for as long as it runs."""

    def __init__(self, database: Database, jobs: ProcrastinateJobs, work: Work) -> None:
        self._database = database
        self._jobs = jobs
        self._work = work
        self._in_touch_since: float | None = None
        self._looked_for_missing = 0.0
        self._told_of: dict[str, float] = {}  # when, by deserted queue
        self._looked_up_s = 0.0  # by the database's clock, which a suspended machine's runs ahead with

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                async with opened(queue_app(self._database.url, "recovery"), self._database.url) as app:
                    while True:
                        await self.look(app)
                        await asyncio.sleep(EVERY_S)
            except (UnavailableError, ConnectorException, psycopg.Error, OSError) as error:
                logger.warning("recovery: the database is away (%s)", type(error).__name__)
            self._in_touch_since = None
            await asyncio.sleep(EVERY_S)

    async def look(self, app: App) -> None:
        """Once, unless another worker does, or it is too early to judge."""
        now = time.monotonic()
        async with self._database.begin() as connection:
            up_s = float(await connection.scalar(UP_S) or 0)
            if self._in_touch_since is None or abs(up_s - self._looked_up_s) > MOST_GAP_S:
                self._in_touch_since = now
            if up_s >= POSTGRES_UP_S and now - self._in_touch_since >= IN_TOUCH_S:
                await self._judge(app, connection, now)
            self._looked_up_s = up_s + (time.monotonic() - now)

    async def _judge(self, app: App, connection: AsyncConnection, now: float) -> None:
        if await connection.scalar(LOCK):
            for job, needed in await self._lost(connection, app):
                await self._put_back(app, job, needed=needed)
            if now - self._looked_for_missing >= MISSING_EVERY_S:
                self._looked_for_missing = now
                await self._replace_missing(connection)
                if self._in_touch_since is not None and now - self._in_touch_since >= DESERTED_S:
                    await self._tell_deserted(connection, now)

    async def _lost(self, connection: AsyncConnection, app: App) -> list[tuple[Job, bool]]:
        """The jobs that nobody does any more, and whether their task still needs it."""
        doing = {job.id: job for job in await app.job_manager.list_jobs_async(status="doing")}
        if not doing:
            return []
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT_S)
        orphaned = {job.id for job in stalled}
        lost = []
        for row in await connection.execute(HEARD, {"jobs": list(doing)}):
            job = doing[row.id]
            kind = RENDER if is_render(job.queue) else job.queue
            limit_s = SILENT_S if row.id in orphaned else FORGOTTEN_S.get(kind, FORGOTTEN_S[UPKEEP])
            if row.silent_s is not None and row.silent_s > limit_s:
                lost.append((job, bool(row.needed)))
        return lost

    async def _put_back(self, app: App, job: Job, *, needed: bool) -> None:
        if needed:
            task_id = int(str(job.task_kwargs["id"]))
            task = await self._work.load(task_id)
            # While its sources were waited for, nothing of the task was open that could have killed the worker.
            if job.queue != INTAKE or (task is not None and task.stage == CHECKING):
                await self._count_crash(task_id)
            elif task is not None:
                await self._work.let_go(task)
        logger.warning("recovery: %s job %s was lost and is put back", job.queue, job.id)
        try:
            await app.job_manager.retry_job(job)
        except ConnectorException as error:
            if connection_lost(error):
                raise
            logger.info("recovery: job %s has ended meanwhile", job.id)

    async def _replace_missing(self, connection: AsyncConnection) -> None:
        missing = await connection.execute(
            MISSING_TASKS, {"silent_s": MISSING_S, "on_gpus": list(gpu_engines())}
        )
        for row in missing:
            its = INTAKE if row.intake else render_job(row.engine, Scene(row.scene))
            if its != INTAKE and await self._move_strayed(connection, row.id, its):
                continue
            logger.error("recovery: task %d had no job; it gets one again", row.id)
            if not await self._count_crash(row.id):
                await self._jobs.put(connection, its, row.id)
        for row in await connection.execute(MISSING_DELIVERIES, {"silent_s": MISSING_S}):
            logger.error("recovery: callback %d of task %d had no job", row.id, row.task_id)
            # Before the later callbacks of its task, which have jobs of their own.
            await self._jobs.put(connection, DELIVER, row.id, lock=f"callback-{row.task_id}", priority=1)

    async def _move_strayed(self, connection: AsyncConnection, task_id: int, queue: str) -> bool:
        """Into its task's own queue, if it has a job at all: a worker of before an upgrade puts jobs where none of
        after it looks. Nothing was lost, so no crash is counted."""
        moved = await connection.execute(MOVE_STRAYED, {"queue": queue, "task": task_id})
        if moved.rowcount:
            logger.warning(
                "recovery: the job of task %d was in a queue of an older version and is now in %s; "
                "stop workers of that version",
                task_id,
                queue,
            )
        return bool(moved.rowcount)

    async def _tell_deserted(self, connection: AsyncConnection, now: float) -> None:
        """Not by every look. The tasks wait on: somebody may start such a worker."""
        found = {each.queue: each for each in await deserted(connection)}
        self._told_of = {queue: at for queue, at in self._told_of.items() if queue in found}
        for queue, each in found.items():
            if now - self._told_of.get(queue, -DESERTED_EVERY_S) >= DESERTED_EVERY_S:
                self._told_of[queue] = now
                logger.warning("recovery: %s", each)

    async def _count_crash(self, task_id: int) -> bool:
        """True: the task has ended."""
        task = await self._work.load(task_id)
        return task is None or (await self._work.crashed(task, HOW)).ended
