"""The routes of Kling's API 2.0 in the whole application, over the service's parts in memory."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from kling_examples import FAILED, SUBMITTED, SUCCEEDED
from small_service import Tasks
from test_kling2_form import ELEMENT, IMAGE, LEAST, PROMPT, VIDEO
from test_kling_routes import Server, refused

from understudy.config import Settings
from understudy.errors import AccountError, FormError, UnavailableError
from understudy.server.api_page import api_page
from understudy.server.dialects.kling2_form import MODELS
from understudy.server.dialects.kling2_window import TASKS as DIMENSIONS
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks.task import Task
from understudy.tasks.window import Place, Window

CREATE = "/motion-control/kling-3.0"
JWT = "Bearer e30.e30.c2ln"


@dataclass
class SeveralTasks(Tasks):
    """``made``, newest first."""

    made: list[Task] = field(default_factory=lambda: [SUBMITTED])

    async def several(self, account_id: int, names: list[str], *, external: bool = False) -> list[Task]:
        self.asked.append((account_id, names, external))
        if self.error is not None:
            raise self.error
        return self.made

    async def window(self, account_id: int, window: Window, most: int) -> list[Task]:
        self.asked.append((account_id, window, most))
        if self.error is not None:
            raise self.error
        at = 0 if window.behind is None else [task.id for task in self.made].index(window.behind.task_id) + 1
        return self.made[at : at + most]


def server(*made: Task, error: Exception | None = None, **settings: Any) -> Server:
    tasks = SeveralTasks(made=list(made) or [SUBMITTED], error=error)
    return Server(Settings(data_dir=Path("/nowhere"), **settings), tasks)


@pytest.mark.parametrize("model", MODELS)
def test_create(model: str) -> None:
    its = server()
    body = json.dumps({**LEAST, "options": {"external_task_id": "mine"}})
    response, answer = its.ask("POST", f"/motion-control/{model}", body, idempotency_key="once")
    assert answer["message"] == "SUCCEED"
    assert answer["data"] == {
        "id": str(SUBMITTED.id),
        "status": "submitted",
        "create_time": 1795262400123,
        "update_time": 1795262400123,
        "external_id": "mine",
    }
    (submission,) = its.tasks.submitted
    assert (submission.dialect, submission.model, submission.engine) == ("kling-2", MODELS[model], "puppet")
    assert submission.idempotency is not None
    assert "understudy-notes" not in response.headers


def test_the_model_in_the_path_is_a_part_of_what_an_idempotency_key_stands_for() -> None:
    its = server()
    for model in MODELS:
        its.ask("POST", f"/motion-control/{model}", json.dumps(LEAST), idempotency_key="once")
    first, second = (one.idempotency for one in its.tasks.submitted)
    assert first is not None
    assert second is not None
    assert first.body_sha256 != second.body_sha256


def test_what_nobody_acts_on_is_told_in_the_header() -> None:
    body = {"contents": [IMAGE, VIDEO, PROMPT], "settings": LEAST["settings"], "mode": "std"}
    response, _ = server().ask("POST", CREATE, json.dumps(body))
    assert response.headers["understudy-notes"] == 'unknown_key;name="mode", left_out;name="prompt"'


def test_an_element_is_the_account_s_to_have() -> None:
    its = server()
    body = {**LEAST, "contents": [IMAGE, VIDEO, ELEMENT]}
    assert refused(its.ask("POST", CREATE, json.dumps(body))) == (200, 0)
    assert its.tasks.submitted[0].element_id == int(ELEMENT["element_id"])
    its.tasks.error = FormError("field_invalid", "There is no such element.", fix="Make it.")
    assert refused(its.ask("POST", CREATE, json.dumps(body))) == (400, 1201)
    assert refused(its.ask("POST", "/motion-control/kling-2.6", json.dumps(body))) == (400, 1201)
    assert len(its.tasks.submitted) == 1


def test_several_tasks() -> None:
    its = server(SUCCEEDED, FAILED)
    response, body = its.ask("GET", "/tasks?task_ids=9007199254740991,x&trace=1")
    assert [task["status"] for task in body["data"]] == ["succeeded", "failed"]
    assert its.tasks.asked == [(7, ["9007199254740991", "x"], False)]
    assert response.headers["understudy-notes"] == 'unknown_parameter;name="trace"'
    its.ask("GET", "/tasks?external_task_ids=order%207,%C3%A4")
    assert its.tasks.asked[1:] == [(7, ["order 7", "ä"], True)]
    assert refused(its.ask("GET", "/tasks")) == (400, 1201)
    assert refused(its.ask("GET", f"/tasks?task_ids={','.join('1' * 21)}")) == (400, 1201)
    assert refused(its.ask("GET", f"/tasks?task_ids={','.join('1' * 20)}")) == (200, 0)


def test_an_unknown_task_is_an_empty_answer() -> None:
    its = Server(tasks=SeveralTasks(made=[]))
    _, body = its.ask("GET", "/tasks?task_ids=0")
    assert (body["code"], body["data"]) == (0, [])


def test_one_task_tells_its_notes_and_comes_as_data_where_results_do() -> None:
    output = SUCCEEDED.output
    assert output is not None
    its = server(SUCCEEDED, result_links="data")
    its.storage.objects = {output.key: b"video", str(output.watermark_key): b"marked"}
    response, body = its.ask("GET", "/tasks?task_ids=1")
    (video,) = body["data"][0]["outputs"]
    assert video["url"] == "data:video/mp4;base64," + base64.b64encode(b"video").decode()
    assert base64.b64decode(video["watermark_url"].partition(",")[2]) == b"marked"
    assert response.headers["understudy-notes"] == 'left_out;name="prompt", left_out;name="limbs"'
    (video,) = its.ask("GET", "/tasks?task_ids=1,2")[1]["data"][0]["outputs"]
    assert video["url"].startswith("https://m.example/files/")


def test_pages_by_cursor() -> None:
    made = [replace(SUBMITTED, id=SUBMITTED.id - number) for number in range(5)]
    its = server(*made)
    seen, cursor = [], ""
    for _ in made:
        _, body = its.ask("POST", "/tasks", json.dumps({"limit": 2, "cursor": cursor}))
        page = body["data"]
        assert set(page) == {"result", "count", "next_cursor", "has_more"}
        assert page["count"] == len(page["result"])
        seen += [task["id"] for task in page["result"]]
        cursor, more = page["next_cursor"], page["has_more"]
        assert bool(cursor) == more
        if not more:
            break
    assert seen == [str(task.id) for task in made]
    asked: list[Any] = its.tasks.asked
    windows = [window for _, window, most in asked if most == 3]
    assert [window.behind for window in windows] == [
        None,
        Place(made[1].created_at, made[1].id),
        Place(made[3].created_at, made[3].id),
    ]
    assert len({(window.start, window.end) for window in windows}) == 1


def test_a_page_has_100_tasks_and_videos_alone() -> None:
    its = server(*[replace(SUBMITTED, id=10**15 + number) for number in range(101)])
    _, body = its.ask("POST", "/tasks", "{}")
    assert (body["data"]["count"], body["data"]["has_more"]) == (100, True)
    wanted = {"filters": [{"key": "product_type", "values": ["image", "try_on"]}]}
    response, body = its.ask("POST", "/tasks", json.dumps({**wanted, "trace": 1}))
    assert body["data"] == {"result": [], "count": 0, "next_cursor": "", "has_more": False}
    assert response.headers["understudy-notes"] == 'unknown_key;name="trace"'
    assert len(its.tasks.asked) == 1


def test_money_is_never_taken() -> None:
    empty = {"result": {"detail": [], "count": 0}, "next_cursor": "", "has_more": False}
    its = server()
    given = {"start_time": 5, "end_time": 7, "filters": [{"key": "api_key_name", "values": ["x"]}]}
    for body in ({}, given):
        assert its.ask("POST", "/account/billing/balance", json.dumps(body))[1]["data"] == empty
    assert refused(its.ask("POST", "/account/billing/balance", '{"limit":0}')) == (400, 1201)
    by_status = '{"filters":[{"key":"status","values":[]}]}'
    assert refused(its.ask("POST", "/account/billing/balance", by_status)) == (400, 1201)


def test_who_is_asking_comes_before_what_is_asked() -> None:
    its = server()
    for method, path in (
        ("POST", CREATE),
        ("GET", "/tasks"),
        ("POST", "/tasks"),
        ("GET", "/account/costs?end_time=x"),
    ):
        assert refused(its.ask(method, path, authorization="")) == (401, 1001)
        assert refused(its.ask(method, path, authorization="Bearer bad")) == (401, 1002)
    answer = its.ask("POST", CREATE, "{", authorization=JWT)
    assert refused(answer) == (401, 1002)
    assert "create an API key" in answer[1]["message"].replace("Create", "create")
    assert "AK/SK" not in its.ask("GET", "/account/costs", authorization=JWT)[1]["message"]
    assert its.tasks.asked == its.tasks.submitted == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/motion-control/kling-9", 404, 1203),
        ("POST", "/motion-control", 404, 1203),
        ("GET", CREATE, 405, 1202),
        ("DELETE", "/tasks", 405, 1202),
        ("GET", "/tasks/1", 404, 1203),
        ("GET", "/account", 404, 1203),
        ("GET", "/account/balance", 404, 1203),
        ("POST", "/account/costs", 405, 1202),
        ("POST", "http://test//tasks", 404, 1203),
    ],
)
def test_what_is_not_there_comes_as_an_envelope(method: str, path: str, status: int, code: int) -> None:
    assert refused(server().ask(method, path)) == (status, code)


def test_bodies_that_cannot_be_read() -> None:
    its = server()
    for path in (CREATE, "/tasks", "/account/billing/balance", "/account/billing/package"):
        for content in (b"", b"[]", b"{", b"\xff"):
            assert refused(its.ask("POST", path, content)) == (400, 1200)
        assert refused(its.ask("POST", path, b" " * (16 * 2**20 + 1))) == (413, 1200)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AccountError("too_many_tasks", "so many", fix="wait"), 429, 1303),
        (AccountError("balance_used_up", "too little", fix="pay"), 429, 1102),
        (FormError("external_id_taken", "It already exists.", fix="Choose another."), 400, 1201),
        (UnavailableError("maintenance", "The service is in maintenance.", fix="Wait."), 503, 5001),
        (UnavailableError("unavailable", "The database is at /secret.", fix="wait"), 503, 5001),
        (RuntimeError("/secret"), 500, 5000),
    ],
    ids=repr,
)
def test_every_error_comes_as_an_envelope(error: Exception, status: int, code: int) -> None:
    its = server(error=error)
    asked = (
        ("POST", CREATE, json.dumps(LEAST)),
        ("GET", "/tasks?task_ids=1", None),
        ("POST", "/tasks", "{}"),
    )
    for method, path, content in asked:
        answer = its.ask(method, path, content)
        assert refused(answer) == (status, code)
        assert "secret" not in answer[0].text


def test_it_can_be_switched_off_by_its_name() -> None:
    assert refused(server(dialects=("kling",)).ask("GET", "/tasks?task_ids=1")) == (403, 1103)
    assert refused(server(dialects=("kling-2",)).ask("GET", "/tasks?task_ids=1")) == (200, 0)


DESCRIBED = DIALECTS["kling-2"].description()


def fits(value: Any, schema: Any) -> None:
    """The value has the keys and types that the schema tells, and no others; an enumeration has its word."""
    if "$ref" in schema:
        schema = DESCRIBED.schemas[schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "number": float}
    assert type(value) is kinds[schema["type"]], schema
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"])
        for name, each in value.items():
            fits(each, schema["properties"][name])
    if isinstance(value, list):
        for each in value:
            fits(each, schema["items"])


def described(method: str, path: str, status: int = 200) -> Any:
    operation = DESCRIBED.paths[path][method.lower()]
    assert operation["tags"] == ["Kling API 2.0"]
    return operation["responses"][str(status)]["content"]["application/json"]["schema"]


def test_answers_are_as_the_page_tells_them() -> None:
    its = server(SUCCEEDED, FAILED, SUBMITTED)
    for model in MODELS:
        path = f"/motion-control/{model}"
        fits(its.ask("POST", path, json.dumps(LEAST))[1], described("POST", path))
        example = DESCRIBED.schemas[f"Kling2NewTask_{model}"]["examples"][0]
        assert refused(its.ask("POST", path, json.dumps(example))) == (200, 0)
        error = its.ask("POST", path, "{}")
        fits(error[1], described("POST", path, error[0].status_code))
    fits(its.ask("GET", "/tasks?task_ids=1,2")[1], described("GET", "/tasks"))
    fits(its.ask("POST", "/tasks", '{"limit":2}')[1], described("POST", "/tasks"))
    (example,) = DESCRIBED.schemas["Kling2Window"]["examples"]
    for path in ("/tasks", "/account/billing/balance"):
        assert refused(its.ask("POST", path, json.dumps(example))) == (200, 0)
    fits(its.ask("POST", "/account/billing/balance", "{}")[1], described("POST", "/account/billing/balance"))
    for status in (401, 403, 413, 429, 500, 503):
        described("POST", CREATE, status)


def test_the_page_names_every_endpoint_and_every_word() -> None:
    told = {(method.upper(), path) for path, methods in DESCRIBED.paths.items() for method in methods}
    assert told == {(one.method, one.path) for one in DIALECTS["kling-2"].endpoints()}
    words = json.dumps(DESCRIBED.schemas)
    assert set(DIMENSIONS[0].words) <= set(DESCRIBED.schemas["Kling2Task"]["properties"]["status"]["enum"])
    for reference in {part.split('"')[0] for part in words.split("#/components/schemas/")[1:]}:
        assert reference in DESCRIBED.schemas
    document = {
        "info": {"title": "t", "version": "1", "description": "d"},
        "components": {"schemas": dict(DESCRIBED.schemas)},
        "paths": dict(DESCRIBED.paths),
    }
    page = api_page(document, "https://motion.example")
    for path in DESCRIBED.paths:
        assert f"<code>{path}</code>" in page
