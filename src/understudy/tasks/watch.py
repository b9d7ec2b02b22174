"""What goes on beside the work on a task: telling the database how far it is, and noticing that it is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from understudy.errors import UnavailableError
from understudy.tasks.task import Task
from understudy.tasks.work import Work

EVERY_S = 0.5  # a cancelled task's work has to stop within two seconds

T = TypeVar("T")


class TaskOverError(Exception):
    """The task has ended, or another worker has it: there is nothing more to do for this one."""


class Watch:
    """Says every half second that the worker is at the task, and where it is cancelled, that nobody is any more. A
    database that is away does not stop the work."""

    def __init__(self, work: Work, task: Task, stage: str) -> None:
        self._work = work
        self._task = task
        self._stage = stage
        self._progress = 0.0
        self._time_left_s: float | None = None

    def tell(self, stage: str, progress: float, time_left_s: float | None) -> None:
        """Where the work is now; the next report has it."""
        self._stage, self._progress, self._time_left_s = stage, progress, time_left_s

    async def over(self, body: Coroutine[Any, Any, T]) -> T:
        """What the work returns or raises. Raises TaskOverError when it is to stop; the work is cancelled then."""
        work = asyncio.create_task(body)
        stopped = False
        try:
            while not work.done():
                await asyncio.wait([work], timeout=EVERY_S)
                if not work.done() and not await self._report():
                    raise TaskOverError
            return work.result()
        except asyncio.CancelledError:
            stopped = True
            raise
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])
                if not work.cancelled():
                    work.exception()  # looked at, or asyncio would complain of it
            if stopped:
                await asyncio.wait([asyncio.create_task(self._let_go())])

    async def _let_go(self) -> None:
        with suppress(UnavailableError):
            await self._work.let_go(self._task)

    async def _report(self) -> bool:
        try:
            return await self._work.report(self._task, self._stage, self._progress, self._time_left_s)
        except UnavailableError:
            return True
