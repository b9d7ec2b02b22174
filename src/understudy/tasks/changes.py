"""The changes of a task's status: each is one transaction with its settlement, its callback and its next job.

A task only moves forward, ends once and is settled once: every change here is a conditional UPDATE, and whoever
changes no row was too late.
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import ColumnElement, func, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import TaskError, UnderstudyError
from understudy.tasks import ledger
from understudy.tasks.jobs import DELIVER, Jobs
from understudy.tasks.prices import price
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.tables import deliveries, tasks
from understudy.tasks.task import Output, Status, Task

NOTHING = Decimal(0)
MESSAGE_CHARACTERS = 2000


async def announce(connection: AsyncConnection, jobs: Jobs, task: Task) -> None:
    """Put the callback for the task's present status into the queue, behind its earlier ones."""
    if task.callback_url is None or (task.callback_at_end and not task.status.ended):
        return
    row = await connection.execute(
        insert(deliveries)
        .values(
            account_id=task.account_id,
            task_id=task.id,
            url=task.callback_url,
            status=task.status,
            status_msg=task.status_msg,
            status_at=task.updated_at,
            next_at=func.clock_timestamp(),
        )
        .returning(deliveries.c.id)
    )
    await jobs.put(connection, DELIVER, row.scalar_one(), lock=f"callback-{task.id}")


async def end_well(connection: AsyncConnection, jobs: Jobs, task: Task, output: Output) -> bool:
    """End the task as succeed. False: it had ended, or another worker has it."""
    deduction = price(task.model, task.mode, output.duration_s)
    return await _end(
        connection,
        jobs,
        (tasks.c.id == task.id) & (tasks.c.attempt == task.attempt),
        status=Status.SUCCEED,
        deduction=min(deduction, task.reserved),
        output=output.to_json(),
        progress=1.0,
    )


async def end_badly(
    connection: AsyncConnection,
    jobs: Jobs,
    task_id: int,
    error: UnderstudyError,
    *,
    attempt: int | None = None,
) -> bool:
    """End the task as failed, for nothing. False: it had ended, or (with ``attempt``) another worker has it."""
    mine = tasks.c.id == task_id
    if attempt is not None:
        mine &= tasks.c.attempt == attempt
    return await _end(
        connection,
        jobs,
        mine,
        status=Status.FAILED,
        deduction=NOTHING,
        status_msg=storable(error.message),
        error_code=error.code,
        fix=storable(error.fix),
    )


async def _end(connection: AsyncConnection, jobs: Jobs, mine: ColumnElement[bool], **values: object) -> bool:
    now = func.clock_timestamp()
    row = (
        await connection.execute(
            update(tasks)
            .where(mine, tasks.c.ended_at.is_(None))
            .values(**values, updated_at=now, ended_at=now, time_left_s=None)
            .returning(*COLUMNS)
        )
    ).one_or_none()
    if row is None:
        return False
    task = task_of(row)
    assert task.deduction is not None
    await ledger.settle(connection, task.account_id, task.id, task.deduction)
    await announce(connection, jobs, task)
    return True


def cancelled() -> TaskError:
    """What a task ends with that its account cancelled."""
    return TaskError("cancelled", "cancelled by the account", fix="Create a new task to try again.")


def storable(text: str) -> str:
    """Postgres keeps neither zero bytes nor lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:MESSAGE_CHARACTERS]
