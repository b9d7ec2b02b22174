"""A process that works for us: held to a time, listened to, and ended for good with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from understudy.errors import EngineError
from understudy.tasks.child import LINE_BYTES

KILL_TIMEOUT_S = 5.0
LOG_BYTES = 4096


SMALLER = "Use a shorter or smaller video."
LONGER = f"{SMALLER} Whoever runs this service may allow more: UNDERSTUDY_RENDER_TIMEOUT_S."


def timed_out(limit_s: float, fix: str = SMALLER) -> EngineError:
    return EngineError(
        "render_timeout",
        f"The work took longer than the {limit_s:g} s that a task may take.",
        limit=f"{limit_s:g} s",
        fix=fix,
    )


class TimeLimit:
    """How long a block may still take; its clock can be stopped."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What goes on in here does not count."""
        at_s = self._timeout.when()
        assert at_s is not None
        loop = asyncio.get_running_loop()
        left_s = at_s - loop.time()
        self._timeout.reschedule(None)
        try:
            yield
        finally:
            self._timeout.reschedule(loop.time() + left_s)


@asynccontextmanager
async def time_limit(limit_s: float, fix: str = SMALLER) -> AsyncIterator[TimeLimit]:
    """Raise EngineError (``render_timeout``) when the block takes longer."""
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            yield TimeLimit(limit)
    except TimeoutError:
        if limit.expired():
            raise timed_out(limit_s, fix) from None
        raise


@asynccontextmanager
async def running(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """The work as a task that does not outlive the block."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # seen, if nobody asked for it


async def end(process: Process) -> None:
    """Kill the child and whatever it started, and see it gone."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_TIMEOUT_S):
            while process.stdout is not None and await process.stdout.read(LINE_BYTES):
                pass  # a pipe that is not read to its end is never closed
            await process.wait()


async def keep_tail(stream: asyncio.StreamReader, tail: bytearray) -> None:
    while chunk := await stream.read(LOG_BYTES):
        tail += chunk
        del tail[:-LOG_BYTES]
