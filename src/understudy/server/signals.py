"""Being asked to stop: by SIGTERM, SIGINT or SIGHUP."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop(KeyboardInterrupt):
    """SIGTERM, SIGINT or SIGHUP came in the midst of something long. asyncio and psycopg let this kind through."""


class Signals:
    """How often one was asked to stop, and a wait that any signal ends."""

    def __init__(self) -> None:
        self.asked = 0
        self._breakable = False

    @contextmanager
    def heeded(self) -> Iterator[Signals]:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        self._reading = reading
        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._stop) for number in numbers}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)  # it ends the wait
        pipe_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(pipe_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """A request to stop breaks off what is within, by raising Stop."""
        self._breakable = True
        try:
            if self.asked:
                raise Stop
            yield
        finally:
            self._breakable = False

    def wait(self, limit_s: float) -> None:
        if select.select([self._reading], [], [], limit_s)[0]:
            os.read(self._reading, 4096)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1
        if self._breakable:
            self._breakable = False
            raise Stop
