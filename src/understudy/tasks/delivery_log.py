"""What became of an account's callbacks, and sending one again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import TaskError
from understudy.tasks.jobs import DELIVER, Jobs
from understudy.tasks.tables import deliveries, delivery_tries
from understudy.tasks.task import Status


@dataclass(frozen=True)
class Try:
    """``http_status`` is None where there was no answer."""

    at: datetime
    http_status: int | None
    error: str
    took_ms: int


@dataclass(frozen=True)
class Delivery:
    """``state`` is pending, delivered, given_up or refused. ``status_at`` is when the task came to ``status``."""

    id: int
    task_id: int
    url: str
    status: Status
    status_at: datetime
    state: str
    next_at: datetime | None
    ended_at: datetime | None
    tries: tuple[Try, ...]


async def log(
    connection: AsyncConnection,
    account_id: int | None = None,
    *,
    task_id: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """The last deliveries, of one account or of all, with all their tries; the newest first."""
    query = select(deliveries)
    if account_id is not None:
        query = query.where(deliveries.c.account_id == account_id)
    if task_id is not None:
        query = query.where(deliveries.c.task_id == task_id)
    rows = (await connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit))).all()
    tries: dict[int, list[Try]] = {row.id: [] for row in rows}
    for row in await connection.execute(
        select(delivery_tries).where(delivery_tries.c.delivery_id.in_(tries)).order_by(delivery_tries.c.id)
    ):
        tries[row.delivery_id].append(Try(row.at, row.http_status, row.error, row.took_ms))
    return [
        Delivery(
            id=row.id,
            task_id=row.task_id,
            url=row.url,
            status=Status(row.status),
            status_at=row.status_at,
            state=row.state,
            next_at=row.next_at,
            ended_at=row.ended_at,
            tries=tuple(tries[row.id]),
        )
        for row in rows
    ]


async def redeliver(connection: AsyncConnection, jobs: Jobs, delivery_id: int) -> None:
    """Try the delivery now, and over a day from now, whether it ended or waits. Raises TaskError
    (``delivery_unknown``)."""
    now = func.clock_timestamp()
    changed = await connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(state="pending", tries=0, next_at=now, created_at=now, ended_at=None)
    )
    if not changed.rowcount:
        raise TaskError(
            "delivery_unknown",
            f"There is no callback {delivery_id}.",
            value=str(delivery_id),
            fix="Take the number from: understudy webhooks log",
        )
    # Without the task's lock: it was asked for now, and must not wait behind the task's other callbacks.
    await jobs.put(connection, DELIVER, delivery_id)
