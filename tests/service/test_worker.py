"""The worker as a process of its own, without API and supervisor: it works, stops, is killed, and leaves nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import psutil
from made_clips import make_clip, pattern
from PIL import Image
from work_setting import Setting, run, until

from understudy.config import Settings
from understudy.request import Scene
from understudy.server.parent import release, start_child
from understudy.storage import open_storage
from understudy.tasks.accounts import Account
from understudy.tasks.queue import ProcrastinateJobs
from understudy.tasks.records import Tasks
from understudy.tasks.submission import Submission, Upload
from understudy.tasks.task import Status, Task

JOBS_LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name <> 'upkeep'"
PROBE = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '3 s'"
COUNTED = "SELECT count(DISTINCT worker) FROM listeners WHERE at_once > 0"  # workers
WORKERS = 4  # one for each queue


class Worker:
    """One worker process on the setting's database, with a data folder that others may share."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, database_url=database_url, concurrency=1)
        self.process = start_child("understudy.server.worker_process", self.settings)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        release(self.process)
        return code


@asynccontextmanager
async def working(its: Setting, folder: Path) -> AsyncIterator[Worker]:
    worker = await asyncio.to_thread(Worker, its.database.url, folder)
    try:

        async def up() -> bool:
            return int(await its.scalar(PROBE)) >= WORKERS

        await until(up, within_s=30)
        yield worker
    finally:
        if worker.process.poll() is None:
            await asyncio.to_thread(worker.end, signal.SIGKILL)


class Sender:
    """Hands in small pictures and clips, to be made by an engine that needs no model."""

    def __init__(self, its: Setting, folder: Path) -> None:
        storage = open_storage(Settings(data_dir=folder))
        self._tasks = Tasks(its.database, ProcrastinateJobs(), storage)
        self._image, self._video = folder / "image.png", folder / "video.mp4"
        Image.new("RGB", (400, 400), (90, 120, 40)).save(self._image)
        make_clip(self._video, [pattern(360, 480)] * 80, fps=Fraction(25))

    async def send(self, account: Account, engine: str, scene: Scene = Scene.IMAGE) -> Task:
        return await self._tasks.submit(
            account,
            Submission(
                dialect="kling",
                model="kling-v2-6",
                engine=engine,
                image=Upload(self._image),
                video=Upload(self._video),
                scene=scene,
            ),
        )


def in_work_folders(folder: Path) -> list[str]:
    return [path.name for path in (folder / "work").rglob("*")]


async def drawn_at(its: Setting, task: Task) -> None:
    async def reached() -> bool:
        return (await its.now(task)).stage == "drawing"

    await until(reached, within_s=30)


async def made(its: Setting, task: Task, *, within_s: float = 30) -> Task:
    async def reached() -> bool:
        return (await its.now(task)).status.ended

    await until(reached, within_s=within_s)
    return await its.now(task)


def test_it_makes_videos_and_stops_when_it_is_asked_to(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path) as worker:
            tasks = [await sender.send(account, "fake") for _ in range(3)]
            ended = [await made(its, task) for task in tasks]
            assert [task.status for task in ended] == [Status.SUCCEED] * 3
            assert await its.scalar(COUNTED) == 1
            assert await asyncio.to_thread(worker.end, signal.SIGTERM) == 0
        assert await its.scalar(COUNTED) == 0
        assert in_work_folders(tmp_path) == []
        assert await its.scalar(JOBS_LEFT) == 0

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_a_cancelled_tasks_processes_are_gone_within_two_seconds(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path) as worker:
            task = await sender.send(account, "fake-slow")
            await drawn_at(its, task)
            children = worker.children()
            assert children
            await its.tasks.cancel(account.id, task.id)
            _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=2)
            assert not alive
            after = await made(its, await sender.send(account, "fake"))  # and the place is free
            assert after.status == Status.SUCCEED

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_stopped_in_mid_render_it_puts_the_task_back(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path) as worker:
            task = await sender.send(account, "fake-slow")
            await drawn_at(its, task)
            children = worker.children()
            assert children
            begun = time.monotonic()
            assert await asyncio.to_thread(worker.end, signal.SIGTERM) == 0
            assert time.monotonic() - begun < 5
        assert not any(child.is_running() for child in children)
        assert in_work_folders(tmp_path) == []
        assert await its.scalar(JOBS_LEFT) == 1
        async with working(its, tmp_path):
            now = await made(its, task)
        assert (now.status, now.attempt, now.crashes) == (Status.SUCCEED, 2, 0)

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())


def test_killed_in_mid_render_it_leaves_no_child_and_the_next_takes_over(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        account, sender = await its.account(), Sender(its, tmp_path)
        async with working(its, tmp_path) as worker:
            task = await sender.send(account, "fake-slow")
            await drawn_at(its, task)
            children = worker.children()
            assert children
            await asyncio.to_thread(worker.end, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=2)
        assert not alive
        assert in_work_folders(tmp_path) != []
        assert await its.scalar(COUNTED) == 1
        async with working(its, tmp_path):
            begun = time.monotonic()
            now = await made(its, task)
            took_s = time.monotonic() - begun
            assert await its.scalar(COUNTED) == 1  # the killed one no more
            assert (now.status, now.attempt, now.crashes) == (Status.SUCCEED, 2, 1)
            assert [name for name in in_work_folders(tmp_path) if not name.startswith("worker-")] == []
        assert took_s < 60  # not by the upkeep, which comes every five minutes

    run(database_url, tmp_path / "other", story, queue=ProcrastinateJobs())
