"""The process that has a GPU and its model: ``python -m understudy.engines.diffusion.host``.

Lines of JSON on standard input: ``{"make": folder}`` and ``{"stop": true}``, which ends what is being made after its
present denoising step. Lines of JSON on standard output: ``{"progress": [stage, done, total]}`` and
``{"segment": number}`` as they come, then one of ``{"done": {stage: seconds}}``, ``{"error": {...}}`` and
``{"stopped": true}``. The model stays loaded between folders. What libraries print goes to standard error.

It opens arrays and no stranger's file, writes into the folder that it was given and nowhere else, and ends with whoever
holds its standard input.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy.engines.diffusion.assignment import finished, load_assignment, segment_name
from understudy.engines.diffusion.failure import failed
from understudy.engines.diffusion.maker import Maker, StoppedError, real_maker
from understudy.errors import UnderstudyError

LOOK_S = 0.05  # between two looks for a segment that was made
PROGRESS_S = 0.1


def serve(maker_of: Callable[[], Maker]) -> None:
    """Make what is asked for, until standard input ends. ``maker_of`` is called at once, and again for each folder for
    as long as it raises, which is the folder's answer then."""
    answers, asked = Answers(), Asked()
    maker: Maker | None = None
    with suppress(Exception):  # told for the first folder: a process that only dies tells nobody why
        maker = maker_of()
    for folder in asked.folders():
        try:
            maker = maker or maker_of()
            with answers.telling_segments(folder):
                timings = dict(maker.make(folder, answers.progress, asked.stopping))
        except Exception as error:
            _tell(answers, error)
            if not isinstance(error, UnderstudyError | StoppedError):
                end(1)  # after an error that nobody foresaw a GPU may be of no use to its process any more
        else:
            answers.say(done=timings)
        gc.collect()  # arrays that an exception held


def _tell(answers: Answers, error: Exception) -> None:
    if isinstance(error, StoppedError):
        answers.say(stopped=True)
    elif isinstance(error, UnderstudyError):
        answers.say(error=error.fields())
    else:
        traceback.print_exception(error)
        sys.stderr.flush()
        answers.say(error=failed(error, "the worker's log").fields())


class Asked:
    """What comes on standard input, read by a thread of its own, so that a stop is heard in mid-work."""

    def __init__(self) -> None:
        self._folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._stop = threading.Event()
        threading.Thread(target=self._read, name="asked", daemon=True).start()

    def folders(self) -> Iterator[Path]:
        while True:
            yield self._folders.get()

    def stopping(self) -> bool:
        return self._stop.is_set()

    def _read(self) -> None:
        for line in sys.stdin:
            match json.loads(line):
                case {"make": str(folder)}:
                    self._stop.clear()  # a stop that came too late was for the folder before
                    self._folders.put(Path(folder))
                case {"stop": True}:
                    self._stop.set()
        end(0)


class Answers:
    """The way back, out of reach of whatever prints."""

    def __init__(self) -> None:
        self._pipe = os.dup(1)
        os.dup2(2, 1)
        self._one = threading.Lock()
        self._stage = ""
        self._next_s = 0.0

    def say(self, **message: object) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._one:
            while line:
                line = line[os.write(self._pipe, line) :]

    def progress(self, stage: str, done: int, total: int) -> None:
        now_s = time.monotonic()
        if stage == self._stage and done < total and now_s < self._next_s:
            return
        self._stage, self._next_s = stage, now_s + PROGRESS_S
        self.say(progress=[stage, done, total])

    @contextmanager
    def telling_segments(self, folder: Path) -> Iterator[None]:
        """Each segment is told as soon as its file is there, which it is whole or not at all."""
        assignment = load_assignment(folder)
        over = threading.Event()
        missing = range(finished(folder, assignment), assignment.segments)

        def look() -> None:
            for number in missing:
                while not (folder / segment_name(number)).exists():
                    if over.is_set() and not (folder / segment_name(number)).exists():
                        return
                    over.wait(LOOK_S)
                self.say(segment=number)

        looking = threading.Thread(target=look, name="segments")
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def end(code: int) -> None:
    """At once, also in the midst of a step, with the processes that compile for it."""
    if os.getpgrp() == os.getpid():
        with suppress(OSError):
            os.killpg(0, signal.SIGKILL)
    os._exit(code)


if __name__ == "__main__":
    serve(real_maker)
