"""The database's connections outlive its restarts."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from understudy.errors import UnavailableError
from understudy.tasks.database import Database, migrate
from understudy.tasks.tables import metadata

ONE = text("SELECT 1")
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_connections_that_the_server_closed_are_replaced_unnoticed(database_url: str) -> None:
    async def story() -> None:
        database = Database(database_url)
        async with database.begin() as first, database.begin() as second:  # two lie in the pool afterwards
            await first.execute(ONE)
            await second.execute(ONE)
        with psycopg.connect(database_url, autocommit=True) as other:
            closed = other.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
            assert closed == (2,)
            while other.execute(OTHERS).fetchone() != (0,):  # they end when the signal reaches them
                await asyncio.sleep(0.01)
        async with database.read() as connection:
            assert (await connection.execute(ONE)).scalar() == 1
        async with database.begin() as connection:
            assert (await connection.execute(ONE)).scalar() == 1
        await database.close()

    asyncio.run(story())


def test_a_connection_lost_within_a_transaction_is_told_as_unavailable(database_url: str) -> None:
    async def story() -> None:
        database = Database(database_url)
        with pytest.raises(UnavailableError) as caught:
            async with database.begin() as connection:
                await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert caught.value.code == "unavailable"
        await database.close()

    asyncio.run(story())


def test_what_a_reader_leaves_open_does_not_stay_so(database_url: str) -> None:
    async def story() -> None:
        database = Database(database_url, pool_size=1)
        async with database.read() as connection:
            await connection.execute(ONE)
        with suppress(ZeroDivisionError):
            async with database.begin() as connection:  # the same connection, and a transaction again
                await connection.execute(text("CREATE TABLE half (i int)"))
                raise ZeroDivisionError
        async with database.read() as connection:
            assert (await connection.execute(text("SELECT to_regclass('half')"))).scalar() is None
        await database.close()

    asyncio.run(story())


def test_an_absent_server_is_told_as_unavailable() -> None:
    with pytest.raises(UnavailableError):
        migrate("postgresql://postgres@/understudy?host=/nonexistent")


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)


def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _ours})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def _ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or not str(name).startswith(("procrastinate_", "alembic_"))
