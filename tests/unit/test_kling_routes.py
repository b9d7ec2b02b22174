"""Kling's routes in the whole application, over the service's parts in memory."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from kling_examples import LEAST, PNG, SUBMITTED, SUCCEEDED
from small_service import SmallService, Tasks

from understudy.config import Settings
from understudy.errors import AccountError, TaskError, UnavailableError, UnderstudyError
from understudy.storage import FakeStorage
from understudy.tasks.submission import Inline

PATH = "/v1/videos/motion-control"


@dataclass
class Server:
    settings: Settings = field(default_factory=lambda: Settings(data_dir=Path("/nowhere")))
    tasks: Tasks = field(default_factory=Tasks)
    storage: FakeStorage = field(default_factory=FakeStorage)
    elements: object = None

    def ask(
        self, method: str, path: str, content: bytes | str | None = None, **headers: str
    ) -> tuple[httpx.Response, Any]:
        """The response and its JSON. Every answer of this dialect must be an envelope."""
        service = SmallService(self.settings, self.tasks, self.storage, self.elements)
        response = service.ask(method, path, content, **headers)
        body = response.json()
        assert {"code", "message", "request_id"} <= set(body) <= {"code", "message", "request_id", "data"}
        assert type(body["code"]) is int
        assert type(body["message"]) is str
        assert str(uuid.UUID(body["request_id"])) == body["request_id"] == response.headers["x-request-id"]
        assert ("data" in body) == (response.status_code == 200) == (body["code"] == 0)
        return response, body

    def create(self, body: Mapping[str, Any], **headers: str) -> tuple[httpx.Response, Any]:
        return self.ask("POST", PATH, json.dumps(body), **headers)


def refused(answer: tuple[httpx.Response, Any]) -> tuple[int, int]:
    return answer[0].status_code, answer[1]["code"]


def test_create() -> None:
    server = Server()
    response, body = server.create(LEAST | {"external_task_id": "mine"})
    assert response.status_code == 200
    assert body["message"] == "SUCCEED"
    assert body["data"]["task_id"] == str(SUBMITTED.id)
    assert body["data"]["task_info"] == {"external_task_id": "mine"}
    assert server.tasks.submitted[0].engine == "puppet"
    assert server.tasks.submitted[0].idempotency is None
    assert "understudy-notes" not in response.headers


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]
)
def test_whatever_content_type_is_said_the_body_reads_as_json(kind: str) -> None:
    assert refused(Server().create(LEAST, content_type=kind)) == (200, 0)


def test_what_nobody_acts_on_is_told_in_the_header() -> None:
    response, body = Server().create(LEAST | {"prompt": "rain", "cfg_scale": 1})
    assert response.headers["understudy-notes"] == 'unknown_key;name="cfg_scale", left_out;name="prompt"'
    assert set(body["data"]) == {"task_id", "task_info", "task_status", "created_at", "updated_at"}


def test_who_is_asking_comes_before_what_is_asked() -> None:
    server = Server()
    for path in (PATH, f"{PATH}/x", f"{PATH}?pageNum=x"):
        assert refused(server.ask("GET", path, authorization="")) == (401, 1001)
        assert refused(server.ask("GET", path, authorization="Bearer bad")) == (401, 1002)
    assert refused(server.ask("POST", PATH, b"{", authorization="Bearer bad")) == (401, 1002)
    assert server.tasks.asked == server.tasks.submitted == []


def test_what_is_wrong_before_the_fields_are_looked_at() -> None:
    server = Server()
    for content in (b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff"):
        assert refused(server.ask("POST", PATH, content)) == (400, 1200)
    assert refused(server.ask("POST", PATH, b" " * (16 * 2**20 + 1))) == (413, 1200)
    assert refused(server.create({})) == (400, 1201)
    assert refused(server.create(LEAST | {"model_name": "kling-v9"})) == (404, 1203)
    assert server.tasks.submitted == []


def test_a_large_picture_comes_through_whole() -> None:
    server = Server()
    content = PNG + bytes(9 * 2**20)
    assert refused(server.create(LEAST | {"image_url": base64.b64encode(content).decode()})) == (200, 0)
    assert server.tasks.submitted[0].image == Inline(content)


def test_idempotency_takes_the_key_and_the_body_s_hash() -> None:
    server = Server()
    for body in (LEAST, LEAST, LEAST | {"mode": "pro"}):
        server.create(body, idempotency_key="aisdk_vid_1")
    first, second, third = (one.idempotency for one in server.tasks.submitted)
    assert first is not None
    assert first == second != third
    assert first.key == "aisdk_vid_1"
    assert refused(server.create(LEAST, idempotency_key="x" * 257)) == (400, 1201)


@pytest.mark.parametrize(
    "name",
    [
        "867000000000000001",
        "a/b",
        "a//b/",
        "/a",
        "ünï 码",
        "..",
        "a?b#c%",
        "x" * 256,
        "data: {}",
        "%2F",
        " ",
        "a\nb",
        "a\n",
    ],
)
def test_the_rest_of_the_path_is_the_name(name: str) -> None:
    server = Server()
    assert refused(server.ask("GET", f"{PATH}/{quote(name, safe='').replace('.', '%2E')}")) == (200, 0)
    assert server.tasks.asked == [(7, name)]


def test_pages() -> None:
    server = Server()
    _, body = server.ask("GET", f"{PATH}?pageNum=3&pageSize=2")
    assert [task["task_id"] for task in body["data"]] == [str(SUBMITTED.id)] * 2
    response, _ = server.ask("GET", f"{PATH}?trace=1")
    assert server.tasks.asked == [(7, 3, 2), (7, 1, 30)]
    assert response.headers["understudy-notes"] == 'unknown_parameter;name="trace"'
    for bad in (
        "pageNum=0",
        "pageNum=1001",
        "pageSize=0",
        "pageSize=501",
        "pageNum=",
        "pageSize=1.5",
        "page_size=5",
    ):
        assert refused(server.ask("GET", f"{PATH}?{bad}")) == (400, 1201), bad


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TaskError("task_unknown", "There is none.", fix="Look again."), 400, 1201),
        (AccountError("too_many_tasks", "so many", fix="wait"), 429, 1303),
        (AccountError("balance_used_up", "too little", fix="pay"), 429, 1102),
        (UnavailableError("unavailable", "The database is at /secret.", fix="wait"), 503, 5001),
        (UnderstudyError("never_heard_of", "/secret", fix="/secret"), 500, 5000),
        (RuntimeError("/secret"), 500, 5000),
        (RecursionError(), 500, 5000),
    ],
    ids=repr,
)
def test_every_error_comes_as_an_envelope(error: Exception, status: int, code: int) -> None:
    server = Server(tasks=Tasks(error=error))
    for answer in (server.create(LEAST), server.ask("GET", f"{PATH}/1")):
        assert refused(answer) == (status, code)
        assert "secret" not in answer[0].text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/videos/text2video", 404, 1203),
        ("GET", "/v1", 404, 1203),
        ("POST", "/v1/videos/motion-control/", 405, 1202),
        ("DELETE", f"{PATH}/1", 405, 1202),
        ("PUT", PATH, 405, 1202),
        ("POST", "/v1/%00%ff\u2028", 404, 1203),
        ("POST", "http://test//v1/videos/motion-control", 404, 1203),
    ],
)
def test_what_is_not_there_comes_as_an_envelope(method: str, path: str, status: int, code: int) -> None:
    assert refused(Server().ask(method, path)) == (status, code)


@pytest.mark.parametrize(("path", "methods"), [(PATH, "GET, HEAD, POST"), (f"{PATH}/1", "GET, HEAD")])
def test_a_wrong_method_is_told_all_the_right_ones(path: str, methods: str) -> None:
    response, body = Server().ask("PUT", path)
    assert response.headers.get_list("allow") == [methods]
    assert body["message"].endswith(f"Use {methods}.")


def test_results_as_data() -> None:
    settings = Settings(data_dir=Path("/nowhere"), result_links="data")
    storage = FakeStorage({SUCCEEDED.output.key: b"video", SUCCEEDED.output.watermark_key: b"marked"})  # type: ignore[union-attr, dict-item]
    server = Server(settings, Tasks(found=SUCCEEDED), storage)
    (video,) = server.ask("GET", f"{PATH}/1")[1]["data"]["task_result"]["videos"]
    assert httpx.URL(video["url"]).path == "video/mp4;base64," + base64.b64encode(b"video").decode()
    assert base64.b64decode(video["watermark_url"].removeprefix("data:video/mp4;base64,")) == b"marked"
    for task in server.ask("GET", PATH)[1]["data"]:
        assert task["task_result"]["videos"][0]["url"].startswith("https://m.example/files/")
    storage.objects.clear()
    (video,) = server.ask("GET", f"{PATH}/1")[1]["data"]["task_result"]["videos"]
    assert video["url"].startswith("https://m.example/files/")
    storage.away = True
    assert refused(server.ask("GET", f"{PATH}/1")) == (503, 5001)
    server.tasks.found = replace(SUCCEEDED, files_deleted_at=SUCCEEDED.ended_at)
    response, _ = server.ask("GET", f"{PATH}/1")
    assert response.headers["understudy-notes"].endswith(", files_deleted")


def test_a_protocol_that_is_switched_off_says_so_whoever_asks() -> None:
    settings = Settings(data_dir=Path("/nowhere"), dialects=("imini",))
    for answer in (Server(settings).create(LEAST), Server(settings).ask("GET", PATH, authorization="")):
        assert refused(answer) == (403, 1103)
        assert "'kling'" in answer[1]["message"]
    assert refused(Server(Settings(data_dir=Path("/nowhere"), dialects=("kling",))).create(LEAST)) == (200, 0)
