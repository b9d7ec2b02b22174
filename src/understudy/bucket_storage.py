"""A bucket (S3, Google Cloud Storage, Azure) as storage, by obstore."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import MemoryStore, from_url

from understudy.errors import SettingError
from understudy.storage import PIECE_BYTES, checked_key, file_missing, unreachable

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

REQUEST_BYTES = 2**20  # of one request when reading: no answer stays open while a slow reader thinks
FETCH_BYTES = 8 * 2**20  # of one request when an object is copied to a file
PARTS_AT_ONCE = 4  # of 5 MB each, when a large object is put
CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".json": "application/json"}


class BucketStorage:
    """Keeps objects below the URL's path in its bucket. Raises SettingError where the URL cannot be used.

    A put that was cut off can leave invisible parts in the bucket: give it a rule that ends incomplete uploads.
    """

    def __init__(self, url: str) -> None:
        try:
            self._store: ObjectStore = MemoryStore() if url.startswith("memory:") else _bucket(url)
        except (BaseError, ValueError) as error:
            raise SettingError(
                "setting_invalid",
                f"The setting storage_url cannot be used: {str(error).splitlines()[0]}.",
                fix="Correct UNDERSTUDY_STORAGE_URL, and see that its provider's variables are set.",
            ) from None

    async def put_file(self, key: str, path: Path, *, filename: str | None = None) -> None:
        attributes: Attributes = {
            "Content-Type": CONTENT_TYPES.get(Path(key).suffix, "application/octet-stream")
        }
        if filename:
            attributes["Content-Disposition"] = f'inline; filename="{checked_key(filename)}"'
        with _translated(key):
            await obstore.put_async(
                self._store, checked_key(key), path, attributes=attributes, max_concurrency=PARTS_AT_ONCE
            )

    async def put_bytes(self, key: str, content: bytes) -> None:
        with _translated(key):
            await obstore.put_async(self._store, checked_key(key), content, max_concurrency=PARTS_AT_ONCE)

    async def get_file(self, key: str, path: Path) -> None:
        stop = await self.size(key)
        try:
            with path.open("wb") as file:
                for start in range(0, stop, FETCH_BYTES):
                    await asyncio.to_thread(
                        file.write, await self._range(key, start, min(start + FETCH_BYTES, stop))
                    )
        except OSError as error:
            raise unreachable(error.strerror or type(error).__name__) from error

    async def size(self, key: str) -> int:
        with _translated(key):
            return (await obstore.head_async(self._store, checked_key(key)))["size"]

    async def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        for begin in range(start, stop, REQUEST_BYTES):
            content = memoryview(await self._range(key, begin, min(begin + REQUEST_BYTES, stop)))
            for at in range(0, len(content), PIECE_BYTES):
                yield bytes(content[at : at + PIECE_BYTES])

    async def delete(self, prefix: str) -> None:
        with _translated(prefix):
            async for found in obstore.list(self._store, checked_key(prefix)):
                for meta in found:
                    with suppress(FileNotFoundError):
                        await obstore.delete_async(self._store, meta["path"])

    async def names(self, prefix: str) -> list[str]:
        with _translated(prefix):
            found = await obstore.list_with_delimiter_async(self._store, checked_key(prefix))
        paths = [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    async def link(self, key: str, *, seconds: int) -> str | None:
        """Signed here, without asking the bucket. A download through it has the name that the put gave."""
        checked_key(key)
        if isinstance(self._store, MemoryStore):
            return None
        store = cast("S3Store | GCSStore | AzureStore", self._store)
        with _translated(key):
            return await obstore.sign_async(store, "GET", key, timedelta(seconds=seconds))

    async def _range(self, key: str, start: int, stop: int) -> bytes:
        with _translated(key):
            return bytes(await obstore.get_range_async(self._store, checked_key(key), start=start, end=stop))


def _bucket(url: str) -> ObjectStore:
    return from_url(
        url,
        client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "60s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
    )


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """obstore's errors as ours. Their texts stay out: an address in them can hold a signature."""
    try:
        yield
    except FileNotFoundError:
        raise file_missing(key) from None
    except (BaseError, OSError) as error:
        raise unreachable(type(error).__name__) from None
