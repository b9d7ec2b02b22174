"""Errors that nobody foresaw: told in full to the operator, tried again, and in the end the task's failure."""

from __future__ import annotations

import asyncio
import logging

from understudy.errors import UnavailableError
from understudy.tasks.task import Task
from understudy.tasks.wording import OPERATOR

WAITS_S = (1.0, 5.0)  # between the trials, one more than there are waits

logger = logging.getLogger(__name__)


class Trials:
    """Counts the unforeseen errors of one task's work."""

    def __init__(self) -> None:
        self._failed = 0

    async def failed(self, task: Task) -> UnavailableError | None:
        """To be called while the exception is handled. None, after a pause: try again. Else: what the task fails with,
        which says nothing of our inside."""
        logger.exception("task %d: an unforeseen error", task.id)
        self._failed += 1
        if self._failed <= len(WAITS_S):
            await asyncio.sleep(WAITS_S[self._failed - 1])
            return None
        return UnavailableError(
            "internal",
            "Something went wrong inside the service.",
            fix=f"Try it again. {OPERATOR}",
        )
