"""What lies in the storage for no element any more: of those that failed or were deleted, and of none that there is."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import func, select

from understudy.storage import Storage
from understudy.tasks.database import Database
from understudy.tasks.element import folder_of
from understudy.tasks.tables import elements
from understudy.tasks.task import Status

ORPHANS_LIFE_S = 3600.0  # of files that no element has; handing one in takes seconds
BATCH = 500


class ElementRetention:
    """Deletes them. Files of a living element stay for good."""

    def __init__(
        self, database: Database, storage: Storage, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock
        self._orphans: dict[int, float] = {}  # when this process saw them first

    async def run(self) -> None:
        """Once. Raises UnavailableError."""
        kept = [int(name) for name in await self._storage.names("elements") if name.isdecimal()]
        orphans: dict[int, float] = {}
        over = elements.c.deleted_at.is_not(None) | (elements.c.status == Status.FAILED)
        for ids in (kept[at : at + BATCH] for at in range(0, len(kept), BATCH)):
            query = select(elements.c.id, func.coalesce(over, False).label("over")).where(
                elements.c.id.in_(ids)
            )
            async with self._database.read() as connection:
                known = {row.id: bool(row.over) for row in await connection.execute(query)}
            for element_id in ids:
                if element_id not in known:
                    orphans[element_id] = self._orphans.get(element_id, self._clock())
                elif known[element_id]:
                    await self._storage.delete(folder_of(element_id))
        for element_id, since in orphans.items():
            if self._clock() - since >= ORPHANS_LIFE_S:
                await self._storage.delete(folder_of(element_id))
        self._orphans = orphans
