"""Kie's part of the API's document says what the code does."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from kie_examples import FAIL, LEAST, LEAST_INPUT, SUCCESS, WAITING
from kling_examples import LINKS

from understudy.errors import FormError, TaskError
from understudy.server.api_page import curl
from understudy.server.dialects.kie_answers import created, envelope, recorded
from understudy.server.dialects.kie_description import description
from understudy.server.dialects.kie_errors import ROWS, kie_error
from understudy.server.dialects.kie_form import FIELDS, INPUT_FIELDS, decode_create
from understudy.server.dialects.kie_id import NAMES
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks.prices import MODELS

TOLD = description()
SCHEMAS = TOLD.schemas
NULLS = {"resultJson", "costTime", "completeTime", "creditsConsumed"}  # before the end


def fits(value: Any, schema: Any) -> None:
    """The value has the keys and types that the schema tells, and no others; an enumeration has its word."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
    assert isinstance(value, kinds[schema["type"]]), schema
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, each in value.items():
            if each is not None:
                fits(each, schema["properties"][name])
            else:
                assert name in NULLS


def test_every_endpoint_is_described_once_under_its_tag() -> None:
    described = {(method.upper(), path) for path, methods in TOLD.paths.items() for method in methods}
    assert described == {(one.method, one.path) for one in DIALECTS["kie"].endpoints()}
    operations = [operation for methods in TOLD.paths.values() for operation in methods.values()]
    assert {tag for operation in operations for tag in operation["tags"]} == {"Kie"}
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps([TOLD.paths, SCHEMAS])))
    assert names == set(SCHEMAS)


def test_answers_are_as_described() -> None:
    create = TOLD.paths["/api/v1/jobs/createTask"]["post"]["responses"]["200"]
    query = TOLD.paths["/api/v1/jobs/recordInfo"]["get"]["responses"]["200"]
    fits(envelope(created(WAITING)), create["content"]["application/json"]["schema"])
    for task in (WAITING, SUCCESS, FAIL):
        fits(envelope(recorded(task, LINKS)), query["content"]["application/json"]["schema"])
    fits(envelope(60.62), SCHEMAS["KieCredits"])
    assert set(kie_error(TaskError("task_unknown", "x", fix="y"))) == {"code", "msg", "data"}
    for code in set(ROWS.values()):
        assert str(code) in create["description"], code


def test_the_page_s_line_for_a_form_has_all_that_is_required() -> None:
    path = "/api/file-stream-upload"
    (line,) = curl("POST", path, TOLD.paths[path]["post"], SCHEMAS, "https://m.example")
    words = shlex.split(line)
    assert {words[at + 1] for at, word in enumerate(words) if word == "-F"} == {
        "uploadPath=images",
        "file=@file",
    }


def test_the_body_is_as_described() -> None:
    body, given = SCHEMAS["KieNewTask"], SCHEMAS["KieInput"]
    assert tuple(body["properties"]) == FIELDS
    assert tuple(given["properties"]) == INPUT_FIELDS
    decode_create(body["examples"][0], engine="puppet")
    for name in body["required"]:
        with pytest.raises(FormError, match=name):
            decode_create({key: value for key, value in LEAST.items() if key != name}, engine="puppet")
    for name in given["required"]:
        without = {key: value for key, value in LEAST_INPUT.items() if key != name}
        with pytest.raises(FormError, match=name):
            decode_create(LEAST | {"input": without}, engine="puppet")
    for name, field in given["properties"].items():
        assert field["description"], name
        if "enum" in field:
            for word in set(field["enum"]) - {"input_video"}:
                decode_create(LEAST | {"input": LEAST_INPUT | {name: word}}, engine="puppet")
            with pytest.raises(FormError, match=name):
                decode_create(LEAST | {"input": LEAST_INPUT | {name: "another"}}, engine="puppet")
        if "maxLength" in field:
            long = "x" * (field["maxLength"] + 1)
            with pytest.raises(FormError, match=name):
                decode_create(LEAST | {"input": LEAST_INPUT | {name: long}}, engine="puppet")


def test_every_model_that_has_a_price_has_a_name() -> None:
    assert set(NAMES) == set(MODELS)
