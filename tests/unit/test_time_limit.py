"""The limit on a child's time, and what does not count against it."""

from __future__ import annotations

import asyncio

import pytest

from understudy.errors import EngineError
from understudy.tasks.child_process import time_limit


async def worked(limit_s: float, before_s: float, stopped_s: float, after_s: float) -> None:
    async with time_limit(limit_s) as limit:
        await asyncio.sleep(before_s)
        with limit.stopped():
            await asyncio.sleep(stopped_s)
        await asyncio.sleep(after_s)


def test_what_goes_on_while_the_clock_is_stopped_does_not_count() -> None:
    asyncio.run(worked(0.3, 0.0, 0.5, 0.0))


@pytest.mark.parametrize(("before_s", "after_s"), [(0.3, 0.3), (0.0, 0.6)])
def test_what_was_left_before_it_stopped_is_left_afterwards(before_s: float, after_s: float) -> None:
    with pytest.raises(EngineError) as caught:
        asyncio.run(worked(0.5, before_s, 0.0, after_s))
    assert caught.value.code == "render_timeout"
