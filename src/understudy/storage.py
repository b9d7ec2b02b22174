"""Where inputs and results lie: a folder, or a bucket by URL; with the border's fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """Keeps whole objects under keys such as ``results/123/1/video.mp4``. Keys are made by us, never by a user.

    A put object is there whole or not at all. Reading a key that is not there raises ServiceError
    (``file_missing``); a storage that cannot be reached raises UnavailableError (``unavailable``).
    """

    async def put_file(self, key: str, path: Path) -> None: ...

    async def put_bytes(self, key: str, content: bytes) -> None: ...

    async def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path``."""
        ...

    async def size(self, key: str) -> int: ...

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` to ``stop`` (exclusive), in pieces."""
        ...

    async def delete(self, prefix: str) -> None:
        """Delete everything below a prefix such as ``inputs/123``; nothing there is no error."""
        ...

    async def link(self, key: str, *, filename: str, seconds: int) -> str | None:
        """A short-lived address of the bucket's own for one object, or None where there is none (a folder)."""
        ...
