"""Finished segments of a task's video in the storage, so that whoever takes the task up again goes on after them."""

from __future__ import annotations

import asyncio
from itertools import takewhile
from pathlib import Path

from understudy.engines.diffusion.assignment import Assignment, finished, segment_name, tail_name
from understudy.engines.diffusion.room import check_room, segments_bytes
from understudy.folder_storage import FolderStorage
from understudy.storage import Storage
from understudy.tasks.patience import patiently
from understudy.tasks.rows import segments_key


class KeptSegments:
    """Those of one task, one assignment's digest and one ``fingerprint`` of weights: segments of another do not fit."""

    def __init__(self, storage: Storage, task_id: int, assignment: Assignment, fingerprint: str) -> None:
        self._storage = storage
        self._assignment = assignment
        self._prefix = f"{segments_key(task_id)}/{assignment.digest}-{fingerprint}"

    async def fetch(self, folder: Path) -> int:
        """Bring them into the assignment's folder. Returns how many there are from the first on. Raises
        EngineError (``segments_room``) where the disk has no room for them and those that are to be made."""
        kept = set(await patiently(lambda: self._storage.names(self._prefix)))
        names_of = [(tail_name(number), segment_name(number)) for number in range(self._assignment.segments)]
        stored = list(takewhile(kept.issuperset, names_of))
        await asyncio.to_thread(self._check_room, folder, len(stored))
        for names in stored:
            for name in names:
                await self._fetch(name, folder / name)
        fitting = await asyncio.to_thread(finished, folder, self._assignment)
        for number in range(fitting, self._assignment.segments):
            (folder / segment_name(number)).unlink(missing_ok=True)
        return fitting

    def _check_room(self, folder: Path, stored: int) -> None:
        needed = segments_bytes(self._assignment)
        if isinstance(self._storage, FolderStorage) and self._storage.on_disk_of(folder):
            needed += segments_bytes(self._assignment, stored)
        check_room(folder, needed)

    async def _fetch(self, name: str, path: Path) -> None:
        key = f"{self._prefix}/{name}"
        await patiently(lambda: self._storage.get_file(key, path))

    async def keep(self, folder: Path, number: int) -> None:
        """The tail first: who finds a segment finds its tail."""
        for name in (tail_name(number), segment_name(number)):
            await self._put(name, folder / name)

    async def _put(self, name: str, path: Path) -> None:
        key = f"{self._prefix}/{name}"
        await patiently(lambda: self._storage.put_file(key, path))
