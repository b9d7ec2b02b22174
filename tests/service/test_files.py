"""Results for download: whole, in ranges, by name; only with the right link, and only while they are there."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from open_app import TASKS, OpenApp, with_app

from understudy.errors import ClipError
from understudy.storage import FakeStorage

CONTENT = bytes(range(256)) * 40  # 10240 bytes
SIZE = len(CONTENT)


async def _link(it: OpenApp, which: str = "url") -> str:
    task = await it.create(watermark=True)
    await it.finish(task["id"], CONTENT, watermarked=b"marked")
    result = (await it.client.get(f"{TASKS}/{task['id']}")).json()["result"]
    base, _, path = str(result[which]).partition("/files/")
    assert base == "http://service.test"  # the public URL, whatever Host was asked for
    return f"/files/{path}"


def _bare(it: OpenApp) -> httpx.AsyncClient:
    """A client without a key: the link is enough."""
    it.client.headers.pop("authorization")
    return it.client


def test_a_download(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        link = await _link(it)
        client = _bare(it)
        whole = await client.get(link)
        assert (whole.status_code, whole.content) == (200, CONTENT)
        headers = whole.headers
        name = link.rsplit("/", 1)[1]
        assert headers["content-type"] == "video/mp4"
        assert headers["content-length"] == str(SIZE)
        assert headers["content-disposition"] == f'inline; filename="{name}"'
        assert headers["accept-ranges"] == "bytes"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"].startswith("private")
        assert headers["content-security-policy"].startswith("sandbox")
        saved = await client.get(f"{link}?download=1")
        assert saved.headers["content-disposition"] == f'attachment; filename="{name}"'
        head = await client.head(link)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(SIZE)
        known = await client.get(link, headers={"If-None-Match": f'"other", W/{headers["etag"]}'})
        assert (known.status_code, known.content) == (304, b"")

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_the_watermarked_one(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        link = await _link(it, "watermark_url")
        answer = await _bare(it).get(link)
        assert answer.content == b"marked"
        assert answer.headers["content-disposition"].endswith('-watermarked.mp4"')

    with_app(database_url, tmp_path, test)


def test_the_cover(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        with_one, without = [await it.create() for _ in range(2)]
        await it.finish(with_one["id"], CONTENT, cover=b"picture")
        await it.finish(without["id"], CONTENT)
        link = it.service.links.make(int(with_one["id"]), "cover")
        answer = await _bare(it).get(link)
        assert (answer.status_code, answer.content) == (200, b"picture")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-disposition"].endswith(f'"{link.rsplit("/", 1)[1]}"')
        assert link.endswith("-cover.jpg")
        none = await it.client.get(it.service.links.make(int(without["id"]), "cover"))
        assert (none.status_code, none.json()["error"]["code"]) == (410, "file_missing")

    with_app(database_url, tmp_path, test)


def test_ranges(database_url: str, tmp_path: Path) -> None:
    cases: list[tuple[str, int, slice]] = [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=100-", 206, slice(100, SIZE)),
        ("bytes=-5", 206, slice(SIZE - 5, SIZE)),
        ("Bytes= 3-3", 206, slice(3, 4)),
        (f"bytes=0-{SIZE * 9}", 206, slice(0, SIZE)),
        (f"bytes=-{SIZE * 9}", 206, slice(0, SIZE)),
        (f"bytes={SIZE}-", 416, slice(0)),
        ("bytes=-0", 416, slice(0)),
        (f"bytes=9{'9' * 17}-", 416, slice(0)),
        ("bytes=0-1,5-6", 200, slice(None)),  # several: answered with the whole
        ("bytes=5-2", 200, slice(None)),  # what cannot be read is as if it were not there
        ("bytes=-", 200, slice(None)),
        ("bytes=a-b", 200, slice(None)),
        ("seconds=1-2", 200, slice(None)),
        ("bytes=" + "9" * 5000 + "-", 200, slice(None)),
        ("bytes=١-٢".encode().decode("latin-1"), 200, slice(None)),
    ]

    async def test(it: OpenApp) -> None:
        link = await _link(it)
        client = _bare(it)
        for wanted, status, part in cases:
            for method in ("GET", "HEAD"):
                answer = await client.request(method, link, headers={"Range": wanted.encode("latin-1")})  # type: ignore[dict-item]
                assert answer.status_code == status, wanted
                if status == 416:
                    assert answer.headers["content-range"] == f"bytes */{SIZE}"
                    assert method == "HEAD" or answer.json()["error"]["code"] == "range_invalid"
                    continue
                expected = CONTENT[part]
                assert answer.content == (expected if method == "GET" else b"")
                assert answer.headers["content-length"] == str(len(expected))
                if status == 206:
                    last = part.stop - 1
                    assert answer.headers["content-range"] == f"bytes {part.start}-{last}/{SIZE}"

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_ranges_of_what_has_changed(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        link = await _link(it)
        client = _bare(it)
        headers = (await client.head(link)).headers
        for condition, status in (
            (headers["etag"], 206),
            (headers["last-modified"], 206),
            ('"other"', 200),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
            ("nonsense", 200),
        ):
            answer = await client.get(link, headers={"Range": "bytes=0-9", "If-Range": condition})
            assert answer.status_code == status, condition

    with_app(database_url, tmp_path, test)


def test_a_wrong_link_looks_like_no_file(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        link = await _link(it)
        client = _bare(it)
        _, _, path = link.partition("/files/")
        task_id, kind, signature, name = path.split("/")
        wrong = [
            f"{task_id}/{kind}/{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}/{name}",
            f"{task_id}/{kind}/x/{name}",
            f"{task_id}/{kind}/%ff%00/{name}",
            f"{task_id}/watermarked/{signature}/{name}",
            f"{task_id}/inputs/{signature}/{name}",
            f"{int(task_id) + 1}/{kind}/{signature}/{name}",
            f"0{task_id}/{kind}/{signature}/{name}",
            f"%D9%A1/{kind}/{signature}/{name}",
            f"{'9' * 5000}/{kind}/{signature}/{name}",
        ]
        bodies = set()
        for path in wrong:
            answer = await client.get(f"/files/{path}")
            assert answer.status_code == 404, path
            error = answer.json()["error"]
            assert error.pop("request_id")
            bodies.add(str(error))
        assert len(bodies) == 1
        assert (await client.get(f"/files/{task_id}/{kind}/{signature}/other-name.mp4")).status_code == 200
        assert (await client.post(link)).status_code == 405

    with_app(database_url, tmp_path, test)


@pytest.mark.parametrize("how", ["deleted", "purged"])
def test_a_file_that_is_gone(database_url: str, tmp_path: Path, how: str) -> None:
    storage = FakeStorage()

    async def test(it: OpenApp) -> None:
        link = await _link(it)
        if how == "deleted":
            task_id = link.split("/files/")[1].split("/")[0]
            assert (await it.client.delete(f"{TASKS}/{task_id}")).status_code == 204
        else:
            storage.objects.clear()
        answer = await _bare(it).get(link)
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "file_missing")
        assert "results/" not in answer.text

    with_app(database_url, tmp_path, test, storage=storage)


def test_a_link_that_is_told_before_there_is_a_file(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        made = await it.create()
        link = it.service.links.make(int(made["id"]), "video")
        client = _bare(it)
        for method in ("GET", "HEAD"):
            answer = await client.request(method, link)
            assert (answer.status_code, answer.headers["retry-after"]) == (404, "5")
            assert answer.headers["cache-control"] == "no-store"
            assert method == "HEAD" or answer.json()["error"]["code"] == "file_unfinished"
        task = await it.finish(made["id"], CONTENT)
        answer = await client.get(link)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert "retry-after" not in answer.headers
        assert (await client.get(it.service.links.make(task.id, "watermarked"))).status_code == 410

    with_app(database_url, tmp_path, test)


def test_the_link_of_a_failed_task(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        made = await it.create()
        await it.fail(made["id"], ClipError("clip_too_short", "It lasts 1 s.", fix="Use a longer one."))
        answer = await _bare(it).get(it.service.links.make(int(made["id"]), "video"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "file_missing")
        assert "failed" in answer.json()["error"]["message"]
        assert "retry-after" not in answer.headers

    with_app(database_url, tmp_path, test)


def test_a_bucket_sends_them_itself(database_url: str, tmp_path: Path) -> None:
    class Bucket(FakeStorage):
        async def link(self, key: str, *, seconds: int) -> str | None:
            return f"https://bucket.example/{key}?for={seconds}"

        def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
            raise AssertionError("the bucket sends it")

    async def test(it: OpenApp) -> None:
        link = await _link(it)
        client = _bare(it)
        answer = await client.get(link)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("https://bucket.example/results/")
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.head(link)).headers["content-length"] == str(SIZE)

    with_app(database_url, tmp_path, test, storage=Bucket())


def test_what_a_link_that_ends_leads_to_ends_with_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bucket(FakeStorage):
        there = False

        async def link(self, key: str, *, seconds: int) -> str | None:
            return f"https://bucket.example/{key}?for={seconds}" if self.there else None

    storage = Bucket()

    async def test(it: OpenApp) -> None:
        made = int((await _link(it)).split("/files/")[1].split("/")[0])
        links, client = it.service.links, _bare(it)
        now = int(time.time())
        monkeypatch.setattr(time, "time", lambda: float(now))

        async def cached(link: str) -> str:
            storage.there = False
            return (await client.get(link)).headers["cache-control"]

        async def bucket_s(link: str) -> str:
            storage.there = True
            return (await client.get(link)).headers["location"].partition("?for=")[2]

        soon, late = [links.make_until(made, "video", now + seconds) for seconds in (40, 7200)]
        assert await cached(soon) == "private, max-age=40"
        for link in (late, links.make(made, "video")):
            assert await cached(link) == "private, max-age=3600"
            assert await bucket_s(link) == "300"
        assert await bucket_s(soon) == "40"

    with_app(database_url, tmp_path, test, storage=storage)


def test_storage_away(database_url: str, tmp_path: Path) -> None:
    storage = FakeStorage()

    async def test(it: OpenApp) -> None:
        link = await _link(it)
        storage.away = True
        answer = await _bare(it).get(link)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")

    with_app(database_url, tmp_path, test, storage=storage)
