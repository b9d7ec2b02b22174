"""Delivering callbacks: each change of a task's status, in order, signed, tried again over a day.

A delivery is tried by a job of the queue. The job of one delivery that waits for its next try holds back those of the
same task behind it (they share a lock), so a receiver hears of each step once, and in order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import UnavailableError
from understudy.media.network import NetworkGuard
from understudy.tasks import posting, signing, webhooks
from understudy.tasks.database import Database
from understudy.tasks.posting import Answer
from understudy.tasks.receivers import PutOff, Receivers
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.seal import Secrets
from understudy.tasks.tables import deliveries, delivery_tries, tasks
from understudy.tasks.task import Status, StatusChange, Task

CallbackBody = Callable[[Task, StatusChange], bytes]
"""Renders a callback in the words of the task's dialect. The same arguments give the same bytes."""
CallbackHeaders = Callable[[Task, str, int, bytes, Sequence[str]], dict[str, str]]
"""Signs one try: the task, the callback's id, seconds since 1970, the body, the secrets; the headers to send."""

BACK_OFF_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)  # 23.7 hours in all
JITTER = 0.1
DAY = timedelta(hours=24)
LONGEST_RETRY_AFTER_S = 3600.0
LEASE = timedelta(seconds=20)  # longer than one try takes; meanwhile no other job tries the same delivery
AFTER_410 = "not tried: the receiver answered an earlier callback of this task with 410"
AFTER_A_DAY = "not tried: its host has not answered anybody for long, and the day for this callback is over"


@dataclass(frozen=True)
class _Seen:
    """As much of a delivery as decides whether its receiver may be called now."""

    id: int
    account_id: int
    url: str
    age: timedelta


@dataclass(frozen=True)
class _Due:
    id: int
    url: str
    tries: int
    age: timedelta
    task: Task
    change: StatusChange
    secrets: list[str]
    unsigned_because: str  # why it cannot be signed, though it should be; empty else


class Deliverer:
    """Tries deliveries. One for a process, since it knows which receivers are slow or dead."""

    def __init__(
        self,
        database: Database,
        guard: NetworkGuard,
        secrets: Secrets,
        callback_body: CallbackBody,
        callback_headers: CallbackHeaders = signing.standard_headers,
        *,
        timeout_s: float = posting.TIMEOUT_S,
    ) -> None:
        self._database = database
        self._guard = guard
        self._secrets = secrets
        self._callback_body = callback_body
        self._callback_headers = callback_headers
        self._timeout_s = timeout_s
        self._receivers = Receivers()

    async def deliver(self, delivery_id: int) -> datetime | None:
        """Try the delivery once. When to try again, or None: it is over.

        The time may also mean that its receiver's turn has not come; that is no try. Raises UnavailableError while the
        database is away: then it is to be tried again too, and the receiver may hear it twice, under the same id.
        """
        seen = await self._look(delivery_id)
        if seen is None or isinstance(seen, datetime):
            return seen
        turn = await self._receivers.enter(_host(seen.url), seen.account_id)
        if isinstance(turn, PutOff):
            return await self._put_off(seen, turn)
        answered: bool | None = None
        try:
            due = await self._take(delivery_id)
            if due is None or isinstance(due, datetime):
                return due
            answer = await self._post(due)
            if not (answer.denied or due.unsigned_because):
                answered = answer.http_status is not None
        finally:
            self._receivers.leave(turn, answered)
        return await self._record(due, answer)

    async def _look(self, delivery_id: int) -> _Seen | datetime | None:
        """A delivery that is due; else when to look again; None where it is over."""
        now = func.clock_timestamp()
        columns = deliveries.c.account_id, deliveries.c.url, deliveries.c.next_at
        query = select(
            *columns,
            (now - deliveries.c.created_at).label("age"),
            (deliveries.c.next_at > now).label("early"),
        ).where(deliveries.c.id == delivery_id, deliveries.c.state == "pending")
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None or row.early:
            return None if row is None else _moment(row.next_at)
        return _Seen(delivery_id, row.account_id, row.url, row.age)

    async def _take(self, delivery_id: int) -> _Due | datetime | None:
        """The delivery, from now on this one's alone; else when to look again; None where it is over."""
        now = func.clock_timestamp()
        async with self._database.begin() as connection:
            row = (
                await connection.execute(
                    select(
                        deliveries,
                        (deliveries.c.next_at > now).label("early"),
                        (now - deliveries.c.created_at).label("age"),
                    )
                    .where(deliveries.c.id == delivery_id, deliveries.c.state == "pending")
                    .with_for_update()
                )
            ).one_or_none()
            if row is None:
                return None
            if row.early:
                return _moment(row.next_at)
            if await _was_refused(connection, row.id, row.task_id):
                await _end(connection, row.id, "refused", AFTER_410)
                return None
            secrets, unsigned_because = await self._secrets_of(connection, row.account_id)
            task_row = (await connection.execute(select(*COLUMNS).where(tasks.c.id == row.task_id))).one()
            await connection.execute(
                update(deliveries).where(deliveries.c.id == row.id).values(next_at=now + LEASE)
            )
            return _Due(
                id=row.id,
                url=row.url,
                tries=row.tries,
                age=row.age,
                task=task_of(task_row),
                change=StatusChange(Status(row.status), row.status_msg, row.status_at),
                secrets=secrets,
                unsigned_because=unsigned_because,
            )

    async def _secrets_of(self, connection: AsyncConnection, account_id: int) -> tuple[list[str], str]:
        try:
            return await webhooks.current(connection, self._secrets, account_id), ""
        except UnavailableError as error:  # they were sealed with a secret that the service has no longer
            return [], f"not sent, since it cannot be signed: {error.message}"

    async def _post(self, due: _Due) -> Answer:
        if due.unsigned_because:
            return Answer(None, due.unsigned_because, 0)
        body = self._callback_body(as_of(due.task, due.change), due.change)
        headers = self._callback_headers(due.task, f"msg_{due.id}", int(time.time()), body, due.secrets)
        return await posting.post(self._guard, due.url, body, headers, timeout_s=self._timeout_s)

    async def _put_off(self, seen: _Seen, put_off: PutOff) -> datetime | None:
        async with self._database.begin() as connection:
            if put_off.silent and seen.age > DAY:
                await _end(connection, seen.id, "given_up", AFTER_A_DAY)
                return None
            return await _wait(connection, seen.id, put_off.seconds)

    async def _record(self, due: _Due, answer: Answer) -> datetime | None:
        async with self._database.begin() as connection:
            await connection.execute(
                insert(delivery_tries).values(
                    delivery_id=due.id,
                    http_status=answer.http_status,
                    error=answer.error,
                    took_ms=answer.took_ms,
                )
            )
            await connection.execute(
                update(deliveries).where(deliveries.c.id == due.id).values(tries=deliveries.c.tries + 1)
            )
            if answer.delivered:
                await _end(connection, due.id, "delivered")
            elif answer.http_status == 410:
                await _end(connection, due.id, "refused")
            elif answer.denied or due.tries >= len(BACK_OFF_S) or due.age > DAY:
                await _end(connection, due.id, "given_up")
            else:
                wait_s = BACK_OFF_S[due.tries] * random.uniform(1 - JITTER, 1 + JITTER)
                wished_s = min(answer.retry_after_s, LONGEST_RETRY_AFTER_S)
                return await _wait(connection, due.id, max(wait_s, wished_s))
        return None


