"""The application on a real database, asked over HTTP: in this process, or by uvicorn on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from understudy.config import Settings
from understudy.errors import UnderstudyError
from understudy.server.app import create_app
from understudy.server.open_service import open_service
from understudy.server.service import Service
from understudy.storage import Storage
from understudy.tasks.accounts import create_account
from understudy.tasks.jobs import FakeJobs
from understudy.tasks.keys import create_keys
from understudy.tasks.records import Tasks
from understudy.tasks.seal import Secrets
from understudy.tasks.task import Output, Task
from understudy.tasks.work import Work

LINKS = {"image_url": "https://example.com/a.png", "video_url": "https://example.com/a.mp4"}
TASKS = "/understudy/v1/tasks"


@dataclass
class OpenApp:
    """An app, a client with the key of the account ``ann``, and a worker's side of its tasks."""

    service: Service
    app: FastAPI
    client: httpx.AsyncClient
    secrets: Secrets
    keys: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def work(self) -> Work:
        return Work(self.service.database, FakeJobs())

    async def key_of(self, name: str) -> dict[str, str]:
        """The headers of a new account of that name."""
        async with self.service.database.begin() as connection:
            account = await create_account(connection, name)
            made = await create_keys(connection, self.secrets, account.id)
        return {"Authorization": f"Bearer {made.api_key}"}

    async def create(self, **fields: Any) -> dict[str, Any]:
        answer = await self.client.post(TASKS, json={**LINKS, **fields})
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def begin(self, task_id: str) -> Task:
        task = await self.work.claim(int(task_id))
        assert task is not None
        return task

    async def finish(
        self, task_id: str, content: bytes, *, watermarked: bytes | None = None, cover: bytes | None = None
    ) -> Task:
        """End a task well, its video being that content."""
        task = await self.begin(task_id)
        folder = f"results/{task.id}/{task.attempt}"
        await self.service.storage.put_bytes(f"{folder}/video.mp4", content)
        if watermarked is not None:
            await self.service.storage.put_bytes(f"{folder}/watermarked.mp4", watermarked)
        if cover is not None:
            await self.service.storage.put_bytes(f"{folder}/cover.jpg", cover)
        output = Output(
            key=f"{folder}/video.mp4",
            width=720,
            height=1280,
            fps=30.0,
            frames=120,
            duration_s=4.0,
            size_bytes=len(content),
            sound=True,
            watermark_key=None if watermarked is None else f"{folder}/watermarked.mp4",
            cover_key=None if cover is None else f"{folder}/cover.jpg",
            character_found_by="pose",
            timings_s={"draw": 1.5},
        )
        assert await self.work.succeed(task, output)
        return task

    async def fail(self, task_id: str, error: UnderstudyError) -> None:
        assert await self.work.fail(await self.begin(task_id), error)


def with_app(
    url: str,
    folder: Path,
    test: Callable[[OpenApp], Awaitable[None]],
    *,
    storage: Storage | None = None,
    over_tcp: bool = False,
    **settings: Any,
) -> None:
    """Run the test on a fresh app; ``storage`` stands in for the folder, ``over_tcp`` puts uvicorn before it."""

    async def whole() -> None:
        async with opened(url, folder, storage=storage, over_tcp=over_tcp, **settings) as app:
            await test(app)

    asyncio.run(whole())


@asynccontextmanager
async def opened(
    url: str, folder: Path, *, storage: Storage | None = None, over_tcp: bool = False, **settings: Any
) -> AsyncIterator[OpenApp]:
    chosen = Settings(data_dir=folder, public_url="http://service.test", **settings)
    service = open_service(chosen, url)
    if storage is not None:
        tasks = Tasks(service.database, FakeJobs(), storage)
        service = replace(service, storage=storage, tasks=tasks)
    app = create_app(service)
    start = _served if over_tcp else _in_process
    async with start(app) as client:
        it = OpenApp(service, app, client, Secrets.load(chosen))
        client.headers.update(await it.key_of("ann"))
        yield it


@asynccontextmanager
async def _in_process(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test") as client,
    ):
        yield client


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=2)
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running
