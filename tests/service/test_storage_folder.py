"""A folder as storage: nothing half written is ever seen, nothing is left behind, nobody else may look."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from understudy.config import Settings
from understudy.errors import ServiceError, SettingError, UnavailableError
from understudy.folder_storage import FolderStorage
from understudy.storage import open_storage


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    open_storage(Settings(data_dir=tmp_path / "new" / "data"))
    assert (tmp_path / "new" / "data" / "files").stat().st_mode & 0o777 == 0o700


def test_a_folder_by_url(tmp_path: Path) -> None:
    storage = open_storage(Settings(data_dir=tmp_path, storage_url=f"file://{tmp_path}/my%20clips"))
    asyncio.run(storage.put_bytes("a/b", b"x"))
    assert (tmp_path / "my clips" / "a" / "b").read_bytes() == b"x"
    assert asyncio.run(storage.link("a/b", seconds=60)) is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingError, match="cannot be made"):
        FolderStorage(tmp_path / "file" / "below")


def test_deleting_takes_the_folders_too(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")

    async def run() -> None:
        await storage.put_bytes("inputs/1/image", b"x")
        await storage.put_bytes("inputs/2/image", b"x")
        await storage.delete("inputs/1")

    asyncio.run(run())
    assert [path.name for path in (tmp_path / "files" / "inputs").iterdir()] == ["2"]


def test_a_put_that_fails_leaves_the_older_one_and_nothing_else(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")
    asyncio.run(storage.put_bytes("a/b", b"before"))
    with pytest.raises(UnavailableError):
        asyncio.run(storage.put_file("a/b", tmp_path / "not-there"))
    assert files(tmp_path / "files") == ["a/b"]
    assert (tmp_path / "files/a/b").read_bytes() == b"before"


def test_no_reader_sees_half_a_file(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")
    path = tmp_path / "clip"
    path.write_bytes(os.urandom(30_000_000))

    async def run() -> set[int]:
        seen = set()
        put = asyncio.create_task(storage.put_file("a/b", path))
        while not put.done():
            try:
                seen.add(await storage.size("a/b"))
            except ServiceError:
                seen.add(-1)
            await asyncio.sleep(0)
        await put
        return seen

    assert asyncio.run(run()) <= {-1, 30_000_000}


def test_a_cancelled_put_is_whole_or_not_at_all(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")
    path = tmp_path / "clip"
    path.write_bytes(os.urandom(10_000_000))

    async def run() -> None:
        for wait_ms in range(10):
            put = asyncio.create_task(storage.put_file(f"a/{wait_ms}", path))
            await asyncio.sleep(wait_ms / 1000)
            put.cancel()
            await asyncio.wait([put])

    asyncio.run(run())  # waits for the threads
    for name in files(tmp_path / "files"):
        assert not Path(name).name.startswith(".")
        assert (tmp_path / "files" / name).stat().st_size == 10_000_000


def test_a_put_whose_process_is_killed_is_not_there_and_goes_with_its_prefix(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"  # a source that never ends holds the put in its middle
    os.mkfifo(pipe)
    code = (
        "import asyncio, sys; from pathlib import Path; from understudy.folder_storage import FolderStorage\n"
        "asyncio.run(FolderStorage(Path(sys.argv[1])).put_file('results/1/1/video.mp4', Path(sys.argv[2])))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "files"), str(pipe)])
    with process, pipe.open("wb") as source:
        source.write(bytes(1_000_000))
        source.flush()
        process.kill()
        process.wait()
    storage = FolderStorage(tmp_path / "files")
    left = files(tmp_path / "files")
    assert len(left) == 1
    assert Path(left[0]).name.startswith(".video.mp4.")
    with pytest.raises(ServiceError, match="There is no file"):
        asyncio.run(storage.size("results/1/1/video.mp4"))
    asyncio.run(storage.delete("results/1"))
    assert files(tmp_path / "files") == []


def test_a_file_deleted_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")

    async def run() -> int:
        await storage.put_bytes("a/b", bytes(1_000_000))
        length = 0
        async for piece in storage.read("a/b", 0, 1_000_000):
            await storage.delete("a")
            length += len(piece)
        return length

    assert asyncio.run(run()) == 1_000_000


def test_putting_and_deleting_at_once_ends_in_an_error_of_ours_or_none(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")

    async def put(number: int) -> None:
        with suppress(UnavailableError):  # its folder went while it was put
            await storage.put_bytes(f"a/{number % 3}/x", bytes(10_000))

    async def run() -> None:
        for _ in range(20):
            await asyncio.gather(
                *(put(number) for number in range(9)), storage.delete("a"), storage.delete("a")
            )
        await storage.delete("a")

    asyncio.run(run())
    assert files(tmp_path / "files") == []
