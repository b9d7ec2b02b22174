"""A set's folder for one process at a time, while weights come into it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy.engines.diffusion.hub_errors import unwritable
from understudy.engines.diffusion.weights import WeightSet
from understudy.errors import ModelError

LOCK = ".pull"


@contextmanager
def pulling(weights: WeightSet) -> Iterator[None]:
    """The set's folder for this process alone. Raises ModelError ``weights_busy`` or ``weights_folder``."""
    lock = weights.folder / LOCK
    try:
        weights.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable(weights, error) from error
    try:
        if not _locked(handle, lock):
            raise ModelError(
                "weights_busy",
                f"Another process is pulling {weights.name} into {weights.folder} now.",
                value=str(weights.folder),
                fix="Wait until it has ended, then look with `understudy models list`.",
            )
        try:
            yield
        finally:
            with suppress(OSError):  # of a pull that brought nothing, nothing stays
                if [path.name for path in weights.folder.iterdir()] == [LOCK]:
                    lock.unlink()
                    weights.folder.rmdir()
    finally:
        os.close(handle)


def _locked(handle: int, lock: Path) -> bool:
    """Whether the file is this process's now; another may have taken it away between opening and locking."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), lock.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
