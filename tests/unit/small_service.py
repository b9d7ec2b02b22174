"""The whole application over the service's parts in memory: one account, whose tasks are what a test says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

import httpx
from kling_examples import SUBMITTED

from understudy.config import Settings
from understudy.errors import AuthError
from understudy.server.app import create_app
from understudy.server.links import Links
from understudy.server.offered import offered_by
from understudy.server.service import Service
from understudy.storage import FakeStorage
from understudy.tasks.accounts import Account
from understudy.tasks.submission import Submission
from understudy.tasks.task import Task

ACCOUNT = Account(7, "mine", False, None, None)


class Authenticator:
    async def account(self, authorization: str | None) -> Account:
        if authorization is None:
            raise AuthError("auth_missing", "Authorization is empty.", fix="Send it.")
        if authorization != "Bearer good":
            raise AuthError("auth_invalid", "It is not valid.", fix="Send another.")
        return ACCOUNT


@dataclass
class Tasks:
    """Answers every question with ``found``, or raises ``error``; keeps what it was asked."""

    submitted: list[Submission] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    found: Task = SUBMITTED
    error: Exception | None = None

    async def submit(self, account: Account, submission: Submission) -> Task:
        if self.error is not None:
            raise self.error
        self.submitted.append(submission)
        return replace(SUBMITTED, external_task_id=submission.external_task_id, dialect=submission.dialect)

    async def find(self, account_id: int, name: str) -> Task:
        self.asked.append((account_id, name))
        if self.error is not None:
            raise self.error
        return self.found

    async def page(self, account_id: int, number: int, size: int) -> list[Task]:
        self.asked.append((account_id, number, size))
        return [self.found] * 2


class Database:
    async def close(self) -> None: ...


@dataclass
class SmallService:
    settings: Settings = field(default_factory=lambda: Settings(data_dir=Path("/nowhere")))
    tasks: Tasks = field(default_factory=Tasks)
    storage: FakeStorage = field(default_factory=FakeStorage)
    elements: object = None
    links: Links = field(default_factory=lambda: Links("https://m.example", [b"x"]))

    def ask(
        self, method: str, path: str, content: bytes | str | None = None, **headers: str
    ) -> httpx.Response:
        """The response to the account's request; an empty header is left out."""
        mine = {
            "settings": self.settings,
            "database": Database(),
            "tasks": self.tasks,
            "authenticator": Authenticator(),
            "links": self.links,
            "storage": self.storage,
            "elements": self.elements,
            "offered": offered_by(self.settings),
        }
        app = create_app(Service(**cast("Any", {part.name: mine.get(part.name) for part in fields(Service)})))
        given = {
            name.replace("_", "-"): value
            for name, value in ({"authorization": "Bearer good"} | headers).items()
        }

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(
                    method,
                    path,
                    content=content,
                    headers={name: value for name, value in given.items() if value},
                )

        return asyncio.run(one())
