"""Waiting out a database or a storage that is away: no task ends because a part of the service did."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from understudy.errors import UnavailableError

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0  # far below what a task may be silent for before it counts as lost

T = TypeVar("T")
logger = logging.getLogger(__name__)


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What ``call`` returns, tried again for as long as it raises UnavailableError (``unavailable``).

    A try whose answer was lost may have been done: ``call`` must be able to be made twice.
    """
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return await call()
        except UnavailableError as error:
            if error.code != "unavailable":
                raise
            if wait_s == FIRST_WAIT_S:
                logger.warning("waiting: %s", error.message)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
        wait_s = min(wait_s * 2, LONGEST_WAIT_S)
