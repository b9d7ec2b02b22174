"""Kie's dialect in the whole application, on a real database: jobs, credits, links, uploads, and each of its errors."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from open_app import OpenApp, with_app
from sqlalchemy import text, update

from understudy.errors import ClipError, UnavailableError
from understudy.server.entrance import UPLOAD_BYTES
from understudy.tasks import ledger
from understudy.tasks.accounts import set_disabled
from understudy.tasks.records import Tasks
from understudy.tasks.submission import Link, Stored
from understudy.tasks.tables import accounts, uploads

CREATE, QUERY = "/api/v1/jobs/createTask", "/api/v1/jobs/recordInfo"
CREDIT, DOWNLOAD = "/api/v1/chat/credit", "/api/v1/common/download-url"
STREAM, BASE64, BY_URL = "/api/file-stream-upload", "/api/file-base64-upload", "/api/file-url-upload"
KLING = "/v1/videos/motion-control"
INPUT = {"input_urls": ["https://example.com/a.png"], "video_urls": ["https://example.com/a.mp4"]}
BODY = {"model": "kling-3.0/motion-control", "input": INPUT}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0" + os.urandom(200)


def told(answer: httpx.Response) -> Any:
    """The body: Kie's envelope, under HTTP 200 always."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) - {"success"} == {"code", "msg", "data"}
    assert (body["data"] is None) == (body["code"] != 200)
    assert body.get("success", body["code"] == 200) == (body["code"] == 200)
    return body


async def create(it: OpenApp, **given: Any) -> str:
    body = told(await it.client.post(CREATE, json=BODY | {"input": INPUT | given}))
    assert (body["code"], body["msg"]) == (200, "success"), body
    assert body["data"]["recordId"] == body["data"]["taskId"]
    return str(body["data"]["taskId"])


async def record(it: OpenApp, task_id: str) -> Any:
    body = told(await it.client.get(QUERY, params={"taskId": task_id}))
    assert (body["code"], body["msg"]) == (200, "success"), body
    return body["data"]


def number(task_id: str) -> str:
    return task_id.rpartition("_")[2]


async def upload(it: OpenApp, content: bytes = PNG, **fields: str) -> Any:
    given = {"uploadPath": "images", "fileName": "a.png"} | fields
    return told(await it.client.post(STREAM, data=given, files={"file": ("x.png", content)}))


