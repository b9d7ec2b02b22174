"""A worker's side of an element's record: take it up, end it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import EngineError, UnderstudyError
from understudy.tasks.accounts import hold
from understudy.tasks.changes import storable
from understudy.tasks.database import Database
from understudy.tasks.element import COLUMNS, Element, element_of
from understudy.tasks.tables import elements
from understudy.tasks.task import Status

MOST_AT_ONCE = 2  # of one account: half of a worker's places, so that slow sources hold no other up
TURN_S = 1.0  # until an account that has so many looks again
MOST_TRIES = 5  # workers that took it up and were lost, or put it back when they were stopped


class ElementWork:
    """What a worker does to an element's record. All methods raise UnavailableError while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, element_id: int) -> Element | None:
        """The element as it stands, a deleted one too."""
        async with self._database.read() as connection:
            query = select(*COLUMNS).where(elements.c.id == element_id)
            row = (await connection.execute(query)).first()
        return None if row is None else element_of(row)

    async def claim(self, element_id: int) -> Element | datetime | None:
        """Take it up. None: it has ended, or is deleted. A time: it is not its turn, try again then, since MOST_AT_ONCE
        of its account are being made."""
        now = func.clock_timestamp()
        query = (
            update(elements)
            .where(
                elements.c.id == element_id, elements.c.ended_at.is_(None), elements.c.deleted_at.is_(None)
            )
            .values(status=Status.PROCESSING, tries=elements.c.tries + 1, updated_at=now)
            .returning(*COLUMNS)
        )
        async with self._database.begin() as connection:
            if await _waits(connection, element_id):
                return datetime.now(UTC) + timedelta(seconds=TURN_S)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        element = element_of(row)
        if element.tries > MOST_TRIES:
            await self.fail(element.id, _lost(element.tries))
            return None
        return element

    async def succeed(self, element_id: int, views: Sequence[str]) -> bool:
        """End it well, with its views' keys. False: it had ended, or was deleted."""
        return await self._end(element_id, status=Status.SUCCEED, views=list(views))

    async def fail(self, element_id: int, error: UnderstudyError) -> bool:
        """End it as failed, with the error's message. False: it had ended, or was deleted."""
        return await self._end(
            element_id,
            status=Status.FAILED,
            status_msg=storable(error.message),
            error_code=error.code,
            fix=storable(error.fix),
        )

    async def let_go(self, element_id: int) -> None:
        """Note that no worker has a deleted one any more: until then it counts as being made."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(elements)
                .where(
                    elements.c.id == element_id,
                    elements.c.ended_at.is_(None),
                    elements.c.deleted_at.is_not(None),
                )
                .values(ended_at=func.clock_timestamp())
            )

    async def _end(self, element_id: int, **values: object) -> bool:
        now = func.clock_timestamp()
        async with self._database.begin() as connection:
            ended = await connection.execute(
                update(elements)
                .where(
                    elements.c.id == element_id,
                    elements.c.ended_at.is_(None),
                    elements.c.deleted_at.is_(None),
                )
                .values(**values, ended_at=now, updated_at=now)
            )
        return ended.rowcount == 1


async def _waits(connection: AsyncConnection, element_id: int) -> bool:
    """Whether one that nobody took up yet has to let others of its account end first. One that a worker lost goes on:
    it is among those."""
    waiting = select(elements.c.account_id).where(
        elements.c.id == element_id, elements.c.status == Status.SUBMITTED, elements.c.deleted_at.is_(None)
    )
    account_id = (await connection.execute(waiting)).scalar()
    if account_id is None:
        return False
    await hold(connection, account_id)
    making = select(func.count()).where(
        elements.c.account_id == account_id,
        elements.c.ended_at.is_(None),
        elements.c.status == Status.PROCESSING,
    )
    return (await connection.execute(making)).scalar_one() >= MOST_AT_ONCE


def _lost(tries: int) -> EngineError:
    return EngineError(
        "worker_lost",
        f"The element's making was begun {tries - 1} times and never ended.",
        value=f"{tries - 1} times",
        limit=f"{MOST_TRIES} times",
        fix="Try other pictures; if it happens with every one, tell the operator.",
    )
