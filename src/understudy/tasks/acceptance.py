"""How a submission becomes a task: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import AccountError, FormError
from understudy.tasks import ledger
from understudy.tasks.accounts import Account, hold
from understudy.tasks.changes import announce
from understudy.tasks.database import Database
from understudy.tasks.jobs import INTAKE, Jobs
from understudy.tasks.prices import price
from understudy.tasks.rows import COLUMNS, source_json, task_of
from understudy.tasks.submission import Idempotency, Link, Stored, Submission
from understudy.tasks.tables import idempotency, tasks
from understudy.tasks.task import Status, Task

LEAST_S = 3.0  # the shortest video; its price is reserved until the clip's length is known
KEY_LIFE = timedelta(hours=24)

INSERT = (
    insert(tasks)
    .values(created_at=func.now(), updated_at=func.now(), seen_at=func.clock_timestamp())
    .returning(*COLUMNS)
)


async def accept(
    database: Database,
    jobs: Jobs,
    account: Account,
    submission: Submission,
    task_id: int,
    image: Link | Stored,
    video: Link | Stored,
    views: Sequence[Stored] = (),
) -> Task:
    """Write the task, its reservation, its first job and its first callback.

    The answer is another task where the idempotency key made one before. Raises FormError (``external_id_taken``,
    ``idempotency_conflict``), AccountError (``balance_used_up``, ``too_many_tasks``).
    """
    try:
        async with database.begin() as connection:
            earlier = await _earlier(connection, account.id, submission.idempotency)
            if earlier is not None:
                return earlier
            return await _insert(connection, jobs, account, submission, task_id, image, video, views)
    except _OvertakenError:  # the same key came twice at once: the other one is accepted, and is the answer
        return await accept(database, jobs, account, submission, task_id, image, video, views)
    except (IntegrityError, AccountError) as error:
        async with (
            database.begin() as connection
        ):  # it may be the other one that has the external id, or the units
            earlier = await _earlier(connection, account.id, submission.idempotency)
        if earlier is not None:
            return earlier
        if isinstance(error, AccountError) or "tasks_external" not in str(error.orig):
            raise
        raise FormError(
            "external_id_taken",
            f"external_task_id {submission.external_task_id!r} already exists in this account.",
            value=submission.external_task_id,
            fix="Choose one that was never used, or query the task that has it.",
        ) from None


async def accepted_earlier(database: Database, account_id: int, given: Idempotency | None) -> Task | None:
    """The task that this key made within its life. Raises FormError (``idempotency_conflict``)."""
    async with database.begin() as connection:
        return await _earlier(connection, account_id, given)


async def _insert(
    connection: AsyncConnection,
    jobs: Jobs,
    account: Account,
    submission: Submission,
    task_id: int,
    image: Link | Stored,
    video: Link | Stored,
    views: Sequence[Stored],
) -> Task:
    if account.concurrency_limit is not None:
        await _check_concurrency(connection, account)
    reserved = price(submission.model, submission.mode, LEAST_S)
    row = await connection.execute(
        INSERT,
        {
            "id": task_id,
            "account_id": account.id,
            "external_task_id": submission.external_task_id,
            "dialect": submission.dialect,
            "model": submission.model,
            "engine": submission.engine,
            "image": source_json(image),
            "video": source_json(video),
            "orientation": submission.orientation,
            "mode": submission.mode,
            "sound": submission.sound,
            "watermark": submission.watermark,
            "prompt": submission.prompt,
            "callback_url": submission.callback_url,
            "callback_at_end": submission.callback_at_end,
            "element_id": submission.element_id,
            "views": [view.key for view in views],
            "extra": dict(submission.extra),
            "matroska": submission.matroska,
            "scene": submission.scene,
            "seed": submission.seed,
            "status": Status.SUBMITTED,
            "reserved": reserved,
        },
    )
    task = task_of(row.one())
    if account.balance is not None:  # else nothing is held
        await ledger.reserve(connection, account.id, task.id, reserved)
    if submission.idempotency is not None:
        await _remember(connection, account.id, submission.idempotency, task.id)
    await jobs.put(connection, INTAKE, task.id)
    await announce(connection, jobs, task)
    return task


class _OvertakenError(Exception):
    """Another request with the same idempotency key was accepted in the meantime."""


async def _check_concurrency(connection: AsyncConnection, account: Account) -> None:
    """Raise AccountError where as many tasks live as the account may have. Requests at once wait for each other."""
    await hold(connection, account.id)
    live = await connection.scalar(
        select(func.count()).where(tasks.c.account_id == account.id, tasks.c.ended_at.is_(None))
    )
    limit = account.concurrency_limit
    if limit is not None and (live or 0) >= limit:
        raise AccountError(
            "too_many_tasks",
            "parallel task over resource pack limit",  # Kling's words, which its clients may look for
            value=f"{live} live tasks",
            limit=f"{limit} at once",
            fix="Wait until one of them ends, then send it again.",
        )


async def _earlier(connection: AsyncConnection, account_id: int, given: Idempotency | None) -> Task | None:
    """The task that this key made within its life. Raises FormError (``idempotency_conflict``)."""
    if given is None:
        return None
    kept = (
        await connection.execute(
            select(idempotency.c.body_sha256, idempotency.c.task_id).where(
                idempotency.c.account_id == account_id,
                idempotency.c.key == given.key,
                idempotency.c.created_at > func.now() - KEY_LIFE,
            )
        )
    ).first()
    if kept is None:
        return None
    if kept.body_sha256 != given.body_sha256:
        raise FormError(
            "idempotency_conflict",
            f"The idempotency key {given.key!r} was used within the last 24 hours with another body.",
            value=given.key,
            fix="Send the same body again, or choose a new key.",
        )
    found = await connection.execute(select(*COLUMNS).where(tasks.c.id == kept.task_id))
    return task_of(found.one())


async def _remember(connection: AsyncConnection, account_id: int, given: Idempotency, task_id: int) -> None:
    new = postgres_insert(idempotency).values(
        account_id=account_id, key=given.key, body_sha256=given.body_sha256, task_id=task_id
    )
    kept = await connection.execute(
        new.on_conflict_do_update(
            index_elements=[idempotency.c.account_id, idempotency.c.key],
            set_={
                "body_sha256": new.excluded.body_sha256,
                "task_id": new.excluded.task_id,
                "created_at": func.now(),
            },
            where=idempotency.c.created_at <= func.now() - KEY_LIFE,
        ).returning(idempotency.c.task_id)
    )
    if kept.first() is None:
        raise _OvertakenError
