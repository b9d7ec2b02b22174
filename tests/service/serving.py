"""``understudy serve`` as somebody sees it who starts it: what it says, when, and which processes it has."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROC = Path("/proc")
LIMIT_S = 30.0


class Serving:
    """One service. ``processes`` are all that come from it, told by a mark in their environment or by their folder."""

    def __init__(self, data_dir: Path, *flags: str, stdout: int = subprocess.PIPE) -> None:
        self.data_dir = data_dir
        self.mark = uuid.uuid4().hex
        self.errors = data_dir.parent / f"{self.mark}.stderr"
        known = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-W", "error", "-m", "understudy.cli", "serve"),
                    *("--port", "0", "--data-dir", str(data_dir), "--engine", "fake"),
                    *flags,
                ],
                stdout=stdout,
                stderr=errors,
                env={**known, "UNDERSTUDY_MARK": self.mark},
                bufsize=0,
            )
        self.said = ""

    @property
    def complained(self) -> str:
        return self.errors.read_text()

    def come_up(self) -> str:
        """Its base URL, as soon as it has told it and the rest."""
        assert self.process.stdout is not None
        while "Ctrl-C" not in self.said:
            line = self.process.stdout.readline().decode()
            assert line, f"it ended: {self.complained}"
            self.said += line
        found = re.search(r"serves at (http://\S+)", self.said)
        assert found is not None
        return found[1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def processes(self) -> dict[int, str]:
        """Their ids and command lines."""
        folder = os.fsencode(self.data_dir.resolve())
        found = {}
        for entry in PROC.iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                if b") Z " in (entry / "stat").read_bytes():  # ended, and not yet noticed
                    continue
                marked = self.mark.encode() in (entry / "environ").read_bytes()
                inside = os.fsencode(os.readlink(entry / "cwd")).startswith(folder + b"/")
            except OSError:  # it has ended meanwhile
                continue
            if marked or inside or folder in command:
                found[int(entry.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()
        return found

    def process_of(self, words: str) -> int:
        """The id of its one process whose command line has these words."""
        found = [pid for pid, command in self.processes().items() if words in command]
        assert len(found) == 1, found
        return found[0]


@contextmanager
def serving(data_dir: Path, *flags: str, stdout: int = subprocess.PIPE) -> Iterator[Serving]:
    service = Serving(data_dir, *flags, stdout=stdout)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.terminate()
            try:
                service.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                service.process.kill()
                service.process.wait()
        if service.process.stdout is not None:
            service.process.stdout.close()


def ask(base_url: str, path: str, *, key: str | None = None) -> tuple[int, Any]:
    """Status and JSON of a GET."""
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=LIMIT_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
    """How many seconds it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < limit_s, "it has not come about"
        time.sleep(0.02)
    return time.monotonic() - start
