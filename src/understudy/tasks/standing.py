"""How things stand beside an account's own view of its tasks: what waits, what lives, what may be downloaded."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, func, literal_column, or_, select, text, tuple_

from understudy.engines.registry import engine_capabilities
from understudy.tasks.database import Database
from understudy.tasks.device import GPU, gpu_engines, needs_gpu
from understudy.tasks.jobs import render_job
from understudy.tasks.listeners import PRESENT_S, heard_of
from understudy.tasks.pace import WAITING
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.tables import tasks
from understudy.tasks.task import Status, Task

MOST_COUNTED = 1000  # a longer queue is not counted to its end
LAST_TASKS = 20  # whose times tell what a task usually takes
WORKER_SEEN_S = 15  # a worker says every 2 s that it lives
# Spelled out: as a parameter, Postgres could not tell the index by it once it plans the statement for any value.
SUCCEED: ColumnElement[str] = literal_column("'succeed'")
WAITED_S = func.coalesce(tasks.c.output["timings_s"][WAITING].as_float(), 0.0)


class Standing:
    """All methods raise UnavailableError while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self, account_id: int) -> int:
        """How many of the account's tasks have not ended."""
        query = select(func.count()).where(tasks.c.account_id == account_id, tasks.c.ended_at.is_(None))
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def ahead(self, task: Task) -> int:
        """How many tasks that the same workers take were handed in earlier and still wait, of all accounts; at most
        ``MOST_COUNTED``."""
        async with self._database.read() as connection:
            heard = await heard_of(connection) if needs_gpu(task.engine) else {}
            earlier = (
                select(tasks.c.id)
                .where(
                    tasks.c.ended_at.is_(None),
                    tasks.c.status == Status.SUBMITTED,
                    tasks.c.created_at < task.created_at,
                    _alike(task, heard),
                )
                .limit(MOST_COUNTED)
                .subquery()
            )
            return (await connection.execute(select(func.count()).select_from(earlier))).scalar_one()

    async def is_deserted(self, task: Task) -> bool:
        """Whether the task waits in a queue that no worker looks into, also where one had begun it and has gone."""
        return task.id in await self.deserted_of([task])

    async def deserted_of(self, some: Sequence[Task]) -> set[int]:
        """Ids of those of the tasks that are deserted."""
        fetched = [task for task in some if task.fetched_at is not None and not task.status.ended]
        if not fetched:
            return set()
        async with self._database.read() as connection:
            heard = await heard_of(connection)
            unheard = [task.id for task in fetched if render_job(task.engine, task.scene) not in heard]
            if not unheard:
                return set()
            silent = tasks.c.seen_at < func.clock_timestamp() - timedelta(seconds=PRESENT_S)
            query = select(tasks.c.id).where(
                tasks.c.id.in_(unheard),
                tasks.c.ended_at.is_(None),
                or_(tasks.c.status == Status.SUBMITTED, silent),
            )
            return set(await connection.scalars(query))

    async def wait_s(self, task: Task, at_once: int) -> float | None:
        """About how many seconds the task will still take: as its worker says; before one has it, as long as the
        last tasks of its engine and scene took, for it and for those before it, ``at_once`` at a time, or as many as
        there are GPUs for it. None where neither is known yet."""
        if task.status.ended:
            return 0.0
        if task.time_left_s is not None:
            return task.time_left_s
        took = (
            select((func.extract("epoch", tasks.c.ended_at - tasks.c.started_at) - WAITED_S).label("s"))
            .where(
                tasks.c.engine == task.engine,
                tasks.c.scene == task.scene.value,
                tasks.c.status == SUCCEED,
            )
            .order_by(tasks.c.ended_at.desc())
            .limit(LAST_TASKS)
            .subquery()
        )
        async with self._database.read() as connection:
            usual_s = await connection.scalar(select(func.percentile_cont(0.5).within_group(took.c.s)))
            if needs_gpu(task.engine):
                at_once = (await heard_of(connection)).get(render_job(task.engine, task.scene), 0) or 1
        if usual_s is None:
            return None
        rounds = 1.0 if task.status is Status.PROCESSING else 1 + await self.ahead(task) / at_once
        return float(usual_s) * rounds

    async def known(self, task_id: int) -> Task | None:
        """The task, whoever owns it, unless that account has deleted it."""
        query = select(*COLUMNS).where(tasks.c.id == task_id, tasks.c.deleted_at.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else task_of(row)

    async def worker_seen(self) -> bool:
        """Whether any worker said within ``WORKER_SEEN_S`` seconds that it lives."""
        query = text(
            "SELECT max(last_heartbeat) > now() - make_interval(secs => :seconds) FROM procrastinate_workers"
        )
        async with self._database.read() as connection:
            return bool(await connection.scalar(query, {"seconds": WORKER_SEEN_S}))


def _alike(task: Task, heard: Container[str]) -> ColumnElement[bool]:
    """Tasks that the workers which take this one take in turn with it: without a GPU all of that kind; else those of
    its own queue and of other queues that anybody looks into, since most workers with a GPU look into all."""
    if not needs_gpu(task.engine):
        return tasks.c.engine.not_in(gpu_engines())
    kinds = [
        (engine.name, scene.value)
        for engine in engine_capabilities()
        if engine.device == GPU
        for scene in engine.scenes
        if (engine.name, scene) == (task.engine, task.scene) or render_job(engine.name, scene) in heard
    ]
    return tuple_(tasks.c.engine, tasks.c.scene).in_(kinds)
