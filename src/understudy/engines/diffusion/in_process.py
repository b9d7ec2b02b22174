"""Segments made in this very process, as the command line and the Python API have it; a run that was killed goes on."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Generator as Frames
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy import config
from understudy.engines.diffusion.assignment import Assignment, segment
from understudy.engines.diffusion.engine import WanAnimateEngine
from understudy.engines.diffusion.maker import Maker, real_maker
from understudy.errors import EngineError, SettingError
from understudy.progress import Progress

FOLDER_NAME, LOCK = "segments", "lock"  # within the data folder; of each assignment's
KEPT_S = 7 * 24 * 3600  # of what a killed run left
LOOK_S = 0.1
PIXELS_VARIABLE, STEPS_VARIABLE = f"{config.PREFIX}GPU_PIXELS", f"{config.PREFIX}GPU_STEPS"


class InProcess:
    """A `SegmentSource` by a maker of this process.

    What is made lies in ``folder``/<digest> until its video is whole: the same inputs, settings and seed find it there.
    """

    def __init__(self, maker: Maker, folder: Path) -> None:
        self._maker = maker
        self._folder = folder
        self._kept_of: dict[Path, Path] = {}

    @contextmanager
    def place(self) -> Iterator[Path]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _clear_old(self._folder)
            place = tempfile.TemporaryDirectory(dir=self._folder, prefix="new-", ignore_cleanup_errors=True)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        with place as name:
            yield Path(name)
            # Not after an error, and not where nobody wanted the rest: the next run goes on there.
            shutil.rmtree(self._kept_of.pop(Path(name), name), ignore_errors=True)

    def segments(self, folder: Path, assignment: Assignment, progress: Progress) -> Frames[NDArray[np.uint8]]:
        with self._kept(folder, assignment) as kept, ThreadPoolExecutor(1) as beside:
            stop = threading.Event()
            making = beside.submit(self._maker.make, kept, progress, stop.is_set)
            try:
                for number in range(assignment.segments):
                    while not (made := _made(kept, assignment, number)) and not making.done():
                        wait((making,), LOOK_S)
                    if not made:
                        making.result()  # its error
                    yield segment(kept, assignment, number)
                making.result()
            finally:
                stop.set()

    @contextmanager
    def _kept(self, folder: Path, assignment: Assignment) -> Iterator[Path]:
        """The folder that the same assignment had before, else this one under a name to be found again."""
        kept = self._folder / assignment.digest
        kept.mkdir(exist_ok=True)
        with (kept / LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # another process makes the same just now
                yield folder
                return
            for path in folder.iterdir():
                path.replace(kept / path.name)
            self._kept_of[folder] = kept
            yield kept


def _made(folder: Path, assignment: Assignment, number: int) -> bool:
    try:
        segment(folder, assignment, number)
    except EngineError:
        return False
    return True


def _clear_old(folder: Path) -> None:
    """What was left long ago; who still works on it holds its lock."""
    for place in folder.iterdir():
        with suppress(OSError):
            if time.time() - place.stat().st_mtime < KEPT_S:
                continue
            handle = os.open(place / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(place, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> EngineError:
    return EngineError(
        "segments_unwritable",
        f"The folder {str(folder)!r} for what the GPU makes cannot be written: {error.strerror}.",
        value=str(folder),
        fix="Set UNDERSTUDY_DATA_DIR to a folder that can be written and has some GB of room.",
    )


def wan_animate(threads: int = 2) -> WanAnimateEngine:
    """The engine with its model in this process, as the variables UNDERSTUDY_GPU_PIXELS and _STEPS want it."""
    return WanAnimateEngine(
        InProcess(_maker(), config.data_dir() / FOLDER_NAME),
        threads=threads,
        most_pixels=_number(PIXELS_VARIABLE),
        steps=_number(STEPS_VARIABLE),
    )


def _number(variable: str) -> int:
    told = os.environ.get(variable) or "0"
    if not (told.isascii() and told.isdigit() and len(told) < 9):
        raise SettingError(
            "setting_invalid",
            f"The variable {variable} is {told!r}, which is no whole number.",
            value=told,
            fix="Give a whole number, or unset it.",
        )
    return int(told)


@cache
def _maker() -> Maker:
    """One for the process, so that the next video finds the model loaded."""
    return real_maker()
