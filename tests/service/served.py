"""``understudy serve`` as a process of its own, in a data folder of its own: for tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from understudy.config import models_dir

PROGRAM = Path(sys.executable).with_name("understudy")
READY_PATH = "/understudy/v1/ready"
START_S, STOP_S = 90, 30


@dataclass(frozen=True)
class Served:
    base_url: str
    data_dir: Path
    environ: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def command(self, *arguments: str) -> str:
        """What a command of ``understudy`` prints, beside the running service."""
        done = subprocess.run(
            [PROGRAM, *arguments], env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self, account: str) -> dict[str, str]:
        """New keys of an account that is made for it."""
        self.command("accounts", "create", account)
        made: dict[str, str] = json.loads(self.command("keys", "create", "--account", account, "--json"))
        return made


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """The service, ready for tasks. ``settings`` are variables without their prefix."""
    port = free_port()
    given = {
        "DATA_DIR": str(folder / "data"),
        "MODELS_DIR": str(models_dir()),
        "PORT": str(port),
        "ALLOW_NETWORKS": "127.0.0.0/8",
        **settings,
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    environ = own | {f"UNDERSTUDY_{name}": value for name, value in given.items()}
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen([PROGRAM, "serve"], env=environ, stdout=output, stderr=subprocess.STDOUT)
    service = Served(f"http://127.0.0.1:{port}", folder / "data", environ, process, log)
    try:
        _wait_until_ready(service)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(service: Served) -> None:
    until = time.monotonic() + START_S
    with httpx.Client(base_url=service.base_url, trust_env=False) as client:
        while True:
            ready = False
            with suppress(httpx.TransportError):
                ready = client.get(READY_PATH).status_code == 200
            if ready:
                return
            said = service.log.read_text(errors="replace")[-5000:]
            assert service.process.poll() is None, f"serve ended:\n{said}"
            assert time.monotonic() < until, f"serve is not ready:\n{said}"
            time.sleep(0.2)
