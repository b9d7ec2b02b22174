"""One process of the service that is started again whenever it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from understudy.server.parent import release

SHORT_LIFE_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0


class Supervised:
    """Started again at once; after short lives in a row with pauses, each twice as long as the one before."""

    def __init__(self, name: str, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.name = name
        self.short_lives = 0
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._due = time.monotonic()

    @property
    def due_s(self) -> float | None:
        """In how many seconds it is to be started; None while it runs."""
        return None if self._process is not None else max(0.0, self._due - time.monotonic())

    def tend(self) -> None:
        """Start it where it does not run and its pause is over."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._ended(self._process, code)
        if time.monotonic() >= self._due:
            self._started = time.monotonic()
            try:
                self._process = self._start()
            except OSError as error:  # no process or memory is left: for the moment, it may be
                self._pause(f"{self.name} cannot be started: {error.strerror}")

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def gone(self) -> bool:
        """Whether it has ended, in a stop."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        release(self._process)
        self._process = None
        return True

    def _ended(self, process: subprocess.Popen[bytes], code: int) -> None:
        release(process)
        self._process = None
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._pause(f"{self.name} {how}")

    def _pause(self, why: str) -> None:
        now = time.monotonic()
        self.short_lives = self.short_lives + 1 if now - self._started < SHORT_LIFE_S else 0
        pause_s = (
            min(FIRST_PAUSE_S * 2 ** (self.short_lives - 1), LONGEST_PAUSE_S) if self.short_lives else 0.0
        )
        self._due = now + pause_s
        log(f"{why}; it is started again{f' in {pause_s:.1f} s' if pause_s else ''}")


def log(line: str) -> None:
    """One line for whoever runs the service, on stderr."""
    with suppress(OSError):  # whoever read it has gone
        print(f"understudy: {line}", file=sys.stderr, flush=True)
