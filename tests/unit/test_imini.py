"""imini: a task in its words, its errors, its two routes with the prefix and without, and what is told of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from described import fits
from kling_examples import FAILED, LINKS, MADE, OUTPUT, SUBMITTED, SUCCEEDED
from small_service import SmallService, Tasks
from test_imini_form import LEAST, request

from understudy.config import Settings
from understudy.errors import (
    SERVICE_CODES,
    AccountError,
    ClipError,
    EngineError,
    FormError,
    TaskError,
    UnavailableError,
    UnderstudyError,
)
from understudy.server.dialects.call import View
from understudy.server.dialects.imini_answers import created, queried
from understudy.server.dialects.imini_errors import PROMPT, ROWS, imini_error
from understudy.server.dialects.imini_form import FIELDS, decode_create
from understudy.server.dialects.registry import DIALECTS, dialect_of_path
from understudy.storage import FakeStorage
from understudy.tasks.task import Status

GENERATE, ONE = "/v1/videos/generate", "/v1/videos/tasks/task_0009007199254740991"
PREFIX = "/imini/router"
VIEW = View(LINKS, "some-id")
COVERED = replace(SUCCEEDED, output=replace(OUTPUT, cover_key="results/9007199254740991/1/cover.jpg"))
ALWAYS = {
    "task_id": "task_0009007199254740991",
    "model": "kling/kling-v3-motion-control",
    "created_at": "2026-11-21T12:00:00.123Z",
    "request_id": "some-id",
}
NOTHING_YET: dict[str, Any] = {"completed_at": None, "videos": None, "error": None}
ENDED = {"completed_at": "2026-11-21T12:01:30.123Z"}
VIDEO = {
    "url": LINKS.make(SUCCEEDED.id, "video"),
    "width": 720,
    "height": 1280,
    "duration": 3.041,
    "cover_url": LINKS.make(SUCCEEDED.id, "cover"),
}
PROCESSING = replace(SUBMITTED, status=Status.PROCESSING, progress=0.4)


def fault_of(response: httpx.Response) -> tuple[int, str]:
    """HTTP status and code of an error, whose form is looked at."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "status", "request_id"}
    assert body["error"]["status"] == response.status_code
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["error"]["code"]


@pytest.mark.parametrize("task", [SUBMITTED, PROCESSING, COVERED, FAILED], ids=lambda task: task.status)
def test_the_answer_to_create_is_that_of_the_first_moment(task: Any) -> None:
    assert created(task, VIEW) == {**ALWAYS, "status": "queued"}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (SUBMITTED, {"status": "queued", **NOTHING_YET}),
        (PROCESSING, {"status": "processing", **NOTHING_YET}),
        (COVERED, {"status": "succeeded", **ENDED, "videos": [VIDEO], "error": None}),
        (SUCCEEDED, {"status": "succeeded", **ENDED, "videos": [VIDEO | {"cover_url": None}], "error": None}),
        (
            FAILED,
            {
                "status": "failed",
                **ENDED,
                "videos": None,
                "error": {
                    "code": "CLIP_TOO_SHORT",
                    "message": "The video lasts 1.00 s; at least 3 s are needed. Use a longer one.",
                    "request_id": "some-id",
                },
            },
        ),
        (
            replace(FAILED, error_code=None, fix=None, status_msg="It broke."),
            {
                "status": "failed",
                **ENDED,
                "videos": None,
                "error": {"code": "GENERATION_FAILED", "message": "It broke.", "request_id": "some-id"},
            },
        ),
    ],
    ids=["queued", "processing", "succeeded", "without a cover", "failed", "failed without a code"],
)
def test_a_task_as_it_stands(task: Any, expected: dict[str, Any]) -> None:
    assert queried(task, VIEW) == ALWAYS | expected


def test_a_task_of_another_dialect() -> None:
    other = replace(SUBMITTED, dialect="modelslab", model="kling-v2-6", extra={}, id=4503599627370496)
    answer = queried(other, VIEW)
    assert answer["model"] == "kling/kling-v2-6-motion-control"
    assert answer["task_id"] == "task_0004503599627370496"


def test_times_are_utc_with_three_digits_whatever_zone_the_database_answers_in() -> None:
    elsewhere = MADE.replace(microsecond=7).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert created(replace(SUBMITTED, created_at=elsewhere), VIEW)["created_at"] == "2026-11-21T12:00:00.000Z"


