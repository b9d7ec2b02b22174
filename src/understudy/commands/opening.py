"""What the service's commands work on: its settings, its database, its secret; whether it runs or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from understudy.config import Settings

if TYPE_CHECKING:
    from understudy.tasks.database import Database
    from understudy.tasks.seal import Secrets

T = TypeVar("T")

DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the service keeps what it embeds.")
]
DatabaseOption = Annotated[
    str | None, typer.Option("--database-url", help="A Postgres of your own instead of the embedded one.")
]
AccountOption = Annotated[str, typer.Option("--account", help="The account's name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON value on stdout.")]


@dataclass(frozen=True)
class Opened:
    settings: Settings
    database: Database
    secrets: Secrets


@asynccontextmanager
async def opened(data_dir: Path | None, database_url: str | None) -> AsyncIterator[Opened]:
    """The service's parts, for one command. The embedded Postgres is started for as long, where it does not run.

    Raises SettingError, UnavailableError.
    """
    from understudy.tasks.database import Database
    from understudy.tasks.postgres import database_url as served
    from understudy.tasks.seal import Secrets

    settings = Settings.load({"data_dir": data_dir, "database_url": database_url})
    secrets = Secrets.load(settings)
    with served(settings) as url:
        database = Database(url, pool_size=1)
        try:
            yield Opened(settings, database, secrets)
        finally:
            await database.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work of one command, in an event loop of its own."""
    import asyncio  # with TLS behind it: a command that opens nothing starts sooner without

    return asyncio.run(work)
