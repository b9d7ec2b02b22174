"""Accounts and keys in a real Postgres."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import RequestError
from understudy.tasks import ledger
from understudy.tasks.accounts import (
    Period,
    account_named,
    create_account,
    default_account,
    list_accounts,
    set_disabled,
    set_limit,
    usage,
)
from understudy.tasks.database import Database
from understudy.tasks.keys import api_key_hash, create_keys, list_keys, revoke_keys
from understudy.tasks.seal import Secrets
from understudy.tasks.tables import keys, tasks
from understudy.tasks.tables import ledger as rows
from understudy.tasks.task import Status

D = Decimal
SECRETS = Secrets(["a word that is long enough"])
_ids = itertools.count(10**15)


def run(url: str, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Do the work in one transaction."""

    async def whole() -> None:
        database = Database(url)
        try:
            async with database.begin() as connection:
                await work(connection)
        finally:
            await database.close()

    asyncio.run(whole())


async def task(
    connection: AsyncConnection, account_id: int, status: Status, reserved: str, cost: str | None = None
) -> int:
    task_id = next(_ids)
    await connection.execute(
        insert(tasks).values(
            id=task_id,
            account_id=account_id,
            dialect="kling",
            model="kling-v3",
            engine="puppet",
            image={"key": "a"},
            video={"key": "b"},
            orientation="video",
            mode="std",
            sound=True,
            watermark=False,
            status=status,
            reserved=D(reserved),
            deduction=None if cost is None else D(cost),
            ended_at=None if cost is None else datetime.now(UTC),
        )
    )
    if cost is not None:
        await ledger.settle(connection, account_id, task_id, D(cost))
    return task_id