@pytest.mark.parametrize(("seconds", "number"), [(5, "5.0"), (3.0413, "3.041"), (30.0996, "30.1")])
def test_a_duration_is_a_number(seconds: float, number: str) -> None:
    task = replace(SUCCEEDED, output=replace(OUTPUT, duration_s=seconds))
    assert json.dumps(queried(task, VIEW)["videos"][0]["duration"]) == number


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_create_and_query(prefix: str) -> None:
    service = SmallService()
    made = service.ask("POST", prefix + GENERATE, request(aspect_ratio="9:16", prompt="rain").content)
    assert made.status_code == 200
    assert made.json() == ALWAYS | {"status": "queued", "request_id": made.headers["x-request-id"]}
    assert made.headers["understudy-notes"] == 'unknown_key;name="aspect_ratio", left_out;name="prompt"'
    assert service.tasks.submitted[0].dialect == "imini"
    service.tasks.found = COVERED
    for name in ("task_0009007199254740991", "9007199254740991", "order%207%2Fx"):
        assert service.ask("GET", f"{prefix}/v1/videos/tasks/{name}").json()["status"] == "succeeded"
    assert service.tasks.asked == [(7, "9007199254740991")] * 2 + [(7, "order 7/x")]


def test_results_as_data_and_a_cover_by_its_link() -> None:
    settings = Settings(data_dir=Path("/nowhere"), result_links="data")
    assert OUTPUT.watermark_key is not None
    storage = FakeStorage({OUTPUT.key: b"video", OUTPUT.watermark_key: b"marked"})
    service = SmallService(settings, Tasks(found=COVERED), storage)
    (video,) = service.ask("GET", ONE).json()["videos"]
    assert video["url"] == "data:video/mp4;base64,dmlkZW8="
    assert video["cover_url"] == service.links.make(COVERED.id, "cover")


def test_each_code_of_the_service_has_a_row() -> None:
    assert set(ROWS) == SERVICE_CODES


DOCUMENTED = {
    "INVALID_PROMPT": {400},
    "INVALID_PARAMETER": {400, 413},  # 413 is HTTP's own
    "INSUFFICIENT_CREDITS": {402},
    "TASK_NOT_FOUND": {404},
    "RATE_LIMITED": {429},
}


def test_documented_codes_come_with_their_statuses() -> None:
    for status, code in ROWS.values():
        assert status in DOCUMENTED.get(code, {status}), code
    assert {ROWS[code][0] for code in ROWS if code.startswith("auth_")} == {401}


