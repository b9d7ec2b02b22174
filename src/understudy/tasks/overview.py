"""The operator's view: tasks of all accounts. What an account may do with its own is in ``records.py``."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import TaskError
from understudy.tasks.accounts import COLUMNS as ACCOUNT_COLUMNS
from understudy.tasks.accounts import Account, account_of
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.tables import accounts, tasks
from understudy.tasks.task import Status, Task


@dataclass(frozen=True)
class Listed:
    account: str
    task: Task


async def listed(
    connection: AsyncConnection,
    *,
    account_id: int | None = None,
    status: Status | None = None,
    limit: int = 50,
) -> list[Listed]:
    """The newest first; without those that their account deleted."""
    query = (
        select(*COLUMNS)
        .where(tasks.c.deleted_at.is_(None))
        .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
        .limit(limit)
    )
    if account_id is not None:
        query = query.where(tasks.c.account_id == account_id)
    if status is not None:
        query = query.where(tasks.c.status == status)
    found = [task_of(row) for row in await connection.execute(query)]
    ids = {task.account_id for task in found}
    named = await connection.execute(select(accounts.c.id, accounts.c.name).where(accounts.c.id.in_(ids)))
    names = {row.id: row.name for row in named}
    return [Listed(names[task.account_id], task) for task in found]


async def owner(connection: AsyncConnection, name: str) -> Account:
    """The account of the task of that id, in decimal. Raises TaskError (``task_unknown``)."""
    row = None
    if name.isascii() and name.isdigit() and len(name) <= 16:
        query = (
            select(*ACCOUNT_COLUMNS)
            .join(tasks, tasks.c.account_id == accounts.c.id)
            .where(tasks.c.id == int(name), tasks.c.deleted_at.is_(None))
        )
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise TaskError(
            "task_unknown",
            f"There is no task {name!r}.",
            value=name,
            fix="Take the id from `understudy tasks list`; an external id needs --account too.",
        )
    return account_of(row)
