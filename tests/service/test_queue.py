"""The queue on a real Postgres: jobs come with their transaction, in their lock's order, and none is given up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from work_setting import Setting, run, running, until

from understudy.errors import UnavailableError
from understudy.request import Scene
from understudy.tasks.database import MIGRATIONS, migrate
from understudy.tasks.jobs import DELIVER, INTAKE
from understudy.tasks.queue import UPKEEP, ProcrastinateJobs, QueueWorker, delete_ended_jobs

JOBS = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name <> 'upkeep'"
QUEUED = (
    "SELECT string_agg(task_name || ' ' || (args->>'id'), ', ' ORDER BY task_name COLLATE \"C\", id) "
    "FROM procrastinate_jobs WHERE starts_with(queue_name, 'render') AND task_name = queue_name"
)
RENDERED = "render-wan-animate"
HANG_UP = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE application_name LIKE 'understudy _%' AND datname = current_database()"
)


class Done:
    """A job function that remembers, and does what it is told with each argument."""

    def __init__(self, **steps: object) -> None:
        self.arguments: list[int] = []
        self.steps = steps

    async def __call__(self, argument: int) -> datetime | None:
        self.arguments.append(argument)
        step = self.steps.pop(f"at_{argument}", None)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, asyncio.Event):
            await step.wait()
        return step if isinstance(step, datetime) else None

    def reached(self, *arguments: int) -> bool:
        return self.arguments == list(arguments)


def worker(its: Setting, done: Done, queue: str = DELIVER, concurrency: int = 4) -> QueueWorker:
    return QueueWorker(its.database.url, (queue,), done, concurrency=concurrency)


async def put(its: Setting, *arguments: int, lock: str | None = None, queue: str = DELIVER) -> None:
    async with its.database.begin() as connection:
        for argument in arguments:
            await ProcrastinateJobs().put(connection, queue, argument, lock=lock)


def test_a_job_comes_with_its_transaction_or_not_at_all(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        done = Done()
        async with its.database.begin() as connection:
            await ProcrastinateJobs().put(connection, DELIVER, 1)
            await connection.rollback()
        await put(its, 2)
        async with running(worker(its, done).run()):

            async def ended() -> bool:
                return await its.scalar(JOBS) == 0

            await until(ended)
        assert done.arguments == [2]

    run(database_url, tmp_path, story)


def test_jobs_of_a_lock_wait_for_an_earlier_one_that_is_tried_again(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        done = Done(at_1=datetime.now(UTC) + timedelta(seconds=2))
        await put(its, 1, 2, lock="callback-1")
        await put(its, 3)
        async with running(worker(its, done).run()):

            async def all_done() -> bool:
                return len(done.arguments) == 4

            await until(all_done)
        assert done.arguments in ([1, 3, 1, 2], [3, 1, 1, 2])

    run(database_url, tmp_path, story)


def test_a_worker_looks_into_several_queues_and_takes_what_came_first(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        done = Done()
        for argument, queue in enumerate((INTAKE, DELIVER, INTAKE), 1):
            await put(its, argument, queue=queue)
        both = QueueWorker(its.database.url, (DELIVER, INTAKE), done, concurrency=1)
        async with running(both.run()):

            async def all_done() -> bool:
                return done.reached(1, 2, 3)

            await until(all_done)

    run(database_url, tmp_path, story)


class Places:
    """A ``Room`` for so many jobs at once."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken: list[int] = []
        self.most = 0

    def has_room(self) -> bool:
        return len(self.taken) < self.count

    def took(self, argument: int) -> None:
        self.taken.append(argument)
        self.most = max(self.most, len(self.taken))

    def let_go(self, argument: int) -> None:
        self.taken.remove(argument)