def test_a_new_account(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        made = await create_account(connection, "Zoë & co.")
        assert (made.name, made.disabled, made.concurrency_limit, made.balance) == (
            "Zoë & co.",
            False,
            None,
            None,
        )
        assert await account_named(connection, "Zoë & co.") == made
        other = await create_account(connection, "other")
        assert await list_accounts(connection) == [made, other]

    run(database_url, work)


def test_a_name_is_taken_once(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        await create_account(connection, "one")
        with pytest.raises(RequestError) as caught:
            await create_account(connection, "one")
        assert caught.value.code == "account_taken"
        await create_account(connection, "One")  # the transaction goes on, and case counts

    run(database_url, work)


def test_what_is_no_name(database_url: str) -> None:
    names = ["", " ", "a ", " a", "a\n", "a\0b", "\x1b[31mred", "a" * 65, "\udcff", "a\u202eb"]

    async def work(connection: AsyncConnection) -> None:
        for name, call in itertools.product(names, (create_account, account_named)):
            with pytest.raises(RequestError) as caught:
                await call(connection, name)
            assert caught.value.code == "account_name"
            assert caught.value.message.isprintable()

    run(database_url, work)


def test_what_is_a_name(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        for name in ["a", "a" * 64, "名前", "a b", "'; DROP TABLE accounts; --", "%s", "-"]:
            await create_account(connection, name)
            assert (await account_named(connection, name)).name == name

    run(database_url, work)


def test_an_unknown_account(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        with pytest.raises(RequestError) as caught:
            await account_named(connection, "nobody")
        assert caught.value.code == "account_unknown"
        assert "'nobody'" in caught.value.message
        assert "understudy accounts create" in caught.value.fix

    run(database_url, work)


def test_the_default_account_is_made_once(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        first = await default_account(connection)
        assert first.name == "default"
        assert await default_account(connection) == first
        assert len(await list_accounts(connection)) == 1

    run(database_url, work)


def test_limits_and_disabling_touch_one_account(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        one, other = await create_account(connection, "one"), await create_account(connection, "other")
        await set_limit(connection, one.id, 3)
        await set_disabled(connection, one.id, True)
        changed = await account_named(connection, "one")
        assert (changed.concurrency_limit, changed.disabled) == (3, True)
        assert await account_named(connection, "other") == other
        await set_limit(connection, one.id, None)
        await set_disabled(connection, one.id, False)
        assert await account_named(connection, "one") == one

    run(database_url, work)


def test_what_is_no_limit(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        one = await create_account(connection, "one")
        for limit in [0, -1, 1_000_001, 2**40]:
            with pytest.raises(RequestError) as caught:
                await set_limit(connection, one.id, limit)
            assert caught.value.code == "limit_invalid"

    run(database_url, work)


def test_usage_of_an_account_that_did_nothing(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        one = await create_account(connection, "one")
        found = await usage(connection, one)
        assert found.tasks == dict.fromkeys(Status, 0)
        assert (found.settled, found.reserved, found.periods) == (0, 0, ())

    run(database_url, work)


def test_usage_counts_by_status_and_by_period(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        other = await create_account(connection, "other")
        await task(connection, other.id, Status.SUCCEED, "9", "9")
        await create_account(connection, "one")
        one = await account_named(connection, "one")
        old = await task(connection, one.id, Status.SUCCEED, "4.5", "4.5")
        edge = await task(connection, one.id, Status.FAILED, "1.5", "0")
        await task(connection, one.id, Status.SUCCEED, "2.7", "2.5")
        await task(connection, one.id, Status.SUBMITTED, "1.5")
        await task(connection, one.id, Status.PROCESSING, "3.2")
        for task_id, at in ((old, "2026-09-30 12:00:00+00"), (edge, "2026-09-30 23:30:00-02")):
            await connection.execute(
                update(rows).where(rows.c.task_id == task_id).values(at=text(f"'{at}'::timestamptz"))
            )
        await connection.execute(
            text("SET LOCAL TimeZone = 'America/New_York'")
        )  # periods are in UTC all the same
        found = await usage(connection, one)
        assert found.tasks == {
            Status.SUBMITTED: 1,
            Status.PROCESSING: 1,
            Status.SUCCEED: 2,
            Status.FAILED: 1,
        }
        assert found.reserved == D("4.7")
        assert found.settled == D("7.0")
        now = datetime.now(UTC)
        assert found.periods == (
            Period(f"{now:%Y-%m}", 1, D("2.5")),
            Period("2026-10", 1, D(0)),
            Period("2026-09", 1, D("4.5")),
        )
        by_day = await usage(connection, one, by="day")
        assert [period.name for period in by_day.periods] == [f"{now:%Y-%m-%d}", "2026-10-01", "2026-09-30"]

    run(database_url, work)


def test_what_is_kept_of_keys_does_not_give_them_away(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        one = await create_account(connection, "one")
        new = await create_keys(connection, SECRETS, one.id)
        kept = (await connection.execute(select(keys))).one()._mapping
        everything = repr(dict(kept))
        assert new.secret_key not in everything
        assert new.api_key not in everything
        assert kept["access_key"] == new.access_key
        assert SECRETS.unseal(kept["secret_key_sealed"]) == new.secret_key
        assert kept["api_key_sha256"] == api_key_hash(new.api_key)
        assert new.secret_key not in repr(new)
        assert new.api_key not in repr(new)

    run(database_url, work)


def test_keys_are_long_different_and_plain(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        one = await create_account(connection, "one")
        made = [await create_keys(connection, SECRETS, one.id) for _ in range(20)]
        words = [word for new in made for word in (new.access_key, new.secret_key, new.api_key)]
        assert len(set(words)) == 60
        assert all(word.replace("-", "").isalnum() and word.isascii() for word in words)
        assert all(new.access_key.startswith("usak-") and len(new.access_key) == 32 for new in made)
        assert all(new.secret_key.startswith("ussk-") and len(new.secret_key) == 49 for new in made)
        assert all(new.api_key.startswith("us-") and len(new.api_key) == 47 for new in made)

    run(database_url, work)


def test_keys_are_listed_and_revoked(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        one, other = await create_account(connection, "one"), await create_account(connection, "other")
        first = await create_keys(connection, SECRETS, one.id)
        second = await create_keys(connection, SECRETS, other.id)
        assert await revoke_keys(connection, first.access_key)
        assert not await revoke_keys(connection, first.access_key)
        records = await list_keys(connection)
        assert [(record.access_key, record.account) for record in records] == [
            (first.access_key, "one"),
            (second.access_key, "other"),
        ]
        assert records[0].revoked_at is not None
        assert records[0].revoked_at >= records[0].created_at
        assert records[1].revoked_at is None
        assert await list_keys(connection, other.id) == records[1:]

    run(database_url, work)


def test_an_unknown_key_is_not_repeated(database_url: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        for given in ["usak-nobody", "", "a\0b", "\udcff", "ussk-secret"]:
            with pytest.raises(RequestError) as caught:
                await revoke_keys(connection, given)
            assert caught.value.code == "key_unknown"
            assert not given or given not in str(caught.value)

    run(database_url, work)
