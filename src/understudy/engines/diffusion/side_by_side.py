"""Long jobs side by side, which end soon after one of them fails or the user breaks off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import TypeVar

AT_ONCE = 4  # more connections or readers bring little
LOOK_S = 0.2  # between two looks at how far they are

Made = TypeVar("Made")


class StoppedError(Exception):
    """Raised in a job that sees ``stop`` set: another has failed, or the user breaks off."""


class Tally:
    """A sum that several threads add to."""

    def __init__(self) -> None:
        self.sum = 0
        self._lock = Lock()

    def add(self, more: int) -> None:
        with self._lock:
            self.sum += more


def side_by_side(
    jobs: Sequence[Callable[[], Made]], look: Callable[[], None], stop: Event, *, at_once: int = AT_ONCE
) -> list[Made]:
    """What the jobs make, in their order. ``look`` is called in this thread while they run.

    The first exception of a job is raised when all have ended, ``stop`` being set so that they do.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="weights") as pool:
        started = [pool.submit(job) for job in jobs]
        waiting = set(started)
        try:
            while waiting:
                ended, waiting = wait(waiting, timeout=LOOK_S, return_when=FIRST_EXCEPTION)
                look()
                for one in ended:
                    one.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [one.result() for one in started]
