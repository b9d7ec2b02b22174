"""The confined children of a worker: each is started, listened to and ended here."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from understudy import config
from understudy.errors import UnderstudyError
from understudy.progress import Progress
from understudy.tasks.answers import (
    ChildDied,
    error_of,
    how_it_ended,
    messages_of,
    progress_of,
    segments_of,
    text_of,
)
from understudy.tasks.child import LINE_BYTES, Job
from understudy.tasks.child_process import KILL_TIMEOUT_S, end, keep_tail, running, timed_out
from understudy.tasks.sandbox import environment

COMMAND = (sys.executable, "-P", "-m", "understudy.tasks.child")  # -P: the work folder holds no modules

log = logging.getLogger(__name__)


class Children:
    """Those of one renderer. ``timeout_s`` is what is told of one that the system ended for its processor time."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._missing: tuple[str, ...] = ()

    @asynccontextmanager
    async def at_work(self, folder: Path, whose: str, job: Job) -> AsyncIterator[Process]:
        """A child at its work, in a process group of its own that is killed on the way out."""
        folder = folder.absolute()
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=folder,
                env=environment(folder, config.models_dir().absolute(), job.threads),
                start_new_session=True,
                limit=LINE_BYTES,
            )
        except OSError as error:
            raise ChildDied(f"it could not be started: {error.strerror}") from error
        assert process.stdin is not None
        assert process.stderr is not None
        tail = bytearray()
        async with running(keep_tail(process.stderr, tail)) as drained:
            died = False
            try:
                with suppress(ConnectionError):
                    process.stdin.write(job.to_line())
                    await process.stdin.drain()
                yield process
            except (ChildDied, UnderstudyError):
                died = True
                raise
            finally:
                await end(process)
                await asyncio.wait((drained,), timeout=KILL_TIMEOUT_S)
                if died and tail:
                    log.warning("%s: its child said %a", whose, tail.decode(errors="replace"))

    async def answer(
        self, process: Process, tell: Progress, wanted: asyncio.Future[int] | None = None
    ) -> Mapping[str, Any]:
        """The child's result. Raises the error that it tells, EngineError (``render_timeout``) and ChildDied."""
        async for message in messages_of(process):
            kind, content = next(iter(message.items()), ("", None))
            if len(message) != 1 or kind not in ("missing", "progress", "wanted", "result", "error"):
                raise ChildDied("it answered what is no answer")
            if kind == "missing":
                self._tell_missing(content)
            elif kind == "wanted":
                if wanted is None or wanted.done():
                    raise ChildDied("it wants what it has no need of")
                wanted.set_result(segments_of(content))
            elif kind == "progress":
                tell(*progress_of(content))
            elif kind == "error":
                raise error_of(content)
            elif isinstance(content, dict):
                return content
            else:
                raise ChildDied("its result is none")
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILL_TIMEOUT_S)
        if process.returncode == -signal.SIGXCPU:
            raise timed_out(self._timeout_s)
        raise ChildDied(how_it_ended(process.returncode))

    def _tell_missing(self, content: object) -> None:
        """Once, not for every task."""
        missing = tuple(text_of(each) for each in content) if isinstance(content, list) else ()
        if missing != self._missing:
            self._missing = missing
            log.warning("Children are confined without: %a", ", ".join(missing) or "nothing")
