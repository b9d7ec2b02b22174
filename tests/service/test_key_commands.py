"""The commands for keys and accounts, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import jwt
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from understudy.commands import accounts, keys
from understudy.config import Settings
from understudy.errors import AccountError, AuthError, RequestError, SettingError
from understudy.server.auth import Authenticator
from understudy.tasks.accounts import Account
from understudy.tasks.database import Database
from understudy.tasks.postgres import EmbeddedPostgres
from understudy.tasks.seal import Secrets

Command = Callable[..., Result]

root = typer.Typer()
root.add_typer(keys.app, name="keys")
root.add_typer(accounts.app, name="accounts")


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    """Runs a command on a fresh database and data folder; an exception of ours comes out of it."""

    def run(*words: str) -> Result:
        at = ["--database-url", database_url, "--data-dir", str(tmp_path)]
        after = words.index("--") if "--" in words else len(words)
        result = CliRunner().invoke(root, [*words[:after], *at, *words[after:]])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def let_in(url: str, data_dir: Path, authorization: str) -> Account:
    async def whole() -> Account:
        database = Database(url)
        try:
            secrets = Secrets.load(Settings(data_dir=data_dir))
            return await Authenticator(database, secrets).account(authorization)
        finally:
            await database.close()

    return asyncio.run(whole())


def test_keys_create_json_is_one_object_and_its_keys_let_in(
    command: Command, database_url: str, tmp_path: Path
) -> None:
    out = said(command("keys", "create", "--json"))
    assert out.count("\n") == 1
    made = json.loads(out)
    assert set(made) == {"access_key", "secret_key", "api_key"}
    token = jwt.encode({"iss": made["access_key"], "exp": 4_000_000_000}, made["secret_key"])
    for bearer in (made["api_key"], token):
        assert let_in(database_url, tmp_path, f"Bearer {bearer}").name == "default"


def test_keys_create_as_text_shows_the_three(command: Command) -> None:
    out = said(command("keys", "create"))
    for prefix in ("usak-", "ussk-", " us-"):
        assert out.count(prefix) == 1
    assert "not shown again" in out


def test_only_the_default_account_is_made_by_itself(command: Command) -> None:
    with pytest.raises(RequestError) as caught:
        command("keys", "create", "--account", "team")
    assert caught.value.code == "account_unknown"
    assert "understudy accounts create" in caught.value.fix
    assert "`understudy keys create --account team`" in said(command("accounts", "create", "team"))
    said(command("keys", "create", "--account", "team"))
    listed = json.loads(said(command("keys", "list", "--json")))
    assert [record["account"] for record in listed] == ["team"]


def test_keys_list_shows_no_secret(command: Command) -> None:
    made = [json.loads(said(command("keys", "create", "--json"))) for _ in range(2)]
    said(command("accounts", "create", "team"))
    said(command("keys", "create", "--account", "team"))
    for words in (("keys", "list"), ("keys", "list", "--json")):
        out = said(command(*words))
        for each in made:
            assert each["access_key"] in out
            assert each["secret_key"] not in out
            assert each["api_key"] not in out
    assert len(said(command("keys", "list")).splitlines()) == 4
    assert len(said(command("keys", "list", "--account", "team")).splitlines()) == 2


def test_lists_of_nothing(command: Command) -> None:
    assert "understudy keys create" in said(command("keys", "list"))
    assert "understudy accounts create" in said(command("accounts", "list"))
    assert json.loads(said(command("keys", "list", "--json"))) == []
    assert json.loads(said(command("accounts", "list", "--json"))) == []


def test_keys_revoke(command: Command, database_url: str, tmp_path: Path) -> None:
    made, other = (json.loads(said(command("keys", "create", "--json"))) for _ in range(2))
    assert "is revoked" in said(command("keys", "revoke", made["access_key"]))
    assert "before" in said(command("keys", "revoke", made["access_key"]))
    with pytest.raises(AuthError):
        let_in(database_url, tmp_path, f"Bearer {made['api_key']}")
    assert let_in(database_url, tmp_path, f"Bearer {other['api_key']}").name == "default"
    listed = json.loads(said(command("keys", "list", "--json")))
    assert [record["revoked_at"] is None for record in listed] == [False, True]
    with pytest.raises(RequestError) as caught:
        command("keys", "revoke", made["secret_key"])
    assert caught.value.code == "key_unknown"
    assert made["secret_key"] not in str(caught.value)


def test_disable_and_enable(command: Command, database_url: str, tmp_path: Path) -> None:
    bearer = "Bearer " + json.loads(said(command("keys", "create", "--json")))["api_key"]
    said(command("accounts", "disable", "default"))
    with pytest.raises(AccountError):
        let_in(database_url, tmp_path, bearer)
    assert "disabled" in said(command("accounts", "list"))
    said(command("accounts", "enable", "default"))
    assert not let_in(database_url, tmp_path, bearer).disabled


def test_limit(command: Command) -> None:
    said(command("accounts", "create", "one"))

    def limit() -> object:
        return json.loads(said(command("accounts", "list", "--json")))[0]["concurrency_limit"]

    assert limit() is None
    assert "5" in said(command("accounts", "limit", "one", "--concurrency", "5"))
    assert limit() == 5
    said(command("accounts", "limit", "one", "--no-concurrency"))
    assert limit() is None
    for wrong in ([], ["--concurrency", "5", "--no-concurrency"], ["--concurrency", "0"]):
        with pytest.raises(RequestError) as caught:
            command("accounts", "limit", "one", *wrong)
        assert caught.value.code == "limit_invalid"


def test_grant(command: Command) -> None:
    said(command("accounts", "create", "one"))

    def balance() -> object:
        return json.loads(said(command("accounts", "usage", "one", "--json")))["balance"]

    assert balance() is None
    assert "100 units" in said(command("accounts", "grant", "one", "100"))
    assert "104.5 units" in said(command("accounts", "grant", "one", "4.5"))
    assert "99.5 units" in said(command("accounts", "grant", "one", "-5"))
    assert "99 units" in said(command("accounts", "grant", "one", "--", "-0.5"))
    assert balance() == "99"
    said(command("accounts", "grant", "one", "--unlimited"))
    assert balance() is None
    assert "7 units" in said(command("accounts", "grant", "one", "7"))
    for wrong in (["-8"], ["much"], ["NaN"], ["1e999"], ["0.001"], [], ["5", "--unlimited"], ["\x1b[31m"]):
        with pytest.raises(RequestError) as caught:
            command("accounts", "grant", "one", *wrong)
        assert caught.value.code == "units_invalid"
    assert balance() == "7"


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "limit", "nobody", "--concurrency", "5"),
        ("accounts", "grant", "nobody", "5"),
        ("accounts", "grant", "nobody", "--unlimited"),
        ("accounts", "usage", "nobody"),
        ("accounts", "disable", "nobody"),
        ("accounts", "enable", "nobody"),
        ("keys", "list", "--account", "nobody"),
    ],
)
def test_an_unknown_account(command: Command, words: tuple[str, ...]) -> None:
    with pytest.raises(RequestError) as caught:
        command(*words)
    assert caught.value.code == "account_unknown"


def test_a_name_that_is_taken(command: Command) -> None:
    said(command("accounts", "create", "one"))
    with pytest.raises(RequestError) as caught:
        command("accounts", "create", "one")
    assert caught.value.code == "account_taken"


def test_usage(command: Command) -> None:
    said(command("accounts", "create", "one"))
    said(command("accounts", "grant", "one", "12.5"))
    value = json.loads(said(command("accounts", "usage", "one", "--json", "--days")))
    assert value == {
        "account": "one",
        "disabled": False,
        "concurrency_limit": None,
        "balance": "12.5",
        "tasks": {"submitted": 0, "processing": 0, "succeed": 0, "failed": 0},
        "settled": "0",
        "reserved": "0",
        "periods": [],
    }
    out = said(command("accounts", "usage", "one"))
    assert "12.5 units" in out
    assert "succeed 0" in out


def test_columns_line_up(command: Command) -> None:
    for name in ("a", "a much longer name"):
        said(command("accounts", "create", name))
    heading, *lines = said(command("accounts", "list")).splitlines()
    assert [line.index("enabled") for line in lines] == [heading.index("state")] * 2


SCRIPT = """
import sys
import typer
from understudy.commands import accounts, keys
for name in ("fastapi", "sqlalchemy", "psycopg", "procrastinate", "httpx", "obstore", "jwt"):
    assert name not in sys.modules, name
