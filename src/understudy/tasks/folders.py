"""A worker's folders for files of tasks. What a worker that was killed left behind, the next one clears away."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType

FOLDER_NAME = "work"  # within the data folder


class WorkFolders:
    """Temporary folders below ``root``, in a folder of this process that is locked as long as the process lives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dead: list[str] = []  # names of workers whose folders were cleared away at the start
        self._own: Path | None = None
        self._lock = -1

    def __enter__(self) -> WorkFolders:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        while self._own is None:
            own = Path(tempfile.mkdtemp(prefix="worker-", dir=self.root))
            lock = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if own.exists():  # else another worker took it for a leftover, before it was locked
                self._own, self._lock = own, lock
            else:
                os.close(lock)
        self.dead = self.clear_leftovers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._own is not None
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._lock)
        self._own = None

    @property
    def name(self) -> str:
        """This process's, which no other worker has."""
        assert self._own is not None
        return self._own.name

    @asynccontextmanager
    async def new(self, task_id: int) -> AsyncIterator[Path]:
        """An empty folder for work on a task, gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix=f"{task_id}-", dir=self._own))
        try:
            yield folder
        finally:
            await asyncio.shield(asyncio.to_thread(_delete, folder))

    def clear_leftovers(self) -> list[str]:
        """Delete the folders of workers that live no more. Returns their names."""
        dead = []
        for folder in self.root.iterdir():
            if folder != self._own and folder.is_dir() and not folder.is_symlink():
                with suppress(OSError):
                    _delete_unlocked(folder)
                    dead.append(folder.name)
        return dead


def _delete(folder: Path) -> None:
    """Whoever still writes into it by its name, finds it no more."""
    with suppress(OSError):
        folder = folder.rename(folder.with_name(f".{folder.name}"))
    shutil.rmtree(folder, ignore_errors=True)


def _delete_unlocked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its worker lives
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
