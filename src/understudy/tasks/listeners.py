"""Which queues workers look into: each says so every few seconds, so that somebody can tell where nobody does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import bindparam, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import UnavailableError
from understudy.request import Scene
from understudy.tasks.database import Database
from understudy.tasks.jobs import render_job
from understudy.tasks.tables import listeners

EVERY_S = 5.0
PRESENT_S = 20.0  # a worker that said so since then is there
DESERTED_S = 300.0  # a queue that no worker spoke of for as long is one that none looks into

logger = logging.getLogger(__name__)

FORGET = text("DELETE FROM listeners WHERE seen_at < clock_timestamp() - make_interval(secs => :kept_s)")
LEAVE = text("UPDATE listeners SET at_once = 0 WHERE worker IN :workers").bindparams(
    bindparam("workers", expanding=True)
)
HEARD = text(
    """
    SELECT queue,
           sum(at_once) FILTER (WHERE seen_at > clock_timestamp() - make_interval(secs => :present_s)) AS places
      FROM listeners
     WHERE seen_at > clock_timestamp() - make_interval(secs => :deserted_s)
     GROUP BY queue
    """
).bindparams(present_s=PRESENT_S, deserted_s=DESERTED_S)
WAITING = text(
    """
    SELECT engine, scene, count(*) AS tasks, extract(epoch FROM clock_timestamp() - min(seen_at)) AS waited_s
      FROM tasks
     WHERE ended_at IS NULL AND fetched_at IS NOT NULL
       AND seen_at < clock_timestamp() - make_interval(secs => :deserted_s)
     GROUP BY engine, scene
    """
).bindparams(deserted_s=DESERTED_S)


@dataclass(frozen=True)
class Deserted:
    """A queue that no worker looks into, with tasks that wait. ``waited_s``: the longest that none was at one."""

    queue: str
    tasks: int
    waited_s: float

    def __str__(self) -> str:
        many = "1 task waits" if self.tasks == 1 else f"{self.tasks} tasks wait"
        return (
            f"{many} in the queue {self.queue}, for up to {self.waited_s / 60:.0f} min, and no worker looks into it. "
            "Start one that can make them; `understudy engines` on its machine says what it lacks."
        )


class Listening:
    """A worker's saying that it looks into queues; ``places`` are how many of each one's jobs it does at once.

    ``worker`` is a name that no other one has, and ``dead`` are names of workers that are known to have ended without a
    word: like one that stops, those have no places any more, but what they looked into stays known for ``DESERTED_S``.
    """

    def __init__(
        self,
        database: Database,
        places: Mapping[str, int],
        *,
        worker: str | None = None,
        dead: Collection[str] = (),
    ) -> None:
        self._database = database
        self._places = dict(places)
        self._worker = worker or uuid4().hex
        self._dead = list(dead)

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                try:
                    await self.say()
                except UnavailableError as error:
                    logger.debug("listening: %s", error)
                await asyncio.sleep(EVERY_S)
        finally:
            with suppress(UnavailableError):
                await self._leave()

    async def _leave(self) -> None:
        async with self._database.begin() as connection:
            await connection.execute(LEAVE, {"workers": [self._worker]})

    async def say(self) -> None:
        """Once. Raises UnavailableError."""
        now = func.clock_timestamp()
        own = [
            {"worker": self._worker, "queue": queue, "at_once": count, "seen_at": now}
            for queue, count in self._places.items()
        ]
        said = insert(listeners).values(own)
        said = said.on_conflict_do_update(index_elements=["worker", "queue"], set_={"seen_at": now})
        async with self._database.begin() as connection:
            await connection.execute(said)
            if self._dead:
                await connection.execute(LEAVE, {"workers": self._dead})
            await connection.execute(FORGET, {"kept_s": 2 * DESERTED_S})
        self._dead = []


async def heard_of(connection: AsyncConnection) -> dict[str, int]:
    """The queues that some worker looked into within the last ``DESERTED_S``, and how many of each one's jobs the
    workers that are there at the moment do at once."""
    return {row.queue: row.places or 0 for row in await connection.execute(HEARD)}


async def deserted(connection: AsyncConnection) -> list[Deserted]:
    """Queues whose tasks wait for a worker that does not come."""
    heard = await heard_of(connection)
    found: dict[str, Deserted] = {}
    for row in await connection.execute(WAITING):
        queue = render_job(row.engine, Scene(row.scene))
        if queue not in heard:
            before = found.get(queue, Deserted(queue, 0, 0.0))
            longest_s = max(before.waited_s, float(row.waited_s))
            found[queue] = Deserted(queue, before.tasks + row.tasks, longest_s)
    return sorted(found.values(), key=lambda each: each.queue)
