"""Kling's element library: each field to what it means, each state to its answer, and its routes."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kling_examples import END, MADE, MADE_MS, PNG
from small_service import ACCOUNT
from test_kling_routes import Server

from understudy.errors import FormError, TaskError
from understudy.server.dialects.element_id import element_id
from understudy.server.dialects.kling_element_answers import (
    element_created,
    element_deleted,
    element_queried,
    old_element,
)
from understudy.server.dialects.kling_element_form import (
    FIELDS,
    OLD_FIELDS,
    TAGS,
    decode_delete,
    decode_new,
    decode_old,
)
from understudy.server.dialects.kling_elements import (
    DELETE,
    ELEMENTS,
    OLD_DELETE,
    OLD_ELEMENTS,
    OLD_PRESETS,
    PRESETS,
)
from understudy.server.dialects.kling_errors import kling_error
from understudy.server.dialects.notes import Note
from understudy.tasks.element import Element, NewElement, Reference
from understudy.tasks.submission import Inline, Link, Stored
from understudy.tasks.task import Status

FRONT, SIDE, BACK = (f"https://media.example/{name}.png" for name in ("front", "side", "back"))
CLIP = "https://media.example/turn.mp4"
INLINE = base64.b64encode(PNG).decode()
LEAST: dict[str, Any] = {
    "element_name": "Mina",
    "element_description": "A dancer",
    "reference_type": "image_refer",
    "element_image_list": {"frontal_image": FRONT, "refer_images": [{"image_url": SIDE}]},
}
OLD: dict[str, Any] = {
    "element_name": "Mina",
    "element_description": "A dancer",
    "element_frontal_image": FRONT,
    "element_refer_list": [{"image_url": SIDE}],
}
OF_VIDEO: dict[str, Any] = {
    "element_name": "Mina",
    "element_description": "A dancer",
    "reference_type": "video_refer",
    "element_video_list": {"refer_videos": [{"video_url": CLIP}]},
}
NEW = NewElement("Mina", "A dancer", Reference.IMAGES, (Link(FRONT), Link(SIDE)))


def pictures(*urls: object, frontal: object = FRONT) -> dict[str, Any]:
    return {
        "element_image_list": {"frontal_image": frontal, "refer_images": [{"image_url": url} for url in urls]}
    }


def test_the_tables_name_every_field() -> None:
    assert set(LEAST) | set(OF_VIDEO) <= set(FIELDS)
    assert set(OLD) <= set(OLD_FIELDS)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, NEW),
        ({"element_name": "x" * 20}, replace(NEW, name="x" * 20)),
        ({"element_description": "ä" * 100}, replace(NEW, description="ä" * 100)),
        (pictures(SIDE, BACK, CLIP), replace(NEW, sources=(Link(FRONT), Link(SIDE), Link(BACK), Link(CLIP)))),
        (pictures(SIDE, frontal=INLINE), replace(NEW, sources=(Inline(PNG), Link(SIDE)))),
        (pictures(INLINE), replace(NEW, sources=(Link(FRONT), Inline(PNG)))),
        ({"element_video_list": None}, NEW),
        ({"element_video_list": {}}, NEW),
        ({"element_voice_id": "voice 7"}, replace(NEW, voice_id="voice 7")),
        ({"element_voice_id": ""}, NEW),
        ({"tag_list": [{"tag_id": tag} for tag in TAGS]}, replace(NEW, tags=tuple(TAGS))),
        ({"tag_list": [{"tag_id": "o_102"}, {"tag_id": "o_102"}]}, replace(NEW, tags=("o_102",))),
        ({"tag_list": []}, NEW),
        ({"callback_url": ""}, NEW),
        ({"external_task_id": "mina 1"}, replace(NEW, external_task_id="mina 1")),
        ({"external_task_id": ""}, NEW),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_field_and_what_it_means(fields: dict[str, Any], expected: NewElement) -> None:
    assert decode_new(LEAST | fields) == (expected, ())
    assert decode_old(LEAST | fields) == (expected, ())  # the older path takes the newer form as well


def test_a_video_s_element() -> None:
    expected = NewElement("Mina", "A dancer", Reference.VIDEO, (Link(CLIP),))
    assert decode_new(OF_VIDEO) == (expected, ())
    assert decode_new(OF_VIDEO | {"element_image_list": {}}) == (expected, ())


def test_the_older_form() -> None:
    assert decode_old(OLD | {"tag_list": [{"tag_id": "o_103"}]}) == (replace(NEW, tags=("o_103",)), ())


def test_what_is_not_acted_on_is_told() -> None:
    new, notes = decode_new(LEAST | {"callback_url": "https://me.example/hook", "colour": 1})
    assert new == replace(NEW, callback_url="https://me.example/hook")
    assert notes == (Note("unknown_key", "colour"), Note("left_out", "callback_url"))


BAD_NEW: list[tuple[dict[str, Any], str]] = [
    *(({"element_name": value}, "element_name") for value in (None, "", "x" * 21, 7, "a\0")),
    *(({"element_description": value}, "element_description") for value in (None, "", "x" * 101, [])),
    *(({"reference_type": value}, "reference_type") for value in (None, "", "picture", 1)),
    *(({"element_image_list": value}, "element_image_list") for value in (None, {}, [], "x", {"a": 1})),
    (pictures(SIDE, frontal=""), "element_image_list.frontal_image"),
    (pictures(SIDE, frontal="data:image/png;base64," + INLINE), "element_image_list.frontal_image"),
    (pictures(SIDE, frontal="ftp://a/b"), "element_image_list.frontal_image"),
    (pictures(), "element_image_list.refer_images"),
    (pictures(SIDE, SIDE, SIDE, SIDE), "element_image_list.refer_images"),
    (pictures(SIDE, "no picture"), "element_image_list.refer_images[1].image_url"),
    (pictures(None), "element_image_list.refer_images[0].image_url"),
    *(
        (
            {"element_image_list": {"frontal_image": FRONT, "refer_images": value}},
            "element_image_list.refer_images",
        )
        for value in (None, "x", [1], [{"url": SIDE}], [{}])
    ),
    ({"element_video_list": {"refer_videos": [{"video_url": CLIP}]}}, "element_video_list"),
    *(({"element_voice_id": value}, "element_voice_id") for value in (7, "x" * 129)),
    *(
        ({"tag_list": value}, "tag_list")
        for value in ("o_101", {}, [1], [{"tag_id": "o_109"}], [{"id": "o_101"}])
    ),
    ({"tag_list": [{"tag_id": "o_101"}] * 9}, "tag_list"),
    ({"callback_url": "nowhere"}, "callback_url"),
    *(({"external_task_id": value}, "external_task_id") for value in (7, "x" * 257)),
    ({"element_nam": "x"}, "The body"),
]
BAD_VIDEO: list[tuple[dict[str, Any], str]] = [
    *(({"element_video_list": value}, "element_video_list") for value in (None, {}, [], {"videos": []})),
    ({"element_video_list": {"refer_videos": []}}, "element_video_list.refer_videos"),
    ({"element_video_list": {"refer_videos": [{"video_url": CLIP}] * 2}}, "element_video_list.refer_videos"),
    *(
        (
            {"element_video_list": {"refer_videos": [{"video_url": value}]}},
            "element_video_list.refer_videos[0].video_url",
        )
        for value in (None, "", 7, "AAAA")
    ),
    (pictures(SIDE), "element_image_list"),
]
BAD_OLD: list[tuple[dict[str, Any], str]] = [
    ({"element_frontal_image": None}, "element_frontal_image"),
    ({"element_refer_list": []}, "element_refer_list"),
    ({"element_refer_list": [{"image_url": 7}]}, "element_refer_list[0].image_url"),
    ({"element_name": "x" * 21}, "element_name"),
]


@pytest.mark.parametrize(
    ("decode", "body", "named"),
    [
        *((decode_new, LEAST | fields, named) for fields, named in BAD_NEW),
        *((decode_new, OF_VIDEO | fields, named) for fields, named in BAD_VIDEO),
        *((decode_old, OLD | fields, named) for fields, named in BAD_OLD),
        *(
            (decode_delete, {"element_id": value}, "element_id")
            for value in (None, "", "x", 1.5, True, -1, "1" * 20)
        ),
    ],
    ids=lambda value: ascii(value)[:50] if isinstance(value, str) else "",
)
def test_a_wrong_value_is_1201_and_names_its_field(decode: Any, body: dict[str, Any], named: str) -> None:
    with pytest.raises(FormError) as caught:
        decode(body)
    status, answer = kling_error(caught.value, "id")
    assert (status, answer["code"]) == (400, 1201)
    assert answer["message"].startswith(named)
    assert caught.value.limit
    assert len(answer["message"]) < 700


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from((*FIELDS, *OLD_FIELDS, "element_id")), JSON),
    st.sampled_from([LEAST, OF_VIDEO, {}]),
)
def test_any_json_is_read_or_refused_in_words(fields: dict[str, Any], base: dict[str, Any]) -> None:
    for decode in (decode_new, decode_old, decode_delete):
        try:
            decode(base | fields)
        except FormError as error:
            json.dumps(kling_error(error, "id"))


@pytest.mark.parametrize("value", [829836802793406551, "829836802793406551", 0, "007"])
def test_ids_are_numbers_or_texts_of_digits(value: Any) -> None:
    assert element_id("element_id", value) == int(value)


SUBMITTED = Element(
    id=999_999_999_999_999,
    task_id=9007199254740991,
    account_id=7,
    external_task_id="mina 1",
    name="Mina",
    description="A dancer",
    reference=Reference.IMAGES,
    sources=(Link(FRONT), Stored("elements/1/given/2")),
    voice_id="voice 7",
    tags=("o_102",),
    callback_url=None,
    status=Status.SUBMITTED,
    status_msg="",
    error_code=None,
    fix=None,
    tries=0,
    views=(),
    created_at=MADE,
    updated_at=MADE,
    ended_at=None,
    deleted_at=None,
)
SUCCEEDED = replace(
    SUBMITTED, status=Status.SUCCEED, updated_at=END, ended_at=END, views=(Stored("a"), Stored("b"))
)
FAILED = replace(
    SUBMITTED,
    status=Status.FAILED,
    status_msg="It is too small.",
    fix="Use a larger one.",
    updated_at=END,
    ended_at=END,
)
SHOWN = {
    "element_id": 999_999_999_999_999,
    "element_name": "Mina",
    "element_description": "A dancer",
    "reference_type": "image_refer",
    "element_image_list": {"frontal_image": FRONT, "refer_images": [{"image_url": ""}]},
    "element_video_list": {},
    "element_voice_info": {"voice_id": "voice 7", "voice_name": "", "trial_url": "", "owned_by": ""},
    "tag_list": [{"tag_id": "o_102", "tag_name": "Character"}],
    "owned_by": "7",
    "status": "succeed",
}


def test_the_answer_to_a_creation() -> None:
    expected = {
        "task_id": "9007199254740991",
        "task_info": {"external_task_id": "mina 1"},
        "task_status": "submitted",
        "created_at": MADE_MS,
        "updated_at": MADE_MS,
    }
    assert element_created(SUBMITTED) == element_created(SUCCEEDED) == expected
    assert element_created(replace(SUBMITTED, external_task_id=None))["task_info"] == {}


@pytest.mark.parametrize(
    ("element", "status", "message", "shown", "deduction"),
    [
        (SUBMITTED, "submitted", "", [], None),
        (replace(SUBMITTED, status=Status.PROCESSING), "processing", "", [], None),
        (SUCCEEDED, "succeed", "", [SHOWN], "0"),
        (FAILED, "failed", "It is too small. Use a larger one.", [], "0"),
        (
            replace(SUCCEEDED, deleted_at=END + timedelta(1)),
            "succeed",
            "",
            [SHOWN | {"status": "deleted"}],
            "0",
        ),
    ],
    ids=["submitted", "processing", "succeed", "failed", "deleted"],
)
def test_the_answer_to_a_query(
    element: Element, status: str, message: str, shown: list[Any], deduction: str | None
) -> None:
    answer = element_queried(element)
    assert (answer["task_id"], answer["task_status"], answer["task_status_msg"]) == (
        "9007199254740991",
        status,
        message,
    )
    assert answer["task_result"] == {"elements": shown}
    assert answer.get("final_unit_deduction") == deduction
    assert answer["created_at"] == MADE_MS


def test_a_video_s_element_and_one_without_voice_and_tags() -> None:
    element = replace(SUCCEEDED, reference=Reference.VIDEO, sources=(Link(CLIP),), voice_id=None, tags=())
    assert element_queried(element)["task_result"]["elements"] == [
        SHOWN
        | {
            "reference_type": "video_refer",
            "element_image_list": {},
            "element_video_list": {"refer_videos": [{"video_url": CLIP}]},
            "element_voice_info": {},
            "tag_list": [],
        }
    ]
    assert (old_element(element)["element_frontal_image"], old_element(element)["element_refer_list"]) == (
        "",
        [],
    )


def test_an_uploaded_file_is_answered_by_the_link_that_was_sent() -> None:
    element = replace(SUCCEEDED, sources=(Stored("elements/1/given/1", FRONT), Stored("b", SIDE)))
    (shown,) = element_queried(element)["task_result"]["elements"]
    assert shown["element_image_list"] == {"frontal_image": FRONT, "refer_images": [{"image_url": SIDE}]}
    assert old_element(element)["element_frontal_image"] == FRONT
    video = replace(SUCCEEDED, reference=Reference.VIDEO, sources=(Stored("a", CLIP),))
    (shown,) = element_queried(video)["task_result"]["elements"]
    assert shown["element_video_list"] == {"refer_videos": [{"video_url": CLIP}]}


def test_the_older_answer_has_the_element_at_once() -> None:
    assert old_element(SUBMITTED) == {
        "element_id": 999_999_999_999_999,
        "element_name": "Mina",
        "element_description": "A dancer",
        "element_frontal_image": FRONT,
        "element_refer_list": [{"image_url": ""}],
        "tag_list": [{"id": "o_102", "name": "Character", "description": ""}],
        "owned_by": "7",
        "task_id": "9007199254740991",
        "task_status": "submitted",
        "task_status_msg": "",
    }


@dataclass
class Library:
    """The service's library, as far as routes ask it."""

    asked: list[object] = field(default_factory=list)
    error: Exception | None = None

    async def create(self, account: object, new: NewElement) -> Element:
        return self._told("create", account, new)

    async def find(self, account_id: int, name: str) -> Element:
        return self._told("find", account_id, name)

    async def page(self, account_id: int, number: int, size: int) -> list[Element]:
        return [self._told("page", account_id, number, size)] * 2

    async def delete(self, account_id: int, number: int) -> Element:
        return self._told("delete", account_id, number)

    def _told(self, *asked: object) -> Element:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
        return SUCCEEDED


