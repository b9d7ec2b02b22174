"""What every request passes: ids, limits of bodies, headers, the log, and errors in their owner's shape."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Request
from open_app import LINKS, TASKS, OpenApp, with_app
from starlette.responses import StreamingResponse

from understudy.errors import SERVICE_CODES, UnavailableError
from understudy.server import entrance
from understudy.server.errors_native import STATUS_OF_CODE

KLING = "/v1/videos/motion-control"
MIB = 2**20


def test_every_code_of_the_entrance_has_a_status() -> None:
    assert not SERVICE_CODES - set(STATUS_OF_CODE)
    assert all(400 <= status < 600 for status in STATUS_OF_CODE.values())


NATIVE_ERRORS = [
    ("GET", "/nothing", 404, "route_unknown"),
    ("GET", "/understudy/v1/nothing", 404, "route_unknown"),
    ("GET", "/understudy/v1/tasks/", 404, "route_unknown"),
    ("PUT", TASKS, 405, "method_unknown"),
    ("GET", f"{TASKS}?page=0", 422, "field_invalid"),
    ("GET", f"{TASKS}?size=many", 422, "field_invalid"),
    ("GET", f"{TASKS}/4503599627370496", 404, "task_unknown"),
    ("GET", f"{TASKS}/%00", 404, "task_unknown"),
    ("GET", f"{TASKS}/%ff", 404, "task_unknown"),
]


def test_native_errors(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        for method, path, status, code in NATIVE_ERRORS:
            answer = await it.client.request(method, path)
            assert answer.status_code == status, (path, answer.text)
            error = answer.json()["error"]
            assert set(error) == {"code", "message", "value", "limit", "fix", "request_id"}
            assert (error["code"], error["request_id"]) == (code, answer.headers["x-request-id"])
            assert error["message"]
            assert error["fix"]

    with_app(database_url, tmp_path, test)


def test_every_answer_has_an_id_and_no_sniffing(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        seen = set()
        for path in ("/understudy/v1/health", TASKS, "/nothing", KLING, "/v1/nothing"):
            answer = await it.client.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            seen.add(uuid.UUID(answer.headers["x-request-id"]))
        assert len(seen) == 5

    with_app(database_url, tmp_path, test)


def test_errors_on_klings_paths_are_klings(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        for method, path in (
            ("GET", "/v1/nothing"),
            ("DELETE", KLING),
            ("POST", KLING),
            ("GET", f"{KLING}/1"),
        ):
            answer = await it.client.request(method, path)
            body = answer.json()
            assert answer.status_code >= 400
            assert set(body) <= {"code", "message", "request_id", "data"}
            assert (type(body["code"]), type(body["message"])) == (int, str)
            assert body["request_id"] == answer.headers["x-request-id"]

    with_app(database_url, tmp_path, test)


def test_who_does_not_say_who_they_are(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        for path in (TASKS, "/understudy/v1/engines", "/understudy/v1/account", KLING):
            answer = await it.client.get(path, headers={"Authorization": ""})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        answer = await it.client.get(TASKS, headers={"Authorization": "Bearer not-a-key"})
        assert answer.json()["error"]["code"] == "auth_invalid"

    with_app(database_url, tmp_path, test)


@pytest.mark.parametrize("path", [TASKS, KLING])
def test_a_body_that_is_too_large(database_url: str, tmp_path: Path, path: str) -> None:
    async def test(it: OpenApp) -> None:
        sent = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(64):
                sent += MIB
                yield b"x" * MIB

        told = await it.client.post(path, content=b"x" * (entrance.BODY_BYTES + 1))
        untold = await it.client.post(path, content=pieces())
        for answer in (told, untold):
            assert answer.status_code in (400, 413)
            assert "16 MB" in answer.text
        assert sent <= entrance.BODY_BYTES + 2 * MIB

    with_app(database_url, tmp_path, test)


def test_a_fault_tells_nothing_of_the_inside(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()

    @router.get("/understudy/fault")
    async def fault() -> None:
        raise LookupError("the secret\nof a stranger")

    async def test(it: OpenApp) -> None:
        it.app.include_router(router)
        answer = await it.client.get("/understudy/fault")
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal"
        assert "secret" not in answer.text
        assert "LookupError" in caplog.text
        assert "the secret\\nof a stranger" in caplog.text

    with_app(database_url, tmp_path, test)


def test_a_part_that_is_away(database_url: str, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/understudy/away")
    @router.get("/v1/away")
    async def away() -> None:
        raise UnavailableError("unavailable", "It is away.", fix="Wait.")

    async def test(it: OpenApp) -> None:
        it.app.include_router(router)
        for path in ("/understudy/away", "/v1/away"):
            answer = await it.client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"

    with_app(database_url, tmp_path, test)


def test_an_answer_that_breaks_off_is_not_taken_for_whole(database_url: str, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/understudy/broken")
    async def broken() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise LookupError

        return StreamingResponse(pieces())

    async def test(it: OpenApp) -> None:
        it.app.include_router(router)
        with pytest.raises(httpx.RemoteProtocolError):
            await it.client.get("/understudy/broken")

    with_app(database_url, tmp_path, test, over_tcp=True)


def test_the_log_has_templates_and_no_secrets(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test(it: OpenApp) -> None:
        task = await it.create(callback_url="https://hooks.example.com/secret-hook")
        await it.finish(task["id"], b"video")
        url = (await it.client.get(f"{TASKS}/{task['id']}")).json()["result"]["url"]
        assert (await it.client.get(url)).content == b"video"
        await it.client.get("/nothing/at%0Aall")
        lines = [record.getMessage() for record in caplog.records if record.name == entrance.__name__]
        assert [line.rsplit(" ", 4)[0] for line in lines] == [
            f"POST {TASKS}",
            f"GET {TASKS}/{{id}}",
            "GET /files/{task_id}/{kind}/{signature}/{name}",
            "GET -",
        ]
        ours = "\n".join(lines)
        assert task["id"] not in ours
        key = it.client.headers["authorization"].removeprefix("Bearer ")
        for secret in (key, url.split("/")[-2], "secret-hook"):
            assert secret not in caplog.text.replace(
                f'"GET {url} ', ""
            )  # the client's own log tells what it asks

    with_app(database_url, tmp_path, test)


def test_request_state_has_the_id(database_url: str, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/understudy/id")
    async def its_id(request: Request) -> str:
        return str(request.state.request_id)

    async def test(it: OpenApp) -> None:
        it.app.include_router(router)
        answer = await it.client.get("/understudy/id")
        assert answer.json() == answer.headers["x-request-id"]

    with_app(database_url, tmp_path, test)


def test_the_page_and_the_description(database_url: str, tmp_path: Path) -> None:
    async def test(it: OpenApp) -> None:
        bare = {"Authorization": ""}
        page = await it.client.get("/", headers=bare, follow_redirects=True)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert "http://service.test/understudy/v1/tasks" in page.text
        document = (await it.client.get("/understudy/v1/openapi.json", headers=bare)).json()
        for path, methods in document["paths"].items():
            for operation in methods.values():
                assert operation["summary"] in page.text
                assert "HTTPValidationError" not in str(operation), path
        assert set(LINKS) <= set(document["components"]["schemas"]["NewTaskForm"]["properties"])

    with_app(database_url, tmp_path, test)