def as_of(task: Task, change: StatusChange) -> Task:
    """The task as it stood right after the change, whatever came of it since: every try tells the same."""
    if change.status.ended:
        return replace(task, files_deleted_at=None)
    return replace(
        task,
        status=change.status,
        status_msg=change.status_msg,
        updated_at=change.at,
        started_at=task.started_at if change.status is Status.PROCESSING else None,
        attempt=0,
        crashes=0,
        error_code=None,
        fix=None,
        deduction=None,
        ended_at=None,
        output=None,
        files_deleted_at=None,
        stage=None,
        progress=0.0,
        time_left_s=None,
    )


async def _was_refused(connection: AsyncConnection, delivery_id: int, task_id: int) -> bool:
    """Whether an earlier callback of the task was answered with 410, and this one was not asked for again since."""
    earlier = exists().where(
        deliveries.c.task_id == task_id, deliveries.c.id < delivery_id, deliveries.c.state == "refused"
    )
    tried = exists().where(delivery_tries.c.delivery_id == delivery_id)
    return bool(await connection.scalar(select(earlier & ~tried)))


async def _end(connection: AsyncConnection, delivery_id: int, state: str, untried: str = "") -> None:
    """End a pending delivery. ``untried``: why, where no try of its own led to it."""
    if untried:
        await connection.execute(
            insert(delivery_tries).values(delivery_id=delivery_id, error=untried, took_ms=0)
        )
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == "pending")
        .values(state=state, next_at=None, ended_at=func.clock_timestamp())
    )


async def _wait(connection: AsyncConnection, delivery_id: int, seconds: float) -> datetime | None:
    """Let a pending delivery wait. Its next time; None where it ended meanwhile."""
    at = await connection.scalar(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == "pending")
        .values(next_at=func.clock_timestamp() + timedelta(seconds=seconds))
        .returning(deliveries.c.next_at)
    )
    return None if at is None else _moment(at)


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def _host(url: str) -> str:
    """What counts as one receiver: host and port."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
