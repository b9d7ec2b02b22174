"""What the API's page says of ModelsLab's routes is what they answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from kling_examples import LINKS
from modelslab_examples import FAILED, LEAST, PROCESSING, SUBMITTED, SUCCEEDED

from understudy.errors import FormError, UnderstudyError
from understudy.server.api_page import api_page
from understudy.server.dialects.call import View
from understudy.server.dialects.modelslab_answers import answered
from understudy.server.dialects.modelslab_description import STATUSES
from understudy.server.dialects.modelslab_errors import ROWS, modelslab_error
from understudy.server.dialects.modelslab_form import FETCH_PATH, FIELDS, PATH, decode_create
from understudy.server.dialects.registry import DIALECTS
from understudy.tasks.task import Task

DESCRIBED = DIALECTS["modelslab"].description()
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
}


def fits(value: Any, schema: Any) -> None:
    """The value has the keys and types that the schema tells, and no others; an enumeration has its word."""
    if "$ref" in schema:
        schema = DESCRIBED.schemas[schema["$ref"].rpartition("/")[2]]
    if "type" in schema:
        assert type(value) in KINDS[schema["type"]], schema
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"])
        for name, each in value.items():
            fits(each, schema["properties"][name])
    if isinstance(value, list):
        for each in value:
            fits(each, schema["items"])


def schema_of(path: str, status: int) -> Any:
    answers = DESCRIBED.paths[path]["post"]["responses"]
    return answers[str(status)]["content"]["application/json"]["schema"]


@pytest.mark.parametrize("task", [SUBMITTED, PROCESSING, SUCCEEDED, FAILED], ids=lambda task: task.status)
def test_answers_are_described(task: Task) -> None:
    for path in (PATH, f"{FETCH_PATH}/{{id}}"):
        fits(answered(task, View(LINKS, "id", wait_s=3.0)), schema_of(path, 200))


def test_errors_are_described() -> None:
    for code, status in ROWS.items():
        if status in STATUSES:
            error = modelslab_error(UnderstudyError(code, "It was so.", fix="Do this."))
            paths = (PATH, f"{FETCH_PATH}/{{id}}")
            here = [path for path in paths if str(status) in DESCRIBED.paths[path]["post"]["responses"]]
            assert here, status
            fits(error[1], schema_of(here[0], status))
    assert set(ROWS.values()) - set(STATUSES) == {405}


def test_the_request_is_described() -> None:
    body = DESCRIBED.schemas["ModelsLabNewTask"]
    assert tuple(body["properties"]) == FIELDS
    decode_create(body["examples"][0], engine="puppet")
    for name in body["required"]:
        with pytest.raises(FormError, match=name):
            decode_create({key: value for key, value in LEAST.items() if key != name}, engine="puppet")
    optional = set(FIELDS) - set(body["required"]) - {"key"}
    decode_create(LEAST | dict.fromkeys(optional), engine="puppet")
    for name, described in body["properties"].items():
        assert described["description"], name
        for word in described.get("enum", ()):
            decode_create(LEAST | {name: word}, engine="puppet")
        if "maxLength" in described:
            with pytest.raises(FormError, match=name):
                decode_create(LEAST | {name: "x" * (described["maxLength"] + 1)}, engine="puppet")


def test_its_references_lead_somewhere_and_its_page_shows_both_routes() -> None:
    names = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps([DESCRIBED.paths, DESCRIBED.schemas]))
    assert set(names) <= set(DESCRIBED.schemas)
    document = {
        "info": {"title": "T", "version": "1", "description": ""},
        "components": {"schemas": DESCRIBED.schemas},
        "paths": DESCRIBED.paths,
    }
    page = api_page(document, "https://motion.example")
    assert f"https://motion.example{PATH}" in page
    assert f"https://motion.example{FETCH_PATH}/4503599627370496" in page
    assert "YOUR_API_KEY" not in page
