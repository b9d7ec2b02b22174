"""The worker's side of a GPU: a process that has the model, kept warm between tasks, started again where it died."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from understudy.config import PREFIX, SECRET, chosen_folders
from understudy.engines.diffusion.failure import FAILED
from understudy.engines.diffusion.spec import LOADING
from understudy.progress import Progress
from understudy.tasks.answers import (
    ChildDied,
    error_of,
    how_it_ended,
    messages_of,
    progress_of,
    timings_of,
)
from understudy.tasks.child import LINE_BYTES
from understudy.tasks.child_process import KILL_TIMEOUT_S, end, keep_tail

COMMAND = (sys.executable, "-P", "-m", "understudy.engines.diffusion.host")
STOP_S = 180.0  # a denoising step of a large video takes half as long on a slow card
LOAD_STOP_S = (
    600.0  # while the model is loaded nothing else is heard, and a killed process would load it again
)
ENDS = frozenset({"done", "error", "stopped"})
VISIBLE = "CUDA_VISIBLE_DEVICES"
# What the process is told of the worker's environment: nothing that gives access to a storage or a database.
KEPT = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "CC", "CXX")
KEPT_BEGINNINGS = (
    *("UNDERSTUDY_", "CUDA", "NVIDIA", "TORCH", "PYTORCH", "TRITON", "NCCL", "LD_", "LC_", "XDG_"),
    *("PYTHON", "OMP_", "MKL_"),
    *("HIP_", "HSA_", "ROCR_", "ROCM_", "MIOPEN_"),  # AMD's
)
SECRET_VARIABLES = frozenset(PREFIX + name.upper() for name in SECRET)
NO_DOWNLOADS = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

log = logging.getLogger(__name__)


class GpuHost:
    """One process on one GPU; ``gpu`` is its number or name, empty where the process itself finds what there is.

    For one task at a time: the next one waits until the process has stopped what it did for the one before.
    """

    def __init__(self, gpu: str) -> None:
        self._gpu = gpu
        self._process: Process | None = None
        self._tail = bytearray()
        self._idle = True
        self._stage = ""  # that it told last
        self._stopping: asyncio.Task[None] | None = None
        self._one = asyncio.Lock()
        self.warm = False

    @property
    def stopping(self) -> bool:
        return self._stopping is not None and not self._stopping.done()

    @property
    def loading(self) -> bool:
        """Whether it loads its model, the last that was heard of it: it cannot stop before that is done."""
        return self._stage == LOADING

    def when_stopped(self, then: Callable[[], None]) -> None:
        """Call that once the process is at nothing any more; at once where it is so."""
        if self._stopping is not None and self.stopping:
            self._stopping.add_done_callback(lambda _: then())
        else:
            then()

    async def make(self, folder: Path, progress: Progress, made: Callable[[int], None]) -> dict[str, float]:
        """Have it make what is missing of the folder's assignment; ``made`` is called with each segment's number.

        Returns seconds by stage. Whatever ends it earlier, the process is asked to stop, and is killed where it does
        not within STOP_S (LOAD_STOP_S while it loads its model); nobody but the next task waits for that. Raises the
        UnderstudyError that the process tells, and ChildDied where it died.
        """
        await self._stopped()
        process = await asyncio.shield(asyncio.ensure_future(self._up()))
        try:
            self._idle, self._stage = False, ""
            await _say(process, make=str(folder.absolute()))
            return await self._listen(process, progress, made)
        except ChildDied:
            await self._end(process)
            raise
        finally:
            if not self._idle and self._process is process:
                self._stopping = asyncio.create_task(self._stop(process))

    async def start(self) -> None:
        """Where it does not run: it takes a while until the first task can be begun. What fails is told by that."""
        with suppress(ChildDied):
            await self._up()

    async def close(self) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
            await asyncio.wait((self._stopping,))
        async with self._one:
            if self._process is not None:
                await self._end(self._process, expected=True)

    async def _listen(
        self, process: Process, progress: Progress, made: Callable[[int], None]
    ) -> dict[str, float]:
        async for message in messages_of(process):
            kind, content = next(iter(message.items()), ("", None))
            self._idle = kind in ENDS
            if kind == "progress":
                self._stage, done, total = progress_of(content)
                progress(self._stage, done, total)
            elif kind == "segment" and isinstance(content, int):
                made(content)
            elif kind == "done":
                self.warm = True
                return timings_of(content)
            elif kind == "error":
                told = error_of(content)
                if isinstance(told, ChildDied):
                    raise told
                if told.code == FAILED:
                    await self._end(process)
                raise told
            else:
                raise ChildDied("the GPU's process answered what is no answer")
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILL_TIMEOUT_S)
        raise ChildDied(f"the GPU's process: {how_it_ended(process.returncode)}")

    async def _up(self) -> Process:
        async with self._one:
            if self._process is not None and self._process.returncode is None:
                return self._process
            if self._process is not None:
                await self._end(self._process)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *COMMAND,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=PIPE,
                    cwd="/",
                    env=_environment(self._gpu),
                    start_new_session=True,
                    limit=LINE_BYTES,
                )
            except OSError as error:
                raise ChildDied(f"the GPU's process could not be started: {error.strerror}") from error
            assert self._process.stderr is not None
            self._tail.clear()
            self._draining = asyncio.create_task(keep_tail(self._process.stderr, self._tail))
            self._idle = True
            log.info("GPU %s: process %d", self._gpu or "any", self._process.pid)
            return self._process

    async def _stopped(self) -> None:
        if self._stopping is not None:
            await asyncio.wait((self._stopping,))

    async def _stop(self, process: Process) -> None:
        with suppress(TimeoutError, ChildDied):
            async with asyncio.timeout(LOAD_STOP_S if self._stage == LOADING else STOP_S) as limit:
                await _say(process, stop=True)
                async for message in messages_of(process):
                    if _failed(message):
                        break  # it ends now
                    if self._stage == LOADING and "progress" in message:
                        self._stage, done, total = progress_of(message["progress"])
                        if self._stage != LOADING or done == total:
                            self._stage = ""
                            limit.reschedule(asyncio.get_running_loop().time() + STOP_S)
                    if ENDS & message.keys():
                        self._idle = True
                        return
        log.warning("GPU %s: its process did not stop and is ended", self._gpu or "any")
        await self._end(process)

    async def _end(self, process: Process, *, expected: bool = False) -> None:
        self._process = None if self._process is process else self._process
        self.warm = False
        await end(process)
        await asyncio.wait((self._draining,), timeout=KILL_TIMEOUT_S)
        self._draining.cancel()
        if self._tail and not expected:
            log.warning(
                "GPU %s: its process ended; it said %a",
                self._gpu or "any",
                self._tail.decode(errors="replace"),
            )
        self._tail.clear()


def _failed(message: dict[str, Any]) -> bool:
    error = message.get("error")
    return isinstance(error, dict) and error.get("code") == FAILED


def _environment(gpu: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in KEPT or name.startswith(KEPT_BEGINNINGS)) and name not in SECRET_VARIABLES
    }
    return {**kept, **chosen_folders(), **NO_DOWNLOADS, **({VISIBLE: gpu} if gpu else {})}


async def _say(process: Process, **message: Any) -> None:
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(json.dumps(message).encode() + b"\n")
        await process.stdin.drain()
