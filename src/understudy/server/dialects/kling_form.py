"""Kling's motion-control request: every field honoured or refused. Fields and limits: Kling's API reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from understudy.request import Mode, Orientation
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Decoded
from understudy.server.dialects.element_id import element_id
from understudy.server.dialects.fields import (
    URLS,
    choice,
    http_url,
    invalid,
    missing,
    model_word,
    optional_url,
    shown,
    text,
    unknown_keys,
)
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.inline_picture import inline_picture
from understudy.server.dialects.notes import UNKNOWN_KEY, UNKNOWN_PARAMETER, Note
from understudy.tasks.submission import Inline, Link, Source, Submission

DIALECT = "kling"
PATH = "/v1/videos/motion-control"
MODELS = ("kling-v2-6", "kling-v3")
FIELDS = (
    "model_name",
    "prompt",
    "image_url",
    "video_url",
    "element_list",
    "keep_original_sound",
    "character_orientation",
    "mode",
    "watermark_info",
    "callback_url",
    "external_task_id",
)
PROMPT_CHARACTERS = 2500
EXTERNAL_ID_CHARACTERS = 256
PAGE_NUMBERS, PAGE_SIZES = (1, 1000), (1, 500)


def decode_create(
    body: Mapping[str, Any],
    *,
    engine: str,
    dialect: str = DIALECT,
    models: Sequence[str] = MODELS,
    default_model: str | None = MODELS[0],
) -> Decoded:
    """The body of ``POST /v1/videos/motion-control``. ``models`` may be named; without a ``default_model`` one must be.
    Raises FormError (``field_missing``, ``field_invalid``, ``model_unknown``), for the first fault in the order of the
    fields above."""
    notes = unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")
    model = model_word(body, "model_name", models, default=default_model)
    prompt = text(body, "prompt", most=PROMPT_CHARACTERS)
    image = _image(body)
    video = _video(body)
    orientation = Orientation(choice(body, "character_orientation", tuple(Orientation)))
    element = _element(body, orientation)
    submission = Submission(
        dialect=dialect,
        model=model,
        engine=engine,
        image=image,
        video=video,
        orientation=orientation,
        mode=Mode(choice(body, "mode", tuple(Mode))),
        sound=choice(body, "keep_original_sound", ("yes", "no"), default="yes") == "yes",
        watermark=_watermark(body),
        prompt=prompt,
        callback_url=optional_url(body, "callback_url"),
        external_task_id=text(body, "external_task_id", most=EXTERNAL_ID_CHARACTERS) or None,
        element_id=element,
    )
    return Decoded(submission, notes)


def decode_page(call: Call) -> tuple[int, int, tuple[Note, ...]]:
    """``pageNum`` and ``pageSize`` of a list's address. Raises FormError (``field_invalid``)."""
    given: dict[str, str] = {}
    for name, value in call.query:
        if name in given:
            raise invalid(name, "given twice", "one value")
        given[name] = value
    notes = unknown_keys(given, ("pageNum", "pageSize"), kind=UNKNOWN_PARAMETER, what="The address")
    return _whole(given, "pageNum", PAGE_NUMBERS, 1), _whole(given, "pageSize", PAGE_SIZES, 30), notes


def _whole(given: Mapping[str, str], name: str, limits: tuple[int, int], default: int) -> int:
    value = given.get(name)
    if value is None:
        return default
    usable = value.isascii() and value.isdigit() and len(value) <= 9
    if not usable or not limits[0] <= int(value) <= limits[1]:
        raise invalid(name, shown(value), f"a whole number from {limits[0]} to {limits[1]}")
    return int(value)


def _image(body: Mapping[str, Any]) -> Source:
    value = body.get("image_url")
    if value is None or value == "":
        raise missing("image_url", PICTURES)
    return picture("image_url", value)


def picture(name: str, value: object) -> Link | Inline:
    """A picture by link or in base64. ``name`` is the field's. Raises FormError (``field_invalid``)."""
    if not isinstance(value, str):
        raise invalid(name, shown(value), PICTURES)
    if "://" in value[:32]:  # which base64 never has
        return Link(http_url(name, value))
    return Inline(inline_picture(name, value))


def _video(body: Mapping[str, Any]) -> Link:
    value = body.get("video_url")
    if value is None or value == "":
        raise missing("video_url", URLS)
    return Link(http_url("video_url", value))


def _watermark(body: Mapping[str, Any]) -> bool:
    value = body.get("watermark_info")
    allowed = '{"enabled": true} or {"enabled": false}'
    if value is None:
        return False
    if not isinstance(value, Mapping):
        raise invalid("watermark_info", shown(value), allowed)
    for key in value:
        if key != "enabled":
            raise invalid("watermark_info", f"an object with the key {shown(key)}", allowed)
    if "enabled" not in value:
        raise missing("watermark_info.enabled", "true, false")
    if not isinstance(value["enabled"], bool):
        raise invalid("watermark_info.enabled", shown(value["enabled"]), "true, false")
    return value["enabled"]


def _element(body: Mapping[str, Any], orientation: Orientation) -> int | None:
    """The id of the one element in the list. Whether it is the account's, the library knows."""
    elements = body.get("element_list")
    allowed = 'an array of at most one {"element_id": number}'
    if elements is None or elements == []:
        return None
    if not isinstance(elements, list) or len(elements) > 1:
        raise invalid("element_list", shown(elements), allowed)
    (element,) = elements
    if not isinstance(element, Mapping):
        raise invalid("element_list[0]", shown(element), '{"element_id": number}')
    for key in element:
        if key != "element_id":
            raise invalid("element_list[0]", f"an object with the key {shown(key)}", '{"element_id": number}')
    name = "element_list[0].element_id"
    number = element_id(name, element.get("element_id"))
    if orientation is not Orientation.VIDEO:
        raise invalid(
            "character_orientation",
            "'image' beside an element",
            "'video' where element_list is used",
            fix="Leave element_list out, or use the video's orientation.",
        )
    return number
