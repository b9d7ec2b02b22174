"""Workers with and without a GPU, as processes of their own on one queue: who takes what, and who goes on for whom."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import fake_gpu
import psutil
import pytest
from fake_gpu import begun
from test_worker import Sender, made
from work_setting import Setting, run, until

from understudy.config import Settings
from understudy.errors import SettingError
from understudy.request import Scene
from understudy.server import supervisor
from understudy.server.parent import release, start_child
from understudy.storage import open_storage
from understudy.tasks import gpus, recovery
from understudy.tasks.accounts import Account
from understudy.tasks.jobs import RENDER, render_job
from understudy.tasks.queue import ProcrastinateJobs, queue_app
from understudy.tasks.recovery import Recovery
from understudy.tasks.task import Status, Task

UP = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '3 s'"
WAITING = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = '{}'"
JOBS_IN = "SELECT count(*) FROM procrastinate_jobs WHERE status = '{}' AND starts_with(queue_name, 'render')"
SEEN = "SELECT seen_at FROM tasks WHERE id = {}"
RENDER_GPU = render_job("wan-animate", Scene.IMAGE)
QUEUES = {"all": 6, "cpu": 5, "gpu": 1}


class Worker:
    def __init__(self, database_url: str, folder: Path, work: str) -> None:
        settings = Settings(
            data_dir=folder, database_url=database_url, concurrency=1, work=work, gpu_steps=fake_gpu.STEPS
        )
        self.process = start_child("fake_gpu", settings, "worker")

    def hosts(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in children if "host" in each.cmdline()]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        release(self.process)
        return code


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "segments.log"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]))
    monkeypatch.setenv(fake_gpu.LOG, str(place))
    return place


@asynccontextmanager
async def working(its: Setting, folder: Path, *works: str) -> AsyncIterator[list[Worker]]:
    await its.scalar("WITH gone AS (DELETE FROM procrastinate_workers RETURNING 1) SELECT count(*) FROM gone")
    workers = [await asyncio.to_thread(Worker, its.database.url, folder, work) for work in works]
    try:

        async def up() -> bool:
            return int(await its.scalar(UP)) == sum(QUEUES[work] for work in works)

        await until(up, within_s=30)
        yield workers
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                await asyncio.to_thread(worker.end, signal.SIGTERM)


async def send(
    its: Setting, sender: Sender, account: Account, prompt: str = "", scene: Scene = Scene.IMAGE
) -> Task:
    """A GPU's task; the model does what the prompt says."""
    task = await sender.send(account, "wan-animate", scene)
    await its.change(task, prompt=prompt)
    return task


async def stored(folder: Path, task: Task, number: int) -> None:
    """That segment lies in the storage."""
    place = folder / "files" / "segments" / str(task.id)

    async def reached() -> bool:
        return any(place.glob(f"*/segment-{number:03}.npy"))

    await until(reached, within_s=30)


async def forgotten(folder: Path) -> None:
    """No segment lies in the storage any more: they go right after their task's end."""
    storage = open_storage(Settings(data_dir=folder))

    async def reached() -> bool:
        return await storage.names("segments") == []

    await until(reached, within_s=30)


def numbers(log: Path) -> list[int]:
    return [number for _, number in begun(log)]


def test_each_worker_takes_the_tasks_of_its_kind(database_url: str, tmp_path: Path, log: Path) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path, "cpu"):
            on_gpu, on_cpu = await send(its, sender, account), await sender.send(account, "fake")
            assert (await made(its, on_cpu, within_s=60)).status == Status.SUCCEED

            async def waits() -> bool:
                return int(await its.scalar(WAITING.format(RENDER_GPU))) == 1

            await until(waits)
            await asyncio.sleep(1.5)  # one more look of every queue
            assert (await its.now(on_gpu)).status == Status.SUBMITTED
        async with working(its, tmp_path, "gpu") as (worker,):
            ended = await made(its, on_gpu, within_s=60)
            assert ended.status == Status.SUCCEED
            assert numbers(log) == [0, 1, 2, 3]
            await forgotten(tmp_path)
            assert await asyncio.to_thread(worker.end, signal.SIGTERM) == 0
        assert ended.output is not None
        storage = open_storage(Settings(data_dir=tmp_path))
        video = tmp_path / "downloaded.mp4"
        await storage.get_file(ended.output.key, video)
        assert video.stat().st_size == ended.output.size_bytes
        assert (ended.output.frames, ended.output.character_found_by) == (80, "model")

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_a_killed_host_costs_the_task_one_segment(database_url: str, tmp_path: Path, log: Path) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path, "all"):
            now = await made(its, await send(its, sender, account, "die"), within_s=60)
        assert (now.status, now.attempt, now.crashes) == (Status.SUCCEED, 2, 1)
        assert numbers(log) == [0, 1, 2, 2, 3]

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_a_killed_workers_task_goes_on_at_the_next_segment_elsewhere(
    database_url: str, tmp_path: Path, log: Path
) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path, "all") as (worker,):
            task = await send(its, sender, account, "slow")
            await stored(tmp_path, task, 1)
            hosts = worker.hosts()
            assert hosts
            await asyncio.to_thread(worker.end, signal.SIGKILL)
        _, alive = psutil.wait_procs(hosts, timeout=3)
        assert not alive
        async with working(its, tmp_path, "all"):
            now = await made(its, task, within_s=60)
            await forgotten(tmp_path)
        assert (now.status, now.attempt, now.crashes) == (Status.SUCCEED, 2, 1)
        assert numbers(log) == [0, 1, 2, 2, 3]
        assert len(dict(begun(log))) == 2

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_cancelled_or_failed_a_task_leaves_the_host_to_the_next(
    database_url: str, tmp_path: Path, log: Path
) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path, "all") as (worker,):
            task = await send(its, sender, account, "slow")
            await stored(tmp_path, task, 0)
            await its.tasks.cancel(account.id, task.id)
            failed = await made(its, await send(its, sender, account, "memory"), within_s=60)
            assert (failed.status, failed.error_code) == (Status.FAILED, "gpu_memory")
            assert failed.fix is not None
            assert "std" in failed.fix
            after = await made(its, await send(its, sender, account), within_s=60)
            assert after.status == Status.SUCCEED
            assert [each.pid for each in worker.hosts()] == list(dict(begun(log)))
            await forgotten(tmp_path)

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


