"""Recovery of lost work: who is lost, who is only slow, and that nothing stays without a job."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from procrastinate.jobs import Status as JobStatus
from sqlalchemy import text
from work_setting import Setting, run, running, until

from understudy.request import Scene
from understudy.tasks import recovery as module
from understudy.tasks.intake import CHECKING, FETCHING
from understudy.tasks.jobs import DELIVER, INTAKE, RENDER, render_job
from understudy.tasks.listeners import Listening
from understudy.tasks.queue import ProcrastinateJobs, QueueWorker, queue_app
from understudy.tasks.recovery import Recovery
from understudy.tasks.task import Status, Task

HANGING_WORKER = """
import asyncio, sys
from understudy.tasks.database import Database
from understudy.tasks.queue import ProcrastinateJobs, QueueWorker
from understudy.tasks.work import Work

async def main() -> None:
    work = Work(Database(sys.argv[1]), ProcrastinateJobs())

    async def hang(task_id: int) -> None:
        await work.claim(task_id)
        print("taken", flush=True)
        await asyncio.sleep(600)

    await QueueWorker(sys.argv[1], ("render",), hang, concurrency=1).run()

asyncio.run(main())
"""
JOBS = ProcrastinateJobs()
RENDER_GPU = render_job("wan-animate", Scene.VIDEO)


@pytest.fixture(autouse=True)
def _postgres_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own was started for them."""
    monkeypatch.setattr(module, "POSTGRES_UP_S", 0.0)


def recovery_of(its: Setting) -> Recovery:
    return Recovery(its.database, JOBS, its.work)


async def look(its: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, "IN_TOUCH_S", 0.0)
        async with queue_app(its.database.url, "test").open_async() as app:
            await recovery_of(its).look(app)


async def put_to_render(its: Setting) -> Task:
    task = await its.taken_in(await its.account())
    async with its.database.begin() as connection:
        await connection.execute(text("DELETE FROM procrastinate_jobs"))
        await JOBS.put(connection, RENDER, task.id)
    claimed = await its.work.claim(task.id)
    assert claimed is not None
    return claimed


async def begin(its: Setting, queue: str, *, heartbeat_s: int, begun_s: int) -> None:
    """A worker whose heartbeat came so long ago has begun the queue's jobs so long ago."""
    async with its.database.begin() as connection:
        worker = await connection.scalar(
            text(
                "INSERT INTO procrastinate_workers (last_heartbeat) "
                f"VALUES (now() - interval '{heartbeat_s} s') RETURNING id"
            )
        )
        await connection.execute(
            text(
                f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {worker} "
                f"WHERE queue_name = '{queue}' AND status = 'todo'"
            )
        )
        await connection.execute(
            text(
                f"UPDATE procrastinate_events SET at = now() - interval '{begun_s} s' WHERE type = 'started'"
            )
        )


async def seen(its: Setting, task: Task, seconds_ago: int) -> None:
    await its.change(task, seen_at=text(f"now() - interval '{seconds_ago} s'"))


async def job_statuses(its: Setting, queue: str) -> list[str]:
    async with queue_app(its.database.url, "test").open_async() as app:
        return [str(job.status) for job in await app.job_manager.list_jobs_async(queue=queue)]


def test_a_killed_workers_render_is_taken_over_within_twenty_seconds(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        process = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-c", HANGING_WORKER, database_url], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"taken\n"
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        process.stdout.close()
        killed = time.monotonic()
        worker = QueueWorker(database_url, (RENDER,), its.rendering.run, concurrency=1)

        async def made() -> bool:
            return (await its.now(task)).status == Status.SUCCEED

        async with running(worker.run(), recovery_of(its).run()):
            await until(made, within_s=20)
        print(f"taken over after {time.monotonic() - killed:.1f} s")
        now = await its.now(task)
        assert (now.attempt, now.crashes) == (2, 1)

    run(database_url, tmp_path, story, queue=JOBS)


def test_a_render_that_is_heard_of_is_not_lost(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await put_to_render(its)
        await begin(its, RENDER, heartbeat_s=60, begun_s=60)
        await its.work.report(task, "drawing", 0.7, 42.0)
        await seen(its, task, 5)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER) == [JobStatus.DOING.value]
        assert (await its.now(task)).stage == "drawing"
        await seen(its, task, 12)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER) == [JobStatus.TODO.value]
        now = await its.now(task)
        assert (now.crashes, now.stage, now.progress, now.time_left_s) == (1, None, 0.7, None)

    run(database_url, tmp_path, story)


