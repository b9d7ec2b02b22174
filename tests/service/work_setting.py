"""A worker's parts around a fake renderer, and tasks for them: for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text, update

from understudy.media.network import NetworkGuard
from understudy.request import Scene
from understudy.storage import FakeStorage
from understudy.tasks.accounts import Account, create_account
from understudy.tasks.database import Database
from understudy.tasks.folders import WorkFolders
from understudy.tasks.handover import Order
from understudy.tasks.intake import Intake
from understudy.tasks.jobs import FakeJobs, Jobs
from understudy.tasks.records import Tasks
from understudy.tasks.renderer import Rendered, Report
from understudy.tasks.rendering import Rendering
from understudy.tasks.submission import Inline, Source, Submission
from understudy.tasks.tables import tasks
from understudy.tasks.task import Task
from understudy.tasks.work import Work

Step = Callable[[Path, Task], Awaitable[Any]]


@dataclass
class FakeRenderer:
    """Does what ``checks`` and ``renders`` hold, one after the other: raises an exception, or awaits a step. Where they
    are used up, all goes well."""

    checks: list[Exception | Step] = field(default_factory=list)
    renders: list[Exception | Step] = field(default_factory=list)
    checked: list[tuple[bytes, bytes]] = field(default_factory=list)
    rendered: list[Path] = field(default_factory=list)
    killed: int = 0
    covers: bool = False

    async def check(self, folder: Path, task: Task) -> float:
        self.checked.append(((folder / "image").read_bytes(), (folder / "video").read_bytes()))
        await self._do(self.checks, folder, task)
        return 5.0

    async def render(self, folder: Path, task: Task, report: Report, order: Order | None = None) -> Rendered:
        self.rendered.append(folder)
        assert await report("drawing", 0.5, 3.0)
        await self._do(self.renders, folder, task)
        video = folder / "made.mp4"
        video.write_bytes(b"video of attempt %d" % task.attempt)
        marked = folder / "marked.mp4" if task.watermark else None
        if marked is not None:
            marked.write_bytes(b"marked")
        cover = folder / "cover.jpg" if self.covers else None
        if cover is not None:
            cover.write_bytes(b"cover")
        return Rendered(
            video=video,
            watermarked=marked,
            width=720,
            height=1280,
            fps=30.0,
            frames=150,
            duration_s=5.0,
            size_bytes=video.stat().st_size,
            sound=True,
            character_found_by="fake",
            driving_start_s=0.0,
            cover=cover,
        )

    async def _do(self, steps: list[Exception | Step], folder: Path, task: Task) -> None:
        step = steps.pop(0) if steps else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            try:
                await step(folder, task)
            except asyncio.CancelledError:
                self.killed += 1
                raise


async def forever(_folder: Path, _task: Task) -> None:
    await asyncio.Event().wait()


class Setting:
    """One account, a storage, a renderer, and who works with them."""

    def __init__(self, database: Database, folders: WorkFolders, queue: Jobs | None) -> None:
        self.database = database
        self.folders = folders
        self.jobs = FakeJobs()
        self.storage = FakeStorage()
        self.renderer = FakeRenderer()
        self.tasks = Tasks(database, queue or self.jobs, self.storage)
        self.work = Work(database, queue or self.jobs)
        renderer: Any = self.renderer
        loopback = NetworkGuard([])
        self.intake = Intake(self.work, self.storage, loopback, renderer, folders)
        self.rendering = Rendering(self.work, self.storage, renderer, folders)

    def intake_with(self, guard: NetworkGuard) -> Intake:
        renderer: Any = self.renderer
        return Intake(self.work, self.storage, guard, renderer, self.folders)

    async def account(self, name: str = "studio") -> Account:
        async with self.database.begin() as connection:
            return await create_account(connection, name)

    async def task(
        self,
        account: Account,
        *,
        video: Source | None = None,
        watermark: bool = False,
        engine: str = "fake",
        scene: Scene = Scene.IMAGE,
    ) -> Task:
        return await self.tasks.submit(
            account,
            Submission(
                dialect="kling",
                model="kling-v2-6",
                engine=engine,
                image=Inline(b"a picture"),
                video=video or Inline(b"a clip"),
                watermark=watermark,
                scene=scene,
            ),
        )

    async def taken_in(
        self,
        account: Account,
        *,
        watermark: bool = False,
        engine: str = "fake",
        scene: Scene = Scene.IMAGE,
    ) -> Task:
        task = await self.task(account, watermark=watermark, engine=engine, scene=scene)
        await self.intake.run(task.id)
        return await self.now(task)

    async def now(self, task: Task) -> Task:
        loaded = await self.work.load(task.id)
        assert loaded is not None
        return loaded

    async def change(self, task: Task, **values: object) -> None:
        async with self.database.begin() as connection:
            await connection.execute(update(tasks).where(tasks.c.id == task.id).values(**values))

    async def scalar(self, query: str) -> Any:
        async with self.database.begin() as connection:
            return await connection.scalar(text(query))

    async def count(self, table: Any) -> int:
        async with self.database.begin() as connection:
            return (await connection.scalar(select(func.count()).select_from(table))) or 0

    def left_in_folders(self) -> list[str]:
        """Names of what lies in the workers' folders."""
        return [path.name for worker in self.folders.root.iterdir() for path in worker.iterdir()]


def run(
    database_url: str,
    folder: Path,
    story: Callable[[Setting], Awaitable[None]],
    *,
    queue: Jobs | None = None,
) -> None:
    async def told() -> None:
        database = Database(database_url)
        try:
            with WorkFolders(folder / "work") as folders:
                its = Setting(database, folders, queue)
                await story(its)
                assert its.left_in_folders() == []
        finally:
            await database.close()

    asyncio.run(told())


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    """Coroutines that run beside, and are cancelled and seen to end."""
    begun = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        for part in begun:
            part.cancel()
        for part in begun:
            with suppress(asyncio.CancelledError):
                await part


async def until(reached: Callable[[], Awaitable[bool]], *, within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not await reached():
            await asyncio.sleep(0.05)


@contextmanager
def away(storage: FakeStorage) -> Iterator[None]:
    storage.away = True
    try:
        yield
    finally:
        storage.away = False
