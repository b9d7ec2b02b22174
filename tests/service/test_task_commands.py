"""``understudy tasks``, as an operator types it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import typer
from callback_setting import OUTPUT, Setting, run
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from understudy.commands import tasks as task_commands
from understudy.errors import ClipError, RequestError, TaskError
from understudy.tasks.submission import Link, Submission
from understudy.tasks.task import Task

Command = Callable[..., Result]

root = typer.Typer()
root.add_typer(task_commands.app, name="tasks")


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    def start(*words: str) -> Result:
        at = ["--database-url", database_url, "--data-dir", str(tmp_path)]
        result = CliRunner().invoke(root, ["tasks", *words, *at])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return start


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def made(database_url: str, story: Callable[[Setting], Awaitable[None]]) -> None:
    run(database_url, story)


def test_the_operator_is_told_where_tasks_wait_for_a_worker(command: Command, database_url: str) -> None:
    async def story(its: Setting) -> None:
        task = await its.task(await its.account("mine"), "https://example.com/a")
        await its.work.fetched(task, 5.0)
        async with its.database.begin() as connection:
            await connection.execute(text("UPDATE tasks SET seen_at = seen_at - interval '600 s'"))

    made(database_url, story)
    for words in (["list"], ["list", "--json"]):
        result = command(*words)
        assert (
            "1 task waits in the queue render, for up to 10 min, and no worker looks into it" in result.stderr
        )
        assert "no worker" not in result.stdout


@pytest.fixture
def three(database_url: str) -> list[Task]:
    """Of ``mine``: one that succeeded, one that failed; of ``other``: a live one with the external id ``shot 1``."""
    told: list[Task] = []

    async def story(its: Setting) -> None:
        mine, other = await its.account("mine"), await its.account("other")
        good, bad = (
            await its.task(mine, "https://example.com/a"),
            await its.task(mine, "https://example.com/b"),
        )
        await its.run_through(good)
        error = ClipError("clip_unreadable", "It is \x1b[31mred\nand short.", fix="Use another.")
        taken = await its.work.claim(bad.id)
        assert taken is not None
        await its.work.fail(taken, error)
        live = await its.tasks.submit(
            other,
            Submission(
                dialect="kling",
                model="kling-v3",
                engine="fake",
                image=Link("https://user:pass@example.com/hero.png?signature=swordfish"),
                video=Link("https://example.com/dance.mp4"),
                callback_url="https://example.com/hook?token=swordfish",
                external_task_id="shot 1",
            ),
        )
        told.extend([good, bad, live])

    made(database_url, story)
    return told


def test_list_shows_the_newest_first(command: Command, three: list[Task]) -> None:
    good, bad, live = three
    lines = said(command("list")).splitlines()
    assert [line.split()[0] for line in lines] == ["task", str(live.id), str(bad.id), str(good.id)]
    assert "shot 1" in lines[1]
    assert "It is \\x1b[31mred and short." in lines[2]
    assert len(said(command("list", "--limit", "1")).splitlines()) == 2


def test_a_long_external_id_does_not_widen_the_list(command: Command, database_url: str) -> None:
    name = "order-" + "7" * 250

    async def story(its: Setting) -> None:
        request = Submission(
            dialect="kling",
            model="kling-v3",
            engine="fake",
            image=Link("https://example.com/hero.png"),
            video=Link("https://example.com/dance.mp4"),
            external_task_id=name,
        )
        await its.tasks.submit(await its.account("mine"), request)

    made(database_url, story)
    assert max(map(len, said(command("list")).splitlines())) < 150
    assert json.loads(said(command("list", "--json")))[0]["external_task_id"] == name


def test_list_of_one_account_or_status(command: Command, three: list[Task]) -> None:
    good, bad, live = three

    def ids(*words: str) -> list[str]:
        return [each["task_id"] for each in json.loads(said(command("list", "--json", *words)))]

    assert ids() == [str(live.id), str(bad.id), str(good.id)]
    assert ids("--account", "mine") == [str(bad.id), str(good.id)]
    assert ids("--status", "succeed") == [str(good.id)]
    assert ids("--account", "other", "--status", "failed") == []
    assert said(command("list", "--account", "other", "--status", "failed")) == "There are no such tasks.\n"
    with pytest.raises(RequestError, match="succeeded"):
        command("list", "--status", "succeeded")
    with pytest.raises(RequestError, match="nobody"):
        command("list", "--account", "nobody")
    assert command("list", "--limit", "0").exit_code == 2


def test_show_one(command: Command, three: list[Task]) -> None:
    good, bad, live = three
    told = json.loads(said(command("show", str(good.id), "--json")))
    assert told["status"] == "succeed"
    assert told["deduction"] == "1.5"
    assert told["output"]["key"] == OUTPUT.key
    assert "clip_unreadable" in said(command("show", str(bad.id)))
    for words in ((str(live.id),), ("shot 1", "--account", "other")):
        shown = said(command("show", *words))
        assert str(live.id) in shown
        assert "https://example.com/hero.png?..." in shown
        assert "swordfish" not in shown
        assert "pass" not in shown


@pytest.mark.parametrize(
    "words",
    [("12345",), ("shot 1",), ("shot 1", "--account", "mine"), ("9" * 40,), ("\x00",), ("--", "-1")],
)
def test_an_unknown_task_is_told(command: Command, three: list[Task], words: tuple[str, ...]) -> None:
    if "--" in words:
        words = words[1:]
        result = command("show", *words)
        assert result.exit_code == 2
        return
    with pytest.raises(TaskError) as refused:
        command("show", *words)
    assert refused.value.code == "task_unknown"


def test_the_accounts_own_option_hides_others(command: Command, three: list[Task]) -> None:
    with pytest.raises(TaskError, match="no task"):
        command("show", str(three[0].id), "--account", "other")


def test_cancel_ends_it_once(command: Command, three: list[Task], database_url: str) -> None:
    live = three[2]
    assert said(command("cancel", str(live.id))) == f"The task {live.id} is cancelled.\n"
    told = json.loads(said(command("show", str(live.id), "--json")))
    assert (told["status"], told["message"]) == ("failed", "cancelled by the account")
    with pytest.raises(TaskError) as refused:
        command("cancel", "shot 1", "--account", "other")
    assert refused.value.code == "task_ended"

    async def callbacks(its: Setting) -> None:
        async with its.database.begin() as connection:
            queued = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'deliver' AND lock = :lock"
            assert await connection.scalar(text(queued), {"lock": f"callback-{live.id}"}) == 1

    made(database_url, callbacks)


def test_retry_makes_a_new_task_of_the_same_request(command: Command, three: list[Task]) -> None:
    bad = three[1]
    new_id = said(command("retry", str(bad.id))).strip()
    assert new_id.isdigit()
    assert new_id != str(bad.id)
    old, new = (json.loads(said(command("show", name, "--json"))) for name in (str(bad.id), new_id))
    assert new["status"] == "submitted"
    assert new["account"] == "mine"
    assert [new[name] for name in ("model", "image", "video", "callback_url")] == [
        old[name] for name in ("model", "image", "video", "callback_url")
    ]


def test_a_deleted_task_is_not_shown(command: Command, three: list[Task], database_url: str) -> None:
    async def delete(its: Setting) -> None:
        await its.tasks.delete(three[0].account_id, three[0].id)

    made(database_url, delete)
    assert str(three[0].id) not in said(command("list"))
    with pytest.raises(TaskError):
        command("show", str(three[0].id))


def test_nothing_of_the_server_is_imported_for_help() -> None:
    script = (
        "import sys, understudy.commands.tasks, understudy.commands.webhooks; "
        "print([name for name in ('sqlalchemy', 'httpx', 'procrastinate', 'psycopg') if name in sys.modules])"
    )

    async def start() -> bytes:
        import sys

        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out

    assert asyncio.run(start()).decode().strip() == "[]"
