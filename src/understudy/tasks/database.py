"""The database: connections, transactions, and bringing its tables up to date."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from understudy.errors import UnavailableError

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATING = 0x756E6465  # the advisory lock under which one process at a time migrates


class Database:
    """Transactions on one Postgres.

    ``url`` is anything psycopg takes: ``postgresql://user@/name?host=/socket/folder``.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            _dialect_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            hide_parameters=True,  # they hold callback URLs, prompts and hashes of keys, and errors go to the log
            connect_args={"connect_timeout": 5, "application_name": "understudy"},
        )
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        event.listen(self.engine.sync_engine, "checkout", _refuse_hung_up)
        event.listen(self.engine.sync_engine, "invalidate", _finish)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end. Raises UnavailableError where the server is lost or absent."""
        with _told_as_unavailable():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """For a single SELECT: without the two messages that begin and end a transaction. Raises UnavailableError."""
        with _told_as_unavailable():
            async with self._reading.connect() as connection:
                yield connection

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def _told_as_unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
        raise unavailable() from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, psycopg.errors.AdminShutdown):
            raise unavailable() from error
        raise


def _refuse_hung_up(connection: Any, *_: object) -> None:
    """Have the pool take another connection where the server closed this one while it lay idle (it was started anew):
    then its socket can be read, which it never can between two questions. Asking a question instead would cost each
    transaction a round trip."""
    driver = connection.driver_connection
    if driver.closed:
        raise DisconnectionError
    poller = select.poll()
    poller.register(driver.fileno(), select.POLLIN)
    if poller.poll(0):
        raise DisconnectionError


def _finish(connection: Any, *_: object) -> None:
    """Let go of a broken connection at once; the pool would leave that to the garbage collector."""
    connection.driver_connection.pgconn.finish()


def migrate(url: str) -> None:
    """Bring the database's tables, the queue's among them, up to date. Raises UnavailableError where it is away."""
    engine = create_engine(_dialect_url(url), poolclass=NullPool, connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATING})
            connection.commit()
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATING})
            connection.commit()
    except (OperationalError, OSError) as error:
        raise unavailable() from error
    finally:
        engine.dispose()


def _dialect_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def unavailable() -> UnavailableError:
    """What a caller hears while the database is away."""
    return UnavailableError(
        "unavailable",
        "The database cannot be reached at the moment.",
        fix="Try again in a few seconds; nothing that was accepted is lost.",
    )
