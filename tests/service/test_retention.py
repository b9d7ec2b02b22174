"""What retention deletes, and what it leaves alone."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path

from sqlalchemy import insert, text
from work_setting import Setting, away, run

from understudy.errors import EngineError
from understudy.tasks.folders import WorkFolders
from understudy.tasks.retention import Retention
from understudy.tasks.submission import Stored
from understudy.tasks.tables import idempotency
from understudy.tasks.task import Status, Task

NOBODY = EngineError("character_not_found", "No character was found.", fix="Use another picture.")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def retention_of(its: Setting, clock: Clock | None = None) -> Retention:
    return Retention(its.database, its.storage, its.folders, result_days=30, clock=clock or Clock())


async def ended(its: Setting, task: Task, ago: str) -> None:
    await its.change(task, ended_at=text(f"now() - interval '{ago}'"))


def test_inputs_go_an_hour_after_a_failure_and_at_once_after_success(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        live, recent, older, made = [await its.taken_in(account) for _ in range(4)]
        for task in (recent, older):
            its.renderer.renders = [NOBODY]
            await its.rendering.run(task.id)
        await ended(its, older, "61 minutes")
        kept = dict(its.storage.objects)
        await its.rendering.run(made.id)
        its.storage.objects |= {
            key: kept[key] for key in kept if f"/{made.id}/" in key
        }  # could not be deleted
        await retention_of(its).run(0)
        left = {key.split("/")[1] for key in its.storage.objects if key.startswith("inputs/")}
        assert left == {str(live.id), str(recent.id)}
        assert (await its.now(made)).output is not None
        again = await its.tasks.retry(account, recent.id)
        assert isinstance(again.video, Stored)

    run(database_url, tmp_path, story)


def test_results_go_after_their_days_and_the_record_stays(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        young, old = await its.taken_in(account), await its.taken_in(account)
        for task in (young, old):
            await its.rendering.run(task.id)
        await ended(its, young, "29 days")
        await ended(its, old, "31 days")
        await retention_of(its).run(0)
        assert [key.split("/")[1] for key in its.storage.objects] == [str(young.id)]
        now = await its.now(old)
        assert (now.status, now.files_deleted_at is None) == (Status.SUCCEED, False)
        assert now.output is not None
        assert (await its.now(young)).files_deleted_at is None

    run(database_url, tmp_path, story)


def test_segments_go_with_the_end_of_their_task_and_after_an_hour_without_one(
    database_url: str, tmp_path: Path
) -> None:
    async def story(its: Setting) -> None:
        account, clock = await its.account(), Clock()
        over, working = await its.taken_in(account), await its.taken_in(account)
        await ended(its, over, "1 second")
        for task_id in (over.id, working.id, 1234):
            await its.storage.put_bytes(f"segments/{task_id}/{'0' * 32}/segment-000.npy", b"frames")
        retention = retention_of(its, clock)
        await retention.run(0)
        assert await its.storage.names("segments") == sorted([str(working.id), "1234"])
        clock.now = 3601.0
        await retention.run(0)
        assert await its.storage.names("segments") == [str(working.id)]

    run(database_url, tmp_path, story)


def test_inputs_that_no_task_has_go_after_an_hour(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        await its.storage.put_bytes("inputs/1234567890123456/video", b"of a task that was never accepted")
        clock = Clock()
        retention = retention_of(its, clock)
        for minutes, there in ((0, True), (59, True), (61, False)):
            clock.now = minutes * 60.0
            await retention.run(0)
            assert ("inputs/1234567890123456/video" in its.storage.objects) == there
        assert f"inputs/{task.id}/video" in its.storage.objects

    run(database_url, tmp_path, story)


def test_idempotency_keys_go_after_a_day(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        async with its.database.begin() as connection:
            for key, hours in (("young", 23), ("old", 25)):
                await connection.execute(
                    insert(idempotency).values(
                        account_id=task.account_id,
                        key=key,
                        body_sha256="",
                        task_id=task.id,
                        created_at=text(f"now() - interval '{hours} hours'"),
                    )
                )
        await retention_of(its).run(0)
        assert await its.scalar("SELECT string_agg(key, ' ') FROM idempotency") == "young"

    run(database_url, tmp_path, story)


def test_what_a_worker_puts_after_its_task_was_deleted_is_purged(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.taken_in(account)
        assert await its.work.claim(task.id) is not None
        await its.tasks.delete(account.id, task.id)
        await its.storage.put_bytes(f"results/{task.id}/1/video.mp4", b"a late one")  # and then it was killed
        await retention_of(its).run(0)
        await ended(its, task, "11 minutes")
        await retention_of(its).run(0)
        assert its.storage.objects == {}
        assert (await its.now(task)).files_deleted_at is not None

    run(database_url, tmp_path, story)


def test_a_storage_that_is_away_is_left_for_the_next_time(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.taken_in(await its.account())
        await its.rendering.run(task.id)
        await ended(its, task, "31 days")
        with away(its.storage):
            await retention_of(its).run(0)
        assert (await its.now(task)).files_deleted_at is None
        await retention_of(its).run(0)
        assert (await its.now(task)).files_deleted_at is not None
        assert its.storage.objects == {}

    run(database_url, tmp_path, story)


def test_the_purge_reads_its_index(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        async with its.database.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO tasks (id, account_id, dialect, model, engine, image, video, orientation, mode, "
                    "sound, watermark, status, reserved, deduction, ended_at, files_deleted_at) "
                    "SELECT n, account_id, dialect, model, engine, image, video, orientation, mode, sound, "
                    "watermark, 'failed', 0, 0, now() - interval '90 days', now() FROM tasks, "
                    f"generate_series(1, 5000) AS n WHERE id = {task.id}"
                )
            )
            await connection.execute(text("ANALYZE tasks"))
            plan = await connection.scalars(
                text(
                    "EXPLAIN SELECT id FROM tasks WHERE files_deleted_at IS NULL "
                    "AND ended_at < now() - interval '30 days' ORDER BY ended_at LIMIT 500"
                )
            )
        assert "tasks_purge" in " ".join(plan)

    run(database_url, tmp_path, story)


def test_nobody_writes_into_a_folder_that_goes(tmp_path: Path) -> None:
    """A GPU's process may be about to, when its task is cancelled."""

    def write(folder: Path, begun: threading.Event) -> None:
        with suppress(OSError):
            for number in range(10**6):
                (folder / f"{number}").touch()
                begun.set()

    async def story() -> None:
        with WorkFolders(tmp_path / "work") as folders:
            begun = threading.Event()
            async with folders.new(1) as folder:
                writing = asyncio.create_task(asyncio.to_thread(write, folder, begun))
                await asyncio.to_thread(begun.wait, 10)
            await writing
            assert [path for own in folders.root.iterdir() for path in own.iterdir()] == []

    asyncio.run(story())


def test_a_killed_workers_folders_go_and_a_living_ones_stay(tmp_path: Path) -> None:
    left = tmp_path / "worker-dead" / "17-a"
    left.mkdir(parents=True)
    (left / "video").write_bytes(b"clip")
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    os.symlink(elsewhere, tmp_path / "worker-link")
    with WorkFolders(tmp_path) as first:
        assert first.dead == ["worker-dead"]
        assert not (tmp_path / "worker-dead").exists()
        assert elsewhere.exists()
        with WorkFolders(tmp_path) as second:
            assert second.dead == []
            assert second.name != first.name
            first.clear_leftovers()
            assert len([path for path in tmp_path.iterdir() if not path.is_symlink()]) == 2
    assert [path for path in tmp_path.iterdir() if not path.is_symlink()] == []
