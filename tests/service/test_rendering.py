"""Rendering a task: the result is there before the end, a late worker changes nothing, what is away is waited for."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path

import pytest
from work_setting import Setting, away, forever, run, until

from understudy.errors import EngineError, UnavailableError
from understudy.tasks import trials
from understudy.tasks.database import unavailable
from understudy.tasks.renderer import ChildDied
from understudy.tasks.task import Output, Status, Task

NOBODY = EngineError("character_not_found", "No character was found.", fix="Use another picture.")


def test_a_task_is_made(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account(), watermark=True)
        assert await its.rendering.run(task.id) is None
        now = await its.now(task)
        assert (now.status, now.attempt, now.deduction) == (Status.SUCCEED, 1, Decimal("2.50"))
        assert now.output is not None
        assert its.storage.objects == {
            now.output.key: b"video of attempt 1",
            now.output.watermark_key: b"marked",
        }

    run(database_url, tmp_path, story)


def test_a_cover_is_kept_beside_the_video(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        its.renderer.covers = True
        await its.rendering.run(task.id)
        output = (await its.now(task)).output
        assert output is not None
        assert output.cover_key == f"results/{task.id}/1/cover.jpg"
        assert its.storage.objects == {output.key: b"video of attempt 1", output.cover_key: b"cover"}

    run(database_url, tmp_path, story)


def test_an_engines_refusal_ends_the_task(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        its.renderer.renders = [NOBODY]
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert (now.status, now.error_code, now.deduction) == (
            Status.FAILED,
            "character_not_found",
            Decimal(0),
        )

    run(database_url, tmp_path, story)


def test_a_render_that_dies_is_begun_again_and_given_up_after_the_third(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.taken_in(account)
        its.renderer.renders = [ChildDied("it was killed")] * 2
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert (now.status, now.attempt, now.crashes) == (Status.SUCCEED, 3, 2)
        given_up = await its.taken_in(account)
        its.renderer.renders = [ChildDied("it was killed")] * 3
        await its.rendering.run(given_up.id)
        now = await its.now(given_up)
        assert (now.status, now.error_code, now.attempt) == (Status.FAILED, "worker_lost", 3)

    run(database_url, tmp_path, story)


def test_a_cancelled_task_stops_within_two_seconds_and_leaves_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.taken_in(account)
        its.renderer.renders = [forever]
        rendering = asyncio.create_task(its.rendering.run(task.id))

        async def at_it() -> bool:
            return (await its.now(task)).stage == "drawing"

        await until(at_it)
        begun = time.monotonic()
        await its.tasks.cancel(account.id, task.id)
        await rendering
        assert time.monotonic() - begun < 2
        assert its.renderer.killed == 1
        assert (await its.now(task)).status_msg == "cancelled by the account"
        assert not [key for key in its.storage.objects if key.startswith("results")]

    run(database_url, tmp_path, story)


def test_who_was_taken_over_changes_nothing(database_url: str, tmp_path: Path) -> None:
    """The first worker was silent for long, a second one took the task up; then the first comes back with a video."""

    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())

        async def taken_over(_folder: Path, _task: Task) -> None:
            await its.work.claim(task.id)

        its.renderer.renders = [taken_over]
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert (now.status, now.attempt, now.output) == (Status.PROCESSING, 2, None)
        assert not [key for key in its.storage.objects if key.startswith("results")]
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert now.output is not None
        assert its.storage.objects == {now.output.key: b"video of attempt 3"}

    run(database_url, tmp_path, story)


def test_a_database_that_goes_away_in_mid_render_ends_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        report, succeed = its.work.report, its.work.succeed
        gone = True

        async def told(*arguments: object) -> bool:
            if gone:
                raise unavailable()
            return await report(*arguments)  # type: ignore[arg-type]

        async def succeeded(task: Task, output: Output) -> bool:
            if gone:
                raise unavailable()
            return await succeed(task, output)

        monkeypatch.setattr(its.work, "report", told)
        monkeypatch.setattr(its.work, "succeed", succeeded)
        rendering = asyncio.create_task(its.rendering.run(task.id))
        await asyncio.sleep(1.5)
        assert not rendering.done()
        gone = False
        await rendering
        now = await its.now(task)
        assert (now.status, now.attempt) == (Status.SUCCEED, 1)
        assert len(its.renderer.rendered) == 1

    run(database_url, tmp_path, story)


def test_an_end_whose_answer_was_lost_keeps_its_video(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        succeed = its.work.succeed
        lost: list[UnavailableError] = [unavailable()]

        async def succeeded(task: Task, output: Output) -> bool:
            done = await succeed(task, output)
            if lost:
                raise lost.pop()
            return done

        monkeypatch.setattr(its.work, "succeed", succeeded)
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert now.output is not None
        assert its.storage.objects == {now.output.key: b"video of attempt 1"}

    run(database_url, tmp_path, story)


def test_a_slow_end_is_not_taken_for_anothers_doing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task has ended, by us, while we are still at it: its video stays."""

    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        succeed, delete = its.work.succeed, its.storage.delete

        async def succeeded(task: Task, output: Output) -> bool:
            done = await succeed(task, output)
            await asyncio.sleep(1.5)
            return done

        async def deleted(prefix: str) -> None:
            await asyncio.sleep(1.0)
            await delete(prefix)

        monkeypatch.setattr(its.work, "succeed", succeeded)
        monkeypatch.setattr(its.storage, "delete", deleted)
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert now.output is not None
        assert its.storage.objects == {now.output.key: b"video of attempt 1"}

    run(database_url, tmp_path, story)


def test_a_storage_that_is_away_keeps_the_video_waiting(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())

        async def storage_goes(_folder: Path, _task: Task) -> None:
            its.storage.away = True

        its.renderer.renders = [storage_goes]
        with away(its.storage):
            its.storage.away = False
            rendering = asyncio.create_task(its.rendering.run(task.id))
            await asyncio.sleep(1.0)
            assert its.storage.away
            assert not rendering.done()
            assert (await its.now(task)).stage == "storing"
        await rendering
        assert (await its.now(task)).status == Status.SUCCEED

    run(database_url, tmp_path, story)


def test_inputs_that_are_gone_end_the_task_in_words(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        its.storage.objects.clear()
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert (now.status, now.error_code) == (Status.FAILED, "inputs_gone")
        assert "inputs/" not in now.status_msg

    run(database_url, tmp_path, story)


def test_a_stopped_worker_kills_the_render_and_counts_no_crash(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        its.renderer.renders = [forever]
        rendering = asyncio.create_task(its.rendering.run(task.id))

        async def at_it() -> bool:
            return bool(its.renderer.rendered)

        async def told() -> bool:
            return (await its.now(task)).time_left_s is not None

        await until(at_it)
        await until(told)
        rendering.cancel()
        await asyncio.wait([rendering])
        assert rendering.cancelled()
        now = await its.now(task)
        assert (its.renderer.killed, now.crashes, now.status) == (1, 0, Status.PROCESSING)
        assert (now.stage, now.progress, now.time_left_s) == (None, 0.5, None)

    run(database_url, tmp_path, story)


def test_an_unforeseen_error_ends_the_task_after_three_tries(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "WAITS_S", (0.01, 0.01))

    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        its.renderer.renders = [RuntimeError("an inner matter")] * 3
        await its.rendering.run(task.id)
        now = await its.now(task)
        assert (now.error_code, now.attempt) == ("internal", 3)
        assert "inner" not in now.status_msg

    run(database_url, tmp_path, story)
