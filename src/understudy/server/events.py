"""A task's life as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from pydantic import BaseModel

from understudy.errors import TaskError, UnavailableError
from understudy.server.native_answers import progress_answer, task_answer
from understudy.server.service import Service
from understudy.tasks.standing import Standing
from understudy.tasks.task import Status, Task

EVENT_STREAM = "text/event-stream"
POLL_S = 0.5
HEARTBEAT_S = 15.0
RETRY_MS = 2000
LONGEST_S = 3600.0  # then the client connects anew, and shows its key again


def already_told(task: Task, last_event_id: str | None) -> bool:
    """Whether the client knows the task's end: nothing is left to tell."""
    return task.status.ended and last_event_id == task.status


async def task_events(service: Service, account_id: int, task: Task) -> AsyncGenerator[bytes, None]:
    """``status`` with the whole task at once and at each change of status, ``progress`` in between; ends after the
    task's end, or when the task was deleted. Holds no connection to the database while it waits."""
    standing = Standing(service.database)
    yield f"retry: {RETRY_MS}\n\n".encode()
    told_status: Status | None = None
    told_progress: BaseModel | None = None
    began = told_at = time.monotonic()
    current: Task | None = task
    position: int | None = None
    while True:
        if current is not None:
            progress = progress_answer(current, position)
            if current.status is not told_status:
                answer = task_answer(current, service.links, queue_position=position)
                yield _event("status", current.status, answer)
                told_status, told_progress, told_at = current.status, progress, time.monotonic()
            elif progress != told_progress:
                yield _event("progress", f"{current.status}-{current.progress:.3f}", progress)
                told_progress, told_at = progress, time.monotonic()
            if current.status.ended:
                return
        if time.monotonic() - told_at > HEARTBEAT_S:
            yield b": still here\n\n"
            told_at = time.monotonic()
        if time.monotonic() - began > LONGEST_S:
            return
        await asyncio.sleep(POLL_S)
        try:
            current = await service.tasks.find(account_id, str(task.id))
            position = await standing.ahead(current) + 1 if current.status is Status.SUBMITTED else None
        except UnavailableError:
            current = None  # the database will be back
        except TaskError:
            return


def _event(name: str, event_id: str, data: BaseModel) -> bytes:
    """JSON has no line breaks of its own, so the data is one line."""
    return f"event: {name}\nid: {event_id}\ndata: {data.model_dump_json()}\n\n".encode()
