"""``understudy webhooks``, as an operator types it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from callback_setting import SECRETS, Setting, run
from click.testing import Result
from receiver import Receiver, answer, receiving
from standardwebhooks import Webhook
from typer.testing import CliRunner

from understudy.commands import webhooks as webhook_commands
from understudy.config import Settings
from understudy.errors import RequestError, TaskError, UnavailableError
from understudy.tasks import webhooks
from understudy.tasks.accounts import account_named
from understudy.tasks.seal import Secrets

Command = Callable[..., Result]

root = typer.Typer()
root.add_typer(webhook_commands.app, name="webhooks")


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    async def account(its: Setting) -> None:
        await its.account("default")
        await its.account("studio")

    run(database_url, account)

    def start(*words: str) -> Result:
        at = ["--database-url", database_url, "--data-dir", str(tmp_path)]
        result = CliRunner().invoke(root, ["webhooks", *words, *at])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return start


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that runs beside the command, which has a loop of its own."""
    ready, leave = threading.Event(), threading.Event()
    made: list[Receiver] = []

    async def serve() -> None:
        async with receiving(answer(200, body="danke \x1b[2Jschön\nund mehr".encode())) as one:
            made.append(one)
            ready.set()
            await asyncio.to_thread(leave.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield made[0]
    leave.set()
    thread.join()


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_rotate_shows_the_new_secret_once(command: Command, database_url: str, tmp_path: Path) -> None:
    first = said(command("rotate"))
    assert first.startswith("whsec_")
    assert "old secret" not in first
    made = json.loads(said(command("rotate", "--json")))
    until = datetime.fromisoformat(made["old_secret_signs_until"])
    assert abs(until - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    assert "old secret" in said(command("rotate"))
    other = json.loads(said(command("rotate", "--account", "studio", "--json")))
    assert other["old_secret_signs_until"] is None

    async def current(its: Setting) -> None:
        secrets = Secrets.load(Settings(data_dir=tmp_path))
        async with its.database.begin() as connection:
            owner = await account_named(connection, "default")
            signing = await webhooks.current(connection, secrets, owner.id)
        assert len(signing) == 3
        assert signing[1:] == [made["secret"], first.splitlines()[0]]

    run(database_url, current)
    with pytest.raises(RequestError) as refused:
        command("rotate", "--account", "nobody")
    assert refused.value.code == "account_unknown"


def test_the_test_callback_is_signed_and_its_answer_told(
    command: Command, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_ALLOW_NETWORKS", "127.0.0.0/8")
    told = said(command("test", receiver.url))
    assert "answered HTTP 200" in told
    assert "(unsigned)" in told
    assert "danke \\x1b[2Jschön und mehr" in told
    secret = json.loads(said(command("rotate", "--json")))["secret"]
    assert "(signed)" in said(command("test", receiver.url))
    assert "webhook-signature" not in receiver.received[0].headers
    body = Webhook(secret).verify(receiver.received[1].body, receiver.received[1].headers)
    assert body["task_status"] == "submitted"
    assert body["task_result"] == {"videos": []}
    assert body["task_id"].isdigit()

    receiver.answers[:] = [answer(302, "Location: http://127.0.0.1:1/")]
    result = command("test", receiver.url)
    assert result.exit_code == 1
    assert "answered HTTP 302" in result.stdout


def test_the_test_callback_obeys_the_guard(command: Command, receiver: Receiver) -> None:
    for url in (receiver.url, "http://169.254.169.254/", "nonsense", "file:///etc/passwd"):
        result = command("test", url)
        assert result.exit_code == 1
        assert "no answer" in result.stdout
    assert "UNDERSTUDY_ALLOW_NETWORKS" in command("test", receiver.url).stdout
    assert not receiver.received


def test_log_and_redeliver(command: Command, database_url: str) -> None:
    told: dict[str, int] = {}

    async def story(its: Setting) -> None:
        async with its.database.begin() as connection:
            studio = await account_named(connection, "studio")
            default = await account_named(connection, "default")
        async with receiving(answer(500), answer(200)) as one:
            task = await its.task(studio, f"{one.url}?token=swordfish")
            (first,) = its.put_in()
            await its.deliverer.deliver(first)
            await its.make_due(first)
            await its.deliverer.deliver(first)
        other = await its.task(default, "http://127.0.0.1:9/")
        told.update(task=task.id, first=first, second=its.put_in()[-1], other=other.id)

    run(database_url, story)
    table = said(command("log"))
    assert [line.split()[0] for line in table.splitlines()] == [
        "callback",
        str(told["second"]),
        str(told["first"]),
    ]
    assert "swordfish" not in table
    (logged,) = json.loads(said(command("log", "--account", "studio", "--json")))
    assert "swordfish" not in json.dumps(logged)
    assert (logged["callback_id"], logged["task_id"], logged["state"]) == (
        told["first"],
        str(told["task"]),
        "delivered",
    )
    assert [(one["http_status"], one["error"]) for one in logged["tries"]] == [
        (500, "answered 500"),
        (200, ""),
    ]
    (only,) = json.loads(said(command("log", "--task", str(told["other"]), "--json")))
    assert (only["state"], only["tries"]) == ("pending", [])
    assert said(command("log", "--task", "1")) == "There are no such callbacks.\n"

    assert "in the queue again" in said(command("redeliver", str(told["first"])))
    (logged,) = json.loads(said(command("log", "--account", "studio", "--json")))
    assert (logged["state"], logged["ended_at"]) == ("pending", None)

    async def put_in(its: Setting) -> None:
        from sqlalchemy import text

        async with its.database.begin() as connection:
            rows = await connection.execute(text("SELECT task_name, args, lock FROM procrastinate_jobs"))
            assert [tuple(row) for row in rows] == [("deliver", {"id": told["first"]}, None)]

    run(database_url, put_in)


@pytest.mark.parametrize("number", ["99", str(2**63 - 1), str(2**70), "-1", "one"])
def test_redeliver_of_none(command: Command, number: str) -> None:
    try:
        result = command("redeliver", number)
    except TaskError as error:
        assert error.code == "delivery_unknown"  # noqa: PT017
    else:
        assert result.exit_code == 2


def test_a_secret_that_cannot_be_opened_is_told_and_can_be_rotated_away(
    command: Command, database_url: str
) -> None:
    async def seal_with_another(its: Setting) -> None:
        async with its.database.begin() as connection:
            owner = await account_named(connection, "default")
            await webhooks.rotate(connection, SECRETS, owner.id)

    run(database_url, seal_with_another)
    with pytest.raises(UnavailableError, match="sealed with another secret"):
        command("test", "http://127.0.0.1:9/")
    assert said(command("rotate")).startswith("whsec_")
