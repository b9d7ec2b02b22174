"""The native API's request for a new task: its fields, and the way from them to a submission."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError

from understudy.errors import FormError
from understudy.media.limits import CLIP_BYTES, PICTURE_BYTES
from understudy.request import MOST_SEED, Mode, Orientation, Scene
from understudy.server.dialects.body import json_object
from understudy.server.dialects.element_id import element_id
from understudy.server.dialects.fields import URL_CHARACTERS, http_url, invalid, missing, shown, storable
from understudy.server.dialects.inline_picture import inline_picture
from understudy.server.offered import Offered
from understudy.tasks.submission import Idempotency, Inline, Link, Source, Submission, Upload

NAME = "native"
FILE_BYTES = {"image": PICTURE_BYTES, "video": CLIP_BYTES}
KEY_CHARACTERS = 256
DIGITS = re.compile("[0-9]{1,20}")
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_Url = Annotated[str, StringConstraints(max_length=URL_CHARACTERS)]
_Truth = Annotated[bool, Strict()]


class NewTask(BaseModel):
    """What a new task is made of. The picture comes as exactly one of `image_url`, `image_base64` and the file
    `image` of a form, the video as `video_url` or the file `video`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    image_url: _Url | None = None
    """Where the reference image lies (http or https): JPEG or PNG, at most 10 MB."""
    image_base64: str | None = None
    """The reference image itself in base64, without a `data:` prefix: JPEG or PNG, at most 10 MB."""
    video_url: _Url | None = None
    """Where the driving video lies (http or https): MP4 or MOV, at most 100 MB, 3 to 30 s (10 s where the orientation
    is `image`)."""
    orientation: Orientation = Orientation.VIDEO
    """Whose facing the output follows: the picture's or the video's."""
    mode: Mode = Mode.STD
    """`std`: the output's short side has 720 pixels; `pro`: 1080."""
    sound: _Truth = True
    """Keep the driving video's sound."""
    watermark: _Truth = False
    """Make a watermarked video as well."""
    prompt: str | None = Field(default=None, max_length=2500)
    """What else should be seen. What the engine cannot act on is told in the task's `notes`."""
    engine: str | None = Field(default=None, max_length=64)
    """What makes the video: one of `GET /understudy/v1/engines`. Left out: the service's default."""
    scene: Scene = Scene.IMAGE
    """What is around the character: `image`, the picture's own background; `video`, the driving video, where it takes
    the performer's place. Which an engine can make `GET /understudy/v1/engines` tells."""
    seed: Annotated[int, Strict(), Field(ge=0, le=MOST_SEED)] | None = None
    """Of an engine whose videos differ by it: the same inputs and seed give the same video. Left out: one that no
    other task has; the answer tells it."""
    element_id: int | str | None = None
    """An element of the account, whose pictures show the same character from other sides; only with the orientation
    `video`. The picture stays the reference."""
    model: Literal["kling-v2-6", "kling-v3"] = "kling-v2-6"
    """Whose price per second the task has."""
    callback_url: _Url | None = None
    """Gets a POST at every change of status."""
    external_task_id: str | None = Field(default=None, max_length=256)
    """A name of your own, unique in the account for ever; the task can be queried by it."""


FIELDS = tuple(NewTask.model_fields)


def from_json(content: bytes) -> NewTask:
    """The fields of a JSON body. Raises FormError."""
    return checked(json_object(content))


def from_form(texts: Mapping[str, str]) -> NewTask:
    """The fields of a form, where an empty one counts as not filled in. Raises FormError."""
    values: dict[str, Any] = {name: value for name, value in texts.items() if value}
    for name in ("sound", "watermark"):
        if name in values:
            values[name] = WORDS.get(values[name].lower(), values[name])
    if DIGITS.fullmatch(values.get("seed", "")):
        values["seed"] = int(values["seed"])
    return checked(values)


