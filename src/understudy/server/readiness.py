"""Whether the parts that a task needs are there."""

from __future__ import annotations

import asyncio
import logging
import time

from understudy.errors import UnderstudyError
from understudy.server.service import Service
from understudy.tasks.standing import Standing

logger = logging.getLogger(__name__)

REMEMBERED_S = 2.0
PROBE_S = 5.0
PROBE_KEY = "readiness/probe"


class Readiness:
    """Remembers its finding for ``REMEMBERED_S`` seconds, since anybody may ask."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._one_at_a_time = asyncio.Lock()
        self._found: list[str] = []
        self._found_at = float("-inf")

    async def missing(self) -> list[str]:
        """Of ``database``, ``worker`` and ``storage`` those that are away."""
        async with self._one_at_a_time:
            if time.monotonic() - self._found_at > REMEMBERED_S:
                self._found = await self._look()
                self._found_at = time.monotonic()
            return self._found

    async def _look(self) -> list[str]:
        worker, storage = await asyncio.gather(self._worker(), self._storage())
        missing = ["database", "worker"] if worker is None else [] if worker else ["worker"]
        return missing if storage else [*missing, "storage"]

    async def _worker(self) -> bool | None:
        """Whether one was seen; None where the database, which would know, is away."""
        try:
            async with asyncio.timeout(PROBE_S):
                return await Standing(self._service.database).worker_seen()
        except (UnderstudyError, TimeoutError) as error:
            logger.warning("not ready: %s", error)
            return None

    async def _storage(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_S):
                await self._service.storage.put_bytes(PROBE_KEY, b"")
        except (UnderstudyError, TimeoutError) as error:
            logger.warning("not ready: %s", error)
            return False
        return True
