"""The native API's new element: each field to what it means, and a task that names one."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kling_examples import PNG
from test_native_form import LINKS, read, refused

from understudy.errors import FormError
from understudy.server.errors_native import status_of
from understudy.server.native_element_form import EXAMPLE, FIELDS, decode_element
from understudy.tasks.element import NewElement, Reference
from understudy.tasks.submission import Inline, Link

FRONT, SIDE = "https://media.example/front.png", "https://media.example/side.png"
LEAST: dict[str, Any] = {"name": "Mina", "images": [FRONT]}
ONE = NewElement("Mina", "", Reference.IMAGES, (Link(FRONT),))
OF_VIDEO = {"name": "Mina", "video_url": "https://media.example/turn.mp4"}


def decoded(fields: Any) -> NewElement:
    return decode_element(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (LEAST, ONE),
        (LEAST | {"description": "A dancer"}, replace(ONE, description="A dancer")),
        (LEAST | {"external_id": "mina 1"}, replace(ONE, external_task_id="mina 1")),
        (LEAST | {"images": [FRONT, SIDE] * 2}, replace(ONE, sources=(Link(FRONT), Link(SIDE)) * 2)),
        (LEAST | {"images": [base64.b64encode(PNG).decode()]}, replace(ONE, sources=(Inline(PNG),))),
        (LEAST | {"video_url": None, "description": None, "external_id": ""}, ONE),
        (OF_VIDEO, replace(ONE, reference=Reference.VIDEO, sources=(Link(OF_VIDEO["video_url"]),))),
    ],
    ids=str,
)
def test_a_field_and_what_it_means(fields: dict[str, Any], expected: NewElement) -> None:
    assert decoded(fields) == expected


def test_the_example_is_good() -> None:
    decoded(EXAMPLE)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        *(({"name": value}, "name") for value in (None, "", "x" * 21, 7)),
        ({"description": "x" * 101}, "description"),
        *(({"images": value}, "images") for value in (None, [], "x", [FRONT] * 5, [7], ["no picture"])),
        ({"video_url": "https://media.example/turn.mp4"}, "video_url"),
        ({"images": None, "video_url": "AAAA"}, "video_url"),
        ({"external_id": "x" * 257}, "external_id"),
        ({"tags": []}, "The body"),
    ],
    ids=str,
)
def test_a_wrong_value_names_its_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(FormError) as caught:
        decoded(LEAST | fields)
    assert caught.value.message.startswith(named)
    assert status_of(caught.value) == 422
    assert caught.value.limit


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, "other"]), JSON), st.sampled_from([LEAST, OF_VIDEO, {}]))
def test_any_json_is_read_or_refused(fields: dict[str, Any], base: dict[str, Any]) -> None:
    with suppress(FormError):  # any other exception fails
        decoded(base | fields)


@pytest.mark.parametrize(
    ("given_id", "expected"), [(123456789012345, 123456789012345), ("7", 7), (None, None), ("", None)]
)
def test_a_task_names_an_element(given_id: Any, expected: int | None) -> None:
    assert read({**LINKS, "element_id": given_id}).element_id == expected


@pytest.mark.parametrize("value", ["x", -1, 1.5, [], "1" * 20])
def test_what_is_no_element_id(value: Any) -> None:
    assert refused({**LINKS, "element_id": value}).message.startswith("element_id")


def test_an_element_wants_the_video_s_orientation() -> None:
    error = refused({**LINKS, "element_id": 5, "orientation": "image"})
    assert error.message.startswith("orientation")
