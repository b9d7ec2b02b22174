"""A bucket over HTTP: its links, what a bucket that is away or refuses leads to, and that no secret is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from small_bucket import ACCESS, BUCKET, SECRET, SmallBucket, small_bucket

from understudy.config import Settings
from understudy.errors import ServiceError, UnavailableError
from understudy.storage import Storage, open_storage

KEY = "results/1/1/video.mp4"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallBucket]:
    with small_bucket() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def opened(name: str = BUCKET) -> Storage:
    return open_storage(Settings(data_dir=Path(), storage_url=f"s3://{name}/some/prefix"))


def put(storage: Storage, folder: Path, size_bytes: int) -> None:
    path = folder / "clip.mp4"
    path.write_bytes(bytes(size_bytes))
    asyncio.run(storage.put_file(KEY, path, filename="understudy-1.mp4"))


@pytest.mark.parametrize("size_bytes", [10, 12_000_000])
def test_a_link_opens_one_file_under_its_name(bucket: SmallBucket, tmp_path: Path, size_bytes: int) -> None:
    storage = opened()
    put(storage, tmp_path, size_bytes)
    link = asyncio.run(storage.link(KEY, seconds=60))
    assert link
    assert f"/{BUCKET}/some/prefix/{KEY}?" in link
    answer = httpx.get(link)
    assert answer.content == bytes(size_bytes)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"] == 'inline; filename="understudy-1.mp4"'
    assert httpx.get(link.replace("video.mp4", "other.mp4")).status_code == 403
    assert httpx.get(link.split("?")[0]).status_code == 403
    assert httpx.get(asyncio.run(storage.link(KEY, seconds=0)) or "").status_code == 403


def test_keys_lie_below_the_prefix(bucket: SmallBucket) -> None:
    asyncio.run(opened().put_bytes("a/b", b"x"))
    assert list(bucket.objects) == ["some/prefix/a/b"]


def test_a_large_file_goes_in_parts_and_none_is_left(bucket: SmallBucket, tmp_path: Path) -> None:
    put(opened(), tmp_path, 12_000_000)
    assert len([request for request in bucket.requests if "partNumber=" in request]) == 3
    assert bucket.uploads == {}


def failures(storage: Storage, folder: Path) -> list[str]:
    """What each call says; every one of them must fail."""
    source = folder / "source"
    source.write_bytes(b"x")

    async def read() -> None:
        async for _ in storage.read(KEY, 0, 1):
            pass

    async def run() -> list[str]:
        told = []
        for ask in (
            storage.put_file(KEY, source),
            storage.put_bytes(KEY, b"x"),
            storage.get_file(KEY, folder / "x"),
            storage.size(KEY),
            read(),
            storage.delete("results"),
        ):
            with pytest.raises(UnavailableError) as caught:
                await ask
            told.append(f"{caught.value!r} {caught.value} {caught.value.__cause__}")
        return told

    return asyncio.run(run())


def test_credentials_that_the_bucket_refuses(
    bucket: SmallBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    for told in failures(opened(), tmp_path):
        assert "another-secret" not in told
        assert ACCESS not in told


def test_a_bucket_that_breaks(bucket: SmallBucket, tmp_path: Path) -> None:
    bucket.broken = True
    for told in failures(opened(), tmp_path):
        assert SECRET not in told
        assert ACCESS not in told


def test_a_bucket_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_bucket() as gone:
        pass
    for name, value in gone.environment.items():
        monkeypatch.setenv(name, value)
    assert len(failures(opened(), tmp_path)) == 6


def test_a_bucket_that_does_not_exist_has_no_files(bucket: SmallBucket) -> None:
    with pytest.raises(ServiceError):
        asyncio.run(opened("no-such-bucket").size(KEY))
