"""Who gets a place to fetch a file for an upload, and who is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from understudy.errors import AccountError
from understudy.server.dialects.kie_errors import kie_upload_error
from understudy.server.dialects.kie_fetches import Fetches

MINE, OTHER, THIRD = 1, 2, 3


def run(story: Callable[[Fetches], Awaitable[None]]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(story(Fetches(3, 2, wait_s=0.05)), 10)

    asyncio.run(whole())


def test_one_account_leaves_places_to_the_others() -> None:
    async def story(fetches: Fetches) -> None:
        async with fetches.place(MINE):
            async with fetches.place(MINE):
                with pytest.raises(AccountError, match="of this account") as caught:
                    async with fetches.place(MINE):
                        raise AssertionError("a third one")
                assert kie_upload_error(caught.value)["code"] == 429
                async with fetches.place(OTHER):
                    pass
            async with fetches.place(MINE):  # it was given back
                pass

    run(story)


def test_waiting_for_a_place_of_all_ends() -> None:
    async def story(fetches: Fetches) -> None:
        async with AsyncExitStack() as held:
            for account in (MINE, MINE, OTHER):
                await held.enter_async_context(fetches.place(account))
            for _ in range(3):  # those that gave up hold nothing
                with pytest.raises(AccountError, match="of all accounts"):
                    async with fetches.place(THIRD):
                        raise AssertionError("a fourth one")
        async with fetches.place(THIRD), fetches.place(THIRD):
            pass

    run(story)


def test_a_place_is_given_back_after_an_error() -> None:
    async def story(fetches: Fetches) -> None:
        for _ in range(5):
            with pytest.raises(ValueError, match="it broke"):
                async with fetches.place(MINE):
                    raise ValueError("it broke")

    run(story)
