"""``understudy accounts``: who may make tasks, how many at once, and how much they may cost."""

from __future__ import annotations

import json
import shlex
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from understudy.commands.columns import columns
from understudy.commands.opening import DatabaseOption, DataDirOption, JsonOption, opened, run
from understudy.errors import RequestError
from understudy.terminal import say

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from understudy.tasks.accounts import Account, Usage

T = TypeVar("T")
NameArgument = Annotated[str, typer.Argument(help="The account's name.")]

app = typer.Typer(help="Accounts, their limits and units.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(name: NameArgument, data_dir: DataDirOption = None, database_url: DatabaseOption = None) -> None:
    """Make an account. It is unlimited until its first grant."""
    from understudy.tasks.accounts import create_account

    _run(data_dir, database_url, lambda connection: create_account(connection, name))
    say(
        f"The account {name!r} is made; `understudy keys create --account {shlex.quote(name)}` makes its keys."
    )


@app.command("list")
def list_all(
    as_json: JsonOption = False, data_dir: DataDirOption = None, database_url: DatabaseOption = None
) -> None:
    """Show all accounts."""
    from understudy.tasks.accounts import list_accounts

    found = _run(data_dir, database_url, list_accounts)
    if as_json:
        typer.echo(json.dumps([_json(account) for account in found]))
    elif found:
        heading = ("account", "state", "tasks at once", "balance")
        say(columns([heading, *(_row(account) for account in found)]))
    else:
        say("There are no accounts; `understudy accounts create` makes one.")


@app.command()
def limit(
    name: NameArgument,
    concurrency: Annotated[int | None, typer.Option("--concurrency", help="So many live tasks.")] = None,
    lift: Annotated[bool, typer.Option("--no-concurrency", help="Any number of live tasks.")] = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Limit how many tasks of the account may live at once; more are refused when they are handed in."""
    from understudy.tasks.accounts import set_limit

    if (concurrency is None) != lift:
        raise RequestError(
            "limit_invalid",
            "A limit is either a number of tasks or lifted.",
            fix="Give one of --concurrency N and --no-concurrency.",
        )
    _change(data_dir, database_url, name, lambda connection, at: set_limit(connection, at.id, concurrency))
    say(f"{name!r} may have {concurrency or 'any number of'} live tasks at once.")


@app.command(context_settings={"ignore_unknown_options": True})  # so that -5 is a number
def grant(
    name: NameArgument,
    units: Annotated[str | None, typer.Argument(help="Units to add; below 0 takes some back.")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Lift the limit instead.")] = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Give an account units. The first grant makes it limited to what it is given."""
    from understudy.tasks import ledger
    from understudy.tasks.prices import units_text

    if (units is None) != unlimited:
        raise RequestError(
            "units_invalid",
            "A grant is either a number of units or unlimited.",
            fix="Give one of UNITS and --unlimited.",
        )
    if units is None:
        _change(data_dir, database_url, name, lambda connection, to: ledger.make_unlimited(connection, to.id))
        say(f"{name!r} is unlimited.")
        return
    number = _decimal(units)
    balance = _change(
        data_dir, database_url, name, lambda connection, to: ledger.grant(connection, to.id, number)
    )
    say(f"{name!r} has {units_text(balance)} units.")


@app.command()
def usage(
    name: NameArgument,
    days: Annotated[bool, typer.Option("--days", help="By days instead of months.")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show an account's tasks by status, and its units: used, held by live tasks, left."""
    from understudy.tasks.accounts import usage as used
    from understudy.tasks.prices import units_text

    by = "day" if days else "month"
    found: Usage = _change(
        data_dir,
        database_url,
        name,
        lambda connection, of: used(connection, of, by="day" if days else "month"),
    )
    if as_json:
        value = {
            **_json(found.account),
            "tasks": {status.value: number for status, number in found.tasks.items()},
            "settled": units_text(found.settled),
            "reserved": units_text(found.reserved),
            "periods": [
                {by: period.name, "tasks": period.tasks, "units": units_text(period.units)}
                for period in found.periods
            ],
        }
        typer.echo(json.dumps(value))
        return
    say("tasks     " + ", ".join(f"{status.value} {number}" for status, number in found.tasks.items()))
    say(f"used      {units_text(found.settled)} units")
    say(f"held      {units_text(found.reserved)} units by live tasks")
    say(f"left      {_balance(found.account)}")
    if found.periods:
        lines = [(period.name, str(period.tasks), units_text(period.units)) for period in found.periods]
        say(columns([(by, "tasks ended", "units"), *lines]))


@app.command()
def disable(name: NameArgument, data_dir: DataDirOption = None, database_url: DatabaseOption = None) -> None:
    """Refuse an account's requests from the next on. What it has handed in runs on."""
    _set_disabled(data_dir, database_url, name, True)
    say(f"{name!r} is disabled.")


@app.command()
def enable(name: NameArgument, data_dir: DataDirOption = None, database_url: DatabaseOption = None) -> None:
    """Let a disabled account in again."""
    _set_disabled(data_dir, database_url, name, False)
    say(f"{name!r} is enabled.")


def _set_disabled(data_dir: Path | None, database_url: str | None, name: str, disabled: bool) -> None:
    from understudy.tasks.accounts import set_disabled

    _change(data_dir, database_url, name, lambda connection, at: set_disabled(connection, at.id, disabled))


def _change(
    data_dir: Path | None,
    database_url: str | None,
    name: str,
    work: Callable[[AsyncConnection, Account], Awaitable[T]],
) -> T:
    """Do the work on the account of that name, in one transaction."""
    from understudy.tasks.accounts import account_named

    async def found(connection: AsyncConnection) -> T:
        return await work(connection, await account_named(connection, name))

    return _run(data_dir, database_url, found)


def _run(
    data_dir: Path | None, database_url: str | None, work: Callable[[AsyncConnection], Awaitable[T]]
) -> T:
    async def whole() -> T:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            return await work(connection)

    return run(whole())


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise RequestError(
            "units_invalid",
            f"{text!r} is no number of units.",
            value=text,
            fix="Give a number such as 100 or 4.5; one below 0 takes units back.",
        ) from None


def _balance(account: Account) -> str:
    from understudy.tasks.prices import units_text

    return "unlimited" if account.balance is None else f"{units_text(account.balance)} units"


def _row(account: Account) -> tuple[str, str, str, str]:
    state = "disabled" if account.disabled else "enabled"
    at_once = "any number" if account.concurrency_limit is None else str(account.concurrency_limit)
    return account.name, state, at_once, _balance(account)


def _json(account: Account) -> dict[str, object]:
    from understudy.tasks.prices import units_text

    return {
        "account": account.name,
        "disabled": account.disabled,
        "concurrency_limit": account.concurrency_limit,
        "balance": None if account.balance is None else units_text(account.balance),
    }
