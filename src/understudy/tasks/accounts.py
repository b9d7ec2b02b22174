"""Accounts: whose tasks, keys and units they are."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import RequestError
from understudy.tasks.tables import accounts, ledger, tasks
from understudy.tasks.task import Status

DEFAULT = "default"  # the account that the first start makes
NAME_CHARACTERS = 64
MOST_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Account:
    """``concurrency_limit`` None: as many live tasks as it likes. ``balance``: units that can still be reserved,
    None: unlimited."""

    id: int
    name: str
    disabled: bool
    concurrency_limit: int | None
    balance: Decimal | None


@dataclass(frozen=True)
class Period:
    """What was settled in one month (``2026-11``) or on one day (``2026-11-21``), in UTC: tasks that ended, units."""

    name: str
    tasks: int
    units: Decimal


@dataclass(frozen=True)
class Usage:
    """What an account has used, in units: ``settled`` for ended tasks, ``reserved`` for live ones."""

    account: Account
    tasks: dict[Status, int]
    settled: Decimal
    reserved: Decimal
    periods: tuple[Period, ...]


COLUMNS = tuple(accounts.c[name] for name in Account.__dataclass_fields__)


async def hold(connection: AsyncConnection, account_id: int) -> None:
    """Until the transaction ends, others that hold the same account wait: what they count stays as it is."""
    await connection.execute(
        select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True)
    )


async def create_account(connection: AsyncConnection, name: str) -> Account:
    """Raises RequestError (``account_name``, ``account_taken``)."""
    row = (
        await connection.execute(
            postgres_insert(accounts)
            .values(name=_checked_name(name))
            .on_conflict_do_nothing(index_elements=[accounts.c.name])
            .returning(*COLUMNS)
        )
    ).one_or_none()
    if row is None:
        raise RequestError(
            "account_taken",
            f"There is an account {name!r} already.",
            value=name,
            fix="Choose another name, or use that one: `understudy accounts list` shows them.",
        )
    return account_of(row)


async def account_named(connection: AsyncConnection, name: str) -> Account:
    """Raises RequestError (``account_name``, ``account_unknown``)."""
    query = select(*COLUMNS).where(accounts.c.name == _checked_name(name))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise RequestError(
            "account_unknown",
            f"There is no account {name!r}.",
            value=name,
            fix="See `understudy accounts list`, or make it with `understudy accounts create`.",
        )
    return account_of(row)


async def default_account(connection: AsyncConnection) -> Account:
    """The account ``default``, made where it is missing."""
    await connection.execute(
        postgres_insert(accounts)
        .values(name=DEFAULT)
        .on_conflict_do_nothing(index_elements=[accounts.c.name])
    )
    return await account_named(connection, DEFAULT)


async def list_accounts(connection: AsyncConnection) -> list[Account]:
    """All of them, oldest first."""
    rows = await connection.execute(select(*COLUMNS).order_by(accounts.c.id))
    return [account_of(row) for row in rows]


async def set_limit(connection: AsyncConnection, account_id: int, tasks_at_once: int | None) -> None:
    """Let the account have so many live tasks at once; None: any number. Raises RequestError (``limit_invalid``)."""
    if tasks_at_once is not None and not 1 <= tasks_at_once <= MOST_AT_ONCE:
        raise RequestError(
            "limit_invalid",
            f"{tasks_at_once} tasks at once is no limit that an account can have.",
            value=str(tasks_at_once),
            limit=f"1 to {MOST_AT_ONCE}",
            fix="Give a number from 1 on; to keep an account from making any task, disable it.",
        )
    await connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(concurrency_limit=tasks_at_once)
    )


async def set_disabled(connection: AsyncConnection, account_id: int, disabled: bool) -> None:
    """A disabled account's requests are refused; its tasks run on."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(disabled=disabled))


async def usage(
    connection: AsyncConnection, account: Account, *, by: Literal["month", "day"] = "month"
) -> Usage:
    """What the account has used so far, the latest period first."""
    counted = await connection.execute(
        select(tasks.c.status, func.count()).where(tasks.c.account_id == account.id).group_by(tasks.c.status)
    )
    counts = {Status(status): number for status, number in counted}
    reserved = await connection.scalar(
        select(func.coalesce(func.sum(tasks.c.reserved), 0)).where(
            tasks.c.account_id == account.id, tasks.c.ended_at.is_(None)
        )
    )
    form = {"month": "YYYY-MM", "day": "YYYY-MM-DD"}[by]
    period = func.to_char(func.timezone("UTC", ledger.c.at), form).label("period")
    rows = await connection.execute(
        select(period, func.count(), -func.sum(ledger.c.units))
        .where(ledger.c.account_id == account.id, ledger.c.kind == "settle")
        .group_by(period)
        .order_by(period.desc())
    )
    periods = tuple(Period(name, number, units) for name, number, units in rows)
    return Usage(
        account=account,
        tasks={status: counts.get(status, 0) for status in Status},
        settled=sum((period.units for period in periods), Decimal(0)),
        reserved=Decimal(reserved or 0),
        periods=periods,
    )


def account_of(row: Row[Any]) -> Account:
    """The account in a row that has at least ``COLUMNS``."""
    return Account(**{name: row._mapping[column] for name, column in zip(_FIELDS, COLUMNS, strict=True)})


_FIELDS = tuple(Account.__dataclass_fields__)


def _checked_name(name: str) -> str:
    if not (0 < len(name) <= NAME_CHARACTERS and name.isprintable() and name == name.strip()):
        raise RequestError(
            "account_name",
            f"{name[:NAME_CHARACTERS]!r} is no name for an account.",
            value=f"{len(name)} characters",
            limit=f"1 to {NAME_CHARACTERS} printable characters, no space at either end",
            fix="Choose another name.",
        )
    return name
