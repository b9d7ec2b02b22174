"""The limit on a child's time, and what does not count against it."""

from __future__ import annotations

import asyncio

import pytest

from understudy.errors import EngineError
from understudy.tasks.child_process import time_limit


class Clock:
    """The running loop's own: it stands still but for what it is told."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        asyncio.get_running_loop().time = lambda: self._now_s  # type: ignore[method-assign]

    async def passes(self, time_s: float) -> None:
        self._now_s += time_s
        for _ in range(5):  # what is due then is done
            await asyncio.sleep(0)


async def worked(limit_s: float, before_s: float, stopped_s: float, after_s: float) -> None:
    clock = Clock()
    async with time_limit(limit_s) as limit:
        await clock.passes(before_s)
        with limit.stopped():
            await clock.passes(stopped_s)
        await clock.passes(after_s)


def test_what_goes_on_while_the_clock_is_stopped_does_not_count() -> None:
    asyncio.run(worked(30, before_s=10, stopped_s=500, after_s=19))


@pytest.mark.parametrize(("before_s", "after_s"), [(20, 11), (0, 31), (31, 0)])
def test_what_was_left_before_it_stopped_is_left_afterwards(before_s: float, after_s: float) -> None:
    with pytest.raises(EngineError) as caught:
        asyncio.run(worked(30, before_s, 500, after_s))
    assert caught.value.code == "render_timeout"
