"""An account's units as those who buy them see them: what was given, what is left, and what each task took.

Holds of live tasks are left out: a task takes its units at its end. Of units that the account had no limit for (the
ledger waives them) nothing is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select

from understudy.tasks.accounts import Account
from understudy.tasks.database import Database
from understudy.tasks.ledger import GRANT, MADE_UNLIMITED
from understudy.tasks.rows import COLUMNS, task_of
from understudy.tasks.tables import accounts, ledger, tasks
from understudy.tasks.task import Task
from understudy.tasks.window import Window, is_behind

MOVES = ("grant", "settle", "waive")  # the kinds that are no holds


@dataclass(frozen=True)
class Pack:
    """``granted``: units that were ever given, less those taken back. ``left``: those that can still be reserved. Both
    None where the account is unlimited. ``since``: its first grant, or without one the account's beginning."""

    granted: Decimal | None
    left: Decimal | None
    since: datetime


@dataclass(frozen=True)
class Deduction:
    """What an ended task cost, and the units that the account had before and after it; both None where it was
    unlimited then."""

    task: Task
    at: datetime
    units: Decimal
    before: Decimal | None
    after: Decimal | None


async def pack_of(database: Database, account: Account) -> Pack:
    """The account's units as they stand. Raises UnavailableError."""
    query = (
        select(
            accounts.c.balance,
            func.coalesce(func.sum(ledger.c.units), 0).label("granted"),
            func.coalesce(func.min(ledger.c.at), accounts.c.created_at).label("since"),
        )
        .select_from(accounts)
        .outerjoin(ledger, (ledger.c.account_id == accounts.c.id) & (ledger.c.kind == GRANT))
        .where(accounts.c.id == account.id)
        .group_by(accounts.c.id)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).one()
    if row.balance is None:
        return Pack(None, None, row.since)
    return Pack(Decimal(row.granted), Decimal(row.balance), row.since)


async def deductions(database: Database, account_id: int, window: Window, most: int) -> list[Deduction]:
    """At most so many deductions for tasks in the window, the newest tasks first; those that cost nothing are left
    out, those that their account has deleted are not. Raises UnavailableError."""
    running = (
        select(
            ledger.c.id,
            ledger.c.task_id,
            ledger.c.kind,
            ledger.c.at,
            ledger.c.units,
            func.sum(ledger.c.units).over(order_by=ledger.c.id).label("after"),
        )
        .where(ledger.c.account_id == account_id, ledger.c.kind.in_(MOVES))
        .subquery()
    )
    waived = (
        select(func.coalesce(func.sum(ledger.c.units), 0))
        .where(ledger.c.task_id == tasks.c.id, ledger.c.kind == "waive")
        .scalar_subquery()
    )
    grant = ledger.alias()
    limited = (  # by the last grant before it; without one the account had no limit yet
        select(grant.c.note != MADE_UNLIMITED)
        .where(grant.c.account_id == account_id, grant.c.kind == GRANT, grant.c.id < running.c.id)
        .order_by(grant.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            tasks.c.id,
            running.c.at,
            running.c.units,
            running.c.after,
            waived.label("waived"),
            limited.label("limited"),
        )
        .join(running, running.c.task_id == tasks.c.id)
        .where(
            running.c.kind == "settle",
            running.c.units < 0,
            tasks.c.created_at.between(window.start, window.end),
        )
        .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
        .limit(most)
    )
    if window.behind is not None:
        query = query.where(is_behind(window.behind))
    async with database.read() as connection:
        rows = (await connection.execute(query)).all()
    if not rows:
        return []
    async with database.read() as connection:
        found = await connection.execute(select(*COLUMNS).where(tasks.c.id.in_([row.id for row in rows])))
        named = {task.id: task for task in map(task_of, found)}
    return [
        Deduction(
            task=named[row.id],
            at=row.at,
            units=-row.units,
            before=row.after - row.units if row.limited else None,
            after=row.after + row.waived if row.limited else None,
        )
        for row in rows
    ]
