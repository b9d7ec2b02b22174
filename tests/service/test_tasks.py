"""Tasks against a real Postgres: each change is one transaction, a task ends once and is settled once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.errors import AccountError, ClipError, FormError, TaskError, UnavailableError
from understudy.request import MOST_SEED, Mode, Orientation, Scene
from understudy.storage import FakeStorage
from understudy.tasks import accounts as account_records
from understudy.tasks import ledger
from understudy.tasks.accounts import Account
from understudy.tasks.database import Database, unavailable
from understudy.tasks.jobs import DELIVER, INTAKE, RENDER, FakeJobs, render_job
from understudy.tasks.listeners import Listening, deserted, heard_of
from understudy.tasks.records import Tasks
from understudy.tasks.standing import Standing
from understudy.tasks.submission import Idempotency, Inline, Link, Stored, Submission
from understudy.tasks.tables import deliveries, idempotency, tasks
from understudy.tasks.tables import ledger as ledger_table
from understudy.tasks.task import Output, Status
from understudy.tasks.work import Work

SUBMISSION = Submission(
    dialect="kling",
    model="kling-v2-6",
    engine="fake",
    image=Link("https://example.com/hero.png"),
    video=Link("https://example.com/dance.mp4"),
    orientation=Orientation.VIDEO,
    mode=Mode.STD,
    callback_url="https://example.com/callback",
)
OUTPUT = Output("results/1/1/video.mp4", 720, 1280, 30.0, 150, 5.0, 1000, sound=True)
TOO_SHORT = ClipError("clip_too_short", "The video lasts 1.00 s.", fix="Use a longer piece.")


class Setting:
    """One account, and all it needs to make tasks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = FakeJobs()
        self.storage = FakeStorage()
        self.tasks = Tasks(database, self.jobs, self.storage)
        self.work = Work(database, self.jobs)

    async def account(self, name: str = "studio") -> Account:
        async with self.database.begin() as connection:
            return await account_records.create_account(connection, name)

    async def grant(self, account: Account, units: str) -> Account:
        async with self.database.begin() as connection:
            await ledger.grant(connection, account.id, Decimal(units))
            return await account_records.account_named(connection, account.name)

    async def balance(self, account: Account) -> Decimal | None:
        async with self.database.begin() as connection:
            return (await account_records.account_named(connection, account.name)).balance

    async def count(self, table: object, *where: object) -> int:
        async with self.database.begin() as connection:
            return (await connection.scalar(select(func.count()).select_from(table).where(*where))) or 0  # type: ignore[arg-type]


def run(database_url: str, story: Callable[[Setting], Awaitable[None]]) -> None:
    async def told() -> None:
        database = Database(database_url)
        try:
            await story(Setting(database))
        finally:
            await database.close()

    asyncio.run(told())


