"""The ledger on a real Postgres: no balance below 0, no task settled twice, and rows that add up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import AccountError, RequestError
from understudy.tasks import ledger
from understudy.tasks.accounts import account_named, create_account
from understudy.tasks.database import Database
from understudy.tasks.tables import ledger as rows
from understudy.tasks.tables import tasks

D = Decimal
_ids = itertools.count(10**15)


def run(url: str, work: Callable[[Database], Awaitable[None]], pool_size: int = 10) -> None:
    async def whole() -> None:
        database = Database(url, pool_size=pool_size)
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(whole())


async def new_task(connection: AsyncConnection, account_id: int) -> int:
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
            status="submitted",
            reserved=D(0),
        )
    )
    return task_id


async def new_account(database: Database, units: Decimal | None, name: str = "one") -> int:
    async with database.begin() as connection:
        account = await create_account(connection, name)
        if units is not None:
            await ledger.grant(connection, account.id, units)
    return account.id


async def balance(database: Database, name: str = "one") -> Decimal | None:
    async with database.begin() as connection:
        return (await account_named(connection, name)).balance


async def book(database: Database, account_id: int) -> list[tuple[str, Decimal]]:
    async with database.begin() as connection:
        found = await connection.execute(
            select(rows.c.kind, rows.c.units).where(rows.c.account_id == account_id).order_by(rows.c.id)
        )
        return [(kind, units) for kind, units in found]


def test_a_task_s_way_through_the_books(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(10))
        async with database.begin() as connection:
            task = await new_task(connection, account)
            await ledger.reserve(connection, account, task, D("2.7"))
        assert await balance(database) == D("7.3")
        async with database.begin() as connection:
            await ledger.reserve(connection, account, task, D("5.4"))
        assert await balance(database) == D("1.9")
        async with database.begin() as connection:
            assert await ledger.settle(connection, account, task, D("7.2"))
        assert await balance(database) == D("2.8")
        assert await book(database, account) == [
            ("grant", D(10)),
            ("reserve", D("-2.7")),
            ("reserve", D("-5.4")),
            ("settle", D("-7.2")),
            ("release", D("8.1")),
        ]

    run(database_url, work)


def test_a_failed_task_costs_nothing(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(3))
        async with database.begin() as connection:
            task = await new_task(connection, account)
            await ledger.reserve(connection, account, task, D(3))
            assert await ledger.settle(connection, account, task, D(0))
        assert await balance(database) == D(3)

    run(database_url, work)


def test_a_balance_that_does_not_reach(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D("1.49"))
        with pytest.raises(AccountError) as caught:
            async with database.begin() as connection:
                await ledger.reserve(connection, account, await new_task(connection, account), D("1.5"))
        assert caught.value.code == "balance_used_up"
        assert caught.value.value == "1.49 units"
        assert caught.value.limit == "1.5 units"
        assert caught.value.message.startswith("Account balance not enough")
        assert await balance(database) == D("1.49")
        assert await book(database, account) == [("grant", D("1.49"))]

    run(database_url, work)


def test_the_last_unit_can_be_used(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D("1.5"))
        async with database.begin() as connection:
            await ledger.reserve(connection, account, await new_task(connection, account), D("1.5"))
        assert await balance(database) == 0

    run(database_url, work)


def test_an_unlimited_account_only_has_its_use_written_down(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, None)
        async with database.begin() as connection:
            task = await new_task(connection, account)
            await ledger.reserve(connection, account, task, D(1000))
            await ledger.settle(connection, account, task, D("4.5"))
        assert await balance(database) is None
        assert await book(database, account) == [("settle", D("-4.5")), ("waive", D("4.5"))]

    run(database_url, work)


def test_a_task_accepted_while_unlimited_takes_and_gives_nothing_once_limited(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, None)
        async with database.begin() as connection:
            early, later = await new_task(connection, account), await new_task(connection, account)
            for task in (early, later):
                await ledger.reserve(connection, account, task, D(3))
            await ledger.grant(connection, account, D(10))
            await ledger.reserve(connection, account, later, D(2))  # its price was raised since: that is held
        assert await balance(database) == D(8)
        async with database.begin() as connection:
            await ledger.settle(connection, account, early, D("2.5"))
            await ledger.settle(connection, account, later, D(5))
        assert await balance(database) == D(8)
        assert sum(units for _, units in await book(database, account)) == D(8)

    run(database_url, work)


def test_a_hold_is_worth_nothing_once_the_account_is_unlimited(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(10))
        async with database.begin() as connection:
            task = await new_task(connection, account)
            await ledger.reserve(connection, account, task, D(3))
            await ledger.make_unlimited(connection, account)
            await ledger.make_unlimited(connection, account)  # a second time changes nothing
            await ledger.settle(connection, account, task, D("2.5"))
        assert await balance(database) is None
        assert await book(database, account) == [
            ("grant", D(10)),
            ("reserve", D(-3)),
            ("grant", D(-7)),
            ("settle", D("-2.5")),
            ("release", D(3)),
            ("waive", D("-0.5")),
        ]
        async with database.begin() as connection:
            assert await ledger.grant(connection, account, D(4)) == D(4)

    run(database_url, work)


def test_settled_twice_is_refused_without_harm(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(10))
        async with database.begin() as connection:
            task = await new_task(connection, account)
            await ledger.reserve(connection, account, task, D(3))
        async with database.begin() as connection:
            assert await ledger.settle(connection, account, task, D(2))
            assert not await ledger.settle(connection, account, task, D(0))
        async with database.begin() as connection:
            assert not await ledger.settle(connection, account, task, D(3))
        assert await balance(database) == D(8)
        assert len(await book(database, account)) == 4

    run(database_url, work)


def test_many_settlements_of_one_task_at_once(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(10))
        async with database.begin() as connection:
            task = await new_task(connection, account)
            await ledger.reserve(connection, account, task, D(3))

        async def settle(units: Decimal) -> bool:
            async with database.begin() as connection:
                return await ledger.settle(connection, account, task, units)

        done = await asyncio.gather(*(settle(D(number % 4)) for number in range(40)))
        assert done.count(True) == 1
        assert await balance(database) == D(10) - (done.index(True) % 4)

    run(database_url, work)


def test_50_reservations_at_once_never_take_more_than_there_is(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(10))

        async def submit() -> bool:
            try:
                async with database.begin() as connection:
                    task = await new_task(connection, account)
                    await ledger.reserve(connection, account, task, D("1.5"))
                    await asyncio.sleep(0.002)  # hold the transaction open while others come
            except AccountError:
                return False
            return True

        done = await asyncio.gather(*(submit() for _ in range(50)))
        assert done.count(True) == 6
        assert await balance(database) == D(1)
        book_now = await book(database, account)
        assert sum(units for _, units in book_now) == D(1)
        async with database.begin() as connection:
            assert await connection.scalar(select(func.count()).select_from(tasks)) == 6

    run(database_url, work, pool_size=20)


def test_reserving_raising_and_settling_at_once_adds_up(database_url: str) -> None:
    """Whole lives side by side, with grants in between: the end is what was granted less what was settled."""

    async def work(database: Database) -> None:
        account = await new_account(database, D(40))

        async def hold(task: int | None, units: Decimal) -> int | None:
            """The task, or None where the balance does not reach."""
            try:
                async with database.begin() as connection:
                    task = task or await new_task(connection, account)
                    await ledger.reserve(connection, account, task, units)
            except AccountError:
                return None
            return task

        async def live(number: int) -> Decimal:
            task = await hold(None, D("1.5"))
            if task is None:
                return D(0)
            raised = await hold(task, D(number % 5))
            cost = D("1.5") if raised is None else D("1.5") + number % 5
            if number % 3 == 0:
                cost = D(0)
            async with database.begin() as connection:
                assert await ledger.settle(connection, account, task, cost)
            return cost

        async def give() -> None:
            async with database.begin() as connection:
                await ledger.grant(connection, account, D(1))

        *costs, _ = await asyncio.gather(*(live(number) for number in range(20)), give())
        assert await balance(database) == D(41) - sum(costs, D(0))
        assert sum(units for _, units in await book(database, account)) == await balance(database)

    run(database_url, work)


def test_what_cannot_be_granted(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, None)
        for units in ["NaN", "Infinity", "1000000001", "-1000000001", "0.001", "1E-30"]:
            with pytest.raises(RequestError) as caught:
                async with database.begin() as connection:
                    await ledger.grant(connection, account, D(units))
            assert caught.value.code == "units_invalid"
        assert await balance(database) is None

    run(database_url, work)


def test_grants_below_0_take_back_what_is_there(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(5))
        async with database.begin() as connection:
            assert await ledger.grant(connection, account, D(-5)) == 0
        with pytest.raises(RequestError) as caught:
            async with database.begin() as connection:
                await ledger.grant(connection, account, D("-0.01"))
        assert caught.value.code == "units_invalid"
        other = await new_account(database, None, "other")
        with pytest.raises(RequestError):
            async with database.begin() as connection:
                await ledger.grant(connection, other, D(-1))
        assert await balance(database) == 0
        assert await balance(database, "other") is None

    run(database_url, work)


def test_a_first_grant_of_0_makes_limited(database_url: str) -> None:
    async def work(database: Database) -> None:
        account = await new_account(database, D(0))
        with pytest.raises(AccountError):
            async with database.begin() as connection:
                await ledger.reserve(connection, account, await new_task(connection, account), D("0.5"))

    run(database_url, work)


@dataclass
class Model:
    """What the books should say, kept in the plainest way: each live task's hold, and the balance."""

    balance: Decimal | None = None
    held: dict[int, Decimal] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)

    def settle(self, task: int, units: Decimal) -> None:
        hold = self.held.pop(task)
        self.ended.append(task)
        if self.balance is not None:
            self.balance += hold - min(hold, units)


