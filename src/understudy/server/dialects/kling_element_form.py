"""Requests to Kling's element library. Fields and limits: Kling's API reference, its new pages and its older ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.server.dialects.element_id import element_id
from understudy.server.dialects.fields import (
    URLS,
    choice,
    http_url,
    invalid,
    missing,
    optional_url,
    shown,
    text,
    unknown_keys,
)
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_form import EXTERNAL_ID_CHARACTERS, picture
from understudy.server.dialects.notes import LEFT_OUT, UNKNOWN_KEY, Note
from understudy.tasks.element import NewElement, Reference
from understudy.tasks.submission import Inline, Link

NAME_CHARACTERS, DESCRIPTION_CHARACTERS, VOICE_CHARACTERS = 20, 100, 128
MOST_REFERENCES = 3
TAGS = {
    "o_101": "Hottest",
    "o_102": "Character",
    "o_103": "Animal",
    "o_104": "Item",
    "o_105": "Costume",
    "o_106": "Scene",
    "o_107": "Effect",
    "o_108": "Others",
}
FIELDS = (
    "element_name",
    "element_description",
    "reference_type",
    "element_image_list",
    "element_video_list",
    "element_voice_id",
    "tag_list",
    "callback_url",
    "external_task_id",
)
OLD_FIELDS = (
    "element_name",
    "element_description",
    "element_frontal_image",
    "element_refer_list",
    "tag_list",
)

Decoded = tuple[NewElement, tuple[Note, ...]]


def decode_new(body: Mapping[str, Any]) -> Decoded:
    """The body of ``POST /v1/general/advanced-custom-elements``. Raises FormError (``field_missing``,
    ``field_invalid``), for the first fault in the order of the fields above."""
    notes = unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")
    name, description = _words(body)
    reference = Reference(choice(body, "reference_type", tuple(Reference)))
    sources = _pictures(body) if reference is Reference.IMAGES else _videos(body)
    other = "element_video_list" if reference is Reference.IMAGES else "element_image_list"
    if body.get(other) not in (None, {}):
        raise invalid(
            other,
            f"given beside the reference_type {reference.value!r}",
            "nothing there",
            fix="Leave it out, or choose the other reference_type.",
        )
    voice = text(body, "element_voice_id", most=VOICE_CHARACTERS) or None
    tags = _tags(body)
    called = optional_url(body, "callback_url")
    if called is not None:
        notes += (Note(LEFT_OUT, "callback_url"),)
    new = NewElement(
        name=name,
        description=description,
        reference=reference,
        sources=sources,
        voice_id=voice,
        tags=tags,
        callback_url=called,
        external_task_id=text(body, "external_task_id", most=EXTERNAL_ID_CHARACTERS) or None,
    )
    return new, notes


def decode_old(body: Mapping[str, Any]) -> Decoded:
    """The body of ``POST /v1/general/custom-elements``, in that path's older fields, or in the newer ones."""
    if "reference_type" in body or "element_image_list" in body:
        return decode_new(body)
    notes = unknown_keys(body, OLD_FIELDS, kind=UNKNOWN_KEY, what="The body")
    name, description = _words(body)
    frontal = _picture("element_frontal_image", body.get("element_frontal_image"))
    others = _references("element_refer_list", body.get("element_refer_list"))
    new = NewElement(
        name=name,
        description=description,
        reference=Reference.IMAGES,
        sources=(frontal, *others),
        tags=_tags(body),
    )
    return new, notes


def decode_delete(body: Mapping[str, Any]) -> tuple[int, tuple[Note, ...]]:
    """The element to be deleted. Raises FormError."""
    notes = unknown_keys(body, ("element_id",), kind=UNKNOWN_KEY, what="The body")
    return element_id("element_id", body.get("element_id")), notes


def _words(body: Mapping[str, Any]) -> tuple[str, str]:
    """Name and description."""
    found = []
    for field, most in (("element_name", NAME_CHARACTERS), ("element_description", DESCRIPTION_CHARACTERS)):
        words = text(body, field, most=most)
        if not words:
            raise missing(field, f"a text of at most {most} characters")
        found.append(words)
    return found[0], found[1]


def _pictures(body: Mapping[str, Any]) -> tuple[Link | Inline, ...]:
    allowed = '{"frontal_image": ..., "refer_images": [{"image_url": ...}, one to three]}'
    given = _object(body, "element_image_list", ("frontal_image", "refer_images"), allowed)
    frontal = _picture("element_image_list.frontal_image", given.get("frontal_image"))
    return frontal, *_references("element_image_list.refer_images", given.get("refer_images"))


def _videos(body: Mapping[str, Any]) -> tuple[Link, ...]:
    allowed = '{"refer_videos": [{"video_url": ...}]}'
    given = _object(body, "element_video_list", ("refer_videos",), allowed)
    name = "element_video_list.refer_videos"
    (url,) = _each(name, given.get("refer_videos"), "video_url", 1)
    if not url:
        raise missing(f"{name}[0].video_url", URLS)
    return (Link(http_url(f"{name}[0].video_url", url)),)


def _references(name: str, value: object) -> tuple[Link | Inline, ...]:
    given = _each(name, value, "image_url", MOST_REFERENCES)
    return tuple(_picture(f"{name}[{index}].image_url", url) for index, url in enumerate(given))


def _picture(name: str, value: object) -> Link | Inline:
    if value is None or value == "":
        raise missing(name, PICTURES)
    return picture(name, value)


def _object(body: Mapping[str, Any], name: str, keys: tuple[str, ...], allowed: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None or value == {}:
        raise missing(name, allowed)
    if not isinstance(value, Mapping):
        raise invalid(name, shown(value), allowed)
    for key in value:
        if key not in keys:
            raise invalid(name, f"an object with the key {shown(key)}", allowed)
    return value


def _each(name: str, value: object, key: str, most: int) -> list[object]:
    """The values of ``key`` in an array of one to ``most`` objects that have no other key."""
    allowed = f'an array of 1 to {most} {{"{key}": ...}}' if most > 1 else f'an array of one {{"{key}": ...}}'
    if value is None or value == []:
        raise missing(name, allowed)
    if not isinstance(value, list) or len(value) > most:
        raise invalid(name, shown(value), allowed)
    for index, one in enumerate(value):
        if not isinstance(one, Mapping):
            raise invalid(f"{name}[{index}]", shown(one), f'{{"{key}": ...}}')
        for other in one:
            if other != key:
                raise invalid(
                    f"{name}[{index}]", f"an object with the key {shown(other)}", f'{{"{key}": ...}}'
                )
    return [one.get(key) for one in value]


def _tags(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("tag_list")
    if value is None or value == []:
        return ()
    found = []
    for index, tag in enumerate(_each("tag_list", value, "tag_id", len(TAGS))):
        if not isinstance(tag, str) or tag not in TAGS:
            raise invalid(f"tag_list[{index}].tag_id", shown(tag), ", ".join(TAGS))
        found.append(tag)
    return tuple(dict.fromkeys(found))
