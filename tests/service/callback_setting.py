"""An account whose tasks have callbacks, and who delivers them: for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

from sqlalchemy import func, update

from understudy.config import Network
from understudy.media.network import NetworkGuard
from understudy.storage import FakeStorage
from understudy.tasks import delivery_log
from understudy.tasks.accounts import Account, create_account
from understudy.tasks.callbacks import Deliverer
from understudy.tasks.database import Database
from understudy.tasks.delivery_log import Delivery
from understudy.tasks.jobs import DELIVER, FakeJobs, Jobs
from understudy.tasks.records import Tasks
from understudy.tasks.seal import Secrets
from understudy.tasks.submission import Link, Submission
from understudy.tasks.tables import deliveries
from understudy.tasks.task import Output, StatusChange, Task
from understudy.tasks.work import Work

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRETS = Secrets(["a word that is long enough"])
OUTPUT = Output("results/1/1/video.mp4", 720, 1280, 30.0, 150, 5.0, 1000, sound=True)


def body_of(task: Task, change: StatusChange) -> bytes:
    """Tells everything that a dialect may tell, so that a difference between two tries shows."""
    told: dict[str, Any] = {
        "task_id": str(task.id),
        "task_status": change.status,
        "message": [change.status_msg, task.status_msg, task.fix],
        "times": [str(task.created_at), str(task.updated_at), str(change.at), str(task.ended_at)],
        "work": [str(task.started_at), task.attempt, task.crashes],
        "deduction": str(task.deduction),
        "video": task.output.key if task.output else None,
        "gone": task.files_deleted_at is not None,
        "progress": [task.stage, task.progress, task.time_left_s],
    }
    return json.dumps(told).encode()


class Setting:
    """One account, its tasks, and who delivers their callbacks."""

    def __init__(self, database: Database, queue: Jobs | None = None) -> None:
        self.database = database
        self.jobs = FakeJobs()
        self.tasks = Tasks(database, queue or self.jobs, FakeStorage())
        self.work = Work(database, queue or self.jobs)
        self.deliverer = self.deliverer_allowed(LOOPBACK)

    def deliverer_allowed(self, networks: tuple[Network, ...], timeout_s: float = 5.0) -> Deliverer:
        return Deliverer(self.database, NetworkGuard(networks), SECRETS, body_of, timeout_s=timeout_s)

    async def account(self, name: str = "studio") -> Account:
        async with self.database.begin() as connection:
            return await create_account(connection, name)

    async def task(self, account: Account, url: str) -> Task:
        return await self.tasks.submit(
            account,
            Submission(
                dialect="kling",
                model="kling-v2-6",
                engine="fake",
                image=Link("https://example.com/hero.png"),
                video=Link("https://example.com/dance.mp4"),
                callback_url=url,
            ),
        )

    async def run_through(self, task: Task) -> None:
        taken = await self.work.claim(task.id)
        assert taken is not None
        assert await self.work.succeed(taken, OUTPUT)

    def put_in(self) -> list[int]:
        return [number for name, number in self.jobs.put_in if name == DELIVER]

    async def make_due(self, delivery_id: int) -> None:
        async with self.database.begin() as connection:
            await connection.execute(
                update(deliveries).where(deliveries.c.id == delivery_id).values(next_at=func.now())
            )

    async def log(self, account: Account, task_id: int | None = None) -> list[Delivery]:
        async with self.database.begin() as connection:
            return await delivery_log.log(connection, account.id, task_id=task_id)

    async def delivery(self, delivery_id: int) -> Delivery:
        async with self.database.begin() as connection:
            found = [each for each in await delivery_log.log(connection) if each.id == delivery_id]
        return found[0]


def run(database_url: str, story: Callable[[Setting], Awaitable[None]], *, queue: Jobs | None = None) -> None:
    async def told() -> None:
        database = Database(database_url)
        try:
            await story(Setting(database, queue))
        finally:
            await database.close()

    asyncio.run(told())
