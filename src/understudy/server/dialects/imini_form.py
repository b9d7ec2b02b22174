"""imini's motion-control request: its own fields, and those that its official script sends instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from understudy.errors import FormError
from understudy.request import Mode, Orientation
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Decoded
from understudy.server.dialects.fields import (
    URLS,
    choice,
    http_url,
    invalid,
    missing,
    model_word,
    shown,
    text,
    unknown_keys,
)
from understudy.server.dialects.inline_picture import inline_picture
from understudy.server.dialects.notes import UNKNOWN_KEY, Note
from understudy.tasks.submission import Inline, Link, Source, Submission

DIALECT = "imini"
PREFIX = "/imini/router"
GENERATE_PATH, TASKS_PATH = "/v1/videos/generate", "/v1/videos/tasks"
MODELS = {"kling/kling-v3-motion-control": "kling-v3"}
MODES = {"720P": Mode.STD, "1080P": Mode.PRO}
FIELDS = (
    "model",
    "prompt",
    "resolution",
    "reference_images",
    "reference_videos",
    "generate_audio",
    "extra_params",
    "character_image",
    "motion_video",
    "reference_video",
)
IMAGES = "reference_images", "character_image"  # the field of the documentation, and the script's
VIDEOS = "reference_videos", "motion_video", "reference_video"
EXTRA_FIELDS = ("character_orientation",)
PROMPT_CHARACTERS = 2500
PICTURES = "an http(s) URL, or a JPEG or PNG of at most 10 MB as a data: URL in base64"

_TASK_ID = re.compile(r"task_([0-9]{19})")


class PromptError(FormError):
    """The prompt is what is wrong: imini has a code of its own for that."""


def decode_create(call: Call, engine: str) -> Decoded:
    """The body of ``POST /v1/videos/generate``. Raises FormError (``field_missing``, ``field_invalid``,
    ``model_unknown``), for the first fault in the order of the fields above."""
    body = call.body
    notes = unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")
    model = MODELS[model_word(body, "model", MODELS)]
    prompt = _prompt(body)
    mode = MODES[choice(body, "resolution", (*MODES, *map(str.lower, MODES)), default="720P").upper()]
    image, image_notes = _reference(body, IMAGES, PICTURES)
    video, video_notes = _reference(body, VIDEOS, URLS)
    sound = _sound(body)
    orientation, extra_notes = _orientation(body)
    submission = Submission(
        dialect=DIALECT,
        model=model,
        engine=engine,
        image=_image(*image),
        video=Link(http_url(*video)),
        orientation=orientation,
        mode=mode,
        sound=sound,
        prompt=prompt,
    )
    return Decoded(submission, (*notes, *image_notes, *video_notes, *extra_notes))


def task_name(call: Call) -> str:
    """The id in decimal out of ``task_`` and 19 digits; anything else as it is, since it may be an external id."""
    given = call.path["task_id"]
    ours = _TASK_ID.fullmatch(given)
    return given if ours is None else str(int(ours[1]))


def _prompt(body: Mapping[str, Any]) -> str:
    try:
        return text(body, "prompt", most=PROMPT_CHARACTERS)
    except FormError as error:
        raise PromptError(
            error.code, error.message, value=error.value, limit=error.limit, fix=error.fix
        ) from None


def _reference(
    body: Mapping[str, Any], names: tuple[str, ...], address: str
) -> tuple[tuple[str, object], tuple[Note, ...]]:
    """The one reference of its kind: its name, and what stands there for its ``address``; the first of the ``names``
    holds an array."""
    given = [name for name in names if body.get(name) is not None]
    array = names[0]
    if not given:
        raise missing(array, f'an array of exactly one {{"url": ...}}, {address}')
    if len(given) > 1:
        raise invalid(
            given[1], f"given beside {given[0]}", f"one of {', '.join(names)}", fix="Leave one out."
        )
    (name,) = given
    value = body[name]
    if name == array:
        if not isinstance(value, list) or len(value) != 1:
            raise invalid(name, shown(value), 'an array of exactly one {"url": ...}')
        name, value = f"{name}[0]", value[0]
    if not isinstance(value, Mapping):
        return (name, value), ()
    notes = _notes_within(value, ("url",), name)
    if value.get("url") in (None, ""):
        raise missing(f"{name}.url", address)
    return (f"{name}.url", value["url"]), notes


def _image(name: str, value: object) -> Source:
    if not isinstance(value, str):
        raise invalid(name, shown(value), PICTURES)
    if value[:5].lower() != "data:":
        return Link(http_url(name, value))
    head, comma, content = value.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise invalid(name, f"a data: URL that does not say base64: {shown(head)}", PICTURES)
    return Inline(inline_picture(name, content, allowed=PICTURES))


def _sound(body: Mapping[str, Any]) -> bool:
    value = body.get("generate_audio")
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid("generate_audio", shown(value), "true, false")
    return value


def _orientation(body: Mapping[str, Any]) -> tuple[Orientation, tuple[Note, ...]]:
    extra = body.get("extra_params")
    if extra is None:
        return Orientation.VIDEO, ()
    if not isinstance(extra, Mapping):
        raise invalid("extra_params", shown(extra), "an object")
    notes = _notes_within(extra, EXTRA_FIELDS, "extra_params")
    name = "extra_params.character_orientation"
    value = choice(
        {name: extra.get("character_orientation")}, name, tuple(Orientation), default=Orientation.VIDEO
    )
    return Orientation(value), notes


def _notes_within(value: Mapping[str, Any], known: tuple[str, ...], name: str) -> tuple[Note, ...]:
    """Notes of what nobody knows in an object that stands in the body."""
    notes = unknown_keys(value, known, kind=UNKNOWN_KEY, what=name)
    return tuple(Note(note.kind, f"{name}.{note.name}") for note in notes)
