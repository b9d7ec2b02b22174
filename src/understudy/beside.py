"""Work beside: one piece of work in a thread of its own while its user does another, with one progress to tell."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from understudy.progress import Progress, silent

T = TypeVar("T")

LOOK_S = 0.05  # between looks at how far the work is, while its user waits for it


class Beside(Generic[T]):
    """Runs ``work`` in a thread from the moment it is entered; with ``thread`` False, when its result is asked for.

    ``work`` is given a progress to call, whose calls come out of ``result`` in the user's own thread. Left with an
    error, the work ends at its next call of that progress. A context manager; nothing runs on after it.
    """

    def __init__(self, work: Callable[[Progress], T], *, thread: bool = True) -> None:
        self._work = work
        self._thread = threading.Thread(target=self._run, name="beside", daemon=True) if thread else None
        self._told: tuple[str, int, int] | None = None
        self._unwanted = threading.Event()
        self._made: list[T] = []
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise the work's error, if it has ended with one: its user need not go on."""
        if self._failure is not None:
            raise self._failure

    def result(self, progress: Progress = silent) -> T:
        """What the work made; waits for it. Raises the work's own error."""
        if self._thread is None:
            if not self._made:
                self._made.append(self._work(progress))
            return self._made[0]
        shown = None
        while True:
            self._thread.join(LOOK_S)
            told = self._told
            if told is not None and told != shown:
                progress(*told)
                shown = told
            if not self._thread.is_alive():
                break
        self.check()
        return self._made[0]

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unwanted.set()
        if self._thread is not None:
            self._thread.join()
        self._failure = None  # its traceback would hold this, and this it: a circle that keeps files open

    def _run(self) -> None:
        try:
            self._made.append(self._work(self._tell))
        except BaseException as error:  # handed over to the user, whatever it is
            self._failure = error

    def _tell(self, stage: str, done: int, total: int) -> None:
        if self._unwanted.is_set():
            raise _UnwantedError
        self._told = stage, done, total


class _UnwantedError(Exception):
    """Ends work that nobody waits for."""
