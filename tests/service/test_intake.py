"""The intake of tasks: sources come at once and stay, errors end the task, what is away is waited for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest
from work_setting import Setting, away, forever, run, until

from understudy.errors import ClipError
from understudy.media.network import NetworkGuard
from understudy.tasks import ledger, trials
from understudy.tasks.accounts import account_named
from understudy.tasks.jobs import INTAKE, RENDER
from understudy.tasks.renderer import ChildDied
from understudy.tasks.submission import Link
from understudy.tasks.task import Status

TOO_SHORT = ClipError("clip_too_short", "The driving video lasts 1.00 s.", fix="Use a longer piece.")
LOOPBACK = NetworkGuard([ip_network("127.0.0.0/8")])


@contextmanager
def source(content: bytes) -> Iterator[tuple[str, list[str]]]:
    """The URL of a source, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/clip.mp4?signature=secret", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_inputs_are_checked_and_the_render_follows(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        assert await its.intake.run(task.id) is None
        assert its.renderer.checked == [(b"a picture", b"a clip")]
        assert its.jobs.put_in == [(INTAKE, task.id), (RENDER, task.id)]
        now = await its.now(task)
        assert (now.status, now.attempt, now.reserved) == (Status.SUBMITTED, 0, Decimal("2.50"))

    run(database_url, tmp_path, story)


def test_a_source_is_fetched_once_and_kept(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        with source(b"a fetched clip") as (url, asked):
            task = await its.task(await its.account(), video=Link(url))
            its.renderer.checks = [ChildDied("it was killed")]
            await its.intake_with(LOOPBACK).run(task.id)
        assert len(asked) == 1
        assert its.renderer.checked == [(b"a picture", b"a fetched clip")] * 2
        assert its.storage.objects[f"inputs/{task.id}/video"] == b"a fetched clip"
        assert (await its.now(task)).crashes == 1

    run(database_url, tmp_path, story)


def test_a_source_that_cannot_be_had_ends_the_task(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(its: Setting) -> None:
        with source(b"a clip") as (url, asked):
            task = await its.task(await its.account(), video=Link(url))
            await its.intake.run(task.id)  # no network is allowed besides public ones
        now = await its.now(task)
        assert asked == []
        assert (now.status, now.error_code, now.deduction) == (
            Status.FAILED,
            "fetch_address_denied",
            Decimal(0),
        )
        assert "signature" not in now.status_msg + caplog.text

    run(database_url, tmp_path, story)


def test_what_is_outside_the_limits_ends_the_task(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        its.renderer.checks = [TOO_SHORT]
        await its.intake.run(task.id)
        now = await its.now(task)
        assert (now.status, now.status_msg) == (Status.FAILED, "The driving video lasts 1.00 s.")

    run(database_url, tmp_path, story)


def test_a_clip_that_the_balance_does_not_reach_ends_the_task(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        async with its.database.begin() as connection:
            await ledger.grant(connection, account.id, Decimal("2.00"))  # three seconds cost 1.50, five 2.50
            account = await account_named(connection, account.name)
        task = await its.task(account)
        await its.intake.run(task.id)
        assert (await its.now(task)).error_code == "balance_used_up"
        assert (INTAKE, task.id) in its.jobs.put_in
        assert (RENDER, task.id) not in its.jobs.put_in

    run(database_url, tmp_path, story)


def test_a_storage_that_is_away_is_waited_for(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        with away(its.storage):
            intake = asyncio.create_task(its.intake.run(task.id))
            await asyncio.sleep(1.0)
            assert not intake.done()
            assert (await its.now(task)).stage == "fetching"  # and its worker goes on telling that it lives
        await intake
        assert (RENDER, task.id) in its.jobs.put_in

    run(database_url, tmp_path, story)


def test_a_cancelled_task_is_dropped_at_once(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.task(account)
        its.renderer.checks = [forever]
        intake = asyncio.create_task(its.intake.run(task.id))

        async def at_it() -> bool:
            return bool(its.renderer.checked)

        await until(at_it)
        begun = time.monotonic()
        await its.tasks.cancel(account.id, task.id)
        await intake
        assert time.monotonic() - begun < 2
        assert its.renderer.killed == 1

    run(database_url, tmp_path, story)


def test_three_deaths_of_the_check_end_the_task(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account())
        its.renderer.checks = [ChildDied("it was ended by SIGSEGV")] * 3
        await its.intake.run(task.id)
        now = await its.now(task)
        assert (now.status, now.error_code, now.crashes) == (Status.FAILED, "worker_lost", 3)
        assert "SIGSEGV" in now.status_msg

    run(database_url, tmp_path, story)


def test_an_unforeseen_error_is_tried_again_and_then_told_without_our_inside(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trials, "WAITS_S", (0.01, 0.01))

    async def story(its: Setting) -> None:
        account = await its.account()
        tried_again = await its.task(account)
        its.renderer.checks = [ZeroDivisionError("an inner matter"), ZeroDivisionError("an inner matter")]
        await its.intake.run(tried_again.id)
        assert (RENDER, tried_again.id) in its.jobs.put_in
        given_up = await its.task(account)
        its.renderer.checks = [ZeroDivisionError("an inner matter")] * 3
        await its.intake.run(given_up.id)
        now = await its.now(given_up)
        assert (now.status, now.error_code) == (Status.FAILED, "internal")
        assert "inner" not in now.status_msg + (now.fix or "")
        assert "an inner matter" in caplog.text

    run(database_url, tmp_path, story)


def test_an_ended_or_unknown_task_is_nothing_to_do(database_url: str, tmp_path: Path) -> None:
    async def story(its: Setting) -> None:
        account = await its.account()
        task = await its.task(account)
        await its.tasks.cancel(account.id, task.id)
        assert await its.intake.run(task.id) is None
        assert await its.intake.run(17) is None
        assert its.renderer.checked == []

    run(database_url, tmp_path, story)
