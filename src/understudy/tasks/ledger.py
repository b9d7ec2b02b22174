"""The units of accounts: an account is unlimited until its first grant; from then on it can reserve what it has.

``accounts.balance`` is what can still be reserved, null for unlimited, and is changed by conditional UPDATEs only, in
the transaction of whatever it is done for. The ledger tells how each balance came about: the sum of an account's rows
is its balance, always (0 for an unlimited one). Its kinds:

    grant    given by the operator, or taken back
    reserve  held for a task when it is accepted, and more when the length of its video is known
    release  that task's hold given up at its end
    settle   what the task cost: one row a task, for unlimited accounts too
    waive    the part of that which no hold had covered, since the account was unlimited at the time; below 0 where a
             hold was given back to an account that has become unlimited

So a task costs a balance at most what it held, however the account has changed in between, and no balance goes
below 0.
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import AccountError, RequestError
from understudy.tasks.prices import units_text
from understudy.tasks.tables import UNITS, accounts, ledger

NOTHING = Decimal(0)
# Spelled out: as parameters, Postgres could not tell the indexes by them once it plans the statement for any value.
SETTLE = text("kind = 'settle'")
GRANT: ColumnElement[str] = literal_column("'grant'")
MOST = Decimal(1_000_000_000)  # of one grant, and of a balance
SMALLEST = Decimal("0.01")
MADE_UNLIMITED = "made unlimited"  # the note of the grant that takes the rest; never change it


async def reserve(connection: AsyncConnection, account_id: int, task_id: int, units: Decimal) -> None:
    """Hold units for the task. Nothing is held for an account that is unlimited. Raises AccountError
    (``balance_used_up``) where the balance does not reach."""
    taken = (
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.balance >= units)
        .values(balance=accounts.c.balance - units)
        .returning(accounts.c.id)
        .cte("taken")
    )
    written = (
        insert(ledger)
        .from_select(
            ["account_id", "task_id", "kind", "units"],
            select(
                taken.c.id, literal(task_id, BigInteger), literal("reserve", Text), literal(-units, UNITS)
            ),
        )
        .returning(ledger.c.id)
        .cte("written")
    )
    count = select(func.count()).select_from(written).scalar_subquery()
    one_trip = select(accounts.c.balance.is_(None), count).where(accounts.c.id == account_id)
    unlimited, held = (await connection.execute(one_trip)).one()
    if not (unlimited or held):
        # Only now, and not from that statement's snapshot: another transaction may have taken the rest meanwhile.
        left = await connection.scalar(select(accounts.c.balance).where(accounts.c.id == account_id))
        if left is not None:
            raise _used_up(units, left)


async def settle(connection: AsyncConnection, account_id: int, task_id: int, units: Decimal) -> bool:
    """Charge an ended task with what it cost, out of its hold, and give the rest of the hold back.

    False, and nothing is changed: it was settled before.
    """
    settled = await connection.execute(
        postgres_insert(ledger)
        .values(account_id=account_id, task_id=task_id, kind="settle", units=-units)
        .on_conflict_do_nothing(index_elements=[ledger.c.task_id], index_where=SETTLE)
        .returning(ledger.c.id)
    )
    if settled.one_or_none() is None:
        return False
    held = -Decimal(
        await connection.scalar(
            select(func.coalesce(func.sum(ledger.c.units), 0)).where(
                ledger.c.task_id == task_id, ledger.c.kind == "reserve"
            )
        )
        or 0
    )
    waived = max(NOTHING, units - held)
    if held > units and not await _add(connection, account_id, held - units):
        waived = units - held
    rows = [("release", held), ("waive", waived)]
    values = [
        {"account_id": account_id, "task_id": task_id, "kind": kind, "units": units}
        for kind, units in rows
        if units
    ]
    if values:
        await connection.execute(insert(ledger), values)
    return True


async def grant(connection: AsyncConnection, account_id: int, units: Decimal, note: str = "") -> Decimal:
    """Give units, or take some back where they are below 0; returns the balance. The first grant makes an account
    limited, even one of 0. Raises RequestError (``units_invalid``), also where the balance would not stay from 0
    to ``MOST``."""
    if not (units.is_finite() and abs(units) <= MOST and units == units.quantize(SMALLEST)):
        raise _units_error(f"{units} is no number of units that can be granted.", str(units))
    after = func.coalesce(accounts.c.balance, 0) + units
    balance = await connection.scalar(
        update(accounts)
        .where(accounts.c.id == account_id, after.between(0, MOST))
        .values(balance=after)
        .returning(accounts.c.balance)
    )
    if balance is None:
        before = await connection.scalar(select(accounts.c.balance).where(accounts.c.id == account_id))
        raise _units_error(
            f"With {units_text(units)} more units, a balance of {units_text(before or NOTHING)} would be below 0 or "
            "too large.",
            units_text(units),
        )
    await connection.execute(
        insert(ledger).values(account_id=account_id, kind="grant", units=units, note=note)
    )
    return Decimal(balance)


async def make_unlimited(connection: AsyncConnection, account_id: int) -> None:
    """Lift the account's limit; what it was granted and has left is gone. The next grant begins anew at 0."""
    balance = await connection.scalar(
        select(accounts.c.balance).where(accounts.c.id == account_id).with_for_update(key_share=True)
    )
    if balance is None:
        return
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(balance=None))
    await connection.execute(
        insert(ledger).values(account_id=account_id, kind="grant", units=-balance, note=MADE_UNLIMITED)
    )


async def _add(connection: AsyncConnection, account_id: int, units: Decimal) -> bool:
    """False: the account is unlimited."""
    changed = await connection.execute(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.balance.is_not(None))
        .values(balance=accounts.c.balance + units)
    )
    return changed.rowcount == 1


def _used_up(units: Decimal, left: Decimal) -> AccountError:
    return AccountError(
        "balance_used_up",
        f"Account balance not enough: the task may need {units_text(units)} units, and {units_text(left)} are left.",
        value=f"{units_text(left)} units",
        limit=f"{units_text(units)} units",
        fix="Wait for tasks that give units back, or ask the operator for more (`understudy accounts grant`).",
    )


def _units_error(message: str, value: str) -> RequestError:
    return RequestError(
        "units_invalid",
        message,
        value=value,
        limit=f"a balance of 0 to {units_text(MOST)}, in steps of {SMALLEST}",
        fix="Give another number; one below 0 takes units back.",
    )
