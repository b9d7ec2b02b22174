"""A real Postgres for the tests of the service: the embedded one, once a run; each test gets a database of its own."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from understudy.tasks.database import migrate
from understudy.tasks.postgres import EmbeddedPostgres

_numbers = itertools.count(1)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder for an embedded Postgres. One of pytest's will not do: as root the server runs as another user, and
    each pytest that starts takes the right to pass through from all that lie in its folders."""
    with tempfile.TemporaryDirectory(prefix="understudy-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="understudy-test-") as folder:
        server = EmbeddedPostgres(Path(folder))
        url = server.start()
        yield url
        server.stop()


@pytest.fixture(scope="session")
def _migrated(postgres_url: str) -> str:
    """The name of a migrated database that the others are copied from: faster than migrating each."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_template")
    migrate(named(postgres_url, "test_template"))
    return "test_template"


@pytest.fixture
def database_url(postgres_url: str, _migrated: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_migrated}")  # names are ours
    yield named(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def named(url: str, database: str) -> str:
    """The URL with another database in it: ``postgresql://user@/database?host=...``."""
    before, _, after = url.partition("?")
    return f"{before[: before.rindex('/') + 1]}{database}?{after}"
