"""``understudy webhooks``: the secret that signs callbacks, and what became of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.commands.columns import columns, moment
from understudy.commands.opening import DatabaseOption, DataDirOption, JsonOption, opened, run
from understudy.commands.words import one_line, without_secrets
from understudy.terminal import say

if TYPE_CHECKING:
    from understudy.tasks.delivery_log import Delivery
    from understudy.tasks.posting import Answer
    from understudy.tasks.task import StatusChange, Task

AccountOption = Annotated[str, typer.Option("--account", help="Whose callbacks.")]
ANSWER_CHARACTERS = 200
LARGEST_ID = 2**63 - 1

app = typer.Typer(help="Callbacks: their secret and their log.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def rotate(
    account: AccountOption = "default",
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Give an account a new secret for its callbacks, shown now and never again. The old one signs for 7 days more."""
    from understudy.tasks import webhooks
    from understudy.tasks.accounts import account_named

    async def work() -> webhooks.Rotated:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            owner = await account_named(connection, account)
            return await webhooks.rotate(connection, service.secrets, owner.id)

    new = run(work())
    if as_json:
        until = new.old_until.isoformat(timespec="seconds") if new.old_until else None
        typer.echo(json.dumps({"account": account, "secret": new.secret, "old_secret_signs_until": until}))
        return
    say(new.secret)
    say("Keep it now: it is not shown again. Receivers check callbacks with it (standardwebhooks.com).")
    if new.old_until:
        say(f"Until {moment(new.old_until)} callbacks are signed with the old secret as well.")


@app.command("test")
def send(
    url: Annotated[str, typer.Argument(metavar="URL", help="The receiver.")],
    account: AccountOption = "default",
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Send a receiver a callback of a made-up task and show its answer. Exit code 1 where it is no success."""
    from understudy.media.network import NetworkGuard
    from understudy.server.dialects.registry import dialect_named
    from understudy.server.links import Links
    from understudy.tasks import trial, webhooks
    from understudy.tasks.accounts import account_named

    async def work() -> tuple[Answer, int]:
        async with opened(data_dir, database_url) as service:
            links = Links(service.settings.base_url, service.secrets.link_keys)

            def body(task: Task, change: StatusChange) -> bytes:
                return dialect_named(task.dialect).encode_callback(task, change, links)

            async with service.database.begin() as connection:
                owner = await account_named(connection, account)
                secrets = await webhooks.current(connection, service.secrets, owner.id)
            guard = NetworkGuard(service.settings.allow_networks)
            return await trial.send_test(guard, body, url, secrets), len(secrets)

    answer, signatures = run(work())
    signed = {0: "unsigned", 1: "signed"}.get(signatures, f"signed with {signatures} secrets")
    if answer.http_status is None:
        say(f"no answer: {answer.error} ({answer.took_ms} ms, {signed})")
    else:
        say(f"answered HTTP {answer.http_status} in {answer.took_ms} ms ({signed})")
        if text := one_line(answer.body.decode("utf-8", "replace")):
            say(f"its words: {text[:ANSWER_CHARACTERS]}")
    if not answer.delivered:
        raise typer.Exit(1)


@app.command()
def log(
    account: Annotated[str | None, typer.Option("--account", help="Only this account's.")] = None,
    task: Annotated[
        int | None, typer.Option("--task", min=0, max=LARGEST_ID, help="Only this task's.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show what became of callbacks, the newest first."""
    from understudy.tasks import delivery_log
    from understudy.tasks.accounts import account_named

    async def work() -> list[Delivery]:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            owner_id = None if account is None else (await account_named(connection, account)).id
            return await delivery_log.log(connection, owner_id, task_id=task, limit=limit)

    found = run(work())
    if as_json:
        typer.echo(json.dumps([_json(each) for each in found]))
    elif found:
        heading = (
            "callback",
            "task",
            "status",
            "at",
            "state",
            "tries",
            "next try",
            "last answer",
            "receiver",
        )
        say(columns([heading, *(_row(each) for each in found)]))
    else:
        say("There are no such callbacks.")


@app.command()
def redeliver(
    callback: Annotated[int, typer.Argument(metavar="ID", min=0, max=LARGEST_ID, help="As the log has it.")],
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Send a callback again, under its old id: now, and then over a day until it arrives."""
    from understudy.tasks import delivery_log
    from understudy.tasks.queue import ProcrastinateJobs

    async def work() -> None:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            await delivery_log.redeliver(connection, ProcrastinateJobs(), callback)

    run(work())
    say(f"The callback {callback} is in the queue again; a running service sends it now.")


def _row(delivery: Delivery) -> tuple[str, ...]:
    last = delivery.tries[-1] if delivery.tries else None
    answered = "" if last is None else last.error or f"{last.http_status}"
    return (
        str(delivery.id),
        str(delivery.task_id),
        delivery.status.value,
        moment(delivery.status_at),
        delivery.state,
        str(len(delivery.tries)),
        moment(delivery.next_at),
        one_line(answered),
        one_line(without_secrets(delivery.url)),
    )


def _json(delivery: Delivery) -> dict[str, object]:
    return {
        "callback_id": delivery.id,
        "task_id": str(delivery.task_id),
        "status": delivery.status.value,
        "status_at": delivery.status_at.isoformat(),
        "url": without_secrets(delivery.url),
        "state": delivery.state,
        "next_at": delivery.next_at.isoformat() if delivery.next_at else None,
        "ended_at": delivery.ended_at.isoformat() if delivery.ended_at else None,
        "tries": [
            {
                "at": one.at.isoformat(),
                "http_status": one.http_status,
                "error": one.error,
                "took_ms": one.took_ms,
            }
            for one in delivery.tries
        ],
    }
