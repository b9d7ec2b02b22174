"""A request of Kling's API 2.0 for a motion control task: contents, settings and options. Fields and limits: Kling's
API reference."""

from __future__ import annotations

from collections.abc import Mapping
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
    optional_url,
    shown,
    text,
    unknown_keys,
)
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_form import picture
from understudy.server.dialects.notes import UNKNOWN_KEY, Note
from understudy.tasks.submission import Link, Source, Submission

DIALECT = "kling-2"
CREATE = "/motion-control"
MODELS = {"kling-3.0": "kling-v3", "kling-2.6": "kling-v2-6"}
"""The model in the path, and ours, which has the price."""
WITH_ELEMENTS = "kling-3.0"

FIELDS = ("contents", "settings", "options")
CONTENTS = {
    "prompt": ("type", "text"),
    "image": ("type", "url"),
    "video": ("type", "url"),
    "element": ("type", "element_id", "id"),
}
SETTINGS = ("character_orientation", "audio", "resolution")
OPTIONS = ("callback_url", "external_task_id", "watermark_info")
AUDIO = ("original", "off")
RESOLUTIONS = {"720p": Mode.STD, "1080p": Mode.PRO}
PROMPT_CHARACTERS = 2500
EXTERNAL_ID_CHARACTERS = 256
INDEX_CHARACTERS = 256  # of the name by which a prompt may speak of an element


def decode_create(model: str, call: Call, engine: str) -> Decoded:
    """The body of ``POST /motion-control/{model}``, ``model`` one of ``MODELS``. Raises FormError (``field_missing``,
    ``field_invalid``), for the first fault in the order of the fields above."""
    body = call.body
    notes = [*unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")]
    contents = _contents(body, model, notes)
    settings = _part(body, "settings", SETTINGS, notes)
    options = _part(body, "options", OPTIONS, notes)
    orientation = Orientation(choice(settings, "settings.character_orientation", tuple(Orientation)))
    audio = choice(settings, "settings.audio", AUDIO, default=AUDIO[0])
    resolution = choice(settings, "settings.resolution", tuple(RESOLUTIONS), default="720p")
    prompt, image, video, element = (contents.get(kind) for kind in CONTENTS)
    submission = Submission(
        dialect=DIALECT,
        model=MODELS[model],
        engine=engine,
        image=_image(image),
        video=_video(video),
        orientation=orientation if element is None else Orientation.VIDEO,
        mode=RESOLUTIONS[resolution],
        sound=audio == "original",
        watermark=_watermark(options),
        prompt="" if prompt is None else text(prompt.fields, prompt.named("text"), most=PROMPT_CHARACTERS),
        callback_url=optional_url(options, "options.callback_url"),
        external_task_id=text(options, "options.external_task_id", most=EXTERNAL_ID_CHARACTERS) or None,
        element_id=None if element is None else _element(element),
    )
    return Decoded(submission, tuple(notes))


class _Item:
    """One of the contents. ``fields`` are named as an error should name them: ``contents[1].url``."""

    def __init__(self, place: str, value: Mapping[str, Any]) -> None:
        self.place = place
        self.fields = {self.named(key): each for key, each in value.items()}

    def named(self, field: str) -> str:
        return f"{self.place}.{field}"

    def get(self, field: str) -> Any:
        return self.fields.get(self.named(field))


def _contents(body: Mapping[str, Any], model: str, notes: list[Note]) -> dict[str, _Item]:
    """The contents by their type, each at most once; image and video are among them."""
    kinds = tuple(kind for kind in CONTENTS if kind != "element" or model == WITH_ELEMENTS)
    allowed = f"an array of objects, one a type: {', '.join(kinds)}"
    contents = body.get("contents")
    if contents is None or contents == []:
        raise missing("contents", allowed)
    if not isinstance(contents, list):
        raise invalid("contents", shown(contents), allowed)
    found: dict[str, _Item] = {}
    for number, value in enumerate(contents):
        place = f"contents[{number}]"
        if not isinstance(value, Mapping):
            raise invalid(place, shown(value), "an object with type")
        item = _Item(place, value)
        kind = choice(item.fields, item.named("type"), kinds)
        if kind in found:
            raise invalid(
                item.named("type"), f"{kind!r} once more", f"each type once; {found[kind].place} has it"
            )
        notes += unknown_keys(value, CONTENTS[kind], kind=UNKNOWN_KEY, what=place)
        found[kind] = item
    for kind in ("image", "video"):
        if kind not in found:
            raise missing(f"contents: an object with the type {kind!r}", allowed)
    return found


def _part(body: Mapping[str, Any], name: str, known: tuple[str, ...], notes: list[Note]) -> dict[str, Any]:
    """The fields of ``settings`` or ``options``, named as errors should name them."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise invalid(name, shown(value), f"an object with {', '.join(known)}")
    notes += unknown_keys(value, known, kind=UNKNOWN_KEY, what=name)
    return {f"{name}.{key}": each for key, each in value.items()}


def _image(item: _Item | None) -> Source:
    assert item is not None  # which _contents has seen to
    name, value = item.named("url"), item.get("url")
    if value is None or value == "":
        raise missing(name, PICTURES)
    return picture(name, value)


def _video(item: _Item | None) -> Link:
    assert item is not None
    name, value = item.named("url"), item.get("url")
    if value is None or value == "":
        raise missing(name, URLS)
    return Link(http_url(name, value))


def _element(item: _Item) -> int:
    text(item.fields, item.named("id"), most=INDEX_CHARACTERS)
    return element_id(item.named("element_id"), item.get("element_id"))


def _watermark(options: Mapping[str, Any]) -> bool:
    name = "options.watermark_info"
    value = options.get(name)
    allowed = '{"enabled": true} or {"enabled": false}'
    if value is None:
        return False
    if not isinstance(value, Mapping):
        raise invalid(name, shown(value), allowed)
    for key in value:
        if key != "enabled":
            raise invalid(name, f"an object with the key {shown(key)}", allowed)
    enabled = value.get("enabled")
    if enabled is None:
        return False  # Kling's own default
    if not isinstance(enabled, bool):
        raise invalid(f"{name}.enabled", shown(enabled), "true, false")
    return enabled
