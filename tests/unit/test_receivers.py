"""Turns to call a receiver: few at a time, and hardly any for one that answers nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from understudy.tasks import receivers
from understudy.tasks.receivers import (
    ACCOUNT_AT_ONCE,
    AT_ONCE,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    SILENT,
    PutOff,
    Receivers,
    Turn,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(story: Callable[[Receivers, Clock], Awaitable[None]]) -> None:
    clock = Clock()
    asyncio.run(_awaited(story(Receivers(clock), clock)))


async def _awaited(story: Awaitable[None]) -> None:
    await story


async def turn(its: Receivers, host: str = "dead", account: int = 1) -> Turn:
    given = await its.enter(host, account)
    assert isinstance(given, Turn)
    return given


async def fall_silent(its: Receivers) -> None:
    for _ in range(SILENT):
        its.leave(await turn(its), answered=False)


def test_a_host_is_called_by_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "UNPROVEN_WAIT_S", 0.05)

    async def story(its: Receivers, _: Clock) -> None:
        turns = [await turn(its, account=number) for number in range(AT_ONCE)]
        assert isinstance(await its.enter("dead", 99), PutOff)
        await turn(its, "other")  # which is nobody else's trouble
        its.leave(turns[0], answered=True)
        await turn(its, account=99)

    run(story)


def test_who_waits_gets_the_place_that_becomes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "UNPROVEN_WAIT_S", 0.0)

    async def story(its: Receivers, _: Clock) -> None:
        first, second = await turn(its), await turn(its)
        its.leave(first, answered=True)  # it is known to answer now
        turns = [second, *[await turn(its, account=number) for number in range(AT_ONCE - 1)]]
        waiting = [asyncio.create_task(its.enter("dead", 99)) for _ in range(3)]
        await asyncio.sleep(0.01)
        for given in turns[:3]:
            its.leave(given, answered=True)
        got = await asyncio.wait_for(asyncio.gather(*waiting), 1)
        assert all(isinstance(each, Turn) for each in got)

    run(story)


def test_only_so_many_wait_for_one_host() -> None:
    async def story(its: Receivers, _: Clock) -> None:
        for number in range(AT_ONCE):
            await turn(its, account=number)
        waiting = [asyncio.create_task(its.enter("dead", number)) for number in range(100, 150)]
        await asyncio.sleep(0.05)
        assert sum(task.done() for task in waiting) == 50 - receivers.WAITING
        await asyncio.gather(*waiting)

    run(story)


def test_an_account_holds_a_share_of_all_places() -> None:
    async def story(its: Receivers, _: Clock) -> None:
        turns = [await turn(its, f"host{number}") for number in range(ACCOUNT_AT_ONCE)]
        assert isinstance(await its.enter("another", 1), PutOff)
        await turn(its, "another", account=2)
        its.leave(turns[0], answered=False)
        await turn(its, "another")

    run(story)


def test_a_silent_host_is_left_alone_until_a_probe_is_answered() -> None:
    async def story(its: Receivers, clock: Clock) -> None:
        await fall_silent(its)
        put_off = await its.enter("dead", 1)
        assert isinstance(put_off, PutOff)
        assert put_off.silent
        assert put_off.seconds == pytest.approx(FIRST_PAUSE_S)

        clock.now += FIRST_PAUSE_S
        probe = await turn(its)
        assert isinstance(await its.enter("dead", 1), PutOff)  # one probe at a time
        its.leave(probe, answered=False)
        clock.now += FIRST_PAUSE_S
        assert isinstance(await its.enter("dead", 1), PutOff)  # the pause has grown
        clock.now += FIRST_PAUSE_S
        its.leave(await turn(its), answered=True)
        for number in range(AT_ONCE):
            await turn(its, account=number)

    run(story)


def test_pauses_grow_up_to_a_limit() -> None:
    async def story(its: Receivers, clock: Clock) -> None:
        await fall_silent(its)
        begun, probes = clock.now, 0
        while clock.now < begun + 86400:
            if isinstance(given := await its.enter("dead", 1), Turn):
                its.leave(given, answered=False)
                probes += 1
            clock.now += 1
        assert 86400 / LONGEST_PAUSE_S <= probes < 86400 / LONGEST_PAUSE_S + 10

    run(story)


def test_answers_in_between_keep_a_host_open() -> None:
    async def story(its: Receivers, _: Clock) -> None:
        for _round in range(5):
            for _ in range(SILENT - 1):
                its.leave(await turn(its), answered=False)
            its.leave(await turn(its), answered=True)
        await turn(its)

    run(story)


def test_those_in_flight_when_it_fell_silent_do_not_lengthen_the_pause() -> None:
    async def story(its: Receivers, clock: Clock) -> None:
        turns = [await turn(its) for _ in range(AT_ONCE)]
        for given in turns:
            its.leave(given, answered=False)
        clock.now += FIRST_PAUSE_S
        assert (await turn(its)).probe

    run(story)


def test_a_probe_that_was_broken_off_leaves_its_place_to_another() -> None:
    async def story(its: Receivers, clock: Clock) -> None:
        await fall_silent(its)
        clock.now += FIRST_PAUSE_S
        its.leave(await turn(its), answered=None)
        assert (await turn(its)).probe

    run(story)


def test_hosts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "MOST_HOSTS", 10)

    async def story(its: Receivers, clock: Clock) -> None:
        for number in range(30):
            its.leave(await turn(its, f"good{number}"), answered=True)
        assert not its._hosts
        for number in range(10):
            its.leave(await turn(its, f"bad{number}"), answered=False)
        clock.now += receivers.FORGOTTEN_S + 1
        its.leave(await turn(its, "bad10"), answered=False)
        assert set(its._hosts) == {"bad10"}

    run(story)


def test_those_put_off_come_back_one_after_the_other() -> None:
    async def story(its: Receivers, clock: Clock) -> None:
        await fall_silent(its)
        for _round in range(3):  # also when they come back, and are put off again
            waits = [await its.enter("dead", 1) for _ in range(1000)]
            times = [each.seconds for each in waits if isinstance(each, PutOff)]
            assert times[-1] - times[0] == pytest.approx(999 * receivers.UNPROVEN_APART_S)
            clock.now += 1
        assert isinstance(await its.enter("other", 2), Turn)

    run(story)
