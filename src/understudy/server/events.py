"""A task's life as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from understudy.errors import TaskError, UnavailableError
from understudy.server.native_answers import ProgressAnswer, progress_answer, task_answer
from understudy.server.service import Service
from understudy.tasks.standing import Standing
from understudy.tasks.task import Status, Task

EVENT_STREAM = "text/event-stream"
POLL_S = 0.5
HEARTBEAT_S = 15.0
RETRY_MS = 2000
NO_WORKER = "no worker"  # a stage: nobody looks into the queue of such tasks, nor is at this one
LONGEST_S = 3600.0  # then the client connects anew, and shows its key again


def already_told(task: Task, last_event_id: str | None) -> bool:
    """Whether the client knows the task's end: nothing is left to tell."""
    return task.status.ended and last_event_id == task.status


class TaskEvents(StreamingResponse):
    """``status`` with the whole task at once and at each change of status, ``progress`` in between; ends after the
    task's end, when the task was deleted, or when the client has gone.

    Holds no connection to the database while it waits. The client's going is looked for between two queries: one that
    is cancelled midway costs its connection.
    """

    def __init__(self, service: Service, account_id: int, task: Task) -> None:
        self._service = service
        self._account_id = account_id
        self._gone = asyncio.Event()
        super().__init__(
            self._events(task),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listener = asyncio.create_task(self._listen(receive))
        try:
            await self.stream_response(send)
        finally:
            listener.cancel()
            await asyncio.wait([listener])

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def _events(self, task: Task) -> AsyncGenerator[bytes, None]:
        yield f"retry: {RETRY_MS}\n\n".encode()
        told_status: Status | None = None
        told_progress: ProgressAnswer | None = None
        began = told_at = time.monotonic()
        while not self._gone.is_set() and time.monotonic() - began < LONGEST_S:
            try:
                if told_status is not None:
                    task = await self._service.tasks.find(self._account_id, str(task.id))
                told, position = await in_queue(self._service, task)
            except UnavailableError:
                pass  # the database will be back
            except TaskError:
                return
            else:
                progress = progress_answer(told, position)
                if task.status is not told_status:
                    answer = task_answer(told, self._service.links, queue_position=position)
                    yield _event("status", task.status, answer)
                    told_status, told_progress, told_at = task.status, progress, time.monotonic()
                elif progress != told_progress:
                    yield _event("progress", f"{task.status}-{task.progress:.3f}", progress)
                    told_progress, told_at = progress, time.monotonic()
                if task.status.ended:
                    return
            if time.monotonic() - told_at > HEARTBEAT_S:
                yield b": still here\n\n"
                told_at = time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), POLL_S)


async def in_queue(service: Service, task: Task) -> tuple[Task, int | None]:
    """The task ``as_deserted``, and its position: 1 for the next one to begin, None for one that has begun."""
    (task,) = await as_deserted(service, [task])
    if task.status is not Status.SUBMITTED:
        return task, None
    return task, await Standing(service.database).ahead(task) + 1


async def as_deserted(service: Service, some: Sequence[Task]) -> list[Task]:
    """The tasks, with the stage ``NO_WORKER`` and no time left where they wait for a worker that is not there."""
    deserted = await Standing(service.database).deserted_of(some)
    return [
        replace(task, stage=NO_WORKER, time_left_s=None) if task.id in deserted else task for task in some
    ]


def _event(name: str, event_id: str, data: BaseModel) -> bytes:
    """JSON has no line breaks of its own, so the data is one line."""
    return f"event: {name}\nid: {event_id}\ndata: {data.model_dump_json()}\n\n".encode()
