"""What every storage promises, held against each: the fake, a folder, and a bucket in memory and over HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_bucket import BUCKET, small_bucket

from understudy.config import Settings
from understudy.errors import ServiceError, SettingError, UnavailableError
from understudy.storage import PIECE_BYTES, FakeStorage, Storage, checked_key, open_storage


@pytest.fixture(params=["fake", "folder", "memory", "s3"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Storage]:
    if request.param == "fake":
        yield FakeStorage()
    elif request.param == "folder":
        yield open_storage(Settings(data_dir=tmp_path / "data"))
    elif request.param == "memory":
        yield open_storage(Settings(data_dir=tmp_path, storage_url="memory://"))
    else:
        with small_bucket() as bucket:
            for name, value in bucket.environment.items():
                monkeypatch.setenv(name, value)
            yield open_storage(Settings(data_dir=tmp_path, storage_url=f"s3://{BUCKET}/some/prefix"))


async def read(storage: Storage, key: str, start: int, stop: int) -> list[bytes]:
    return [piece async for piece in storage.read(key, start, stop)]


def clip(folder: Path, size_bytes: int = 12_000_000) -> Path:
    """Larger than one part of an upload and than one request of a reader."""
    path = folder / "clip.mp4"
    path.write_bytes(os.urandom(size_bytes))
    return path


def test_a_large_file_comes_back(storage: Storage, tmp_path: Path) -> None:
    path, back = clip(tmp_path), tmp_path / "back.mp4"
    content = path.read_bytes()

    async def run() -> None:
        await storage.put_file("results/1/1/video.mp4", path, filename="understudy-1.mp4")
        assert await storage.size("results/1/1/video.mp4") == len(content)
        await storage.get_file("results/1/1/video.mp4", back)
        assert back.read_bytes() == content
        for start, stop in [
            (0, len(content)),
            (5, 5),
            (len(content) - 1, len(content)),
            (1_000_000, 4_000_001),
        ]:
            pieces = await read(storage, "results/1/1/video.mp4", start, stop)
            assert b"".join(pieces) == content[start:stop]
            assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)

    asyncio.run(run())


def test_reading_may_end_early(storage: Storage) -> None:
    async def run() -> None:
        await storage.put_bytes("a/b", bytes(3 * PIECE_BYTES))
        pieces = storage.read("a/b", 0, 3 * PIECE_BYTES)
        assert await anext(pieces)
        await pieces.aclose()
        await storage.delete("a")

    asyncio.run(run())


def test_putting_again_replaces(storage: Storage) -> None:
    async def run() -> None:
        await storage.put_bytes("a/b", b"first, and longer")
        await storage.put_bytes("a/b", b"")
        assert await storage.size("a/b") == 0
        await storage.put_bytes("a/b", b"third")
        assert await read(storage, "a/b", 0, 5) == [b"third"]

    asyncio.run(run())


def test_a_key_that_is_not_there(storage: Storage, tmp_path: Path) -> None:
    async def run() -> None:
        await storage.put_bytes("a/b/c", b"x")
        for key in ("nothing", "a", "a/b", "a/b/c/d"):
            for ask in (storage.size(key), storage.get_file(key, tmp_path / "x"), read(storage, key, 0, 1)):
                with pytest.raises(ServiceError) as caught:
                    await ask
                assert caught.value.code == "file_missing"
                assert key in caught.value.message

    asyncio.run(run())


def test_deleting_takes_what_is_below_and_nothing_else(storage: Storage) -> None:
    async def run() -> None:
        for number in (*range(10), 11, 12):
            await storage.put_bytes(f"inputs/1/{number}/x", b"x")
            await storage.put_bytes(f"inputs/{number}2/x", b"x")
        await storage.delete("inputs/1")
        await storage.delete("inputs/1")
        await storage.delete("never/was")
        assert await storage.size("inputs/12/x") == 1
        for number in (0, 9, 12):
            with pytest.raises(ServiceError, match="There is no file"):
                await storage.size(f"inputs/1/{number}/x")

    asyncio.run(run())


BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/..",
    "../a",
    "a/./b",
    "...",
    "a b",
    "a\\b",
    "ä",
    "a\n",
    "a\x00",
    "a#1",
    "a%2f",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_of_another_form_are_refused(storage: Storage, tmp_path: Path, key: str) -> None:
    path = clip(tmp_path, 1)

    async def run() -> None:
        for ask in (
            storage.put_file(key, path),
            storage.put_bytes(key, b"x"),
            storage.get_file(key, tmp_path / "x"),
            storage.size(key),
            read(storage, key, 0, 1),
            storage.delete(key),
            storage.link(key, seconds=60),
        ):
            with pytest.raises(ValueError, match="no key"):
                await ask

    asyncio.run(run())


@pytest.mark.parametrize("key", ["a", "results/123/1/video.mp4", ".hidden", "a..b", "A-Z_0.9"])
def test_keys_that_are_taken(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://a/b",
            "http://a/b",
            "/srv/clips",
            "clips",
            "s3://",
            "file://elsewhere/srv",
            "s3://[",
            "az://c/p",
        ),
        *("s3://KEY:HIDDEN@bucket/x", "s3://bucket?secret=HIDDEN", "s3://bucket#HIDDEN"),
    ],
)
def test_urls_that_are_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(SettingError) as caught:
        open_storage(Settings(data_dir=tmp_path, storage_url=url))
    assert caught.value.code == "setting_invalid"
    assert "HIDDEN" not in str(caught.value)


def test_the_fake_can_be_away() -> None:
    with pytest.raises(UnavailableError):
        asyncio.run(FakeStorage(away=True).size("a"))


def test_the_names_below_a_prefix(storage: Storage) -> None:
    async def run() -> None:
        assert await storage.names("inputs") == []
        for key in ("inputs/1/image", "inputs/1/video", "inputs/22/image", "results/3/1/video.mp4"):
            await storage.put_bytes(key, b"a")
        assert await storage.names("inputs") == ["1", "22"]
        await storage.delete("inputs/1")
        assert await storage.names("inputs") == ["22"]

    asyncio.run(run())
