"""Callbacks through the real queue: in order within a task, and no receiver in another one's way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from callback_setting import LOOPBACK, Setting, run
from receiver import OK, Receiver, answer, receiving
from sqlalchemy import text

from understudy.tasks import callbacks
from understudy.tasks.callbacks import Deliverer
from understudy.tasks.jobs import DELIVER
from understudy.tasks.queue import ProcrastinateJobs, QueueWorker

CONCURRENCY = 64


@asynccontextmanager
async def delivering(its: Setting, deliverer: Deliverer | None = None) -> AsyncIterator[None]:
    deliver = (deliverer or its.deliverer).deliver
    worker = QueueWorker(its.database.url, (DELIVER,), deliver, concurrency=CONCURRENCY)
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(reached: Callable[[], Awaitable[bool]], *, within_s: float) -> float:
    """How long it took, in seconds."""
    begun = time.monotonic()
    while not await reached():
        assert time.monotonic() - begun < within_s
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


def came_to(receiver: Receiver, number: int) -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        return len(receiver.received) >= number

    return reached


def test_later_ones_wait_for_an_earlier_one_that_is_tried_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "BACK_OFF_S", (2,) * 10)

    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving(answer(500), answer(503), OK) as receiver, receiving() as other, delivering(its):
            task = await its.task(account, receiver.url)
            await until(came_to(receiver, 1), within_s=10)
            await its.run_through(task)  # two more, while the first waits
            await its.task(account, other.url)
            await until(came_to(other, 1), within_s=10)
            assert len(receiver.received) == 1
            await until(came_to(receiver, 5), within_s=30)
            await asyncio.sleep(0.5)
        told = [json.loads(each.body)["task_status"] for each in receiver.received]
        assert told == ["submitted", "submitted", "submitted", "processing", "succeed"]
        assert {each.state for each in await its.log(account)} == {"delivered"}

    run(database_url, story, queue=ProcrastinateJobs())


def test_a_dead_receiver_delays_nobody_else(database_url: str) -> None:
    """200 deliveries to one that accepts and never answers, before 20 to a healthy one of the same account."""

    async def story(its: Setting) -> None:
        account = await its.account()
        deliverer = its.deliverer_allowed(LOOPBACK, timeout_s=callbacks.posting.TIMEOUT_S)
        async with receiving(b"") as dead, receiving() as healthy:
            for _ in range(200):
                await its.task(account, dead.url)
            for _ in range(20):
                await its.task(account, healthy.url)
            async with delivering(its, deliverer):
                took_s = await until(came_to(healthy, 20), within_s=30)  # without turns: 45 s and more
                for _ in range(5):  # nor those that come while it is known to be dead
                    await its.task(account, healthy.url)
                later_s = await until(came_to(healthy, 25), within_s=10)
        print(f"healthy ones delivered within {took_s:.1f} s, later ones within {later_s:.1f} s")
        assert len(dead.received) <= 16
        async with its.database.begin() as connection:
            tries = await connection.scalar(
                text("SELECT sum(tries) FROM deliveries WHERE url = :url"), {"url": dead.url}
            )
        assert tries <= 16

    run(database_url, story, queue=ProcrastinateJobs())


def test_one_that_a_killed_worker_had_is_delivered_by_the_next(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with receiving(b"", OK) as receiver:
            await its.task(account, receiver.url)
            async with delivering(its):
                await until(came_to(receiver, 1), within_s=10)
            async with its.database.begin() as connection:  # the time that a lease takes
                await connection.execute(text("UPDATE deliveries SET next_at = now()"))
                await connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now()"))
            async with delivering(its):
                await until(came_to(receiver, 2), within_s=10)
                await asyncio.sleep(0.3)
        (logged,) = await its.log(account)
        assert (logged.state, len(logged.tries)) == ("delivered", 1)
        assert receiver.received[0].body == receiver.received[1].body

    run(database_url, story, queue=ProcrastinateJobs())
