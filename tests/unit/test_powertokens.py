"""PowerTokens: what differs from Kling, whose functions it speaks with; and its videos in OpenAI's manner."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from described import fits
from hypothesis import given
from hypothesis import strategies as st
from kling_examples import END, FAILED, LEAST, LINKS, MADE_MS, OUTPUT, SUBMITTED, SUCCEEDED
from small_service import SmallService, Tasks

from understudy.config import Settings
from understudy.errors import (
    SERVICE_CODES,
    AccountError,
    FormError,
    TaskError,
    UnavailableError,
    UnderstudyError,
)
from understudy.server.dialects import kling_errors
from understudy.server.dialects.body import written
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.kling_form import FIELDS
from understudy.server.dialects.kling_form import decode_create as decode_kling
from understudy.server.dialects.powertokens_answers import video
from understudy.server.dialects.powertokens_errors import ROWS, powertokens_error
from understudy.server.dialects.powertokens_form import decode_create
from understudy.server.dialects.registry import DIALECTS, dialect_of_path
from understudy.tasks.task import Status, StatusChange

POWERTOKENS = DIALECTS["powertokens"]
PATH = "/kling/v1/videos/motion-control"
BODY = LEAST | {"model_name": "kling-v3"}
VIEW = View(LINKS, "id")
MADE_S = MADE_MS // 1000
VIDEO = LINKS.make(SUCCEEDED.id, "video")


def call(body: dict[str, Any]) -> Call:
    return Call(content=json.dumps(body).encode())


def fault_of(response: httpx.Response) -> tuple[int, int]:
    """HTTP status and code of an error, whose form is looked at."""
    body = response.json()
    assert set(body) == {"code", "message", "request_id", "error"}
    assert type(body["code"]) is int
    assert body["request_id"] == response.headers["x-request-id"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"] == body["message"]
    return response.status_code, body["code"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"prompt": "rain"},
        {"mode": "pro"},
        {"character_orientation": "image"},
        {"keep_original_sound": "no"},
        {"keep_original_sound": "yes"},
        {"watermark_info": {"enabled": True}},
        {"callback_url": "https://me.example/hook"},
        {"external_task_id": "order 7"},
        {"element_list": []},
        {"element_list": [{"element_id": 829836802793406551}]},
        {"cfg_scale": 1},
    ],
    ids=str,
)
def test_a_request_is_kling_s(more: dict[str, Any]) -> None:
    ours, klings = decode_create(call(BODY | more), "puppet"), decode_kling(BODY | more, engine="puppet")
    assert ours.submission == replace(klings.submission, dialect="powertokens")
    assert ours.submission.model == "kling-v3"
    assert ours.notes == klings.notes


@pytest.mark.parametrize("model", [..., None, "", "kling-v2-6", "kling-v9", "KLING-V3", 3, ["kling-v3"]])
def test_the_one_model_must_be_named(model: object) -> None:
    body = json.dumps(
        {name: value for name, value in (BODY | {"model_name": model}).items() if value is not ...}
    )
    response = SmallService().ask("POST", PATH, body)
    assert fault_of(response) == (400, 1201)
    assert "model_name" in response.json()["message"]
    assert "allowed: kling-v3." in response.json()["message"]


def test_create_query_and_list_below_its_prefix() -> None:
    service = SmallService()
    made = service.ask("POST", PATH, json.dumps(BODY | {"external_task_id": "mine"}))
    assert made.json() == {
        "code": 0,
        "message": "SUCCEED",
        "request_id": made.headers["x-request-id"],
        "data": {
            "task_id": "9007199254740991",
            "task_info": {"external_task_id": "mine"},
            "task_status": "submitted",
            "created_at": MADE_MS,
            "updated_at": MADE_MS,
        },
    }
    assert service.tasks.submitted[0].dialect == "powertokens"
    service.tasks.found = SUCCEEDED
    one = service.ask("GET", f"{PATH}/order%207%2Fx").json()["data"]
    assert one["task_status"] == "succeed"
    assert one["task_result"]["videos"][0]["duration"] == "3.041"
    listed = service.ask("GET", f"{PATH}?pageNum=2&pageSize=2").json()["data"]
    assert listed == [one, one]
    assert service.tasks.asked == [(7, "order 7/x"), (7, 2, 2)]


def test_without_the_prefix_kling_s_paths_are_kling_s() -> None:
    service = SmallService()
    bare = json.dumps(LEAST)
    assert (
        service.ask("POST", PATH.removeprefix("/kling"), bare).status_code == 200
    )  # no model named: Kling's default
    assert service.tasks.submitted[0].dialect == "kling"
    error = service.ask("POST", PATH.removeprefix("/kling"), "{}").json()
    assert set(error) == {"code", "message", "request_id"}
    for path in ("/v1/videos/text2video", "/v1/videos", "/v1/videos/motion-control/1/content"):
        dialect = dialect_of_path(path)
        assert dialect is not None
        assert dialect.name == "kling"


@pytest.mark.parametrize("prefix", ["", "/kling"])
def test_a_video_in_openai_s_manner(prefix: str) -> None:
    service = SmallService(tasks=Tasks(found=SUCCEEDED))
    response = service.ask("GET", f"{prefix}/v1/videos/9007199254740991")
    link = service.links.make(SUCCEEDED.id, "video")
    assert response.json() == {
        "id": "9007199254740991",
        "object": "video",
        "model": "kling-v3",
        "status": "completed",
        "progress": 100,
        "created_at": MADE_S,
        "completed_at": MADE_S + 90,
        "metadata": {"url": link},
        "error": None,
    }
    content = service.ask("GET", f"{prefix}/v1/videos/9007199254740991/content")
    assert (content.status_code, content.headers["location"]) == (302, link)
    assert service.tasks.asked == [(7, "9007199254740991")] * 2
    assert fault_of(service.ask("GET", f"{prefix}/v1/videos/1", authorization="")) == (401, 1001)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (SUBMITTED, ("queued", 0, None, {}, None)),
        (replace(SUBMITTED, status=Status.PROCESSING, progress=0.259), ("in_progress", 25, None, {}, None)),
        (replace(SUBMITTED, status=Status.PROCESSING, progress=1.0), ("in_progress", 99, None, {}, None)),
        (
            replace(SUCCEEDED, progress=0.5),
            ("completed", 100, MADE_S + 90, {"url": VIDEO}, None),
        ),
        (
            replace(FAILED, progress=0.5),
            (
                "failed",
                50,
                MADE_S + 90,
                {},
                {
                    "code": "clip_too_short",
                    "message": "The video lasts 1.00 s; at least 3 s are needed. Use a longer one.",
                },
            ),
        ),
        (
            replace(FAILED, error_code=None, fix=None, status_msg="It broke."),
            ("failed", 0, MADE_S + 90, {}, {"code": "generation_failed", "message": "It broke."}),
        ),
    ],
    ids=lambda value: getattr(value, "status", ""),
)
def test_a_video_s_states(task: Any, expected: tuple[Any, ...]) -> None:
    answer = video(task, VIEW)
    names = ("status", "progress", "completed_at", "metadata", "error")
    assert tuple(answer[name] for name in names) == expected


def test_a_video_of_another_dialect_s_task_and_as_data() -> None:
    other = replace(SUCCEEDED, dialect="imini", model="kling-v2-6", extra={})
    assert video(other, VIEW)["model"] == "kling-v2-6"
    assert video(other, replace(VIEW, urls={"video": "data:x"}))["metadata"] == {"url": "data:x"}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (SUBMITTED, "submitted"),
        (replace(SUBMITTED, status=Status.PROCESSING), "processing"),
        (FAILED, "failed"),
        (replace(SUCCEEDED, files_deleted_at=END + timedelta(days=30)), "deleted"),
    ],
    ids=["submitted", "processing", "failed", "deleted"],
)
def test_no_content_where_there_is_no_video(task: Any, words: str) -> None:
    response = SmallService(tasks=Tasks(found=task)).ask("GET", "/v1/videos/1/content")
    assert fault_of(response) == (400, 1201)
    assert words in response.json()["message"]


def test_each_code_of_the_service_has_a_row() -> None:
    assert set(ROWS) == SERVICE_CODES
    differing = {code for code in ROWS if ROWS[code] != kling_errors.ROWS[code]}
    assert differing == {"model_unknown"}


@pytest.mark.parametrize("code", sorted(SERVICE_CODES))
def test_the_form_of_each_error(code: str) -> None:
    error = UnderstudyError(code, "It was so.", fix="Do this.")
    status, body = powertokens_error(error, "some-id")
    assert (status, body["code"]) == ROWS[code]
    assert body["request_id"] == "some-id"
    assert body["error"]["message"] == body["message"]
    assert (body["error"]["param"], body["error"]["code"]) == (None, code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("auth_missing", "authentication_error"),
        ("auth_invalid", "authentication_error"),
        ("dialect_off", "permission_error"),
        ("balance_used_up", "insufficient_quota"),
        ("too_many_tasks", "rate_limit_error"),
        ("field_invalid", "invalid_request_error"),
        ("task_unknown", "invalid_request_error"),
        ("internal", "server_error"),
        ("maintenance", "server_error"),
    ],
)
def test_the_kind_of_an_error(code: str, kind: str) -> None:
    assert (
        powertokens_error(UnderstudyError(code, "It was so.", fix="Do this."), "id")[1]["error"]["type"]
        == kind
    )


def test_what_is_inside_stays_inside() -> None:
    body = powertokens_error(UnavailableError("unavailable", "s3://secret", fix="secret"), "id")[1]
    assert "secret" not in json.dumps(body)
    unknown = powertokens_error(UnderstudyError("new_code", "/secret", fix="secret"), "id")[1]
    assert "secret" not in json.dumps(unknown)
    assert unknown["error"]["code"] == "server_error"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TaskError("task_unknown", "There is none.", fix="Look again."), 400, 1201),
        (AccountError("balance_used_up", "too little", fix="pay"), 429, 1102),
        (AccountError("too_many_tasks", "so many", fix="wait"), 429, 1303),
        (UnavailableError("maintenance", "We tidy up.", fix="Come again."), 503, 5001),
        (RuntimeError("/secret"), 500, 5000),
    ],
    ids=repr,
)
def test_errors_of_every_path(error: Exception, status: int, code: int) -> None:
    service = SmallService(tasks=Tasks(error=error))
    answers = [service.ask("POST", PATH, json.dumps(BODY))]
    answers += [
        service.ask("GET", path) for path in (f"{PATH}/1", "/v1/videos/1", "/kling/v1/videos/1/content")
    ]
    assert [fault_of(answer) for answer in answers] == [(status, code)] * 4
    assert not any("secret" in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/kling", 404, 1203),
        ("GET", "/kling/v1/videos/some", 404, 1203),
        ("GET", "/kling/v1/videos/text2video", 404, 1203),
        ("GET", "/v1/videos/1/other", 404, 1203),
        ("DELETE", "/v1/videos/1", 405, 1202),
        ("DELETE", f"{PATH}/1", 405, 1202),
        ("POST", f"{PATH}", 400, 1200),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int, code: int) -> None:
    response = SmallService().ask(method, path)
    if path == "/v1/videos/1/other":  # Kling's room
        assert (response.status_code, response.json()["code"]) == (status, code)
    else:
        assert fault_of(response) == (status, code)


def test_switched_off_it_says_so_and_kling_stays() -> None:
    service = SmallService(Settings(data_dir=Path("/nowhere"), dialects=("kling",)))
    assert fault_of(service.ask("POST", PATH, json.dumps(BODY))) == (403, 1103)
    assert service.ask("POST", PATH.removeprefix("/kling"), json.dumps(BODY)).status_code == 200


def test_the_routes_are_described_as_they_are() -> None:
    told = POWERTOKENS.description()
    schemas = {**DIALECTS["kling"].description().schemas, **told.schemas}
    video_path = "/kling/v1/videos/{task_id}"
    assert set(told.paths) == {PATH, f"{PATH}/{{task_id}}", video_path, f"{video_path}/content"}
    for methods in told.paths.values():
        for operation in methods.values():
            assert operation["tags"] == ["PowerTokens"]
            assert operation["operationId"].startswith("powertokens_")
            error = powertokens_error(TaskError("task_unknown", "There is none.", fix="Look."), "id")[1]
            form = operation["responses"]["400"]["content"]["application/json"]["schema"]
            assert fits(error, form, schemas)
            assert not fits({**error, "data": {}}, form, schemas)
    form = told.paths[video_path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    for task in (SUBMITTED, SUCCEEDED, FAILED):
        assert fits(video(task, VIEW), form, schemas)
    create = told.paths[PATH]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/PowerTokensNewTask"
    )
    assert "404" not in create["responses"]
    new_task = schemas["PowerTokensNewTask"]
    assert tuple(new_task["properties"]) == FIELDS
    assert set(new_task["required"]) == set(BODY)
    decode_create(call(new_task["examples"][0]), "puppet")


def test_callbacks_are_kling_s() -> None:
    change = StatusChange(Status.SUCCEED, "", END)
    task = replace(SUCCEEDED, dialect="powertokens", output=replace(OUTPUT, watermark_key=None))
    body = POWERTOKENS.encode_callback(task, change, LINKS)
    assert body == DIALECTS["kling"].encode_callback(task, change, LINKS)
    assert json.loads(body)["task_status"] == "succeed"


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSONS), st.booleans())
def test_any_object_is_read_or_refused_in_words(body: dict[str, Any], least: bool) -> None:
    try:
        decoded = decode_create(call(BODY | body if least else body), "puppet")
    except FormError as error:
        status, answer = powertokens_error(error, "id")
        assert (status, answer["code"]) in {(400, 1200), (400, 1201)}
        assert written(answer)
    else:
        assert decoded.submission.model == "kling-v3"


def test_the_page_has_every_row_and_field() -> None:
    text = (Path(__file__).parents[2] / "docs" / "powertokens.md").read_text(encoding="utf-8")
    kinds = {powertokens_error(UnderstudyError(code, "", fix=""), "id")[1]["error"]["type"] for code in ROWS}
    for word in (*FIELDS, *kinds, *video(SUBMITTED, VIEW), *(str(status) for status, _ in ROWS.values())):
        assert word in text, word
