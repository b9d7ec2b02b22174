"""Kie's request for a motion-control job: every field honoured or refused. Fields and limits: Kie's API reference."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from understudy.request import Mode, Orientation, Scene
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Decoded
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
from understudy.server.dialects.kie_errors import KieFormError
from understudy.server.dialects.kie_id import MODELS, task_name
from understudy.server.dialects.notes import UNKNOWN_KEY, Note
from understudy.tasks.submission import Link, Submission

DIALECT = "kie"
FIELDS = ("model", "callBackUrl", "input")
INPUT_FIELDS = ("input_urls", "video_urls", "prompt", "character_orientation", "mode", "background_source")
PROMPT_CHARACTERS = 2500
MODES = {"720p": Mode.STD, "1080p": Mode.PRO, "std": Mode.STD, "pro": Mode.PRO}
BACKGROUNDS = {"input_image": Scene.IMAGE, "input_video": Scene.VIDEO}


def decode_create(
    body: Mapping[str, Any], *, engine: str, scenes: Collection[Scene] = (Scene.IMAGE,)
) -> Decoded:
    """The body of ``POST /api/v1/jobs/createTask``. Raises FormError (``field_missing``, ``field_invalid``,
    ``model_unknown``), for the first fault in the order of the fields above. ``scenes`` are those that the engine can
    make."""
    notes = unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")
    model = model_word(body, "model", MODELS)
    callback = optional_url(body, "callBackUrl")
    given = _input(body)
    notes += _within(unknown_keys(given, INPUT_FIELDS, kind=UNKNOWN_KEY, what="input"))
    image = _one_url(given, "input_urls")
    video = _one_url(given, "video_urls")
    with_names = {f"input.{name}": value for name, value in given.items()}
    prompt = text(with_names, "input.prompt", most=PROMPT_CHARACTERS)
    orientation = choice(with_names, "input.character_orientation", tuple(Orientation), default="video")
    mode = choice(with_names, "input.mode", tuple(MODES), default="720p")
    background = _background(with_names, engine, scenes)
    submission = Submission(
        dialect=DIALECT,
        model=MODELS[model],
        engine=engine,
        image=Link(image),
        video=Link(video),
        orientation=Orientation(orientation),
        mode=MODES[mode],
        prompt=prompt,
        callback_url=callback,
        callback_at_end=True,
        matroska=True,
        extra=_kept(image, video, mode, background),
        scene=Scene.IMAGE if background is None else BACKGROUNDS[background],
    )
    return Decoded(submission, notes)


def asked_task(call: Call) -> str:
    """What the address of ``GET /api/v1/jobs/recordInfo`` asks for. Raises KieFormError."""
    given = [value for name, value in call.query if name == "taskId"]
    if not given or given == [""]:
        raise KieFormError(400, "taskId parameter is required", fix="Add ?taskId= and the id.")
    if len(given) > 1:
        raise invalid("taskId", "given twice", "one value")
    return task_name(given[0])


def _kept(image: str, video: str, mode: str, background: str | None) -> dict[str, Any]:
    """What ``param`` repeats and a task does not hold: its words, and addresses, since those of uploaded files are
    made into the files themselves."""
    kept: dict[str, Any] = {"input_urls": [image], "video_urls": [video], "mode": mode}
    return kept if background is None else {**kept, "background_source": background}


def _input(body: Mapping[str, Any]) -> Mapping[str, Any]:
    value = body.get("input")
    allowed = f"an object with {', '.join(INPUT_FIELDS)}"
    if value is None:
        raise missing("input", allowed)
    if not isinstance(value, Mapping):
        raise invalid("input", shown(value), allowed)
    return value


def _one_url(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    allowed = f"an array of one text: {URLS}"
    if value is None or value == []:
        raise missing(f"input.{name}", allowed)
    if not isinstance(value, list) or len(value) != 1:
        raise invalid(f"input.{name}", shown(value), allowed)
    return http_url(f"input.{name}[0]", value[0])


def _background(given: Mapping[str, Any], engine: str, scenes: Collection[Scene]) -> str | None:
    """Where the scene comes from. Not every engine can put a character into the driving video's."""
    name = "input.background_source"
    if given.get(name) is None:
        return None
    value = choice(given, name, tuple(BACKGROUNDS))
    if BACKGROUNDS[value] not in scenes:
        raise invalid(
            name,
            "'input_video'",
            f"'input_image': this server's engine, {engine}, cannot put the character into the driving video's scene",
            fix="Leave it out, or write 'input_image'.",
        )
    return value


def _within(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    return tuple(Note(note.kind, f"input.{note.name}") for note in notes)
