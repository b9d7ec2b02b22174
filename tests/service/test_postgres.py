"""The embedded Postgres: comes up, comes back with everything, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from serving import until

from understudy.config import Settings
from understudy.errors import SettingError, UnavailableError
from understudy.tasks import postgres_programs
from understudy.tasks.postgres import EmbeddedPostgres, database_url


@pytest.fixture
def data_dir(own_folder: Path) -> Path:
    return own_folder / "the data, and more"


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir)
    server.start()
    yield server
    server.stop()


def pid_of(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and not yet noticed by whoever inherited it


def rows(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM numbers ORDER BY number")]


def add(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS numbers (number bigint)")
        connection.execute("INSERT INTO numbers VALUES (%s)", (number,))


def test_nothing_listens_on_a_port_and_the_folder_is_private(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
    assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "postgres.log").stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) & 0o066 == 0, "nobody else can list the data folder"


def test_a_second_start_only_connects_and_its_stop_stops_nothing(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    add(server.url, 1)
    second = EmbeddedPostgres(data_dir)
    assert second.start() == server.url
    assert second.running
    assert not second.owned
    second.stop()
    assert server.running
    assert rows(server.url) == [1]


def test_rows_are_there_after_a_stop_and_another_start(server: EmbeddedPostgres) -> None:
    url = server.url
    add(url, 7)
    server.stop()
    assert not server.running
    assert server.start() == url
    assert rows(url) == [7]


def test_rows_are_there_after_sigkill(server: EmbeddedPostgres, data_dir: Path) -> None:
    """Several times, with connections open, whose processes then hold the shared memory a while."""
    for number in range(5):
        add(server.url, number)
        with psycopg.connect(server.url) as connection:
            connection.execute("SELECT 1")
            pid = pid_of(data_dir)
            os.kill(pid, signal.SIGKILL)
            until(lambda: not server.running)
            server.start()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert rows(server.url) == list(range(number + 1))


def test_it_ends_with_a_killed_parent_and_the_next_start_has_the_rows(data_dir: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from understudy.tasks.postgres import EmbeddedPostgres;"
        "print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        add(url, 3)
        pid = pid_of(data_dir)
        parent.kill()
    server = EmbeddedPostgres(data_dir)  # at once, while the other is still about to end
    try:
        assert server.start() == url
        assert rows(url) == [3]
        assert not alive(pid)
    finally:
        server.stop()


def test_what_a_killed_set_up_left_is_no_hindrance(data_dir: Path) -> None:
    (data_dir / "postgres.making" / "base").mkdir(parents=True)
    server = EmbeddedPostgres(data_dir)
    server.start()
    server.stop()
    assert not (data_dir / "postgres.making").exists()


def test_a_path_too_long_for_a_socket_has_its_socket_elsewhere(own_folder: Path) -> None:
    data_dir = own_folder / ("long" * 30) / "data"
    server = EmbeddedPostgres(data_dir)
    url = server.start()
    try:
        folder = Path(psycopg.conninfo.conninfo_to_dict(url)["host"])  # type: ignore[arg-type]
        assert folder.parent == Path(tempfile.gettempdir()).resolve()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        add(url, 1)
    finally:
        server.stop()
    assert not folder.exists()


def test_a_socket_folder_of_somebody_else_is_refused(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(own_folder))
    data_dir = own_folder / ("long" * 30) / "data"
    server = EmbeddedPostgres(data_dir)
    url = server.start()
    server.stop()
    folder = Path(psycopg.conninfo.conninfo_to_dict(url)["host"])  # type: ignore[arg-type]
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(UnavailableError) as caught:
        server.start()
    assert caught.value.value == str(folder)


def test_why_it_does_not_start_is_told(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.stop()
    (data_dir / "postgres" / "postgresql.conf").write_text("no_such_setting = 'x'\n")
    with pytest.raises(UnavailableError, match="no_such_setting") as caught:
        server.start()
    assert caught.value.code == "unavailable"
    assert "postgres.log" in caught.value.fix
    assert not server.running


def test_a_data_folder_that_is_a_file_is_refused(own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    with pytest.raises(SettingError):
        EmbeddedPostgres(own_folder / "file").start()


def test_without_the_wheel_it_says_what_to_install(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_programs.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UnavailableError) as caught:
        EmbeddedPostgres(own_folder).start()
    assert "[server]" in caught.value.fix


def test_secrets_do_not_reach_its_log_or_its_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_SECRET_KEY", "a-secret-of-ours")
    server = EmbeddedPostgres(data_dir)
    url = server.start()
    try:
        assert b"a-secret-of-ours" not in Path(f"/proc/{pid_of(data_dir)}/environ").read_bytes()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE words (word text UNIQUE)")
            connection.execute("INSERT INTO words VALUES (%s)", ("a-secret-row",))
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO words VALUES (%s)", ("a-secret-row",))
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.SyntaxError):
            connection.execute("SELECT 'a-secret-row' FROM")
    finally:
        server.stop()
    assert "secret" not in (data_dir / "postgres.log").read_text()


def test_the_log_begins_anew_with_each_start(server: EmbeddedPostgres, data_dir: Path) -> None:
    log = data_dir / "postgres.log"
    size = log.stat().st_size
    for _ in range(3):
        server.stop()
        server.start()
    assert log.stat().st_size < 2 * size


def test_a_command_gets_a_database_whether_the_server_runs_or_not(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    with database_url(settings) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
    assert not EmbeddedPostgres(data_dir).running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server = EmbeddedPostgres(data_dir)
    try:
        assert server.start() == url
        with database_url(settings) as found:
            assert found == url
        assert server.running
        with database_url(Settings(data_dir=data_dir / "unused", database_url=url)) as given:
            assert given == url
        assert not (data_dir / "unused").exists()
    finally:
        server.stop()


def test_a_database_that_is_away_is_an_error_of_ours(own_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nothing listens
        url = f"postgresql://nobody@127.0.0.1:{taken.getsockname()[1]}/none"
        with pytest.raises(UnavailableError), database_url(Settings(data_dir=own_folder, database_url=url)):
            pass
