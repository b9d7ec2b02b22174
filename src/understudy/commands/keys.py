"""``understudy keys``: what lets a client in."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from understudy.commands.columns import columns, moment
from understudy.commands.opening import DatabaseOption, DataDirOption, JsonOption, opened, run
from understudy.terminal import say

app = typer.Typer(help="Keys of accounts.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(
    account: Annotated[str, typer.Option("--account", help="Whose keys they are.")] = "default",
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Make an access key with its secret key, and an API key. They are shown now and never again."""
    from understudy.tasks.accounts import DEFAULT, account_named, default_account
    from understudy.tasks.keys import NewKeys, create_keys

    async def work() -> NewKeys:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            if account == DEFAULT:
                owner = await default_account(connection)
            else:
                owner = await account_named(connection, account)
            return await create_keys(connection, service.secrets, owner.id)

    new = run(work())
    if as_json:
        made = {"access_key": new.access_key, "secret_key": new.secret_key, "api_key": new.api_key}
        typer.echo(json.dumps(made))
        return
    say(f"access key  {new.access_key}\nsecret key  {new.secret_key}\nAPI key     {new.api_key}")
    say("Keep them now: the secret key and the API key are not shown again.")
    say("A client sends the API key as its Bearer token, or signs tokens with access key and secret key.")


@app.command("list")
def list_all(
    account: Annotated[str | None, typer.Option("--account", help="Only this account's.")] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show access keys, whose they are, and which are revoked; no secret among it."""
    from understudy.tasks.accounts import account_named
    from understudy.tasks.keys import KeyRecord, list_keys

    async def work() -> list[KeyRecord]:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            owner = None if account is None else await account_named(connection, account)
            return await list_keys(connection, None if owner is None else owner.id)

    records = run(work())
    if as_json:
        rows = [
            {
                "access_key": record.access_key,
                "account": record.account,
                "created_at": record.created_at.isoformat(),
                "revoked_at": None if record.revoked_at is None else record.revoked_at.isoformat(),
            }
            for record in records
        ]
        typer.echo(json.dumps(rows))
    elif records:
        heading = ("access key", "account", "created", "revoked")
        lines = [(r.access_key, r.account, moment(r.created_at), moment(r.revoked_at)) for r in records]
        say(columns([heading, *lines]))
    else:
        say("There are no keys; `understudy keys create` makes some.")


@app.command()
def revoke(
    access_key: Annotated[str, typer.Argument(help="It begins with usak-.")],
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Let an access key's pair and the API key that was made with it in no more, from the next request on."""
    from understudy.tasks.keys import revoke_keys

    async def work() -> bool:
        async with opened(data_dir, database_url) as service, service.database.begin() as connection:
            return await revoke_keys(connection, access_key)

    say("It is revoked." if run(work()) else "It was revoked before.")
