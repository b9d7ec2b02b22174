"""Where inputs and results lie: a folder, or a bucket by URL; with the border's fake."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from understudy.config import Settings
from understudy.errors import ServiceError, SettingError, UnavailableError

PIECE_BYTES = 256 * 1024
FOLDER_NAME = "files"  # within the data folder
BUCKET_SCHEMES = ("s3", "gs", "az", "memory")

_KEY = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


class Storage(Protocol):
    """Keeps whole objects under keys such as ``results/123/1/video.mp4``. Keys are made by us, never by a user.

    A put object is there whole or not at all; putting again replaces it. Reading a key that is not there raises
    ServiceError (``file_missing``), in ``read`` at its first piece; a storage that cannot be reached raises
    UnavailableError (``unavailable``). A key of any other form than ``[A-Za-z0-9._-]`` in segments parted by slashes,
    none of them only dots, is a fault of the caller: ValueError.
    """

    async def put_file(self, key: str, path: Path, *, filename: str | None = None) -> None:
        """Keep a copy of the file. ``filename`` is what it is called when it is saved from a bucket's own link."""
        ...

    async def put_bytes(self, key: str, content: bytes) -> None: ...

    async def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path``. After an exception there may be a part of it."""
        ...

    async def size(self, key: str) -> int:
        """In bytes."""
        ...

    def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from ``start`` to ``stop`` (exclusive), in pieces of at most ``PIECE_BYTES``. It may be closed
        early; a slow reader holds no connection to a bucket."""
        ...

    async def delete(self, prefix: str) -> None:
        """Delete everything below a prefix such as ``inputs/123``; nothing there is no error."""
        ...

    async def names(self, prefix: str) -> list[str]:
        """The next segments of all keys below a prefix such as ``inputs``: tasks' ids there. None is no error."""
        ...

    async def link(self, key: str, *, seconds: int) -> str | None:
        """A short-lived address of the bucket's own for one object, or None where there is none (a folder)."""
        ...


def open_storage(settings: Settings) -> Storage:
    """The storage that ``settings.storage_url`` names: empty for a folder in the data folder, ``file:///...``,
    ``s3://bucket/prefix``, ``gs://...``, ``az://container/...`` or ``memory://``.

    A bucket's credentials, region and endpoint come from its provider's usual variables (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL``, ``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_STORAGE_ACCOUNT_NAME`` ...). Raises SettingError.
    """
    from understudy.folder_storage import FolderStorage

    url = settings.storage_url
    if not url:
        return FolderStorage(settings.data_dir / FOLDER_NAME)
    try:
        parts = urlsplit(url)
        bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        raise _setting_error("is no URL") from None
    if not bare:
        raise _setting_error("has more in it than a bucket and a path, and credentials do not belong there")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise _setting_error("names no folder of this machine")
        return FolderStorage(Path(unquote(parts.path)))
    if parts.scheme not in BUCKET_SCHEMES:
        raise _setting_error(f"begins with {parts.scheme!r}")
    from understudy.bucket_storage import BucketStorage

    return BucketStorage(url)


def checked_key(key: str) -> str:
    """The key itself. Raises ValueError where a segment is empty, only dots or has another character."""
    if not _KEY.fullmatch(key) or any(not segment.strip(".") for segment in key.split("/")):
        raise ValueError(f"{key!r} is no key of the storage")
    return key


def file_missing(key: str) -> ServiceError:
    return ServiceError(
        "file_missing",
        f"There is no file {key!r} in the storage.",
        value=key,
        fix="It was deleted, or was never put there; make the task again.",
    )


def unreachable(why: str) -> UnavailableError:
    """``why`` is shown to the operator and must come without credentials."""
    return UnavailableError(
        "unavailable",
        f"The storage did not do what was asked of it: {why}.",
        fix="Look after the storage (UNDERSTUDY_STORAGE_URL, its credentials, its room), then try again.",
    )


def _setting_error(why: str) -> SettingError:
    return SettingError(
        "setting_invalid",
        f"The setting storage_url cannot be used: it {why}.",
        limit="file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix",
        fix="Correct UNDERSTUDY_STORAGE_URL, or leave it empty for a folder in the data folder; "
        "credentials go into the provider's own variables.",
    )


@dataclass
class FakeStorage:
    """Keeps everything in memory: for tests of those who store. ``away`` True makes every call fail."""

    objects: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    async def put_file(self, key: str, path: Path, *, filename: str | None = None) -> None:
        await self.put_bytes(key, await asyncio.to_thread(path.read_bytes))

    async def put_bytes(self, key: str, content: bytes) -> None:
        self._reach()
        self.objects[checked_key(key)] = bytes(content)

    async def get_file(self, key: str, path: Path) -> None:
        await asyncio.to_thread(path.write_bytes, self._object(key))

    async def size(self, key: str) -> int:
        return len(self._object(key))

    async def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        content = self._object(key)[start:stop]
        for at in range(0, len(content), PIECE_BYTES):
            yield content[at : at + PIECE_BYTES]

    async def delete(self, prefix: str) -> None:
        self._reach()
        below = checked_key(prefix) + "/"
        self.objects = {key: content for key, content in self.objects.items() if not key.startswith(below)}

    async def names(self, prefix: str) -> list[str]:
        self._reach()
        below = checked_key(prefix) + "/"
        return sorted({key[len(below) :].split("/")[0] for key in self.objects if key.startswith(below)})

    async def link(self, key: str, *, seconds: int) -> str | None:
        checked_key(key)
        return None

    def _object(self, key: str) -> bytes:
        self._reach()
        try:
            return self.objects[checked_key(key)]
        except KeyError:
            raise file_missing(key) from None

    def _reach(self) -> None:
        if self.away:
            raise unreachable("it is away")
