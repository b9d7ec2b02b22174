"""``understudy tasks``: the operator's look at tasks, and a hand in them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from understudy.commands.columns import columns, moment
from understudy.commands.opening import DatabaseOption, DataDirOption, JsonOption, opened, run
from understudy.commands.words import one_line, without_secrets
from understudy.errors import RequestError
from understudy.terminal import say

if TYPE_CHECKING:
    from understudy.tasks.accounts import Account
    from understudy.tasks.listeners import Deserted
    from understudy.tasks.overview import Listed
    from understudy.tasks.records import Tasks
    from understudy.tasks.submission import Link, Stored
    from understudy.tasks.task import Task

T = TypeVar("T")
NameArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A task's id; or its external id, with --account.")
]
AnyAccountOption = Annotated[str | None, typer.Option("--account", help="Only this account's.")]
EXTERNAL_ID_CHARACTERS = 36  # a UUID
MESSAGE_CHARACTERS = 60

app = typer.Typer(help="Tasks of all accounts.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_newest(
    account: AnyAccountOption = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those: submitted, processing, succeed or failed.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show tasks, the newest first."""
    from understudy.tasks.accounts import account_named
    from understudy.tasks.listeners import deserted
    from understudy.tasks.overview import listed
    from understudy.tasks.task import Status

    if status is not None and status not in tuple(Status):
        raise RequestError(
            "status_unknown",
            f"{status!r} is no status of a task.",
            value=status,
            limit=", ".join(Status),
            fix=f"Use one of: {', '.join(Status)}.",
        )

    async def work() -> tuple[list[Listed], list[Deserted]]:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            newest = await listed(
                connection,
                account_id=None if account is None else (await account_named(connection, account)).id,
                status=None if status is None else Status(status),
                limit=limit,
            )
            return newest, await deserted(connection)

    found, waiting = run(work())
    if as_json:
        typer.echo(json.dumps([_json(each.account, each.task) for each in found]))
    elif found:
        heading = ("task", "external id", "account", "model", "status", "created", "took", "message")
        say(columns([heading, *(_row(each.account, each.task) for each in found)]))
    else:
        say("There are no such tasks.")
    for each in waiting:
        typer.echo(str(each), err=True)


@app.command()
def show(
    name: NameArgument,
    account: AnyAccountOption = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show all about one task."""

    async def work(_: Tasks, owner: Account, task: Task) -> dict[str, object]:
        return _json(owner.name, task)

    told = _on_task(data_dir, database_url, account, name, work)
    if as_json:
        typer.echo(json.dumps(told))
        return
    width = max(map(len, told))
    for field, value in told.items():
        if value not in (None, ""):
            shown = value if isinstance(value, str) else json.dumps(value)
            say(f"{field.ljust(width)}  {one_line(shown)}")


@app.command()
def cancel(
    name: NameArgument,
    account: AnyAccountOption = None,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """End a task that has not ended: it fails, for nothing."""

    async def work(tasks: Tasks, owner: Account, task: Task) -> Task:
        return await tasks.cancel(owner.id, task.id)

    say(f"The task {_on_task(data_dir, database_url, account, name, work).id} is cancelled.")


@app.command()
def retry(
    name: NameArgument,
    account: AnyAccountOption = None,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Hand a task's request in again, as a new task; prints its id."""

    async def work(tasks: Tasks, owner: Account, task: Task) -> Task:
        return await tasks.retry(owner, task.id)

    typer.echo(str(_on_task(data_dir, database_url, account, name, work).id))


def _on_task(
    data_dir: Path | None,
    database_url: str | None,
    account: str | None,
    name: str,
    work: Callable[[Tasks, Account, Task], Awaitable[T]],
) -> T:
    """Do the work on the task of that name. Raises TaskError (``task_unknown``)."""
    from understudy.storage import open_storage
    from understudy.tasks.accounts import account_named
    from understudy.tasks.overview import owner
    from understudy.tasks.queue import ProcrastinateJobs
    from understudy.tasks.records import Tasks

    async def whole() -> T:
        async with opened(data_dir, database_url) as service:
            tasks = Tasks(service.database, ProcrastinateJobs(), open_storage(service.settings))
            async with service.database.begin() as connection:
                if account is None:
                    its = await owner(connection, name)
                else:
                    its = await account_named(connection, account)
            return await work(tasks, its, await tasks.find(its.id, name))

    return run(whole())


def _row(account: str, task: Task) -> tuple[str, ...]:
    return (
        str(task.id),
        _cut(one_line(task.external_task_id or ""), EXTERNAL_ID_CHARACTERS),
        one_line(account),
        f"{task.model} {task.mode.value}",
        task.status.value,
        moment(task.created_at),
        f"{(task.ended_at - task.created_at).total_seconds():.1f} s" if task.ended_at else "",
        _cut(one_line(task.status_msg), MESSAGE_CHARACTERS),
    )


def _cut(text: str, most: int) -> str:
    """``show`` and ``--json`` have the whole."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _json(account: str, task: Task) -> dict[str, object]:
    from understudy.tasks.prices import units_text

    return {
        "task_id": str(task.id),
        "external_task_id": task.external_task_id,
        "account": account,
        "status": task.status.value,
        "message": task.status_msg,
        "fix": task.fix,
        "error_code": task.error_code,
        "dialect": task.dialect,
        "model": task.model,
        "mode": task.mode.value,
        "orientation": task.orientation.value,
        "sound": task.sound,
        "watermark": task.watermark,
        "prompt": task.prompt,
        "engine": task.engine,
        "scene": task.scene.value,
        "seed": task.seed,
        "image": _source(task.image),
        "video": _source(task.video),
        "callback_url": None if task.callback_url is None else without_secrets(task.callback_url),
        "stage": None if task.status.ended else task.stage,
        "progress": round(task.progress, 3),
        "time_left_s": task.time_left_s,
        "attempt": task.attempt,
        "crashes": task.crashes,
        "reserved": units_text(task.reserved),
        "deduction": None if task.deduction is None else units_text(task.deduction),
        "created_at": task.created_at.isoformat(),
        "started_at": task.started_at.isoformat() if task.started_at else None,
        "updated_at": task.updated_at.isoformat(),
        "ended_at": task.ended_at.isoformat() if task.ended_at else None,
        "files_deleted_at": task.files_deleted_at.isoformat() if task.files_deleted_at else None,
        "output": task.output.to_json() if task.output else None,
    }


def _source(source: Link | Stored) -> str:
    from understudy.tasks.submission import Link

    return without_secrets(source.url) if isinstance(source, Link) else source.key
