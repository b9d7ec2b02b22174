"""ModelsLab's routes in the whole application, over the service's parts in memory; above all, where a key ends up."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from kling_examples import PNG
from modelslab_examples import FAILED, KEY, LEAST, SUBMITTED, SUCCEEDED

from understudy.config import Settings
from understudy.errors import AccountError, AuthError, TaskError, UnavailableError
from understudy.server.app import create_app
from understudy.server.links import Links
from understudy.server.offered import offered_by
from understudy.server.service import Service
from understudy.storage import FakeStorage
from understudy.tasks.accounts import Account
from understudy.tasks.submission import Inline, Submission
from understudy.tasks.task import Task

PATH = "/api/v7/video-fusion/motion-control"
FETCH = "/api/v7/video-fusion/fetch"
ACCOUNT = Account(7, "mine", False, None, None)


@dataclass
class Authenticator:
    seen: list[str | None] = field(default_factory=list)

    async def account(self, authorization: str | None) -> Account:
        self.seen.append(authorization)
        if authorization is None:
            raise AuthError("auth_missing", "Authorization is empty.", fix="Send it.")
        if authorization != f"Bearer {KEY}":
            raise AuthError("auth_invalid", "It is not valid.", fix="Send another.")
        return ACCOUNT


@dataclass
class Tasks:
    submitted: list[Submission] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    found: Task = field(default_factory=lambda: replace(SUBMITTED, time_left_s=12.5))
    error: Exception | None = None

    async def submit(self, account: Account, submission: Submission) -> Task:
        if self.error is not None:
            raise self.error
        self.submitted.append(submission)
        return replace(self.found, extra=submission.extra, prompt=submission.prompt)

    async def find(self, account_id: int, name: str) -> Task:
        self.asked.append((account_id, name))
        if self.error is not None:
            raise self.error
        return self.found


class Database:
    async def close(self) -> None: ...


@dataclass
class Server:
    settings: Settings = field(default_factory=lambda: Settings(data_dir=Path("/nowhere")))
    tasks: Tasks = field(default_factory=Tasks)
    storage: FakeStorage = field(default_factory=FakeStorage)
    authenticator: Authenticator = field(default_factory=Authenticator)

    def ask(
        self, method: str, path: str, content: bytes | str | None = None, **headers: str
    ) -> tuple[httpx.Response, Any]:
        """The response and its JSON. Every answer of this dialect has a status of its own."""
        links = Links("https://m.example", [b"x"])
        mine = {
            "settings": self.settings,
            "database": Database(),
            "tasks": self.tasks,
            "authenticator": self.authenticator,
            "links": links,
            "storage": self.storage,
            "offered": offered_by(self.settings),
        }
        parts = {part.name: mine.get(part.name) for part in fields(Service)}
        app = create_app(Service(**cast("Any", parts)))

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, content=content, headers=headers)

        response = asyncio.run(one())
        body = response.json()
        if response.status_code == 200:
            assert body["status"] in ("processing", "success", "error")
            assert type(body["id"]) is int
        else:
            assert set(body) - {"retry_after"} == {"status", "message"}
            assert body["status"] == "error"
            assert type(body["message"]) is str
        assert KEY not in response.text + repr(response.headers)
        return response, body

    def create(self, body: Mapping[str, Any], **headers: str) -> tuple[httpx.Response, Any]:
        return self.ask("POST", PATH, json.dumps(body), **headers)


def test_create() -> None:
    server = Server()
    response, body = server.create(LEAST | {"track_id": 7, "prompt": "rain", "seed": 3})
    assert response.status_code == 200
    assert (body["status"], body["id"], body["eta"]) == ("processing", SUBMITTED.id, 13)
    assert body["fetch_result"] == f"https://m.example{FETCH}/{SUBMITTED.id}"
    assert body["future_links"] == [Links("https://m.example", [b"x"]).make(SUBMITTED.id, "video")]
    assert response.headers["understudy-notes"] == 'unknown_key;name="seed", left_out;name="prompt"'
    assert [one.extra for one in server.tasks.submitted] == [{"track_id": 7}]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json; charset=utf-8"])
def test_whatever_content_type_is_said_the_body_reads_as_json(kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    assert Server().create(LEAST, **headers)[0].status_code == 200


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (KEY, {}),
        (KEY, {"key": KEY, "authorization": f"Bearer {KEY}"}),
        (None, {"key": KEY}),
        (None, {"authorization": f"Bearer {KEY}"}),
    ],
)
def test_the_key_where_its_clients_put_it(key: str | None, headers: dict[str, str]) -> None:
    server = Server()
    for path, content in (
        (PATH, json.dumps(LEAST | {"key": key})),
        (f"{FETCH}/{SUBMITTED.id}", json.dumps({"key": key})),
    ):
        assert server.ask("POST", path, content, **headers)[0].status_code == 200
    assert server.tasks.asked == [(7, str(SUBMITTED.id))]


def test_a_fetch_with_the_key_in_a_header_needs_no_body() -> None:
    assert Server().ask("POST", f"{FETCH}/1", key=KEY)[1]["status"] == "processing"


@pytest.mark.parametrize("task", [SUBMITTED, SUCCEEDED, FAILED], ids=lambda task: task.status)
def test_fetch(task: Task) -> None:
    server = Server(tasks=Tasks(found=replace(task, time_left_s=3.0)))
    response, body = server.ask("POST", f"{FETCH}/{task.id}", json.dumps({"key": KEY}))
    states = {"submitted": "processing", "succeed": "success", "failed": "error"}
    assert (response.status_code, body["status"]) == (200, states[task.status])
    assert body.get("eta") == (3 if task is SUBMITTED else None)


def test_who_is_asking_comes_before_what_is_asked() -> None:
    server = Server()
    for path in (PATH, f"{FETCH}/x"):
        for keyless in ({}, {"key": None}, {"key": ""}):
            response, body = server.ask("POST", path, json.dumps(keyless))
            assert response.status_code == 401
            assert body["message"].startswith("The key field is required")
        wrong: list[object] = ["wrong", KEY + "x", 7, [KEY], {"a": KEY}]
        for key in wrong:
            response, body = server.ask("POST", path, json.dumps({"key": key, "mode": "bad"}))
            assert response.status_code == 401
            assert body["message"].startswith("Invalid API key")
    assert server.tasks.asked == server.tasks.submitted == []


def test_what_is_wrong_before_the_fields_are_looked_at() -> None:
    server = Server()
    for content in (b"", b"[]", b"{", b"\xff"):
        assert server.ask("POST", PATH, content, key=KEY)[0].status_code == 400
    assert server.ask("POST", PATH, b"{")[0].status_code == 400
    assert server.ask("POST", PATH, b" " * (16 * 2**20 + 1), key=KEY)[0].status_code == 413
    assert server.create(LEAST | {"model_id": "flux"})[0].status_code == 400
    assert server.tasks.submitted == []


def test_a_large_picture_comes_through_whole() -> None:
    server = Server()
    content = PNG + bytes(9 * 2**20)
    body = LEAST | {"init_image": base64.b64encode(content).decode()}
    assert server.create(body)[0].status_code == 200
    assert server.tasks.submitted[0].image == Inline(content)
    assert server.create(body | {"key": "wrong"})[0].status_code == 401


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TaskError("task_unknown", "There is none.", fix="Look again."), 404),
        (AccountError("too_many_tasks", "so many", limit="2 at once", fix="wait"), 429),
        (AccountError("balance_used_up", "too little", fix="pay"), 402),
        (UnavailableError("unavailable", "The database is at /secret.", fix="wait"), 503),
        (RuntimeError("/secret"), 500),
    ],
    ids=repr,
)
def test_every_error_comes_in_its_form(error: Exception, status: int) -> None:
    server = Server(tasks=Tasks(error=error))
    for answer in (server.create(LEAST), server.ask("POST", f"{FETCH}/1", json.dumps({"key": KEY}))):
        assert answer[0].status_code == status
        assert answer[1].get("retry_after") == (30 if status == 429 else None)
        assert "secret" not in answer[0].text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{FETCH}/1", 405),
        ("GET", PATH, 405),
        ("POST", "/api/v7/images/text-to-image", 404),
        ("GET", "/api/v7", 404),
        ("POST", "/api/v7/%00%ff", 404),
    ],
)
def test_what_is_not_there_comes_in_its_form_too(method: str, path: str, status: int) -> None:
    assert Server().ask(method, path, "{}" if method == "POST" else None)[0].status_code == status


def test_a_protocol_that_is_switched_off_says_so() -> None:
    settings = Settings(data_dir=Path("/nowhere"), dialects=("kling",))
    assert Server(settings).create(LEAST)[0].status_code == 403


def test_results_as_data() -> None:
    settings = Settings(data_dir=Path("/nowhere"), result_links="data")
    assert SUCCEEDED.output is not None
    storage = FakeStorage({SUCCEEDED.output.key: b"video", SUCCEEDED.output.watermark_key or "": b"marked"})
    server = Server(settings, Tasks(found=SUCCEEDED), storage)
    body = server.ask("POST", f"{FETCH}/1", json.dumps({"key": KEY}))[1]
    assert body["output"] == ["data:video/mp4;base64,dmlkZW8="]
    assert body["proxy_links"][0].startswith("https://m.example/files/")


def test_the_key_ends_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """``ask`` looks into every answer and its headers; here is what is logged, and what is handed on to be kept."""
    caplog.set_level(logging.DEBUG)
    server = Server()
    calls: list[tuple[str, bytes]] = [
        (PATH, json.dumps(LEAST | changed).encode())
        for changed in (
            {},
            {"key": [KEY]},
            {"key": f"{KEY} {KEY}"},
            {"key": {"value": KEY}},
            {"mode": "bad"},
            {"model_id": "none"},
            {"init_image": 7},
            {"Key": KEY},
            {"seed": KEY},
            {f"unknown {n}": KEY for n in range(30)},
        )
    ]
    calls += [
        (PATH, json.dumps(LEAST).encode()[:-1]),
        (PATH, json.dumps(LEAST).encode()[:-1] + b', "key": "again"}'),
        (PATH, json.dumps(LEAST).encode() + b"\xff"),
        (f"{FETCH}/1", json.dumps({"key": KEY}).encode()),
        (f"{FETCH}/none", json.dumps({"key": KEY + "x"}).encode()),
        ("/api/v7/none", json.dumps({"key": KEY}).encode()),
    ]
    statuses = [server.ask("POST", path, content)[0].status_code for path, content in calls]
    server.tasks.error = RuntimeError("unexpected")
    statuses.append(server.create(LEAST)[0].status_code)
    assert set(statuses) == {200, 400, 401, 404, 500}
    assert len(server.tasks.submitted) == 2
    assert f"Bearer {KEY}" in server.authenticator.seen
    assert "unexpected RuntimeError" in caplog.text
    for template in (f"POST {PATH} 200", f"POST {FETCH}/{{name:rest}} 200", "POST - 404"):
        assert template in caplog.text
    for kept in (caplog.text, repr(server.tasks.submitted), repr(server.tasks.asked)):
        assert KEY not in kept
