"""The API's page says of the element library what its code does."""

from __future__ import annotations

from typing import Any

import pytest
from test_api_document import DOCUMENT, fits
from test_kling_elements import FAILED, LEAST, OLD, OLD_ELEMENTS, SUBMITTED, SUCCEEDED

from understudy.errors import FormError
from understudy.server.dialects.kling_answers import envelope
from understudy.server.dialects.kling_element_answers import (
    element_created,
    element_deleted,
    element_queried,
    old_element,
)
from understudy.server.dialects.kling_element_form import FIELDS, OLD_FIELDS, decode_new, decode_old
from understudy.server.dialects.kling_elements import (
    DELETE,
    ELEMENTS,
    OLD_DELETE,
    OLD_PRESETS,
    PRESETS,
    element_endpoints,
)

PATHS = DOCUMENT["paths"]


def test_every_endpoint_is_described() -> None:
    described = {
        (method.upper(), path.replace("{task_id}", "{name:rest}"))
        for path, methods in PATHS.items()
        for method in methods
    }
    assert {(one.method, one.path.removesuffix("/")) for one in element_endpoints()} <= described


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("post", ELEMENTS, element_created(SUBMITTED)),
        *(("get", f"{ELEMENTS}/{{task_id}}", element_queried(one)) for one in (SUBMITTED, SUCCEEDED, FAILED)),
        ("get", ELEMENTS, [element_queried(SUCCEEDED)]),
        ("get", PRESETS, []),
        ("post", DELETE, element_deleted(SUCCEEDED)),
        ("post", OLD_ELEMENTS, old_element(SUBMITTED)),
        ("get", f"{OLD_ELEMENTS}/{{task_id}}", old_element(SUCCEEDED)),
        ("get", OLD_ELEMENTS, [old_element(SUCCEEDED)]),
        ("get", OLD_PRESETS, []),
        ("post", OLD_DELETE, element_deleted(SUCCEEDED)),
    ],
)
def test_answers_are_as_described(method: str, path: str, data: Any) -> None:
    answers = PATHS[path][method]["responses"]
    fits(envelope(data, "id"), answers["200"]["content"]["application/json"]["schema"])
    assert {"400", "401"} <= set(answers)


@pytest.mark.parametrize(
    ("schema", "fields", "least", "decode"),
    [("KlingNewElement", FIELDS, LEAST, decode_new), ("KlingOldNewElement", OLD_FIELDS, OLD, decode_old)],
)
def test_the_body_is_as_described(
    schema: str, fields: tuple[str, ...], least: dict[str, Any], decode: Any
) -> None:
    body = DOCUMENT["components"]["schemas"][schema]
    assert set(body["properties"]) == set(fields)
    decode(body["examples"][0])
    for name in body["required"]:
        with pytest.raises(FormError, match=name):
            decode({key: value for key, value in least.items() if key != name})
    for name, field in body["properties"].items():
        assert field["description"], name
        if "maxLength" in field:
            with pytest.raises(FormError, match=name):
                decode(least | {name: "x" * (field["maxLength"] + 1)})