root = typer.Typer()
root.add_typer(keys.app, name="keys")
root.add_typer(accounts.app, name="accounts")
root()
"""


def in_a_process(data_dir: Path, *words: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        env={**environ, "UNDERSTUDY_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_as_processes_while_the_service_runs_and_while_it_does_not(tmp_path: Path) -> None:
    """Nothing is set up before the first: it makes the database, the secret and the account."""
    first = json.loads(in_a_process(tmp_path, "keys", "create", "--json"))
    assert not EmbeddedPostgres(tmp_path).running
    server = EmbeddedPostgres(tmp_path)
    url = server.start()
    try:
        second = json.loads(in_a_process(tmp_path, "keys", "create", "--json"))
        assert server.running
        in_a_process(tmp_path, "accounts", "grant", "default", "5")
        for made in (first, second):
            account = let_in(url, tmp_path, f"Bearer {made['api_key']}")
            assert (account.name, account.balance) == ("default", Decimal(5))
    finally:
        server.stop()
    listed = in_a_process(tmp_path, "keys", "list")
    assert first["access_key"] in listed
    assert second["access_key"] in listed


def test_a_secret_that_others_can_read_stops_the_command(command: Command, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("a word that is long enough")
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(SettingError) as caught:
        command("keys", "create")
    assert caught.value.code == "secret_file"