def test_a_task_goes_from_submitted_to_succeed(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(account, SUBMISSION)
        assert (task.status, task.reserved, task.deduction) == (Status.SUBMITTED, Decimal("1.50"), None)
        assert 10**15 <= task.id < 2**53
        assert task.created_at == task.updated_at
        assert its.jobs.put_in[0] == (INTAKE, task.id)

        assert await its.work.fetched(task, 5.0)
        assert not await its.work.fetched(task, 5.0)  # a second intake of the same task changes nothing
        assert its.jobs.put_in.count((RENDER, task.id)) == 1

        taken = await its.work.claim(task.id)
        assert taken is not None
        assert (taken.status, taken.attempt, taken.reserved) == (Status.PROCESSING, 1, Decimal("2.50"))
        assert await its.work.report(taken, "tracking", 0.25, 12.0)
        seen = await its.tasks.find(account.id, str(task.id))
        assert (seen.stage, seen.progress, seen.time_left_s) == ("tracking", 0.25, 12.0)

        assert await its.work.succeed(taken, OUTPUT)
        done = await its.tasks.find(account.id, str(task.id))
        assert (done.status, done.deduction, done.output) == (Status.SUCCEED, Decimal("2.50"), OUTPUT)
        async with its.database.begin() as connection:
            told = [
                row.status
                for row in await connection.execute(select(deliveries.c.status).order_by(deliveries.c.id))
            ]
        assert told == ["submitted", "processing", "succeed"]
        assert [name for name, _ in its.jobs.put_in].count(DELIVER) == 3

    run(database_url, story)


def test_it_ends_once_and_is_settled_once_whoever_comes_first(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.grant(await its.account(), "100")
        for _ in range(8):
            task = await its.tasks.submit(account, SUBMISSION)
            await its.work.fetched(task, 5.0)
            taken = await its.work.claim(task.id)
            assert taken is not None

            async def cancel(task_id: int = task.id) -> bool:
                try:
                    await its.tasks.cancel(account.id, task_id)
                except TaskError:  # it has ended
                    return False
                return True

            ends = await asyncio.gather(
                its.work.succeed(taken, OUTPUT),
                its.work.fail(taken, TOO_SHORT),
                cancel(),
                its.work.succeed(taken, OUTPUT),
            )
            assert sum(ends) == 1
            ended = deliveries.c.status.in_(["succeed", "failed"])
            assert await its.count(deliveries, deliveries.c.task_id == task.id, ended) == 1
            settled = ledger_table.c.kind == "settle"
            assert await its.count(ledger_table, ledger_table.c.task_id == task.id, settled) == 1
        async with its.database.begin() as connection:
            spent = await connection.scalar(select(func.sum(tasks.c.deduction)))
            moved = await connection.scalar(select(func.sum(ledger_table.c.units)))
        assert await its.balance(account) == Decimal(100) - spent == moved

    run(database_url, story)


def test_many_tasks_end_over_one_connection(database_url: str) -> None:
    """Statements that are run often are prepared, and then planned for any value."""

    async def story() -> None:
        database = Database(database_url, pool_size=1)
        its = Setting(database)
        account = await its.grant(await its.account(), "1000")
        keyed = [replace(SUBMISSION, idempotency=Idempotency(str(n), "a" * 64)) for n in range(30)]
        for submission in keyed:
            task = await its.tasks.submit(account, submission)
            assert await its.tasks.find(account.id, str(task.id)) == await its.tasks.submit(
                account, submission
            )
            await its.work.fetched(task, 5.0)
            taken = await its.work.claim(task.id)
            assert taken is not None
            assert await its.work.report(taken, "drawing", 0.5, 1.0)
            assert await its.work.succeed(taken, OUTPUT)
            assert not await its.work.fail(taken, TOO_SHORT)
        assert len(await its.tasks.page(account.id, 1, 100)) == 30
        assert await its.balance(account) == Decimal(1000) - 30 * Decimal("2.5")
        await database.close()

    asyncio.run(story())


def test_a_worker_that_was_taken_over_can_no_longer_write(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(account, SUBMISSION)
        first = await its.work.claim(task.id)
        second = await its.work.claim(task.id)
        assert first is not None
        assert second is not None
        assert second.attempt == 2
        assert not await its.work.report(first, "drawing", 0.9, 1.0)
        assert not await its.work.succeed(first, OUTPUT)
        assert not await its.work.fail(first, TOO_SHORT)
        assert await its.work.succeed(second, OUTPUT)
        assert await its.work.claim(task.id) is None

    run(database_url, story)


def test_three_crashes_end_it(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(account, SUBMISSION)
        for expected in (Status.PROCESSING, Status.PROCESSING, Status.FAILED):
            taken = await its.work.claim(task.id)
            assert taken is not None
            assert await its.work.crashed(taken, "SIGKILL") == expected
        failed = await its.tasks.find(account.id, str(task.id))
        assert (failed.error_code, failed.deduction) == ("worker_lost", Decimal(0))
        assert "3 times" in failed.status_msg

    run(database_url, story)


def test_a_cancelled_task_costs_nothing_and_stops_its_worker(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.grant(await its.account(), "10")
        task = await its.tasks.submit(account, SUBMISSION)
        taken = await its.work.claim(task.id)
        assert taken is not None
        ended = await its.tasks.cancel(account.id, task.id)
        assert (ended.status, ended.status_msg) == (Status.FAILED, "cancelled by the account")
        assert not await its.work.report(taken, "drawing", 0.5, 1.0)
        assert await its.balance(account) == Decimal(10)
        with pytest.raises(TaskError, match="ended already"):
            await its.tasks.cancel(account.id, task.id)

    run(database_url, story)


def test_the_balance_never_goes_below_zero(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.grant(await its.account(), "4")
        answers = await asyncio.gather(
            *(its.tasks.submit(account, SUBMISSION) for _ in range(6)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, AccountError)]
        assert {error.code for error in refused} == {"balance_used_up"}
        assert len(refused) == 4  # 1.5 units each
        assert await its.balance(account) == Decimal(1)
        task = next(answer for answer in answers if not isinstance(answer, BaseException))
        with pytest.raises(AccountError):
            await its.work.fetched(task, 30.0)  # 15 units
        again = await its.work.load(task.id)
        assert again is not None
        assert again.reserved == Decimal("1.50")
        assert await its.work.fail(again, AccountError("balance_used_up", "no", fix="Pay."))
        assert await its.balance(account) == Decimal("2.5")

    run(database_url, story)


def test_the_concurrency_limit_holds_for_requests_at_once(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = replace(await its.account(), concurrency_limit=2)
        answers = await asyncio.gather(
            *(its.tasks.submit(account, SUBMISSION) for _ in range(6)), return_exceptions=True
        )
        made = [answer for answer in answers if not isinstance(answer, BaseException)]
        refused = [answer for answer in answers if isinstance(answer, AccountError)]
        assert (len(made), {error.code for error in refused}) == (2, {"too_many_tasks"})
        await its.tasks.cancel(account.id, made[0].id)
        await its.tasks.submit(account, SUBMISSION)  # its slot is free again

    run(database_url, story)


def test_an_external_id_is_taken_for_ever_and_only_in_its_account(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account, other = await its.account(), await its.account("other")
        named = replace(SUBMISSION, external_task_id="shot 1/ä", image=Inline(b"picture"))
        task = await its.tasks.submit(account, named)
        await its.tasks.delete(account.id, task.id)
        with pytest.raises(FormError, match="already exists") as caught:
            await its.tasks.submit(account, named)
        assert caught.value.code == "external_id_taken"
        theirs = await its.tasks.submit(other, named)
        assert (await its.tasks.find(other.id, "shot 1/ä")).id == theirs.id
        assert list(its.storage.objects) == [f"inputs/{theirs.id}/image"]  # nothing of the refused one stays
        for name in (str(theirs.id), "shot 1/ä"):
            with pytest.raises(TaskError):
                await its.tasks.find(account.id, name)

    run(database_url, story)


def test_the_task_id_wins_over_an_external_id_of_the_same_digits(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        first = await its.tasks.submit(account, SUBMISSION)
        second = await its.tasks.submit(account, replace(SUBMISSION, external_task_id=str(first.id)))
        third = await its.tasks.submit(account, replace(SUBMISSION, external_task_id="007"))
        assert (await its.tasks.find(account.id, str(first.id))).id == first.id
        assert (await its.tasks.find(account.id, str(second.id))).id == second.id
        assert (await its.tasks.find(account.id, "007")).id == third.id
        for name in ("", "9" * 400, "٣", "-1", "7"):
            with pytest.raises(TaskError):
                await its.tasks.find(account.id, name)

    run(database_url, story)


@pytest.mark.parametrize("taken", ["the external id", "the balance", "the place"])
def test_an_idempotency_key_is_stronger_than_what_the_first_of_the_requests_took(
    database_url: str, taken: str
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        keyed = replace(SUBMISSION, idempotency=Idempotency("key", "a" * 64))
        if taken == "the external id":
            keyed = replace(keyed, external_task_id="mine")
        elif taken == "the balance":
            account = await its.grant(account, "1.5")
        else:
            account = replace(account, concurrency_limit=1)
        answers = await asyncio.gather(*(its.tasks.submit(account, keyed) for _ in range(6)))
        assert len({task.id for task in answers}) == 1
        assert await its.count(tasks) == 1

    run(database_url, story)


def test_inputs_stay_where_the_answer_to_the_commit_was_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        begin = its.database.begin

        @asynccontextmanager
        async def lost() -> AsyncIterator[AsyncConnection]:
            async with begin() as connection:
                yield connection
            raise unavailable()

        keyed = replace(SUBMISSION, idempotency=Idempotency("key", "a" * 64), image=Inline(b"picture"))
        with monkeypatch.context() as patched:
            patched.setattr(its.database, "begin", lost)
            with pytest.raises(UnavailableError):
                await its.tasks.submit(account, keyed)
        task = await its.tasks.submit(account, keyed)
        assert task.image == Stored(f"inputs/{task.id}/image")
        assert its.storage.objects == {f"inputs/{task.id}/image": b"picture"}

    run(database_url, story)


def test_an_idempotency_key_gives_the_same_task_also_at_once(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account, other = await its.account(), await its.account("other")
        keyed = replace(SUBMISSION, idempotency=Idempotency("key", "a" * 64), image=Inline(b"picture"))
        answers = await asyncio.gather(*(its.tasks.submit(account, keyed) for _ in range(6)))
        assert len({task.id for task in answers}) == 1
        assert len(its.storage.objects) == 1
        assert (await its.tasks.submit(other, keyed)).id != answers[0].id
        with pytest.raises(FormError) as caught:
            await its.tasks.submit(account, replace(keyed, idempotency=Idempotency("key", "b" * 64)))
        assert caught.value.code == "idempotency_conflict"
        async with its.database.begin() as connection:
            await connection.execute(
                update(idempotency).values(created_at=func.now() - text("interval '25 hours'"))
            )
        assert (await its.tasks.submit(account, keyed)).id != answers[0].id

    run(database_url, story)


def test_pages_are_stable_newest_first_and_empty_past_the_end(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account, other = await its.account(), await its.account("other")
        made = [(await its.tasks.submit(account, SUBMISSION)).id for _ in range(7)]
        await its.tasks.submit(other, SUBMISSION)
        listed = [task.id for number in (1, 2, 3, 4) for task in await its.tasks.page(account.id, number, 3)]
        assert listed == made[::-1]
        async with its.database.begin() as connection:
            await connection.execute(update(tasks).values(created_at=func.now()))  # all at the same time
        twice = [
            [task.id for number in (1, 2, 3) for task in await its.tasks.page(account.id, number, 3)]
            for _ in (1, 2)
        ]
        assert twice[0] == twice[1]
        assert sorted(twice[0]) == sorted(made)

    run(database_url, story)


def test_a_retry_is_a_new_task_with_the_same_inputs(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(
            account, replace(SUBMISSION, external_task_id="mine", image=Inline(b"picture"))
        )
        await its.tasks.cancel(account.id, task.id)
        again = await its.tasks.retry(account, task.id)
        assert again.id != task.id
        assert (again.status, again.external_task_id, again.model) == (Status.SUBMITTED, None, task.model)
        assert its.storage.objects[f"inputs/{again.id}/image"] == b"picture"
        assert again.video == task.video
        await its.storage.put_bytes(
            f"inputs/{task.id}/video", b"fetched"
        )  # by its intake; the link may expire
        third = await its.tasks.retry(account, task.id)
        assert its.storage.objects[f"inputs/{third.id}/video"] == b"fetched"
        await its.storage.delete(f"inputs/{task.id}")
        with pytest.raises(TaskError) as caught:
            await its.tasks.retry(account, task.id)
        assert caught.value.code == "inputs_gone"

    run(database_url, story)


def test_a_task_keeps_its_scene_and_its_seed(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        given = replace(SUBMISSION, scene=Scene.VIDEO, seed=MOST_SEED)
        for task in (
            first := await its.tasks.submit(account, given),
            await its.tasks.retry(account, first.id),
        ):
            found = await its.tasks.find(account.id, str(task.id))
            assert (found.scene, found.seed, found.noise_seed) == (Scene.VIDEO, MOST_SEED, MOST_SEED)

    run(database_url, story)


def test_without_a_seed_attempts_agree_and_tasks_differ(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(account, SUBMISSION)
        other = await its.tasks.retry(account, task.id)
        assert (task.scene, task.seed, other.seed) == (Scene.IMAGE, None, None)
        later = await its.tasks.find(account.id, str(task.id))
        assert later.noise_seed == task.noise_seed != other.noise_seed
        assert 0 <= task.noise_seed <= MOST_SEED

    run(database_url, story)


@pytest.mark.parametrize(
    ("which", "named"),
    [("image", "reference image"), ("video", "driving video"), ("views", "character's view")],
)
def test_an_upload_that_is_gone_before_it_is_copied(database_url: str, which: str, named: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        gone = Stored("uploads/7/file")
        given: dict[str, Any] = {"image": Inline(b"picture"), which: (gone,) if which == "views" else gone}
        with pytest.raises(FormError, match=f"The {named}'s uploaded file is not kept here") as caught:
            await its.tasks.submit(account, replace(SUBMISSION, **given))
        assert caught.value.code == "field_invalid"
        assert its.storage.objects == {}  # no copy of the others stays
        assert await its.count(tasks) == 0

    run(database_url, story)


def test_a_message_may_hold_what_the_database_cannot_keep(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(account, SUBMISSION)
        taken = await its.work.claim(task.id)
        assert taken is not None
        assert await its.work.fail(taken, ClipError("clip_unreadable", "a\0b\ud800c" + "x" * 9000, fix="Do."))
        failed = await its.tasks.find(account.id, str(task.id))
        assert failed.status_msg.startswith("ab?c")
        assert len(failed.status_msg) == 2000

    run(database_url, story)


def test_in_maintenance_no_task_is_taken_and_the_old_ones_are_found(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.tasks.submit(account, SUBMISSION)
        closed = Tasks(its.database, its.jobs, its.storage, closed=True)
        with pytest.raises(UnavailableError) as caught:
            await closed.submit(account, SUBMISSION)
        assert caught.value.code == "maintenance"
        assert (await closed.find(account.id, str(task.id))).id == task.id
        assert await its.count(tasks) == 1

    run(database_url, story)


def test_what_a_dialect_keeps_comes_back_and_callbacks_of_the_end_alone(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        submission = replace(
            SUBMISSION, callback_url="https://me.example/hook", callback_at_end=True, extra={"track_id": 7}
        )
        task = await its.tasks.submit(account, submission)
        assert (await its.tasks.find(account.id, str(task.id))).extra == {"track_id": 7}
        assert await its.work.fetched(task, 5.0)
        taken = await its.work.claim(task.id)
        assert taken is not None
        assert await its.count(deliveries) == 0
        assert await its.work.succeed(taken, OUTPUT)
        assert await its.count(deliveries, deliveries.c.status == "succeed") == 1

    run(database_url, story)


def test_only_tasks_of_the_same_queue_are_ahead(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        standing = Standing(its.database)
        on_gpu = replace(SUBMISSION, engine="wan-animate")
        in_scene = replace(on_gpu, scene=Scene.VIDEO)
        sent = [
            await its.tasks.submit(account, each)
            for each in (SUBMISSION, on_gpu, in_scene, SUBMISSION, on_gpu, in_scene)
        ]
        assert [await standing.ahead(task) for task in sent] == [0, 0, 0, 1, 1, 1]
        # Who looks into both takes what came first.
        await Listening(its.database, {render_job("wan-animate", scene): 2 for scene in Scene}).say()
        assert [await standing.ahead(task) for task in sent] == [0, 0, 1, 1, 2, 3]

    run(database_url, story)


def test_how_long_a_task_will_take_is_told_by_the_last_ones(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        standing = Standing(its.database)
        first = await its.tasks.submit(account, SUBMISSION)
        assert await standing.wait_s(first, 1) is None
        await its.work.fetched(first, 5.0)
        taken = await its.work.claim(first.id)
        assert taken is not None
        await its.work.succeed(taken, OUTPUT)
        async with its.database.begin() as connection:
            changed = {"started_at": taken.created_at, "ended_at": taken.created_at + timedelta(seconds=40)}
            await connection.execute(update(tasks).values(**changed))
        second, third = [await its.tasks.submit(account, SUBMISSION) for _ in range(2)]
        assert await standing.wait_s(second, 1) == pytest.approx(40)
        assert await standing.wait_s(third, 1) == pytest.approx(80)
        assert await standing.wait_s(third, 2) == pytest.approx(60)
        await its.work.fetched(second, 5.0)
        running = await its.work.claim(second.id)
        assert running is not None
        assert await standing.wait_s(running, 1) == pytest.approx(40)
        await its.work.report(running, "drawing", 0.5, 12.0)
        assert await standing.wait_s(await its.tasks.find(account.id, str(second.id)), 1) == 12.0
        assert await standing.wait_s(await its.tasks.find(account.id, str(first.id)), 1) == 0.0

    run(database_url, story)


def test_on_gpus_it_is_by_how_many_there_are_and_by_scene(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        standing = Standing(its.database)
        on_gpu = replace(SUBMISSION, engine="wan-animate")
        for each, took_s in ((on_gpu, 40), (replace(on_gpu, scene=Scene.VIDEO), 10)):
            task = await its.tasks.submit(account, each)
            await its.work.fetched(task, 5.0)
            taken = await its.work.claim(task.id)
            assert taken is not None
            await its.work.succeed(taken, replace(OUTPUT, timings_s={"waiting": 7.5, "denoising": 1.0}))
            changed = {
                "started_at": taken.created_at,
                "ended_at": taken.created_at + timedelta(seconds=took_s + 7.5),
            }
            async with its.database.begin() as connection:
                await connection.execute(update(tasks).where(tasks.c.id == task.id).values(**changed))
        first, second = [await its.tasks.submit(account, on_gpu) for _ in range(2)]
        scene = await its.tasks.submit(account, replace(on_gpu, scene=Scene.VIDEO))
        assert await standing.wait_s(first, 9) == pytest.approx(40)
        assert await standing.wait_s(second, 9) == pytest.approx(80)
        assert await standing.wait_s(scene, 9) == pytest.approx(10)
        queue = render_job("wan-animate", Scene.IMAGE)
        await Listening(its.database, {queue: 3}).say()
        await Listening(its.database, {queue: 1}).say()
        assert await standing.wait_s(second, 9) == pytest.approx(50)

    run(database_url, story)


def test_a_worker_that_stops_or_starts_again_is_not_counted_twice(database_url: str) -> None:
    queue = render_job("wan-animate", Scene.IMAGE)

    async def story(its: Setting) -> None:
        async def heard() -> dict[str, int]:
            async with its.database.begin() as connection:
                return await heard_of(connection)

        async def until_heard(places: int) -> None:
            async with asyncio.timeout(10):
                while (await heard()).get(queue) != places:
                    await asyncio.sleep(0.02)

        first = asyncio.create_task(Listening(its.database, {queue: 2}, worker="first").run())
        await until_heard(2)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert await heard() == {queue: 0}  # for a while it may come back
        await Listening(its.database, {queue: 2}, worker="killed").say()
        assert await heard() == {queue: 2}
        again = Listening(its.database, {queue: 1}, worker="again", dead=["killed", "never heard of"])
        await again.say()
        await again.say()
        assert await heard() == {queue: 1}
        await Listening(its.database, {queue: 2}).say()
        assert await heard() == {queue: 3}

    run(database_url, story)


def test_a_task_is_deserted_while_nobody_looks_into_its_queue(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        standing = Standing(its.database)
        task = await its.tasks.submit(account, replace(SUBMISSION, engine="wan-animate"))
        assert not await standing.is_deserted(task)  # it is not yet in that queue
        await its.work.fetched(task, 5.0)
        task = await its.tasks.find(account.id, str(task.id))
        assert await standing.is_deserted(task)
        listening = Listening(its.database, {render_job("wan-animate", Scene.IMAGE): 1, "render": 2})
        await listening.say()
        await listening.say()
        assert not await standing.is_deserted(task)
        async with its.database.begin() as connection:
            await connection.execute(text("UPDATE listeners SET seen_at = seen_at - interval '301 s'"))
        assert await standing.is_deserted(task)
        taken = await its.work.claim(task.id)
        assert taken is not None
        await its.work.report(taken, "denoising", 0.7, 42.0)
        assert not await standing.is_deserted(taken)
        async with its.database.begin() as connection:
            await connection.execute(text("UPDATE tasks SET seen_at = seen_at - interval '21 s'"))
        assert await standing.is_deserted(taken)
        again = await its.work.claim(task.id)
        assert again is not None
        assert (again.stage, again.progress, again.time_left_s) == (None, 0.0, None)
        assert not await standing.is_deserted(again)

    run(database_url, story)


def test_where_tasks_wait_for_a_worker_is_told_by_queue(database_url: str) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        sent = [
            await its.tasks.submit(account, replace(SUBMISSION, engine=engine, scene=scene))
            for engine, scene in (
                ("wan-animate", Scene.VIDEO),
                ("wan-animate", Scene.VIDEO),
                ("wan-animate", Scene.IMAGE),
                ("fake", Scene.IMAGE),
                ("puppet", Scene.IMAGE),
            )
        ]
        for task in sent[1:]:
            await its.work.fetched(task, 5.0)
        async with its.database.begin() as connection:
            assert await deserted(connection) == []  # none has waited for long
            await connection.execute(text("UPDATE tasks SET seen_at = seen_at - interval '600 s'"))
            found = await deserted(connection)
        told = [(each.queue, each.tasks, round(each.waited_s, -2)) for each in found]
        assert told == [
            ("render", 2, 600),
            ("render-wan-animate-image", 1, 600),
            ("render-wan-animate-video", 1, 600),
        ]
        await Listening(its.database, {"render": 2, "render-wan-animate-image": 1}).say()
        async with its.database.begin() as connection:
            (left,) = await deserted(connection)
        assert "1 task waits in the queue render-wan-animate-video, for up to 10 min" in str(left)

    run(database_url, story)