def test_a_render_that_was_just_begun_is_not_lost(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had waited for long, and its worker is about to claim it."""

    async def story(its: Setting) -> None:
        task = await put_to_render(its)
        await begin(its, RENDER, heartbeat_s=60, begun_s=2)
        await seen(its, task, 600)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER) == [JobStatus.DOING.value]

    run(database_url, tmp_path, story)


def test_a_job_that_its_living_worker_knows_nothing_of_is_lost(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await put_to_render(its)
        await begin(its, RENDER, heartbeat_s=1, begun_s=60)
        await seen(its, task, 20)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER) == [JobStatus.DOING.value]
        await seen(its, task, 31)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER) == [JobStatus.TODO.value]

    run(database_url, tmp_path, story)


def test_nothing_is_judged_while_postgres_is_young_or_another_recovers(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await put_to_render(its)
        await begin(its, RENDER, heartbeat_s=60, begun_s=60)
        await seen(its, task, 60)
        with monkeypatch.context() as patched:
            patched.setattr(module, "POSTGRES_UP_S", 1e9)
            await look(its, monkeypatch)
        async with its.database.begin() as other:
            await other.execute(module.LOCK)
            await look(its, monkeypatch)
        async with queue_app(its.database.url, "test").open_async() as app:
            await recovery_of(its).look(app)  # it has only just reached the database
        assert await job_statuses(its, RENDER) == [JobStatus.DOING.value]
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER) == [JobStatus.TODO.value]

    run(database_url, tmp_path, story)


def test_the_third_lost_worker_ends_the_task(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await put_to_render(its)
        for _ in range(3):
            await begin(its, RENDER, heartbeat_s=60, begun_s=60)
            await seen(its, task, 60)
            await look(its, monkeypatch)
        now = await its.now(task)
        assert (now.status, now.error_code) == (Status.FAILED, "worker_lost")
        assert await job_statuses(its, RENDER) == [JobStatus.TODO.value]  # it finds nothing to do

    run(database_url, tmp_path, story)


def test_an_intake_whose_files_kill_its_workers_ends(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        for stage, crashes in ((FETCHING, 0), (CHECKING, 1), (CHECKING, 2), (FETCHING, 2), (CHECKING, 3)):
            await begin(its, INTAKE, heartbeat_s=60, begun_s=60)
            await its.work.report(task, stage, 0.0, None)
            await seen(its, task, 60)
            await look(its, monkeypatch)
            now = await its.now(task)
            assert (now.crashes, now.stage) == (crashes, None)
        assert (await its.now(task)).error_code == "worker_lost"

    run(database_url, tmp_path, story, queue=JOBS)


def test_an_intake_that_was_done_counts_as_no_crash(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        await begin(its, INTAKE, heartbeat_s=60, begun_s=60)
        await seen(its, task, 60)
        await look(its, monkeypatch)
        assert (await its.now(task)).crashes == 0
        assert await job_statuses(its, INTAKE) == [JobStatus.TODO.value]

    run(database_url, tmp_path, story, queue=JOBS)


def test_a_lost_callback_does_not_block_those_behind_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        async with its.database.begin() as connection:
            await JOBS.put(connection, DELIVER, 1, lock="callback-1")
        await begin(its, DELIVER, heartbeat_s=60, begun_s=60)
        async with its.database.begin() as connection:
            await JOBS.put(connection, DELIVER, 2, lock="callback-1")
        await look(its, monkeypatch)
        delivered: list[int] = []

        async def deliver(delivery_id: int) -> None:
            delivered.append(delivery_id)

        async def both() -> bool:
            return delivered == [1, 2]

        async with running(QueueWorker(database_url, (DELIVER,), deliver, concurrency=4).run()):
            await until(both)

    run(database_url, tmp_path, story)


def test_a_task_without_a_job_gets_one_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        submitted, fetched = await its.task(account), await its.taken_in(account)
        waiting = await its.taken_in(account)  # in the queue for long: nothing is wrong with it
        await its.tasks.cancel(account.id, (await its.task(account)).id)
        async with its.database.begin() as connection:
            await connection.execute(text("DELETE FROM procrastinate_jobs"))
            await JOBS.put(connection, RENDER, waiting.id)
        await look(its, monkeypatch)
        assert await job_statuses(its, INTAKE) == []
        for task in (submitted, fetched, waiting):
            await seen(its, task, 61)
        await look(its, monkeypatch)
        await look(its, monkeypatch)
        assert await job_statuses(its, INTAKE) == [JobStatus.TODO.value]
        assert await job_statuses(its, RENDER) == [JobStatus.TODO.value] * 2
        assert [(await its.now(task)).crashes for task in (submitted, fetched, waiting)] == [1, 1, 0]

    run(database_url, tmp_path, story, queue=JOBS)


def test_a_gpus_task_is_recovered_in_its_own_queue(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account(), engine="wan-animate", scene=Scene.VIDEO)
        assert await job_statuses(its, RENDER) == []
        assert await job_statuses(its, RENDER_GPU) == [JobStatus.TODO.value]
        await begin(its, RENDER_GPU, heartbeat_s=60, begun_s=60)
        await seen(its, task, 61)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER_GPU) == [JobStatus.TODO.value]
        assert (await its.now(task)).crashes == 1
        await seen(its, task, 61)
        await look(its, monkeypatch)  # it waits, and is not missing
        assert await job_statuses(its, RENDER_GPU) == [JobStatus.TODO.value]
        async with its.database.begin() as connection:
            await connection.execute(text("DELETE FROM procrastinate_jobs"))
        await seen(its, task, 61)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER_GPU) == [JobStatus.TODO.value]
        assert await job_statuses(its, RENDER) == []
        assert (await its.now(task)).crashes == 2

    run(database_url, tmp_path, story, queue=JOBS)


def test_a_render_in_an_older_versions_queue_goes_into_its_tasks_own(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        waiting = await its.taken_in(account, engine="wan-animate", scene=Scene.VIDEO)
        taken = await its.taken_in(account, engine="wan-animate", scene=Scene.VIDEO)
        plain = await its.taken_in(account)
        async with its.database.begin() as connection:
            await connection.execute(text("DELETE FROM procrastinate_jobs WHERE queue_name = 'intake'"))
            await connection.execute(
                text(
                    "UPDATE procrastinate_jobs SET queue_name = 'render-gpu', task_name = 'render-gpu' "
                    f"WHERE queue_name = '{RENDER_GPU}'"
                )
            )
            await connection.execute(
                text(
                    f"UPDATE procrastinate_jobs SET status = 'doing' WHERE (args->>'id')::bigint = {taken.id}"
                )
            )
        for task in (waiting, taken, plain):
            await seen(its, task, 59)
        await look(its, monkeypatch)
        assert await job_statuses(its, RENDER_GPU) == []
        for task in (waiting, taken, plain):
            await seen(its, task, 61)
        await look(its, monkeypatch)
        await look(its, monkeypatch)
        moved = await its.scalar(
            f"SELECT string_agg(args->>'id' || ' ' || status, ', ') FROM procrastinate_jobs "
            f"WHERE queue_name = '{RENDER_GPU}' AND task_name = '{RENDER_GPU}'"
        )
        assert moved == f"{waiting.id} todo"
        assert await job_statuses(its, "render-gpu") == [JobStatus.DOING.value]  # an older worker has it
        assert await job_statuses(its, RENDER) == [JobStatus.TODO.value]
        assert [(await its.now(task)).crashes for task in (waiting, taken, plain)] == [0, 0, 0]

    run(database_url, tmp_path, story, queue=JOBS)


def test_a_queue_that_no_worker_looks_into_is_told_of_once_in_a_while(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 1e6
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(module, "MOST_GAP_S", 1e9)

    async def story(its: Setting) -> None:
        nonlocal now_s
        task = await its.taken_in(await its.account(), engine="wan-animate", scene=Scene.VIDEO)
        await seen(its, task, 1200)
        await Listening(its.database, {INTAKE: 4, RENDER: 1}).say()
        recovery = recovery_of(its)

        async def told_after(seconds: float) -> list[str]:
            nonlocal now_s
            now_s += seconds
            caplog.clear()
            await recovery.look(app)
            return [line for line in caplog.messages if "no worker looks into it" in line]

        async with queue_app(its.database.url, "test").open_async() as app:
            assert await told_after(0) == []
            assert await told_after(60) == []  # workers may have been started with us
            (line,) = await told_after(300)
            assert "1 task waits in the queue render-wan-animate-video, for up to 20 min" in line
            assert [await told_after(60) for _ in range(3)] == [[]] * 3
            assert len(await told_after(3600)) == 1
            await Listening(its.database, {RENDER_GPU: 2}).say()
            assert await told_after(3600) == []
        assert (await its.now(task)).status == Status.SUBMITTED
        assert await job_statuses(its, RENDER_GPU) == [JobStatus.TODO.value]

    run(database_url, tmp_path, story, queue=JOBS)


def test_a_callback_without_a_job_gets_one_before_the_later_ones(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        insert = (
            "INSERT INTO deliveries (account_id, task_id, url, status, status_at, next_at) "
            f"VALUES ({task.account_id}, {task.id}, 'http://x', 'submitted', now(), now() - interval '%d s') "
            "RETURNING id"
        )
        first, second = await its.scalar(insert % 70), await its.scalar(insert % 70)
        async with its.database.begin() as connection:
            await JOBS.put(connection, DELIVER, second, lock=f"callback-{task.id}")
        await look(its, monkeypatch)
        delivered: list[int] = []

        async def deliver(delivery_id: int) -> None:
            delivered.append(delivery_id)

        async def both() -> bool:
            return delivered == [first, second]

        async with running(QueueWorker(database_url, (DELIVER,), deliver, concurrency=4).run()):
            await until(both)

    run(database_url, tmp_path, story)


def test_after_a_suspended_machine_or_a_clock_put_forward_workers_have_time_to_speak(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_TOUCH_S", 0.3)

    async def story(its: Setting) -> None:
        task = await put_to_render(its)
        recovery = recovery_of(its)
        async with queue_app(its.database.url, "test").open_async() as app:
            monkeypatch.setattr(module, "UP_S", text("SELECT 1000.0"))
            await recovery.look(app)
            await asyncio.sleep(0.4)
            await recovery.look(app)
            async with its.database.begin() as connection:  # taken long ago, by now
                await connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
                await connection.execute(text("UPDATE procrastinate_events SET at = at - interval '1 hour'"))
            await seen(its, task, 3600)
            monkeypatch.setattr(module, "UP_S", text("SELECT 4600.0"))
            await recovery.look(app)
            assert (await its.now(task)).crashes == 0
            await asyncio.sleep(0.4)
            await recovery.look(app)  # nobody spoke
            assert (await its.now(task)).crashes == 1

    run(database_url, tmp_path, story, queue=JOBS)
