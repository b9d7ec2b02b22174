"""The embedded Postgres: a real server in the data folder, run as our own child, on a socket and on no port.

Everybody who can open the socket's folder is let in as the superuser, and only the owner can.

Postgres refuses to run as root. Started by root, it runs as another user, who is given the Postgres folder, and the
right to pass through (not to list) the folders above it and above the programs, where it lacked it.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from understudy.config import Settings
from understudy.errors import SettingError, UnavailableError
from understudy.tasks.database import migrate
from understudy.tasks.postgres_programs import find_binaries, start_initdb, start_server
from understudy.tasks.postgres_socket import socket_folder, socket_url
from understudy.tasks.server_user import give, let_pass, server_user

DATABASE = "understudy"
IN_THE_WAY_S = 20.0  # how long what is left of a killed server may hinder the next
RECOVERY_S = 300.0  # how long a server may read its log after a crash
FAST_STOP_S, IMMEDIATE_STOP_S = 20.0, 5.0
STEP_S = 0.02


@dataclass(frozen=True)
class Running:
    """A server that lets us in: the process and where its socket lies."""

    pid: int
    url: str


class EmbeddedPostgres:
    """The server of one data folder. Whoever runs it holds the lock ``postgres.lock``; others only connect to it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock_file: int | None = None
        self._url = ""
        self._own_sockets: Path | None = None  # where they do not lie in the Postgres folder

    @property
    def url(self) -> str:
        """Of the database ``understudy``; empty before the first start."""
        return self._url

    @property
    def owned(self) -> bool:
        """Whether the server is this object's child, so that ``stop`` stops it."""
        return self._process is not None

    @property
    def running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return bool(self._url) and self._find() is not None

    def start(self) -> str:
        """Start the server, or find it running, and give its URL. Raises UnavailableError with the log's end.

        What has not been stopped, a killed server among it, is put right first; nothing that was committed is lost.
        """
        if self._process is not None:
            if self._process.poll() is None:
                return self._url
            self._process = None
        else:
            self._make_data_dir()
            found = self._lock_or_find()
            if found is not None:
                self._url = found.url
                return self._url
        try:
            self._url = self._start_own()
        except OSError as error:
            self.stop()
            raise _unusable(self._pgdata, error) from error
        except BaseException:
            self.stop()
            raise
        return self._url

    def stop(self) -> None:
        """Stop the server if it is ours: connections are cut, everything committed lies on the disk."""
        if self._process is not None:
            for number, limit_s in (
                (signal.SIGINT, FAST_STOP_S),
                (signal.SIGQUIT, IMMEDIATE_STOP_S),
                (signal.SIGKILL, None),
            ):
                self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(limit_s)
                    break
            self._process = None
        if self._own_sockets is not None:
            with suppress(OSError):
                self._own_sockets.rmdir()
            self._own_sockets = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    @property
    def _pgdata(self) -> Path:
        return self._data_dir / "postgres"

    @property
    def _log(self) -> Path:
        return self._data_dir / "postgres.log"

    def _make_data_dir(self) -> None:
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._data_dir = self._data_dir.resolve()
        except OSError as error:
            raise _unusable(self._data_dir, error) from error

    def _lock_or_find(self) -> Running | None:
        """None with the lock held, or the server that another process runs."""
        try:
            lock_file = os.open(
                self._data_dir / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise _unusable(self._data_dir, error) from error
        give_up = time.monotonic() + IN_THE_WAY_S
        while True:
            try:
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pass
            else:
                self._lock_file = lock_file
                return None
            found = self._find()
            if found is not None or time.monotonic() > give_up:
                os.close(lock_file)
                if found is None:
                    raise self._failed(
                        "Another process runs the embedded Postgres, but nobody can connect to it"
                    )
                return found
            time.sleep(STEP_S)

    def _find(self, database: str = DATABASE) -> Running | None:
        """The server of this folder, if it lets us in."""
        try:
            lines = os.fsdecode((self._pgdata / "postmaster.pid").read_bytes()).splitlines()
        except OSError:
            return None
        if len(lines) < 8 or lines[7].strip() != "ready" or not lines[0].strip().isdigit():
            return None
        running = Running(int(lines[0]), socket_url(lines[4], database))
        try:
            psycopg.connect(running.url, connect_timeout=2, application_name="understudy start").close()
        except psycopg.OperationalError:
            return None
        return running

    def _start_own(self) -> str:
        binaries = find_binaries()
        user = server_user(self._pgdata)
        if user is not None:
            let_pass(user, self._pgdata, binaries)
        if not (self._pgdata / "PG_VERSION").exists():
            self._initialise(user)
        elif user is None and self._pgdata.stat().st_uid != os.geteuid():
            raise self._failed("The Postgres folder belongs to another user")
        elif user is not None and self._pgdata.stat().st_uid != user.pw_uid:
            give(self._pgdata, user)
        sockets = socket_folder(self._pgdata, user)
        self._own_sockets = None if sockets == self._pgdata else sockets
        give_up = time.monotonic() + IN_THE_WAY_S
        while True:
            self._end_leftover()
            if self._run(sockets, user):
                break
            if not self._hindered() or time.monotonic() > give_up:
                raise self._failed("The embedded Postgres does not start")
            time.sleep(5 * STEP_S)
        self._make_database(str(sockets))
        return socket_url(str(sockets), DATABASE)

    def _run(self, sockets: Path, user: pwd.struct_passwd | None) -> bool:
        """Whether the server came up; ``_process`` is it, or None."""
        process = start_server(self._pgdata, sockets, self._log, user)
        self._process = process
        give_up = time.monotonic() + RECOVERY_S
        while process.poll() is None:
            found = self._find("postgres")
            if found is not None and found.pid == process.pid:
                return True
            if time.monotonic() > give_up:
                process.send_signal(signal.SIGQUIT)
            time.sleep(STEP_S)
        self._process = None
        return False

    def _initialise(self, user: pwd.struct_passwd | None) -> None:
        """A new cluster, which appears whole or not at all."""
        making = self._data_dir / "postgres.making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        if user is not None:
            os.chown(making, user.pw_uid, user.pw_gid)
        process = start_initdb(making, self._log, user)
        try:
            process.wait()
        except BaseException:  # a stop, in the midst of it
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            raise self._failed("The embedded Postgres cannot be set up")
        with suppress(OSError):
            self._pgdata.rmdir()  # an empty folder may be in the way; a filled one is not ours to touch
        making.rename(self._pgdata)

    def _end_leftover(self) -> None:
        """We hold the lock, so a server that still answers was left by a process that was killed."""
        leftover = self._find("postgres")
        if leftover is None:
            return
        give_up = time.monotonic() + FAST_STOP_S
        with suppress(ProcessLookupError):
            os.kill(leftover.pid, signal.SIGINT)
        while (self._pgdata / "postmaster.pid").exists() and time.monotonic() < give_up:
            time.sleep(STEP_S)

    def _hindered(self) -> bool:
        """Whether the start failed only because a killed server's processes have not all gone yet."""
        return bool(re.search(r"pre-existing shared memory block|lock file .* already exists", self._tail()))

    def _make_database(self, sockets: str) -> None:
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        try:
            with psycopg.connect(socket_url(sockets, "postgres"), autocommit=True) as connection:
                if connection.execute(known, (DATABASE,)).fetchone() is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError as error:
            raise self._failed("The embedded Postgres broke off its start") from error

    def _tail(self) -> str:
        with suppress(OSError), self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
            return log.read().decode("utf-8", "replace")
        return ""

    def _failed(self, what: str) -> UnavailableError:
        lines = [line for line in self._tail().splitlines() if line.strip()][-6:]
        said = " | ".join("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines)
        return UnavailableError(
            "unavailable",
            f"{what}. Its log ends: {said or 'nothing'}",
            value=str(self._pgdata),
            fix=f"Look into {str(self._log)!r}; or give a Postgres of your own with --database-url.",
        )


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the migrated database, for as long as a command needs it.

    It is the one that the settings name, else the embedded server, which is started for the moment where it does not
    run. Raises UnavailableError.
    """
    if settings.database_url:
        migrate(settings.database_url)
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.data_dir)
    url = server.start()
    try:
        migrate(url)
        yield url
    finally:
        server.stop()


def _unusable(folder: Path, error: OSError) -> SettingError:
    return SettingError(
        "setting_invalid",
        f"The data folder {str(folder)!r} cannot be used: {error.strerror}.",
        value=str(folder),
        fix="Make it writable, or choose another with --data-dir or UNDERSTUDY_DATA_DIR.",
    )
