"""Places for the files that are being fetched for uploads: so many for each account, and so many for all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from understudy.errors import AccountError

AT_ONCE = 8  # of the whole process
OF_ACCOUNT = 2  # so that slow addresses of one account leave places to the others
WAIT_S = 10.0


class Fetches:
    """``wait_s``: how long one waits for a place while other accounts have them all."""

    def __init__(
        self, at_once: int = AT_ONCE, of_account: int = OF_ACCOUNT, *, wait_s: float = WAIT_S
    ) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._of_account = of_account
        self._wait_s = wait_s
        self._taken: Counter[int] = Counter()

    @asynccontextmanager
    async def place(self, account_id: int) -> AsyncIterator[None]:
        """Raises AccountError (``too_many_tasks``) where the account has its places already, waiting for one of all
        counted too, or where none becomes free in time."""
        if self._taken[account_id] >= self._of_account:
            raise _full(
                "of this account", f"{self._of_account} at once", "Wait until one of them is answered"
            )
        self._taken[account_id] += 1
        try:
            try:
                await asyncio.wait_for(self._free.acquire(), self._wait_s)
            except TimeoutError:
                raise _full("of all accounts", "a free place", "Wait a little") from None
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._taken[account_id] -= 1
            if not self._taken[account_id]:
                del self._taken[account_id]


def _full(whose: str, limit: str, fix: str) -> AccountError:
    return AccountError(
        "too_many_tasks",
        f"Too many files {whose} are being fetched; allowed: {limit}.",
        limit=limit,
        fix=f"{fix}, then send it again.",
    )