def test_from_create_to_the_bytes(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task_id = await create(it, mode="std", prompt="rain")
        assert task_id.startswith("task_kling-3.0_")
        first = await record(it, task_id)
        assert (first["state"], first["resultJson"], first["creditsConsumed"]) == ("waiting", None, None)
        assert json.loads(first["param"])["input"] == {
            **INPUT,
            "prompt": "rain",
            "character_orientation": "video",
            "mode": "std",
        }
        task = await it.service.tasks.find(1, number(task_id))
        assert (task.callback_at_end, task.matroska, task.dialect) == (True, True, "kie")
        assert await it.work.fetched(task, 4.0)
        assert (await record(it, task_id))["state"] == "queuing"
        await it.begin(number(task_id))
        assert (await record(it, task_id))["state"] == "generating"
        content = os.urandom(100_000)
        await it.finish(number(task_id), content)
        done = await record(it, task_id)
        assert (done["state"], done["failCode"], done["failMsg"]) == ("success", "", "")
        assert done["completeTime"] - done["createTime"] == done["costTime"] >= 0
        assert done["creditsConsumed"] == 3.6  # 4 s of kling-v3 in std
        assert done["model"] == "kling-3.0/motion-control"
        (url,) = json.loads(done["resultJson"])["resultUrls"]
        assert (await it.client.get(url, headers={"authorization": ""})).content == content
        for name in (number(task_id), f"task_kling-2.6_{number(task_id)}"):
            assert (await record(it, name)) == done

    with_app(database_url, tmp_path, test)


def test_a_failed_one(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        task_id = await create(it)
        await it.fail(
            number(task_id), ClipError("clip_too_short", "It is too short.", fix="Use a longer one.")
        )
        failed = await record(it, task_id)
        assert (failed["state"], failed["failCode"], failed["creditsConsumed"]) == ("fail", "400", 0)
        assert failed["failMsg"] == "It is too short. Use a longer one."
        again = (await it.client.post(f"/understudy/v1/tasks/{number(task_id)}/retry")).json()["id"]
        task = await it.service.tasks.find(1, again)
        assert (task.dialect, task.matroska, task.callback_at_end) == ("kie", True, True)
        assert (await record(it, again))["param"] == failed["param"]

    with_app(database_url, tmp_path, test)


def test_one_task_in_kling_s_words_and_in_kie_s(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        ours = number(await create(it, mode="1080p"))
        seen = (await it.client.get(f"{KLING}/{ours}")).json()["data"]
        assert (seen["task_id"], seen["task_status"]) == (ours, "submitted")
        fields = {"image_url": INPUT["input_urls"][0], "video_url": INPUT["video_urls"][0]}
        fields |= {"character_orientation": "image", "mode": "pro", "external_task_id": "order 7"}
        made = (await it.client.post(KLING, json=fields)).json()["data"]["task_id"]
        for name in (made, f"task_kling-2.6_{made}", "order 7"):
            found = await record(it, name)
            assert found["taskId"] == f"task_kling-2.6_{made}"
            assert json.loads(found["param"]) == {
                "model": "kling-2.6/motion-control",
                "input": {**INPUT, "character_orientation": "image", "mode": "1080p"},
            }
        await it.finish(made, b"a video")
        (url,) = json.loads((await record(it, made))["resultJson"])["resultUrls"]
        assert (await it.client.get(url)).content == b"a video"
        other = await it.client.get(QUERY, params={"taskId": made}, headers=await it.key_of("bob"))
        assert told(other) == {"code": 422, "msg": "recordInfo is null", "data": None}

    with_app(database_url, tmp_path, test)


def test_each_error_of_its_list(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        async def code(method: str, path: str, **given: Any) -> int:
            return int(told(await it.client.request(method, path, **given))["code"])

        assert await code("POST", CREATE, content=b"{") == 400
        assert await code("GET", QUERY) == 400
        for key in ("", "Bearer nobody"):
            for path in (CREATE, STREAM, BASE64, BY_URL, DOWNLOAD):
                assert await code("POST", path, headers={"authorization": key}) == 401
        assert await code("GET", "/api/v1/jobs/unknown") == 404
        assert await code("DELETE", CREATE) == 404
        assert await code("POST", CREATE, json=BODY | {"model": "sora"}) == 422
        assert await code("GET", QUERY, params={"taskId": "task_kling-3.0_1234567890123456"}) == 422
        assert await code("GET", QUERY, params={"taskId": "\0"}) == 422
        assert await code("POST", CREATE, content=b" " * (17 * 2**20)) == 422
        async with it.service.database.begin() as connection:
            await connection.execute(update(accounts).values(concurrency_limit=1))
        await create(it)
        assert await code("POST", CREATE, json=BODY) == 429
        async with it.service.database.begin() as connection:
            await connection.execute(update(accounts).values(concurrency_limit=None))
            await ledger.grant(connection, 1, ledger.SMALLEST)
        assert await code("POST", CREATE, json=BODY) == 402
        async with it.service.database.begin() as connection:
            await set_disabled(connection, 1, True)
        assert await code("GET", CREDIT) == 401

    with_app(database_url, tmp_path, test)


def test_maintenance_takes_no_new_tasks(database_url: str, tmp_path: Path) -> None:
    async def closed(it: OpenApp) -> None:
        assert told(await it.client.post(CREATE, json=BODY))["code"] == 455
        assert told(await it.client.get(CREDIT))["code"] == 200

    with_app(database_url, tmp_path, closed, maintenance="on")


def test_a_protocol_that_is_switched_off(database_url: str, tmp_path: Path) -> None:
    async def off(it: OpenApp) -> None:
        for method, path in (("POST", CREATE), ("GET", QUERY), ("GET", CREDIT), ("POST", STREAM)):
            body = told(await it.client.request(method, path))
            assert (body["code"], body.get("success")) == (505, False if path == STREAM else None)

    with_app(database_url, tmp_path, off, dialects=("kling",))


def test_a_database_that_is_away_is_500(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(*_: object) -> None:
        raise UnavailableError("unavailable", "The database at 10.0.0.7 is away.", fix="Wait.")

    async def test(it: OpenApp) -> None:
        monkeypatch.setattr(Tasks, "find", find)
        answer = await it.client.get(QUERY, params={"taskId": "1"})
        body = told(answer)
        assert body["code"] == 500
        assert "10.0.0.7" not in body["msg"]
        assert answer.headers["retry-after"]

    with_app(database_url, tmp_path, test)


def test_credits(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        async def left() -> Any:
            return told(await it.client.get(CREDIT))["data"]

        assert await left() == 1_000_000_000
        async with it.service.database.begin() as connection:
            await ledger.grant(connection, 1, ledger.MOST / 100_000_000)
        assert await left() == 10
        task_id = await create(it)
        assert await left() == 7.3  # 3 s of kling-v3 in std are held
        await it.finish(number(task_id), b"x")
        assert await left() == 7.3  # nothing but what was held is taken

    with_app(database_url, tmp_path, test)


def test_links_that_end_after_twenty_minutes(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(it: OpenApp) -> None:
        async def asked(body: object, **given: Any) -> Any:
            return told(await it.client.post(DOWNLOAD, json=body, **given))

        task_id = await create(it)
        await it.finish(number(task_id), b"a video")
        (url,) = json.loads((await record(it, task_id))["resultJson"])["resultUrls"]
        body = await asked({"url": url})
        assert body["code"] == 200
        ending = body["data"]
        answer = await it.client.get(ending)
        assert answer.content == b"a video"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert (await asked({"url": ending}))["code"] == 200
        uploaded = (await upload(it))["data"]["downloadUrl"]
        for wrong in (
            {},
            {"url": ""},
            {"url": 7},
            {"url": "https://elsewhere.example/files/1/video/x/y.mp4"},
            {"url": url.replace("video", "watermarked")},
            {"url": uploaded},
        ):
            assert (await asked(wrong))["code"] == 422, wrong
        bob = await it.key_of("bob")
        assert (await asked({"url": url}, headers=bob))["code"] == 422
        named_alike = {
            "image_url": INPUT["input_urls"][0],
            "video_url": INPUT["video_urls"][0],
            "character_orientation": "video",
            "mode": "std",
            "external_task_id": number(task_id),
        }
        assert (await it.client.post(KLING, json=named_alike, headers=bob)).status_code == 200
        for link in (url, ending):  # bob's own task of that name gives him no right to another's link
            assert (await asked({"url": link}, headers=bob))["code"] == 422
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 20 * 60 + 2)
        assert (await it.client.get(ending)).status_code == 404
        assert (await it.client.get(url)).content == b"a video"
        assert (await asked({"url": ending}))["code"] == 422

    with_app(database_url, tmp_path, test)


def test_an_upload_by_a_form(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        body = await upload(it, uploadPath="/images/mine/", fileName="../hero.png")
        assert (body["success"], body["code"], body["msg"]) == (True, 200, "File uploaded successfully")
        data = body["data"]
        assert data["fileName"] == "../hero.png"
        assert data["filePath"] == "images/mine/../hero.png"
        assert (data["fileSize"], data["mimeType"]) == (len(PNG), "image/png")
        assert len(data["uploadedAt"]) == len("2026-11-21T12:00:00.123Z")
        assert data["downloadUrl"].startswith("http://service.test/uploads/")
        assert data["downloadUrl"].endswith(".png")
        bare = httpx.AsyncClient(transport=it.client._transport, base_url="http://service.test")
        whole = await bare.get(data["downloadUrl"])
        assert (whole.content, whole.headers["content-type"]) == (PNG, "image/png")
        assert whole.headers["content-security-policy"].startswith("sandbox")
        assert whole.headers["cache-control"] == "private, no-cache"
        part = await bare.get(data["downloadUrl"], headers={"range": "bytes=0-7"})
        assert (part.status_code, part.content) == (206, PNG[:8])
        wrong = data["downloadUrl"].replace("/uploads/", "/uploads/1")
        assert (await bare.get(wrong)).status_code == 404
        files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in files if "hero" in str(path) or "mine" in str(path)]
        again = await upload(it, MP4, uploadPath="images/mine", fileName="../hero.png")
        anew = await bare.get(data["downloadUrl"])
        assert (anew.content, anew.headers["content-type"]) == (MP4, "video/mp4")
        assert again["data"]["downloadUrl"].rpartition("/")[0] == data["downloadUrl"].rpartition("/")[0]
        async with it.service.database.begin() as connection:
            await connection.execute(update(uploads).values(expires_at=text("now()")))
        gone = await bare.get(data["downloadUrl"])
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "file_unknown")

    with_app(database_url, tmp_path, test)


def test_uploads_without_a_name_do_not_replace_each_other(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        given = {"base64Data": base64.b64encode(PNG).decode(), "uploadPath": "images"}
        first = told(await it.client.post(BASE64, json=given))["data"]
        given["base64Data"] = f"data:image/png;base64,{base64.encodebytes(PNG).decode()}"
        second = told(await it.client.post(BASE64, json=given))["data"]
        assert first["downloadUrl"] != second["downloadUrl"]
        assert first["fileName"].endswith(".png")
        for data in (first, second):
            assert (await it.client.get(data["downloadUrl"])).content == PNG

    with_app(database_url, tmp_path, test)


def test_what_cannot_be_uploaded(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        async def refused(path: str, **given: Any) -> str:
            body = told(await it.client.post(path, **given))
            assert (body["success"], body["code"]) == (False, 400), body
            return str(body["msg"])

        picture = {"file": ("a.png", PNG)}
        place = {"uploadPath": "images"}
        encoded = base64.b64encode(PNG).decode()
        assert await refused(STREAM, files=picture) == "Missing required parameter: uploadPath"
        assert await refused(STREAM, files=picture, data={"uploadPath": "//"}) == (
            "Missing required parameter: uploadPath"
        )
        assert await refused(STREAM, data=place, files={"uploadPath": (None, "x")}) == (
            "'uploadPath' comes twice. Send one 'uploadPath'."
        )
        assert await refused(STREAM, files={"uploadPath": (None, "x")}) == "Missing required parameter: file"
        assert "There is no field" in await refused(STREAM, files={**picture, "other": ("b", b"x")})
        assert "Content-Type" in await refused(STREAM, json=place)
        for content in (b"<html>", b"#!/bin/sh\n", b"GIF89a", b"\0\0\0\x18ftypheic"):
            assert "a JPEG or PNG" in await refused(STREAM, data=place, files={"file": ("a.png", content)})
        large = PNG + bytes(10 * 2**20)
        assert "at most 10 MB" in await refused(STREAM, data=place, files={"file": ("a.png", large)})
        assert "more than 100 MB" in await refused(
            STREAM, data=place, files={"file": ("a.mp4", MP4 + bytes(100 * 2**20))}
        )
        assert "uploadPath" in await refused(STREAM, files=picture, data={"uploadPath": "x" * 257})
        assert await refused(BASE64, json=place) == "Missing required parameter: base64Data"
        for wrong in ("not base64!", "data:image/png,abc", 7, encoded[:-1], "ä"):
            assert "base64Data" in await refused(BASE64, json={**place, "base64Data": wrong})
        assert await refused(BASE64, json={"base64Data": encoded}) == "Missing required parameter: uploadPath"
        too_large = base64.b64encode(large).decode()
        assert "at most 10 MB" in await refused(BASE64, json={**place, "base64Data": too_large})
        assert "cannot be read" in await refused(BASE64, content=b"{")
        assert await refused(BY_URL, json=place) == "Missing required parameter: fileUrl"
        assert "fileUrl" in await refused(BY_URL, json={**place, "fileUrl": "file:///etc/passwd"})
        assert "private" in await refused(BY_URL, json={**place, "fileUrl": "http://127.0.0.1:9/a.png"})
        assert await it.service.storage.names("uploads") == []
        told_length = {
            "content-length": str(UPLOAD_BYTES + 1),
            "content-type": "multipart/form-data; boundary=x",
        }
        answer = told(await it.client.post(STREAM, content=b"x", headers=told_length))
        assert (answer["code"], answer["success"]) == (400, False)

    with_app(database_url, tmp_path, test)


def test_an_account_fetches_two_files_at_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for, go_on = 0, asyncio.Event()

    async def fetch(_url: str, path: Path, **_: Any) -> None:
        nonlocal asked_for
        asked_for += 1
        await go_on.wait()
        path.write_bytes(PNG)

    async def test(it: OpenApp) -> None:
        async def sent(name: str, **given: Any) -> Any:
            body = {"fileUrl": "https://example.com/a.png", "uploadPath": "a", "fileName": name}
            return told(await it.client.post(BY_URL, json=body, **given))

        monkeypatch.setattr("understudy.media.fetch.fetch", fetch)
        bob = await it.key_of("bob")
        slow = [asyncio.create_task(sent(name)) for name in "ab"]
        while asked_for < 2:
            await asyncio.sleep(0.01)
        third = await asyncio.wait_for(sent("c"), 5)
        assert (third["success"], third["code"]) == (False, 429)
        theirs = asyncio.create_task(sent("a", headers=bob))
        while asked_for < 3:
            await asyncio.sleep(0.01)
        go_on.set()
        assert [body["code"] for body in await asyncio.gather(*slow, theirs)] == [200, 200, 200]
        assert (await sent("c"))["code"] == 200

    with_app(database_url, tmp_path, test)


def test_an_upload_that_does_not_reach_its_handler_is_answered_as_an_upload(
    database_url: str, tmp_path: Path
) -> None:
    async def test(it: OpenApp) -> None:
        async def refused(code: int, method: str, path: str, **given: Any) -> None:
            body = told(await it.client.request(method, path, **given))
            assert (body.get("success"), body["code"]) == (False, code), (path, body)

        for path in (STREAM, BASE64, BY_URL, f"http://service.test/{STREAM}"):
            await refused(400, "DELETE", path)
        for path in (STREAM, BASE64, BY_URL):
            await refused(401, "POST", path, headers={"authorization": "Bearer nobody"})
            await refused(400, "POST", path, content=b" " * (17 * 2**20))
        assert "success" not in told(await it.client.request("DELETE", CREATE))

    with_app(database_url, tmp_path, test)


def test_a_task_reads_uploads_out_of_the_storage(database_url: str, tmp_path: Path) -> None:
    """Whichever protocol makes it; nothing is asked of the network, so that a loopback address does."""

    async def test(it: OpenApp) -> None:
        picture = (await upload(it, PNG))["data"]["downloadUrl"]
        video = (await upload(it, MP4, fileName="a.mp4"))["data"]["downloadUrl"]
        theirs = {"image_url": picture, "video_url": video}
        by_kie = await create(it, input_urls=[picture], video_urls=[video])
        kling = theirs | {"character_orientation": "video", "mode": "std"}
        by_kling = (await it.client.post(KLING, json=kling)).json()["data"]["task_id"]
        by_us = (await it.create(**theirs))["id"]
        await upload(it, PNG + b"another")  # replaced later: a task has its own copy
        for name in (number(by_kie), by_kling, by_us):
            task = await it.service.tasks.find(1, name)
            assert (task.image, task.video) == (
                Stored(f"inputs/{name}/image"),
                Stored(f"inputs/{name}/video"),
            )
            assert await content(it, f"inputs/{name}/image") == PNG
            assert await content(it, f"inputs/{name}/video") == MP4
        given = json.loads((await record(it, by_kie))["param"])["input"]
        assert (given["input_urls"], given["video_urls"]) == ([picture], [video])
        other = await it.client.post(
            CREATE, json=BODY | {"input": INPUT | {"input_urls": [picture]}}, headers=await it.key_of("bob")
        )
        assert told(other)["code"] == 200  # who has the link may use it
        wrong = picture.replace("/uploads/", "/uploads/9")
        body = told(await it.client.post(CREATE, json=BODY | {"input": INPUT | {"input_urls": [wrong]}}))
        assert body["code"] == 422
        assert "reference image" in body["msg"]
        async with it.service.database.begin() as connection:
            await connection.execute(update(uploads).values(expires_at=text("now()")))
        late = await it.client.post(KLING, json=kling)
        assert (late.status_code, late.json()["code"]) == (400, 1201)

    with_app(database_url, tmp_path, test)


def test_our_own_links_are_read_out_of_the_storage(database_url: str, tmp_path: Path) -> None:
    """The public address is none that anything can be fetched from."""

    async def test(it: OpenApp) -> None:
        async def again(url: str) -> Any:
            return told(await it.client.post(BY_URL, json={"fileUrl": url, "uploadPath": "again"}))

        made = await create(it)
        link = it.service.links.make(int(number(made)), "video")
        early = number(await create(it, video_urls=[link]))
        assert (await it.service.tasks.find(1, early)).video == Link(
            link
        )  # it may be there when it is fetched
        await it.finish(number(made), MP4)
        uploaded = (await upload(it, PNG))["data"]["downloadUrl"]
        for url, bytes_of_it in ((uploaded, PNG), (link, MP4), (f"{link}?download=1", MP4)):
            body = await again(url)
            assert body["code"] == 200, body
            assert (await it.client.get(body["data"]["downloadUrl"])).content == bytes_of_it
        theirs = {"image_url": INPUT["input_urls"][0], "video_url": link}
        kling = theirs | {"character_orientation": "video", "mode": "std"}
        by_kling = (await it.client.post(KLING, json=kling)).json()["data"]["task_id"]
        for name in (number(await create(it, video_urls=[link])), by_kling):
            assert await content(it, f"inputs/{name}/video") == MP4
        forged = link.replace("/video/", "/video/A")
        assert (await again(forged))["code"] == 400
        unsigned = number(await create(it, video_urls=[forged]))
        assert (await it.service.tasks.find(1, unsigned)).video == Link(forged)  # as any other address
        await it.service.tasks.delete(1, int(number(made)))
        gone = await again(link)
        assert (gone["code"], "result that is not kept" in gone["msg"]) == (400, True)
        body = told(await it.client.post(CREATE, json=BODY | {"input": INPUT | {"video_urls": [link]}}))
        assert (body["code"], "driving video" in body["msg"]) == (422, True)

    with_app(database_url, tmp_path, test)


async def content(it: OpenApp, key: str) -> bytes:
    size = await it.service.storage.size(key)
    return b"".join([piece async for piece in it.service.storage.read(key, 0, size)])