def test_no_more_is_taken_than_there_is_room_for(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        gate = asyncio.Event()
        done, room = Done(at_1=gate, at_2=ZeroDivisionError()), Places(1)
        await put(its, 1, 2, 3)
        async with running(QueueWorker(its.database.url, (DELIVER,), done, concurrency=4, room=room).run()):

            async def begun() -> bool:
                return done.reached(1)

            await until(begun)
            await asyncio.sleep(2.5)  # some looks into the queue
            assert done.reached(1)
            gate.set()

            async def all_done() -> bool:
                return await its.scalar(JOBS) == 0

            await until(all_done)
        assert sorted(done.arguments) == [1, 2, 2, 3]
        assert (room.most, room.taken) == (1, [])

    run(database_url, tmp_path, story)


@pytest.mark.parametrize("change", ["task_name = 'gone'", "args = args || '{\"more\": 1}'"])
def test_a_job_that_cannot_be_begun_takes_no_room(database_url: str, tmp_path: Path, change: str) -> None:
    spoiled = f"UPDATE procrastinate_jobs SET {change} WHERE args->>'id' = '1' RETURNING id"

    async def story(its: Setting) -> None:
        done, room = Done(), Places(1)
        await put(its, 1, 2)
        assert await its.scalar(spoiled)
        async with running(QueueWorker(its.database.url, (DELIVER,), done, concurrency=4, room=room).run()):

            async def begun() -> bool:
                return done.reached(2)

            await until(begun)
        assert (room.most, room.taken) == (1, [])

    run(database_url, tmp_path, story)


def test_tasks_that_wait_in_the_one_gpu_queue_of_old_get_into_their_scenes(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        picture = await its.taken_in(account, engine="wan-animate")
        scene = await its.taken_in(account, engine="wan-animate", scene=Scene.VIDEO)
        other = await its.taken_in(account)
        assert (
            await its.scalar(QUEUED)
            == f"render {other.id}, {RENDERED}-image {picture.id}, {RENDERED}-video {scene.id}"
        )
        await asyncio.to_thread(back_to, database_url, "0006")
        assert (
            await its.scalar(QUEUED) == f"render {other.id}, render-gpu {picture.id}, render-gpu {scene.id}"
        )
        await asyncio.to_thread(migrate, database_url)
        done = Done()
        async with running(worker(its, done, f"{RENDERED}-video").run()):

            async def taken() -> bool:
                return done.reached(scene.id)

            await until(taken)

    run(database_url, tmp_path, story, queue=ProcrastinateJobs())


def back_to(database_url: str, revision: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()
    engine.dispose()


def test_an_error_that_escapes_has_the_job_tried_again(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(its: Setting) -> None:
        done = Done(at_1=ZeroDivisionError())
        await put(its, 1)
        async with running(worker(its, done).run()):

            async def again() -> bool:
                return done.reached(1, 1)

            await until(again)
        assert "ZeroDivisionError" in caplog.text

    run(database_url, tmp_path, story)


def test_a_stopped_worker_puts_its_jobs_back_at_once(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        done, other = Done(at_1=asyncio.Event()), Done()
        await put(its, 1, lock="callback-1")

        async def at_it() -> bool:
            return done.reached(1)

        async with running(worker(its, done).run()):
            await until(at_it)

        async def taken_over() -> bool:
            return other.reached(1) and await its.scalar(JOBS) == 0

        async with running(worker(its, other).run()):
            await until(taken_over)

    run(database_url, tmp_path, story)


def test_a_lost_database_leaves_running_jobs_alone_and_the_queue_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        gate = asyncio.Event()
        done = Done(at_1=gate)
        await put(its, 1)
        async with running(worker(its, done).run()):

            async def at_it() -> bool:
                return done.reached(1)

            await until(at_it)
            await its.scalar(HANG_UP)
            await asyncio.sleep(1)
            gate.set()
            await put(its, 2)

            async def all_done() -> bool:
                return done.reached(1, 2) and await its.scalar(JOBS) == 0

            await until(all_done, within_s=20)

    run(database_url, tmp_path, story)


def test_after_a_longer_outage_the_queue_goes_on_at_once(
    database_url: str, postgres_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        done = Done()
        name = await its.scalar("SELECT current_database()")
        async with running(worker(its, done).run()):

            async def up() -> bool:
                return bool(await its.scalar("SELECT count(*) FROM procrastinate_workers"))

            await until(up)
            with psycopg.connect(postgres_url, autocommit=True) as server:
                server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
                )
                await asyncio.sleep(14)
                server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await put(its, 1)

            async def went_on() -> bool:
                return done.reached(1)

            await until(went_on, within_s=4)

    run(database_url, tmp_path, story)


def test_a_worker_whose_heart_cannot_beat_is_taken_up_anew(database_url: str, tmp_path: Path) -> None:
    """A worker that went on without a heartbeat would have its jobs taken away for ever."""

    async def story(its: Setting) -> None:
        async with running(worker(its, Done()).run()):

            async def registered() -> bool:
                return bool(await its.scalar("SELECT count(*) FROM procrastinate_workers"))

            await until(registered)
            first = await its.scalar("SELECT max(id) FROM procrastinate_workers")
            async with its.database.begin() as connection:
                await connection.execute(
                    text("ALTER TABLE procrastinate_workers RENAME COLUMN last_heartbeat TO away")
                )
            await asyncio.sleep(3)
            async with its.database.begin() as connection:
                await connection.execute(
                    text("ALTER TABLE procrastinate_workers RENAME COLUMN away TO last_heartbeat")
                )

            async def anew() -> bool:
                return bool(
                    await its.scalar(f"SELECT count(*) FROM procrastinate_workers WHERE id > {first}")
                )

            await until(anew)

    run(database_url, tmp_path, story)


def test_a_lost_connection_is_told_as_unavailable(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        async def put_when_lost() -> None:
            async with its.database.begin() as connection:
                mine = await connection.scalar(text("SELECT pg_backend_pid()"))
                await its.scalar(f"SELECT pg_terminate_backend({mine})")
                await ProcrastinateJobs().put(connection, INTAKE, 1)

        with pytest.raises(UnavailableError):
            await put_when_lost()

    run(database_url, tmp_path, story)


def test_upkeep_is_put_in_by_whichever_worker_runs_and_done_once(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        done = Done()
        async with running(worker(its, Done()).run(), worker(its, done, UPKEEP, 1).run()):

            async def once() -> bool:
                return len(done.arguments) == 1

            await until(once)
            await asyncio.sleep(1)
            assert len(done.arguments) == 1

    run(database_url, tmp_path, story)


def test_jobs_that_ended_long_ago_go(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        await put(its, 1, 2)
        async with its.database.begin() as connection:
            await connection.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
            await connection.execute(
                text(
                    "UPDATE procrastinate_events SET at = now() - interval '2 days' "
                    "WHERE job_id = (SELECT min(id) FROM procrastinate_jobs)"
                )
            )
        await delete_ended_jobs(its.database.url)
        assert await its.scalar(JOBS) == 1

    run(database_url, tmp_path, story)
