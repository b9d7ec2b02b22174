"""A worker's GPUs: who has one, who waits for one, and when the next task is to be begun so that none stands idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

from understudy.progress import Progress
from understudy.tasks.gpu_host import GpuHost
from understudy.tasks.pace import DENOISING

# A task's own child is at work for some seconds to a minute before it wants its segments made, on cores that it shares.
AHEAD_S = 120.0

Waiting = Callable[[Callable[[], float | None]], AbstractContextManager[None]]
"""Entered by who waits for a GPU, with what tells for about how many seconds it still will: None is unknown."""


class Turn:
    """One task's use of a GPU."""

    def __init__(self, host: GpuHost) -> None:
        self.host = host
        self._first: tuple[int, float] | None = None  # denoising steps done, and when
        self._ends_s: float | None = None

    @property
    def left_s(self) -> float | None:
        """About how long it will still take; None before the first of its denoising steps is done."""
        return None if self._ends_s is None else max(self._ends_s - time.monotonic(), 0.0)

    async def make(self, folder: Path, progress: Progress, made: Callable[[int], None]) -> dict[str, float]:
        """See ``GpuHost.make``."""

        def told(stage: str, done: int, total: int) -> None:
            if stage == DENOISING:
                self._tell(done, total)
            progress(stage, done, total)

        return await self.host.make(folder, told, made)

    def _tell(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        if self._first is None:
            self._first = done, now_s
        first, begun_s = self._first
        if done > first:
            self._ends_s = now_s + (now_s - begun_s) * (total - done) / (done - first)


class GpuHosts:
    """One process for each GPU.

    A task that was taken from the queue is on its way until it has a GPU, and again where it lost that before its end.
    As many are as there are GPUs that are free or soon will be, and no more: what waits here longer might be made
    elsewhere.
    """

    def __init__(self, gpus: tuple[str, ...]) -> None:
        self._all = tuple(GpuHost(gpu) for gpu in gpus)
        self._free = list(self._all)
        self._places = asyncio.Semaphore(len(gpus))  # whoever came first gets the next one
        self._turns: list[Turn] = []
        self._line: list[object] = []
        self._stopping: list[GpuHost] = []  # nobody's, and not free yet
        self._taken: set[int] = set()
        self._coming: set[int] = set()

    def __len__(self) -> int:
        return len(self._all)

    @property
    def most_tasks(self) -> int:
        """That are taken at once: for each GPU the one that has it, and one that comes or goes."""
        return 2 * len(self._all)

    async def start(self) -> None:
        for host in self._all:
            await host.start()

    async def close(self) -> None:
        for host in self._all:
            await host.close()

    def has_room(self) -> bool:
        """Whether a further task is to be taken from the queue."""
        late = sum(host.loading for host in self._stopping)  # any other stops soon
        free = len(self._all) - len(self._turns) - late
        ending = sum(left_s is not None and left_s <= AHEAD_S for left_s in self._lefts())
        return len(self._coming) < free + ending

    def took(self, task_id: int) -> None:
        """The task was taken from the queue."""
        self._taken.add(task_id)
        self._coming.add(task_id)

    def let_go(self, task_id: int) -> None:
        """The work on it has ended, however it did."""
        self._taken.discard(task_id)
        self._coming.discard(task_id)

    @asynccontextmanager
    async def one(self, task_id: int, waiting: Waiting) -> AsyncIterator[Turn]:
        """A free GPU, rather one that has its model loaded; where there is none, whoever asked first gets the next."""
        place = object()
        self._line.append(place)
        try:
            with waiting(lambda: self._free_in_s(place)):
                await self._places.acquire()
        finally:
            self._line.remove(place)
        host = min(self._free, key=lambda each: not each.warm)
        self._free.remove(host)
        self._coming.discard(task_id)
        turn = Turn(host)
        self._turns.append(turn)
        try:
            yield turn
        except BaseException:
            if task_id in self._taken:  # it is tried again, or let go in a moment
                self._coming.add(task_id)
            raise
        finally:
            self._turns.remove(turn)
            self._stopping.append(host)
            host.when_stopped(lambda: self._give_back(host))

    def _give_back(self, host: GpuHost) -> None:
        self._stopping.remove(host)
        self._free.append(host)
        self._places.release()

    def _lefts(self) -> list[float | None]:
        return [turn.left_s for turn in self._turns]

    def _free_in_s(self, place: object) -> float | None:
        """Until that place's turn comes: the first in line gets the GPU that is free first, and so on. One that is
        stopping comes before those that are made use of, and nobody knows when."""
        known = sorted(left_s for left_s in self._lefts() if left_s is not None)
        ahead = self._line.index(place) - len(self._stopping)
        return known[ahead] if 0 <= ahead < len(known) else None
