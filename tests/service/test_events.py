"""A task's life as server-sent events, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from open_app import TASKS, OpenApp, with_app

from understudy.errors import UnavailableError
from understudy.server import events
from understudy.tasks.database import Database
from understudy.tasks.records import Tasks
from understudy.tasks.task import Task


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """As an EventSource parts them."""
    current: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            current[name] = value.removeprefix(" ")
        elif current:
            yield current
            current = {}


def test_from_handing_in_to_the_end(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create()
        seen: list[dict[str, Any]] = []
        async with it.client.stream("GET", f"{TASKS}/{task['id']}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            work = None
            async for event in _events(answer):
                if "event" not in event:
                    assert event == {"retry": "2000"}
                    continue
                data = json.loads(event["data"])
                seen.append({"event": event["event"], "id": event["id"], **data})
                if data["status"] == "submitted":
                    work = await it.begin(task["id"])
                elif event["event"] == "status" and data["status"] == "processing":
                    assert work is not None
                    await it.work.report(work, "draw", 0.5, 3.0)
                elif event["event"] == "progress":
                    await it.finish(task["id"], b"video")
        assert [(each["event"], each["status"]) for each in seen] == [
            ("status", "submitted"),
            ("status", "processing"),
            ("progress", "processing"),
            ("status", "succeed"),
        ]
        assert seen[0]["queue_position"] == 1
        assert (seen[2]["stage"], seen[2]["progress"], seen[2]["time_left_s"]) == ("draw", 0.5, 3.0)
        assert seen[-1] == {
            "event": "status",
            "id": "succeed",
            **(await it.client.get(f"{TASKS}/{task['id']}")).json(),
        }
        known = {"Last-Event-ID": "succeed"}
        again = await it.client.get(f"{TASKS}/{task['id']}/events", headers=known)
        assert again.status_code == 204
        other = await it.client.get(f"{TASKS}/{task['id']}/events", headers={"Last-Event-ID": "x\ty"})
        assert other.text.count("event: status") == 1

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_a_comment_when_nothing_happens(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)

    async def test(it: OpenApp) -> None:
        task = await it.create()
        comments = 0
        async with it.client.stream("GET", f"{TASKS}/{task['id']}/events") as answer:
            async for line in answer.aiter_lines():
                comments += line.startswith(":")
                if comments == 2:
                    await it.client.post(f"{TASKS}/{task['id']}/cancel")
                    comments += 1
        assert comments >= 3

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_a_deleted_task_ends_the_stream(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task = await it.create()
        async with asyncio.timeout(5), it.client.stream("GET", f"{TASKS}/{task['id']}/events") as answer:
            async for event in _events(answer):
                if "event" in event:
                    await it.client.delete(f"{TASKS}/{task['id']}")

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_many_listeners_hold_no_connection_and_stop_when_they_leave(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = 0
    begin = Database.begin

    def counted(self: Database) -> Any:
        nonlocal queries
        queries += 1
        return begin(self)

    monkeypatch.setattr(Database, "begin", counted)
    read = Database.read

    def counted_read(self: Database) -> Any:
        nonlocal queries
        queries += 1
        return read(self)

    monkeypatch.setattr(Database, "read", counted_read)

    async def test(it: OpenApp) -> None:
        task = await it.create()

        async def listen() -> None:
            async with it.client.stream("GET", f"{TASKS}/{task['id']}/events", timeout=30) as answer:
                async for _ in answer.aiter_lines():
                    pass

        listeners = [asyncio.create_task(listen()) for _ in range(40)]  # more than the pool has connections
        await asyncio.sleep(2.0)
        assert (await it.client.get(f"{TASKS}/{task['id']}")).status_code == 200
        pool = it.service.database.engine.pool
        held = set()
        for _ in range(100):
            held.add(pool.checkedout())  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        assert 0 in held
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        await asyncio.sleep(1.0)
        before = queries
        await asyncio.sleep(1.5)
        assert queries == before

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_the_database_may_go_away(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = Tasks.find
    away = 0

    async def flaky(self: Tasks, account_id: int, name: str) -> Task:
        nonlocal away
        if away:
            away -= 1
            raise UnavailableError("unavailable", "It is away.", fix="Wait.")
        return await find(self, account_id, name)

    monkeypatch.setattr(Tasks, "find", flaky)

    async def test(it: OpenApp) -> None:
        nonlocal away
        task = await it.create()
        statuses = []
        async with it.client.stream("GET", f"{TASKS}/{task['id']}/events") as answer:
            async for event in _events(answer):
                if event.get("event") == "status":
                    statuses.append(json.loads(event["data"])["status"])
                    if len(statuses) == 1:
                        away = 2
                        await it.finish(task["id"], b"video")
        assert (statuses, away) == (["submitted", "succeed"], 0)

    with_app(database_url, tmp_path, test, over_tcp=True)
