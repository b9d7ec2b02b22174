"""Segments made in this very process, as the command line and the Python API have it; a run that was killed goes on."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Generator as Frames
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from traceback import format_exception
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from understudy import config
from understudy.engines.diffusion.assignment import (
    MOST_SIDE,
    MOST_STEPS,
    REFERENCE,
    Assignment,
    clear,
    finished,
    segment,
)
from understudy.engines.diffusion.engine import WanAnimateEngine
from understudy.engines.diffusion.failure import failed
from understudy.engines.diffusion.maker import Maker, StoppedError, real_maker
from understudy.engines.diffusion.plan import PLAN_VARIABLE, PRECISION_VARIABLE, check_named, traits_of
from understudy.engines.diffusion.room import check_room, segments_bytes, unwritable
from understudy.engines.diffusion.spec import SPECS
from understudy.engines.diffusion.weights import fingerprint, lora_path
from understudy.errors import EngineError, SettingError, UnderstudyError
from understudy.progress import Progress

FOLDER_NAME, LOCK, NEW = (
    "segments",
    "lock",
    "new-",
)  # within the data folder; of each assignment's; not yet known
ARRAYS = (REFERENCE, *(name for spec in SPECS.values() for name, _ in spec.arrays))
ERROR_NAME = "gpu-error.txt"  # within the data folder: the last one that nobody foresaw
KEPT_S = 7 * 24 * 3600  # of what a killed run left
LOOK_S = 0.1
MOST_PIXELS = MOST_SIDE**2
PIXELS_VARIABLE, STEPS_VARIABLE = f"{config.PREFIX}GPU_PIXELS", f"{config.PREFIX}GPU_STEPS"


class InProcess:
    """A `SegmentSource` by a maker of this process.

    What is made lies in ``folder``/<digest>-<fingerprint> until its video is whole: the same inputs, settings and seed
    find it there, as long as ``fingerprint`` says the same of the model's name.
    """

    def __init__(
        self, maker: Maker, folder: Path, *, fingerprint: Callable[[str], str] = fingerprint
    ) -> None:
        self._maker = maker
        self._folder = folder
        self._fingerprint = fingerprint
        self._kept_of: dict[Path, tuple[Path, BinaryIO]] = {}

    @contextmanager
    def place(self) -> Iterator[Path]:
        with ExitStack() as leaving:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                with _alone(self._folder):  # else another could clear the new place away before it is locked
                    _clear_old(self._folder)
                    place = tempfile.TemporaryDirectory(
                        dir=self._folder, prefix=NEW, ignore_cleanup_errors=True
                    )
                    folder = Path(leaving.enter_context(place))
                    leaving.enter_context(_alone(folder))
            except OSError as error:
                raise unwritable(self._folder, error) from error
            try:
                yield folder
                # Not after an error, and not where nobody wanted the rest: the next run goes on there.
                if folder in self._kept_of:
                    shutil.rmtree(self._kept_of[folder][0], ignore_errors=True)
            finally:
                if folder in self._kept_of:
                    self._kept_of.pop(folder)[1].close()  # and others may have what is there

    def segments(self, folder: Path, assignment: Assignment, progress: Progress) -> Frames[NDArray[np.uint8]]:
        try:
            kept = self._kept(folder, assignment)
            check_room(kept, segments_bytes(assignment, finished(kept, assignment)))
        except OSError as error:
            raise unwritable(folder, error) from error
        with ThreadPoolExecutor(1) as beside:
            stop = threading.Event()
            making = beside.submit(self._make, kept, progress, stop.is_set)
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

    def _make(self, kept: Path, progress: Progress, stopped: Callable[[], bool]) -> None:
        """What nobody foresaw is told as the service tells it; the error itself lies in a file of the data folder."""
        try:
            self._maker.make(kept, progress, stopped)
        except (UnderstudyError, StoppedError):
            raise
        except Exception as error:
            told = self._folder.parent / ERROR_NAME
            with suppress(OSError):
                told.write_text("".join(format_exception(error)), encoding="utf-8")
            raise failed(error, str(told)) from error

    def _kept(self, folder: Path, assignment: Assignment) -> Path:
        """The folder that the same assignment had before, with what is in this one, and locked until its place is left;
        this one itself, where another process makes the same just now."""
        kept = self._folder / f"{assignment.digest}-{self._fingerprint(assignment.model)}"
        try:
            with _alone(self._folder):  # whoever clears old arrays away has such locks for a moment
                lock = _locked(kept)
        except BlockingIOError:
            return folder
        self._kept_of[folder] = kept, lock
        for path in folder.iterdir():
            path.replace(kept / path.name)
        return kept


def _locked(kept: Path) -> BinaryIO:
    """A folder's lock. Raises BlockingIOError where another has it. Who had it may have cleared the folder away
    between our opening and our locking: then it is made again."""
    while True:
        kept.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            lock = (kept / LOCK).open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock.fileno()), (kept / LOCK).stat()):
                    return lock
            except BaseException:
                lock.close()
                raise
            lock.close()


def _made(folder: Path, assignment: Assignment, number: int) -> bool:
    try:
        segment(folder, assignment, number)
    except EngineError:
        return False
    return True


def _clear_old(folder: Path) -> None:
    """What was left long ago, and what of younger runs nobody goes on from: arrays are written anew. Who still works on
    it holds its lock."""
    for place in folder.iterdir():
        with suppress(OSError):
            if place.name.startswith(NEW):
                with _alone(place, fcntl.LOCK_NB):
                    shutil.rmtree(place, ignore_errors=True)
                continue
            old = time.time() - place.stat().st_mtime >= KEPT_S
            if not old and not any((place / f"{name}.npy").exists() for name in ARRAYS):
                continue
            handle = os.open(place / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if old:
                    shutil.rmtree(place, ignore_errors=True)
                else:
                    clear(place, ARRAYS)


@contextmanager
def _alone(folder: Path, how: int = 0) -> Iterator[None]:
    """With the folder's own lock, as long as this process lives. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(handle)


def wan_animate(threads: int = 2) -> WanAnimateEngine:
    """The engine with its model in this process, as the variables UNDERSTUDY_GPU_PIXELS and _STEPS want it. Raises
    SettingError."""
    check_named(os.environ.get(PLAN_VARIABLE, ""))
    traits_of(os.environ.get(PRECISION_VARIABLE, ""))
    return WanAnimateEngine(
        InProcess(_maker(), config.data_dir() / FOLDER_NAME),
        threads=threads,
        most_pixels=_number(PIXELS_VARIABLE, MOST_PIXELS),
        steps=_number(STEPS_VARIABLE, MOST_STEPS),
        distilled=lora_path() is not None,
    )


def _number(variable: str, most: int) -> int:
    told = os.environ.get(variable) or "0"
    if not (told.isascii() and told.isdigit() and len(told) < 9 and int(told) <= most):
        raise SettingError(
            "setting_invalid",
            f"The variable {variable} is {told!r}; 0 to {most} is allowed.",
            value=told,
            limit=f"0 to {most}",
            fix="Give such a number, or unset it.",
        )
    return int(told)


@cache
def _maker() -> Maker:
    """One for the process, so that the next video finds the model loaded."""
    return real_maker()
