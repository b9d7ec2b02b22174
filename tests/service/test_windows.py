"""Several tasks at once, windows of them by keyset, and what an account's units came to, against a real Postgres."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select, update
from test_tasks import OUTPUT, SUBMISSION, TOO_SHORT, Setting, run

from understudy.request import Mode
from understudy.tasks import ledger
from understudy.tasks.accounts import Account
from understudy.tasks.pack import deductions, pack_of
from understudy.tasks.tables import ledger as ledger_table
from understudy.tasks.tables import tasks
from understudy.tasks.task import Status, Task
from understudy.tasks.window import Place, Window

EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


async def ended(its: Setting, account: Account, **changed: object) -> Task:
    """A task of 5 s that has succeeded."""
    task = await its.tasks.submit(account, replace(SUBMISSION, **changed))  # type: ignore[arg-type]
    assert await its.work.fetched(task, 5.0)
    taken = await its.work.claim(task.id)
    assert taken is not None
    assert await its.work.succeed(taken, OUTPUT)
    return await its.tasks.find(account.id, str(task.id))


def test_several_come_in_the_order_of_their_names_and_once(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account, other = await its.account(), await its.account("other")
        first, second = [
            await its.tasks.submit(account, replace(SUBMISSION, external_task_id=name))
            for name in ("shot 1", "7")
        ]
        theirs = await its.tasks.submit(other, replace(SUBMISSION, external_task_id="theirs"))
        gone = await its.tasks.submit(account, replace(SUBMISSION, external_task_id="gone"))
        await its.tasks.delete(account.id, gone.id)

        ids = [str(task.id) for task in (second, theirs, first, gone, second)]
        odd = ["", "0", "-1", "x", "9" * 400, "٣", f"0{first.id}", "a\0b", "7"]
        found = await its.tasks.several(account.id, [*odd, *ids])
        assert [task.id for task in found] == [second.id, first.id]

        names = ["7", "theirs", "a\0b", "", "gone", "shot 1", "shot 1", str(first.id)]
        found = await its.tasks.several(account.id, names, external=True)
        assert [task.id for task in found] == [second.id, first.id]
        assert await its.tasks.several(account.id, []) == []

    run(database_url, story)


def test_a_window_is_walked_while_tasks_come_in(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account, other = await its.account(), await its.account("other")
        made = [(await its.tasks.submit(account, SUBMISSION)).id for _ in range(7)]
        await its.tasks.submit(other, SUBMISSION)
        async with its.database.begin() as connection:
            await connection.execute(update(tasks).values(created_at=func.now()))  # all at the same moment
        walked: list[int] = []
        window = EVER
        for _ in range(4):
            page = await its.tasks.window(account.id, window, 3)
            if not page:
                break
            walked += [task.id for task in page]
            window = replace(EVER, behind=Place(page[-1].created_at, page[-1].id))
            await its.tasks.submit(account, SUBMISSION)  # the newest of all
        assert walked == sorted(made, reverse=True)

    run(database_url, story)


def test_a_window_has_both_its_ends_and_the_statuses_named(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        moments = [datetime(2026, 11, 21, 12, 0, second, tzinfo=UTC) for second in range(4)]
        made = []
        for moment in moments:
            task = await its.tasks.submit(account, SUBMISSION)
            async with its.database.begin() as connection:
                await connection.execute(update(tasks).where(tasks.c.id == task.id).values(created_at=moment))
            made.append(task.id)
        await its.tasks.cancel(account.id, made[1])
        await its.work.claim(made[2])

        async def ids(window: Window) -> list[int]:
            return [task.id for task in await its.tasks.window(account.id, window, 9)]

        assert await ids(Window(moments[1], moments[2])) == [made[2], made[1]]
        step = timedelta(microseconds=1)
        assert await ids(Window(moments[0] + step, moments[3] - step)) == [made[2], made[1]]
        assert await ids(replace(EVER, statuses=(Status.FAILED,))) == [made[1]]
        assert await ids(replace(EVER, statuses=(Status.PROCESSING, Status.FAILED))) == [made[2], made[1]]
        await its.tasks.delete(account.id, made[3])
        assert await ids(EVER) == made[2::-1]

    run(database_url, story)


def test_a_pack_mirrors_balance_and_grants(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        free = await pack_of(its.database, account)
        assert (free.granted, free.left) == (None, None)
        assert abs(free.since - datetime.now(UTC)) < timedelta(minutes=1)

        await its.grant(account, "10")
        account = await its.grant(account, "-4.5")
        whole = await pack_of(its.database, account)
        assert (whole.granted, whole.left) == (Decimal("5.5"), Decimal("5.5"))
        async with its.database.begin() as connection:
            assert whole.since == await connection.scalar(
                select(func.min(ledger_table.c.at)).where(ledger_table.c.kind == "grant")
            )
        await its.tasks.submit(account, SUBMISSION)
        assert (await pack_of(its.database, account)).left == Decimal(4)  # the hold of 3 s
        await ended(its, account)
        used = await pack_of(its.database, account)
        assert (used.granted, used.left) == (Decimal("5.5"), Decimal("1.5"))

        async with its.database.begin() as connection:
            await ledger.make_unlimited(connection, account.id)
        assert (await pack_of(its.database, account)).left is None

    run(database_url, story)


def test_deductions_add_up(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account, other = await its.account(), await its.account("other")
        waived = await ended(its, account)
        account = await its.grant(account, "100")
        live = await its.tasks.submit(account, SUBMISSION)
        first = await ended(its, account, mode=Mode.PRO)
        failed = await its.tasks.submit(account, SUBMISSION)
        taken = await its.work.claim(failed.id)
        assert taken is not None
        assert await its.work.fail(taken, TOO_SHORT)
        await its.tasks.cancel(account.id, live.id)
        second = await ended(its, account)
        await its.tasks.delete(account.id, second.id)
        await ended(its, await its.grant(other, "7"))

        found = await deductions(its.database, account.id, EVER, 9)
        assert [one.task.id for one in found] == [second.id, first.id, waived.id]
        assert [one.units for one in found] == [Decimal("2.5"), Decimal(4), Decimal("2.5")]
        assert [(one.before, one.after) for one in found] == [
            (Decimal(96), Decimal("93.5")),
            (Decimal(100), Decimal(96)),
            (None, None),  # it had no limit then
        ]
        assert found[1].at >= first.created_at
        assert found[0].after == await its.balance(account)

        behind = Window(EVER.start, EVER.end, behind=Place(second.created_at, second.id))
        assert [one.task.id for one in await deductions(its.database, account.id, behind, 1)] == [first.id]
        late = Window(second.created_at, EVER.end)
        assert [one.task.id for one in await deductions(its.database, account.id, late, 9)] == [second.id]
        assert await deductions(its.database, account.id, Window(EVER.start, EVER.start), 9) == []

        async with its.database.begin() as connection:
            await ledger.make_unlimited(connection, account.id)
        free = await ended(its, replace(account, balance=None))
        (newest, *before) = await deductions(its.database, account.id, EVER, 9)
        assert (newest.task.id, newest.before, newest.after) == (free.id, None, None)
        assert before == found

    run(database_url, story)
