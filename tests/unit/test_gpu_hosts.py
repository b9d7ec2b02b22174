"""Who gets a GPU, and when a worker takes one task more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from understudy.progress import Progress, silent
from understudy.tasks import gpu_hosts
from understudy.tasks.answers import ChildDied
from understudy.tasks.gpu_host import GpuHost
from understudy.tasks.gpu_hosts import GpuHosts

Left = Callable[[], float | None]


class Steps:
    """Makers that do one step whenever they are told to, of so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, total: int) -> None:
        self.tellers: list[Progress] = []
        self.total = total
        self.now_s = 100.0
        monkeypatch.setattr(GpuHost, "make", self._make)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)

    async def _make(self, folder: Path, progress: Progress, made: Callable[[int], None]) -> dict[str, float]:
        progress("loading", 0, 1)
        self.tellers.append(progress)
        await asyncio.Event().wait()
        raise AssertionError

    def tell(self, done: int, after_s: float, maker: int = 0) -> None:
        self.now_s += after_s
        self.tellers[maker]("denoising", done, self.total)


class Line:
    """Tasks of a worker, by their numbers."""

    def __init__(self, *gpus: str) -> None:
        self.hosts = GpuHosts(gpus)
        self.works: dict[int, asyncio.Task[None]] = {}
        self.lefts: dict[int, Left] = {}
        self.at_gpu: list[int] = []

    def take(self, number: int) -> None:
        self.hosts.took(number)

    async def ready(self, number: int) -> None:
        self.works[number] = asyncio.create_task(self._work(number))
        await settled()

    async def end(self, number: int) -> None:
        self.works[number].cancel()
        await settled()
        self.hosts.let_go(number)

    async def _work(self, number: int) -> None:
        @contextmanager
        def waiting(left: Left) -> Iterator[None]:
            self.lefts[number] = left
            try:
                yield
            finally:
                del self.lefts[number]

        async with self.hosts.one(number, waiting) as turn:
            self.at_gpu.append(number)
            await turn.make(Path(), silent, lambda _: None)


def held(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Processes do not stop before what is in this list is called."""
    stopped: list[Callable[[], None]] = []
    monkeypatch.setattr(GpuHost, "when_stopped", lambda self, then: stopped.append(then))
    return stopped


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_next_task_is_taken_when_the_gpu_will_soon_be_free(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, total=100)

    async def story() -> None:
        line = Line("")
        assert line.hosts.has_room()
        line.take(1)
        assert not line.hosts.has_room()  # that one is on its way
        await line.ready(1)
        assert not line.hosts.has_room()  # how long it will take is not known
        steps.tell(0, after_s=600)
        assert not line.hosts.has_room()
        steps.tell(10, after_s=30)  # 270 s are left
        assert not line.hosts.has_room()
        steps.now_s += 270 - gpu_hosts.AHEAD_S
        assert line.hosts.has_room()
        line.take(2)
        assert not line.hosts.has_room()
        await line.ready(2)
        assert line.lefts[2]() == pytest.approx(gpu_hosts.AHEAD_S)
        await line.end(1)
        assert line.at_gpu == [1, 2]
        assert not line.hosts.has_room()
        await line.end(2)
        assert line.hosts.has_room()

    asyncio.run(story())


def test_a_task_that_ends_on_its_way_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        line = Line("")
        line.take(1)
        line.hosts.let_go(1)
        assert line.hosts.has_room()

    asyncio.run(story())


def test_steps_that_an_earlier_attempt_made_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, total=100)

    async def story() -> None:
        line = Line("")
        line.take(1)
        await line.ready(1)
        steps.tell(90, after_s=1)
        steps.tell(91, after_s=20)
        line.take(2)
        await line.ready(2)
        assert line.lefts[2]() == pytest.approx(180)
        assert not line.hosts.has_room()

    asyncio.run(story())


def test_the_gpu_goes_to_whoever_was_ready_first(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, total=100)

    async def story() -> None:
        line = Line("0", "1")
        for number in range(1, 5):
            line.take(number)
        for number in (3, 1, 4, 2):
            await line.ready(number)
        assert line.at_gpu == [3, 1]
        steps.tell(0, 0.0, maker=0)
        steps.tell(0, 0.0, maker=1)
        steps.tell(50, 50.0, maker=0)  # 50 s are left
        assert line.lefts[4]() == pytest.approx(50)
        assert line.lefts[2]() is None
        steps.tell(80, 0.0, maker=1)  # 12.5 s are left
        assert line.lefts[4]() == pytest.approx(12.5)
        assert line.lefts[2]() == pytest.approx(50)
        await line.end(1)
        assert line.at_gpu == [3, 1, 4]
        assert line.lefts[2]() == pytest.approx(50)
        await line.end(2)  # it was waiting still
        assert line.lefts == {}
        await line.end(3)
        await line.end(4)
        assert line.at_gpu == [3, 1, 4]

    asyncio.run(story())


def test_a_gpu_that_has_to_stop_first_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    Steps(monkeypatch, total=100)
    stopped = held(monkeypatch)

    async def story() -> None:
        line = Line("")
        line.take(1)
        await line.ready(1)
        await line.end(1)
        assert line.hosts.has_room()  # it will not take long
        line.take(2)
        await line.ready(2)
        assert line.at_gpu == [1]
        stopped[0]()
        await settled()
        assert line.at_gpu == [1, 2]
        await line.end(2)

    asyncio.run(story())


def test_who_waits_for_a_gpu_that_stops_is_not_told_anothers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, stopped = Steps(monkeypatch, total=100), held(monkeypatch)

    async def story() -> None:
        line = Line("0", "1")
        for number in (1, 2):
            line.take(number)
            await line.ready(number)
        steps.tell(0, 0.0, maker=1)
        steps.tell(1, 36.0, maker=1)  # 3,564 s are left
        await line.end(1)
        for number in (3, 4):
            line.take(number)
            await line.ready(number)
        assert line.lefts[3]() is None
        assert line.lefts[4]() == pytest.approx(3564)
        stopped[0]()
        await settled()
        assert line.at_gpu == [1, 2, 3]
        assert line.lefts[4]() == pytest.approx(3564)
        for number in (2, 3, 4):
            await line.end(number)

    asyncio.run(story())


def test_a_gpu_that_still_loads_its_model_makes_no_room_when_it_is_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Steps(monkeypatch, total=100)
    stopped = held(monkeypatch)
    monkeypatch.setattr(GpuHost, "loading", True)

    async def story() -> None:
        line = Line("")
        line.take(1)
        await line.ready(1)
        await line.end(1)
        assert not line.hosts.has_room()
        stopped[0]()
        assert line.hosts.has_room()

    asyncio.run(story())


def test_a_task_that_is_tried_again_is_on_its_way_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GpuHost, "make", died)

    async def story() -> None:
        line = Line("")
        line.take(1)
        await line.ready(1)
        with pytest.raises(ChildDied):
            await line.works[1]
        assert not line.hosts.has_room()
        line.hosts.let_go(1)
        assert line.hosts.has_room()

    asyncio.run(story())


def test_a_task_that_was_let_go_meanwhile_is_on_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    Steps(monkeypatch, total=100)

    async def story() -> None:
        line = Line("")
        line.take(1)
        await line.ready(1)
        line.hosts.let_go(1)
        await line.end(1)
        assert line.hosts.has_room()

    asyncio.run(story())


async def died(*_: object) -> dict[str, float]:
    raise ChildDied("it was killed")
