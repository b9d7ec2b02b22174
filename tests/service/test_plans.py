"""What is asked at each answer is found by an index, however many tasks there are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from kling_examples import SUBMITTED
from sqlalchemy import event

from understudy.tasks.accounts import Account
from understudy.tasks.database import Database
from understudy.tasks.pack import deductions, pack_of
from understudy.tasks.standing import Standing
from understudy.tasks.window import Window

TASKS = 4000
FILLED = f"""
INSERT INTO accounts (id, name, balance) SELECT n, 'a' || n, 100 FROM generate_series(1, 2) n;
INSERT INTO ledger (account_id, kind, units) SELECT id, 'grant', 100 FROM accounts;
INSERT INTO tasks (id, account_id, dialect, model, engine, image, video, orientation, mode, sound, watermark, status,
                   reserved, deduction, created_at, started_at, ended_at)
SELECT n, n % 2 + 1, 'kling', 'kling-v2-6', CASE WHEN n % 10 = 0 THEN 'fake' ELSE 'puppet' END, '{{"key": "i"}}',
       '{{"key": "v"}}', 'video', 'std', true, false, 'succeed', 4, 2.5, at, at, at + interval '9 s'
FROM (SELECT n, now() - n * interval '1 min' AS at FROM generate_series(1, {TASKS}) n) each;
INSERT INTO ledger (account_id, task_id, kind, units)
SELECT account_id, id, kind, units
FROM tasks, (VALUES ('reserve', -4), ('release', 4), ('settle', -2.5)) move (kind, units);
ANALYZE
"""
ACCOUNT = Account(1, "a1", False, None, None)
MONTH = Window(datetime.now(UTC) - timedelta(days=30), datetime.now(UTC))


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda database: Standing(database).wait_s(replace(SUBMITTED, engine="puppet"), 1), "tasks_took"),
        (
            lambda database: Standing(database).wait_s(replace(SUBMITTED, engine="wan-animate"), 1),
            "tasks_took",
        ),
        (lambda database: deductions(database, 1, MONTH, 100), "ledger_grants"),
        (lambda database: pack_of(database, ACCOUNT), "ledger_grants"),
    ],
    ids=["usual time", "unusual engine", "deductions", "pack"],
)
def test_the_plan_for_any_value_has_the_index(
    database_url: str, ask: Callable[[Database], Awaitable[Any]], index: str
) -> None:
    """A statement that was run a few times is planned once for all values: an index that is partial by a parameter
    is of no use to it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(FILLED.encode())
        first = asyncio.run(statements(database_url, ask))[0]
        plan = connection.execute(f"EXPLAIN (GENERIC_PLAN) {numbered(first)}".encode()).fetchall()
    assert index in str(plan), plan


async def statements(url: str, ask: Callable[[Database], Awaitable[Any]]) -> list[str]:
    """What is sent to the database for it."""
    database, sent = Database(url), []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2]))
    await ask(database)
    await database.close()
    return sent


def numbered(statement: str) -> str:
    """With the parameters as Postgres names them."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