UNITS = st.decimals(0, 20, places=2)
STEP = st.one_of(
    st.tuples(st.just("begin"), UNITS),
    st.tuples(st.just("raise"), UNITS),
    st.tuples(st.just("settle"), UNITS),
    st.tuples(st.just("settle again"), UNITS),
    st.tuples(st.just("grant"), st.decimals(-20, 40, places=2)),
    st.tuples(st.just("unlimited"), st.just(D(0))),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25), which=st.randoms(use_true_random=False))
def test_the_books_add_up_whatever_happens(
    database_url: str, steps: list[tuple[str, Decimal]], which: object
) -> None:
    """After every step the rows' sum is the balance, which is what the plain model says and never below 0."""
    choose = which.choice  # type: ignore[attr-defined]

    async def step(
        connection: AsyncConnection, account: int, model: Model, name: str, units: Decimal
    ) -> None:
        live = sorted(model.held)
        if name in ("begin", "raise"):
            if name == "raise" and not live:
                return
            enough = model.balance is None or model.balance >= units
            try:
                async with connection.begin_nested():
                    task = choose(live) if name == "raise" else await new_task(connection, account)
                    await ledger.reserve(connection, account, task, units)
            except AccountError:
                assert not enough
            else:
                assert enough
                model.held[task] = model.held.get(task, D(0)) + (D(0) if model.balance is None else units)
                if model.balance is not None:
                    model.balance -= units
        elif name == "settle" and live:
            task = choose(live)
            assert await ledger.settle(connection, account, task, units)
            model.settle(task, units)
        elif name == "settle again" and model.ended:
            assert not await ledger.settle(connection, account, choose(model.ended), units)
        elif name == "grant":
            enough = (model.balance or D(0)) + units >= 0
            try:
                async with connection.begin_nested():
                    after = await ledger.grant(connection, account, units)
            except RequestError:
                assert not enough
            else:
                assert enough
                model.balance = (model.balance or D(0)) + units
                assert after == model.balance
        elif name == "unlimited":
            await ledger.make_unlimited(connection, account)
            model.balance = None

    async def work(database: Database) -> None:
        name = f"account {next(_ids)}"
        account = await new_account(database, None, name)
        model = Model()
        async with database.begin() as connection:
            for word, units in steps:
                await step(connection, account, model, word, units)
                now = (await account_named(connection, name)).balance
                added = await connection.scalar(
                    select(func.coalesce(func.sum(rows.c.units), 0)).where(rows.c.account_id == account)
                )
                assert now == model.balance
                assert added == (now or 0)
                assert now is None or now >= 0

    run(database_url, work)