def decode(
    new: NewTask,
    files: Mapping[str, Path],
    *,
    offered: Offered,
    idempotency: Idempotency | None = None,
) -> Submission:
    """The submission that fields and files ask for. Raises FormError, its message naming the field."""
    for name in ("prompt", "external_task_id"):
        if not storable(getattr(new, name) or ""):
            raise invalid(
                name, shown(getattr(new, name)), "a text without zero bytes and halves of surrogate pairs"
            )
    engine = new.engine or offered.default
    check_engine(offered, engine, new.scene)
    return Submission(
        dialect=NAME,
        model=new.model,
        engine=engine,
        image=_source("image", new, files),
        video=_source("video", new, files),
        orientation=new.orientation,
        mode=new.mode,
        sound=new.sound,
        watermark=new.watermark,
        prompt=new.prompt or "",
        callback_url=http_url("callback_url", new.callback_url) if new.callback_url else None,
        external_task_id=new.external_task_id or None,
        element_id=_element(new),
        scene=new.scene,
        seed=new.seed,
        idempotency=idempotency,
    )


def check_engine(offered: Offered, engine: str, scene: Scene) -> None:
    """Raise FormError where this service takes no tasks for that engine, or none of it with that scene."""
    offer, names = offered.of(engine), ", ".join(offered.names)
    if offer is None:
        raise invalid("engine", shown(engine), names)
    if not offer.taken:
        reason = f" {offer.missing.reason}" if offer.missing else ""
        raise FormError(
            "field_invalid",
            f"engine is {engine!r}, for which this service takes no tasks.{reason} Allowed: {names}.",
            value=engine,
            limit=names,
            fix="Name another, or ask the operator of this server.",
        )
    if scene not in offer.scenes:
        able = [other.engine.name for other in offered.offers if scene in other.scenes]
        raise invalid(
            "scene",
            repr(scene.value),
            f"{', '.join(map(repr, map(str, offer.scenes)))} with the engine {engine} of this service",
            fix=f"Name the engine {' or '.join(able)}." if able else "Leave it out.",
        )


def idempotency_of(key: str | None, body_sha256: str) -> Idempotency | None:
    """Raises FormError for a key that is too long."""
    if not key:
        return None
    if len(key) > KEY_CHARACTERS or not storable(key):
        raise invalid("Idempotency-Key", shown(key), f"1 to {KEY_CHARACTERS} characters")
    return Idempotency(key, body_sha256)


def _element(new: NewTask) -> int | None:
    if new.element_id is None or new.element_id == "":
        return None
    number = element_id("element_id", new.element_id)
    if new.orientation is not Orientation.VIDEO:
        raise invalid("orientation", "'image' beside an element", "'video' where element_id is used")
    return number


def _source(which: str, new: NewTask, files: Mapping[str, Path]) -> Source:
    url: str | None = getattr(new, f"{which}_url")
    inline = new.image_base64 if which == "image" else None
    ways = {f"{which}_url": url, f"{which}_base64": inline, which: files.get(which)}
    given = [name for name, value in ways.items() if value]
    if not given:
        fields = f"{which}_url" if which == "video" else "image_url, image_base64"
        raise missing(which, f"{fields}, or a file {which} in a form (multipart/form-data)")
    if len(given) > 1:
        raise invalid(given[1], f"given beside {given[0]}", f"one {which}", fix="Send one of them.")
    if url:
        return Link(http_url(f"{which}_url", url))
    return Inline(inline_picture("image_base64", inline)) if inline else Upload(files[which])


def checked(values: Mapping[str, Any]) -> NewTask:
    """Raises FormError that names the first wrong field."""
    try:
        return NewTask.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    name, context = str(first["loc"][0]), first.get("ctx", {})
    match first["type"]:
        case "extra_forbidden":
            allowed = ", ".join(FIELDS)
            raise FormError(
                "field_invalid",
                f"There is no field {shown(name)}; allowed: {allowed}.",
                value=shown(name),
                limit=allowed,
                fix="Take it out, or correct its name.",
            )
        case "string_too_long":
            limit = f"at most {context['max_length']} characters"
            raise invalid(name, f"{len(first['input'])} characters long", limit, fix="Shorten it.")
        case "bool_type":
            raise invalid(name, shown(first["input"]), "true, false")
        case "int_type" | "greater_than_equal" | "less_than_equal":
            raise invalid(name, shown(first["input"]), f"a whole number from 0 to {MOST_SEED}")
        case "string_type":
            raise invalid(name, shown(first["input"]), "a text")
    raise invalid(name, shown(first["input"]), str(context.get("expected", first["msg"])).replace("'", ""))