@pytest.mark.parametrize(
    ("method", "path", "body", "asked", "data"),
    [
        ("POST", ELEMENTS, LEAST, ("create", ACCOUNT, NEW), element_created(SUCCEEDED)),
        ("POST", f"{ELEMENTS}/", LEAST, ("create", ACCOUNT, NEW), element_created(SUCCEEDED)),
        ("POST", OLD_ELEMENTS, OLD, ("create", ACCOUNT, NEW), old_element(SUCCEEDED)),
        ("GET", ELEMENTS, None, ("page", 7, 1, 30), [element_queried(SUCCEEDED)] * 2),
        (
            "GET",
            f"{ELEMENTS}?pageNum=2&pageSize=500",
            None,
            ("page", 7, 2, 500),
            [element_queried(SUCCEEDED)] * 2,
        ),
        ("GET", OLD_ELEMENTS, None, ("page", 7, 1, 30), [old_element(SUCCEEDED)] * 2),
        ("GET", f"{ELEMENTS}/mina%201%2F", None, ("find", 7, "mina 1/"), element_queried(SUCCEEDED)),
        (
            "GET",
            f"{OLD_ELEMENTS}/9007199254740991",
            None,
            ("find", 7, "9007199254740991"),
            old_element(SUCCEEDED),
        ),
        ("GET", PRESETS, None, None, []),
        ("GET", f"{OLD_PRESETS}?pageNum=1", None, None, []),
        ("POST", DELETE, {"element_id": 5}, ("delete", 7, 5), element_deleted(SUCCEEDED)),
        ("POST", OLD_DELETE, {"element_id": "5"}, ("delete", 7, 5), element_deleted(SUCCEEDED)),
    ],
    ids=str,
)
def test_each_route(method: str, path: str, body: Any, asked: object, data: object) -> None:
    library = Library()
    content = None if body is None else json.dumps(body)
    response, answer = Server(elements=library).ask(method, path, content)
    assert response.status_code == 200, answer
    assert answer["data"] == data
    assert library.asked == ([] if asked is None else [asked])
    denied, _ = Server(elements=library).ask(method, path, content, authorization="")
    assert denied.status_code == 401


def test_errors_have_the_envelope() -> None:
    unknown = TaskError("element_unknown", "There is no element 5.", fix="Look.")
    server = Server(elements=Library(error=unknown))
    for method, path, content in (
        ("GET", f"{ELEMENTS}/5", None),
        ("POST", DELETE, '{"element_id": 5}'),
        ("GET", f"{ELEMENTS}?pageNum=0", None),
        ("GET", f"{PRESETS}?pageSize=501", None),
        ("POST", ELEMENTS, "{}"),
    ):
        response, body = server.ask(method, path, content)
        assert (response.status_code, body["code"]) == (400, 1201)
    assert server.ask("POST", ELEMENTS, "[]")[1]["code"] == 1200
    assert server.ask("DELETE", ELEMENTS)[0].status_code == 405