@pytest.mark.parametrize("code", sorted(SERVICE_CODES))
def test_the_form_of_each_error(code: str) -> None:
    status, body = imini_error(UnderstudyError(code, "It was so.", fix="Do this."), "some-id")
    error = body["error"]
    assert (status, error["code"]) == ROWS[code]
    assert (error["status"], error["request_id"]) == (status, "some-id")
    assert error["message"] == "It was so. Do this." or code in ("internal", "unavailable")


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (ClipError("new_code", "The clip is bad.", fix="Take another."), (400, "INVALID_PARAMETER")),
        (FormError("new_code", "The clip is bad.", fix="Take another."), (400, "INVALID_PARAMETER")),
        (EngineError("new_code", "/secret", fix="/secret"), (500, "INTERNAL_ERROR")),
        (TaskError("element_unknown", "There is none.", fix="Look again."), (404, "NOT_FOUND")),
        (UnavailableError("unavailable", "s3://secret", fix="secret"), (503, "SERVICE_UNAVAILABLE")),
    ],
    ids=repr,
)
def test_errors_without_a_row_and_what_stays_inside(error: UnderstudyError, row: tuple[int, str]) -> None:
    status, body = imini_error(error, "id")
    assert (status, body["error"]["code"]) == row
    assert "secret" not in json.dumps(body)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TaskError("task_unknown", "There is none.", fix="Look again."), 404, "TASK_NOT_FOUND"),
        (AccountError("balance_used_up", "too little", fix="pay"), 402, "INSUFFICIENT_CREDITS"),
        (AccountError("too_many_tasks", "so many", fix="wait"), 429, "RATE_LIMITED"),
        (UnavailableError("maintenance", "We tidy up.", fix="Come again."), 503, "SERVICE_UNAVAILABLE"),
        (RuntimeError("/secret"), 500, "INTERNAL_ERROR"),
    ],
    ids=repr,
)
def test_errors_of_every_path(error: Exception, status: int, code: str) -> None:
    service = SmallService(tasks=Tasks(error=error))
    for prefix in ("", PREFIX):
        for answer in (
            service.ask("POST", prefix + GENERATE, request().content),
            service.ask("GET", prefix + ONE),
        ):
            assert fault_of(answer) == (status, code)
            assert "secret" not in answer.text


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_what_is_wrong_before_the_fields(prefix: str) -> None:
    service = SmallService()
    assert fault_of(service.ask("GET", prefix + ONE, authorization="")) == (401, "UNAUTHORIZED")
    assert fault_of(service.ask("POST", prefix + GENERATE, b"{", authorization="Bearer bad")) == (
        401,
        "UNAUTHORIZED",
    )
    for content in (b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff"):
        assert fault_of(service.ask("POST", prefix + GENERATE, content)) == (400, "INVALID_PARAMETER")
    large = b" " * (16 * 2**20 + 1)
    assert fault_of(service.ask("POST", prefix + GENERATE, large)) == (413, "INVALID_PARAMETER")
    assert service.tasks.submitted == service.tasks.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/imini", 404, "NOT_FOUND"),
        ("GET", "/imini/router/v1/models", 404, "NOT_FOUND"),
        ("GET", "/v1/videos/tasks", 404, "NOT_FOUND"),
        ("GET", "/v1/videos/generate/x", 404, "NOT_FOUND"),
        ("GET", GENERATE, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", ONE, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", PREFIX + ONE, 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int, code: str) -> None:
    assert fault_of(SmallService().ask(method, path)) == (status, code)


def test_what_lies_beside_is_kling_s() -> None:
    for path in ("/v1", "/v1/videos", "/v1/videos/taskss", "/v1/videos/generator"):
        dialect = dialect_of_path(path)
        assert dialect is not None
        assert dialect.name == "kling"


def test_switched_off_it_says_so() -> None:
    service = SmallService(Settings(data_dir=Path("/nowhere"), dialects=("kling",)))
    assert fault_of(service.ask("GET", ONE)) == (403, "FORBIDDEN")


def test_the_routes_are_described_as_they_are() -> None:
    told = DIALECTS["imini"].description()
    create = told.paths[PREFIX + GENERATE]["post"]
    query = told.paths[f"{PREFIX}/v1/videos/tasks/{{task_id}}"]["get"]
    answers = [(create, created(SUBMITTED, VIEW))]
    answers += [(query, queried(task, VIEW)) for task in (SUBMITTED, PROCESSING, COVERED, SUCCEEDED, FAILED)]
    for operation, answer in answers:
        form = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert fits(answer, form, told.schemas)
        assert not fits({**answer, "data": {}}, form, told.schemas)
        assert operation["tags"] == ["imini"]
    for operation, statuses in (
        (create, {"400", "401", "402", "403", "413", "429", "500", "503"}),
        (query, {"401", "403", "404", "500", "503"}),
    ):
        assert set(operation["responses"]) == {"200", *statuses}
        error = imini_error(TaskError("task_unknown", "There is none.", fix="Look."), "id")[1]
        form = operation["responses"]["401"]["content"]["application/json"]["schema"]
        assert fits(error, form, told.schemas)
    new_task = told.schemas["IminiNewTask"]
    assert tuple(new_task["properties"]) == FIELDS
    assert set(new_task["required"]) == set(LEAST)
    example = new_task["examples"][0]
    submission = decode_create(request(**example), "puppet").submission
    assert (submission.sound, submission.model) == (True, "kling-v3")
    for name in ("model", "resolution"):
        for word in new_task["properties"][name]["enum"]:
            decode_create(request(**{name: word}), "puppet")


def test_the_page_has_every_row_and_field() -> None:
    text = (Path(__file__).parents[2] / "docs" / "imini.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", text, re.MULTILINE)
    assert {(int(status), code) for status, code in rows} == {*ROWS.values(), PROMPT}
    for name in FIELDS:
        assert f"`{name}" in text, name