async def waits(its: Setting, task: Task) -> None:
    async def reached() -> bool:
        return (await its.now(task)).stage == "waiting"

    await until(reached, within_s=30)


async def heard(its: Setting, task: Task) -> None:
    """Its worker says anew that it is at it."""
    seen_at = await its.scalar(SEEN.format(task.id))

    async def reached() -> bool:
        return bool(await its.scalar(SEEN.format(task.id)) > seen_at)

    await until(reached, within_s=30)


async def jobs_in(its: Setting, status: str) -> int:
    return int(await its.scalar(JOBS_IN.format(status)))


def test_the_next_task_is_ready_before_the_gpu_is_free(
    database_url: str, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first task never ends with its GPU: another waits for that, a third in the queue."""
    monkeypatch.setattr(recovery, "POSTGRES_UP_S", 0.0)
    monkeypatch.setattr(recovery, "IN_TOUCH_S", 0.0)
    monkeypatch.setattr(recovery, "FORGOTTEN_S", {RENDER: 10.0, recovery.UPKEEP: 3600.0})

    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path, "all") as (worker,):
            first = await send(its, sender, account, "slow, then stuck")
            await stored(tmp_path, first, 1)
            second = await send(its, sender, account)
            await waits(its, second)
            third = await send(its, sender, account)
            await asyncio.sleep(4)
            assert ((await its.now(third)).status, (await its.now(third)).attempt) == (Status.SUBMITTED, 0)
            assert len(list((tmp_path / "work").glob("*/*"))) == 4  # a child's and the assignment's, of two
            for task in (first, second):
                await heard(its, task)
            async with queue_app(its.database.url, "test").open_async() as app:
                await Recovery(its.database, ProcrastinateJobs(), its.work).look(app)
            assert (await jobs_in(its, "doing"), await jobs_in(its, "todo")) == (2, 1)
            assert (await its.now(second)).stage == "waiting"

            await its.tasks.cancel(account.id, second.id)
            await waits(its, third)
            assert numbers(log) == [0, 1, 2]

            assert await asyncio.to_thread(worker.end, signal.SIGTERM) == 0
            assert (await jobs_in(its, "doing"), await jobs_in(its, "todo")) == (0, 2)
            for task in (first, third):
                assert ((await its.now(task)).attempt, (await its.now(task)).crashes) == (1, 0)

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_a_worker_takes_what_it_can_make_alone(
    database_url: str, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_queue = render_job("wan-animate", Scene.VIDEO)

    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        monkeypatch.setenv(fake_gpu.QUEUES, RENDER_GPU)
        async with working(its, tmp_path, "all"):
            scene = await send(its, sender, account, scene=Scene.VIDEO)
            picture = await send(its, sender, account)
            assert (await made(its, picture, within_s=60)).status == Status.SUCCEED
            assert (await its.now(scene)).attempt == 0
            assert int(await its.scalar(WAITING.format(scene_queue))) == 1
        monkeypatch.setenv(fake_gpu.QUEUES, scene_queue)
        async with working(its, tmp_path, "gpu"):
            # What is made of it is none: the fake's child knows of no scene.
            assert (await made(its, scene, within_s=60)).attempt > 0

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_a_service_cannot_be_for_gpu_tasks_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        supervisor.serve(Settings(data_dir=tmp_path, work="gpu"), supervisor.Signals())
    assert caught.value.value == "gpu"
    assert "`understudy worker --work gpu`" in caught.value.fix


def test_a_gpu_worker_without_a_gpu_says_so_and_others_leave_its_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    settings = Settings(data_dir=tmp_path)
    assert gpus.gpus_of(settings) == gpus.gpus_of(replace(settings, work="cpu")) == ()
    signals: supervisor.Signals = supervisor.Signals()
    with pytest.raises(SettingError) as caught:
        supervisor.work(replace(settings, work="gpu"), signals)
    assert caught.value.code == "work_impossible"
    assert caught.value.fix
