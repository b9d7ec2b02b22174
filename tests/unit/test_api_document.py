"""``docs/api.md`` and the API's page say what the code does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from kling_examples import LEAST, LINKS, SUBMITTED, SUCCEEDED

from understudy.errors import SERVICE_CODES, FormError, TaskError
from understudy.server.api_page import STYLE, api_page
from understudy.server.dialects.kling_answers import created, envelope, queried
from understudy.server.dialects.kling_errors import kling_error
from understudy.server.dialects.kling_form import FIELDS as KLING_FIELDS
from understudy.server.dialects.kling_form import PATH as KLING_PATH
from understudy.server.dialects.kling_form import decode_create
from understudy.server.errors_native import STATUS_OF_CODE
from understudy.server.native import router
from understudy.server.native_answers import ResultAnswer, TaskAnswer
from understudy.server.native_form import FIELDS, FILE_BYTES
from understudy.server.openapi import describe

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
APP = FastAPI()
APP.include_router(router)
DOCUMENT = describe(APP)


def test_the_table_of_errors() -> None:
    told = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.+) \|$", TEXT, re.MULTILINE)
        for code in re.findall(r"`([a-z_]+)`", codes)
    }
    assert told == STATUS_OF_CODE
    assert set(told) >= SERVICE_CODES


def test_every_field_is_told() -> None:
    for name in (*FIELDS, *FILE_BYTES, *ResultAnswer.model_fields, "queue_position", "time_left_s", "notes"):
        assert f"`{name}`" in TEXT, name
    assert set(TaskAnswer.model_fields) >= {"queue_position", "time_left_s", "notes", "deduction"}


def test_every_route_is_told() -> None:
    words = {word.split("?")[0] for line in TEXT.splitlines() for word in re.split(r"[\s`]+", line)}
    told = {re.sub(r"^\$SERVICE", "", word).replace("4503599627370496", "{id}") for word in words}
    assert {path for path in DOCUMENT["paths"] if path.startswith("/understudy")} <= told
    assert KLING_PATH in TEXT


def fits(value: Any, schema: Any) -> None:
    """The value has the keys and types that the schema tells, and no others; an enumeration has its word."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    assert type(value) is kinds[schema["type"]], schema
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"])
        for name, each in value.items():
            fits(each, schema["properties"][name])
    if isinstance(value, list):
        for each in value:
            fits(each, schema["items"])


def test_klings_routes_are_described_as_they_are() -> None:
    one = DOCUMENT["paths"][f"{KLING_PATH}/{{task_id}}"]["get"]
    listed, create = (DOCUMENT["paths"][KLING_PATH][method] for method in ("get", "post"))
    for operation, data in (
        (create, created(SUBMITTED)),
        (one, queried(SUBMITTED, LINKS)),
        (one, queried(SUCCEEDED, LINKS)),
        (listed, [queried(SUCCEEDED, LINKS)]),
    ):
        answers = operation["responses"]
        fits(envelope(data, "id"), answers["200"]["content"]["application/json"]["schema"])
        error = kling_error(TaskError("task_unknown", "There is none.", fix="Look."), "id")
        fits(error[1], answers[str(error[0])]["content"]["application/json"]["schema"])
        assert operation["security"]
    assert {"400", "401", "404", "413", "429", "500", "503"} <= set(create["responses"])
    body = DOCUMENT["components"]["schemas"]["KlingNewTask"]
    assert tuple(body["properties"]) == KLING_FIELDS
    decode_create(body["examples"][0], engine="puppet")
    for name in body["required"]:
        with pytest.raises(FormError, match=name):
            decode_create({key: value for key, value in LEAST.items() if key != name}, engine="puppet")
    for name, field in body["properties"].items():
        assert field["description"], name
        for word in field.get("enum", ()):
            decode_create(LEAST | {name: word}, engine="puppet")
        if "enum" in field:
            with pytest.raises(FormError, match=name):
                decode_create(LEAST | {name: "another"}, engine="puppet")
        if "maxLength" in field:
            with pytest.raises(FormError, match=name):
                decode_create(LEAST | {name: "x" * (field["maxLength"] + 1)}, engine="puppet")


def test_every_reference_of_the_document_leads_somewhere() -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)))
    assert names <= set(DOCUMENT["components"]["schemas"])


def test_the_page_has_every_operation_and_a_line_for_the_shell() -> None:
    page = api_page(DOCUMENT, "https://motion.example.com")
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert operation["summary"] in page
            assert f"<code>{path}</code>" in page
    lines = re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)
    assert len(lines) == sum(len(methods) for methods in DOCUMENT["paths"].values()) + 1  # two for a new task
    for line in lines:
        assert shlex.split(line)[0] == "curl"
    assert "<script" not in page
    assert "url(" not in STYLE
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert set(anchors) <= set(re.findall(r'id="([^"]+)"', page))


def test_what_a_document_says_is_escaped() -> None:
    hostile = {
        "info": {"title": "<b>", "version": '"', "description": "<script>`<i>`"},
        "components": {"schemas": {}},
        "paths": {},
    }
    page = api_page(hostile, "https://a.example/<x>")
    for tag in ("<b>", "<script>", "<i>", "<x>"):
        assert tag not in page
