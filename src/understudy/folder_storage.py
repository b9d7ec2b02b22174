"""A folder as storage: one file an object, written under a hidden name and then renamed."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import BinaryIO

from understudy.errors import SettingError
from understudy.storage import PIECE_BYTES, checked_key, file_missing, unreachable

DELETED = ".deleted."


class FolderStorage:
    """Keeps objects below ``root``, which is made for its owner alone (0700) where it does not exist.

    Written here rather than by obstore's LocalStore: that one leaves ``video.mp4#1`` behind when a put is cancelled or
    its process killed. Here a cancelled put runs to its end in its thread; a killed one leaves ``.video.mp4.*.part``,
    which is never read, and goes when its prefix is deleted.
    """

    def __init__(self, root: Path) -> None:
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            root.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SettingError(
                "setting_invalid",
                f"The storage's folder {str(root)!r} cannot be made: {error.strerror}.",
                value=str(root),
                fix="Correct UNDERSTUDY_STORAGE_URL or UNDERSTUDY_DATA_DIR, or make the folder.",
            ) from error
        self._root = root

    def on_disk_of(self, folder: Path) -> bool:
        return self._root.stat().st_dev == folder.stat().st_dev

    async def put_file(self, key: str, path: Path, *, filename: str | None = None) -> None:
        def copy(target: BinaryIO) -> None:
            with path.open("rb") as source:
                shutil.copyfileobj(source, target, PIECE_BYTES)

        await asyncio.to_thread(self._put, key, copy)

    async def put_bytes(self, key: str, content: bytes) -> None:
        await asyncio.to_thread(self._put, key, lambda target: target.write(content))

    async def get_file(self, key: str, path: Path) -> None:
        def copy() -> None:
            with self._open(key) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, PIECE_BYTES)

        try:
            await asyncio.to_thread(copy)
        except OSError as error:
            raise unreachable(_why(error)) from error

    async def size(self, key: str) -> int:
        def measure() -> int:
            with self._open(key) as file:
                return os.fstat(file.fileno()).st_size

        return await asyncio.to_thread(measure)

    async def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        file = await asyncio.to_thread(self._open, key)
        try:
            await asyncio.to_thread(file.seek, start)
            while start < stop:
                piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, stop - start))
                if not piece:
                    return
                start += len(piece)
                yield piece
        except OSError as error:
            raise unreachable(_why(error)) from error
        finally:
            file.close()

    async def delete(self, prefix: str) -> None:
        await asyncio.to_thread(self._delete, self._root / checked_key(prefix))

    async def names(self, prefix: str) -> list[str]:
        def listed() -> list[str]:
            try:
                return sorted(path.name for path in (self._root / checked_key(prefix)).iterdir())
            except FileNotFoundError:
                return []
            except OSError as error:
                raise unreachable(_why(error)) from error

        return await asyncio.to_thread(listed)

    async def link(self, key: str, *, seconds: int) -> str | None:
        checked_key(key)
        return None

    def _put(self, key: str, write: Callable[[BinaryIO], object]) -> None:
        path = self._root / checked_key(key)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("xb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())  # or a power cut could leave the name without its bytes
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise unreachable(_why(error)) from error

    def _open(self, key: str) -> BinaryIO:
        try:
            return (self._root / checked_key(key)).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise file_missing(key) from None
        except OSError as error:
            raise unreachable(_why(error)) from error

    def _delete(self, folder: Path) -> None:
        """Takes the folder out of sight at once, then apart: whoever puts or deletes meanwhile is not in the way. What
        a killed process left of that is cleared along."""
        try:
            if folder.is_dir():
                folder.rename(self._root / f"{DELETED}{secrets.token_hex(4)}")
        except FileNotFoundError:  # somebody else was quicker
            pass
        except OSError as error:
            raise unreachable(_why(error)) from error
        for deleted in self._root.glob(f"{DELETED}*"):
            shutil.rmtree(deleted, ignore_errors=True)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
