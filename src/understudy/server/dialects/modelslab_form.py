"""ModelsLab's motion-control request: every field honoured or refused, and who is asking, which stands in it too.

Fields, limits and phrases: ModelsLab's page of this model and its error reference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from understudy.errors import AuthError, FormError
from understudy.request import Mode, Orientation
from understudy.server.dialects.call import Call
from understudy.server.dialects.dialect import Decoded
from understudy.server.dialects.fields import (
    URLS,
    choice,
    http_url,
    invalid,
    optional_url,
    shown,
    storable,
    text,
    unknown_keys,
)
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_form import picture
from understudy.server.dialects.notes import UNKNOWN_KEY
from understudy.tasks.submission import Link, Source, Submission

DIALECT = "modelslab"
ROOM = "/api/v7"
PATH = f"{ROOM}/video-fusion/motion-control"
FETCH_PATH = f"{ROOM}/video-fusion/fetch"
MODELS = {
    "kling-motion-control": "kling-v2-6",
    "kling-v3-motion-control": "kling-v3",
}  # to those with a price
FIELDS = (
    "key",
    "model_id",
    "init_image",
    "init_video",
    "character_orientation",
    "prompt",
    "mode",
    "keep_original_sound",
    "webhook",
    "track_id",
)
PROMPT_CHARACTERS = 2500
TRACK_ID_CHARACTERS = 256
TRACK_IDS = f"a text of at most {TRACK_ID_CHARACTERS} characters, a number, or null"
KEYS = "an API key of this server, as the field key or in the header key"

_TRACK_ID_BITS = 63  # of a whole number: a database's largest
_A_NAME = re.compile(r"[\w.:/-]{1,60}", re.ASCII)
_DATA = re.compile(r"\Adata:image/[\w.+-]{1,30};base64,", re.ASCII | re.IGNORECASE)


def authorization(call: Call) -> str | None:
    """The body's ``key``, else the header ``key``, else ``Authorization`` as it came; None where there is neither.

    Raises AuthError (``auth_invalid``) for a key that is no text, FormError (``body_unreadable``) where nothing else
    says who asks. Neither names what was sent.
    """
    unreadable: FormError | None = None
    try:
        key = call.body.get("key") if call.content else None
    except FormError as error:
        key, unreadable = None, error
    if key is None or key == "":
        key = call.headers.get("key")
    if key is None or key == "":
        if unreadable is not None and "authorization" not in call.headers:
            raise unreadable
        return call.headers.get("authorization")
    if not isinstance(key, str):
        raise AuthError("auth_invalid", "The key is no text.", limit=KEYS, fix="Send it as a text.")
    return f"Bearer {key}"


def decode_create(body: Mapping[str, Any], *, engine: str) -> Decoded:
    """The body of ``POST /api/v7/video-fusion/motion-control``. Raises FormError (``field_missing``,
    ``field_invalid``, ``model_unknown``), for the first fault in the order of the fields above."""
    notes = unknown_keys(body, FIELDS, kind=UNKNOWN_KEY, what="The body")
    submission = Submission(
        dialect=DIALECT,
        model=_model(body),
        engine=engine,
        image=_image(body),
        video=_video(body),
        orientation=_orientation(body),
        prompt=text(body, "prompt", most=PROMPT_CHARACTERS),
        mode=Mode(choice(body, "mode", tuple(Mode), default=Mode.STD)),
        sound=choice(body, "keep_original_sound", ("yes", "no"), default="yes") == "yes",
        callback_url=optional_url(body, "webhook"),
        callback_at_end=True,
        extra={"track_id": _track_id(body)},
    )
    return Decoded(submission, notes)


def _required(name: str, allowed: str) -> FormError:
    return FormError(
        "field_missing",
        f"The {name} field is required; allowed: {allowed}.",
        limit=allowed,
        fix="Add it to the request.",
    )


def _model(body: Mapping[str, Any]) -> str:
    value = body.get("model_id")
    allowed = ", ".join(MODELS)
    if value is None or value == "":
        raise _required("model_id", allowed)
    if not isinstance(value, str):
        raise invalid("model_id", shown(value), allowed)
    if value not in MODELS:
        raise FormError(
            "model_unknown",
            f"Model not found: {value if _A_NAME.fullmatch(value) else shown(value)}; model_id may be: {allowed}.",
            value=shown(value),
            limit=allowed,
            fix="Choose one of them.",
        )
    return MODELS[value]


def _image(body: Mapping[str, Any]) -> Source:
    """As base64 too, bare or as a ``data:`` URL: ModelsLab's own word for its other paths of this room."""
    value = body.get("init_image")
    if value is None or value == "":
        raise _required("init_image", PICTURES)
    return picture("init_image", _DATA.sub("", value, count=1) if isinstance(value, str) else value)


def _video(body: Mapping[str, Any]) -> Link:
    value = body.get("init_video")
    if value is None or value == "":
        raise _required("init_video", URLS)
    return Link(http_url("init_video", value))


def _orientation(body: Mapping[str, Any]) -> Orientation:
    name = "character_orientation"
    if body.get(name) in (None, ""):
        raise _required(name, ", ".join(Orientation))
    return Orientation(choice(body, name, tuple(Orientation)))


def _track_id(body: Mapping[str, Any]) -> str | int | float | None:
    """Kept as it came: a receiver compares it with what it has sent."""
    value = body.get("track_id")
    match value:
        case None:
            return None
        case bool():
            fits = False
        case int():
            fits = value.bit_length() <= _TRACK_ID_BITS
        case float():
            fits = math.isfinite(value)
        case str():
            fits = len(value) <= TRACK_ID_CHARACTERS and storable(value)
        case _:
            fits = False
    if not fits:
        raise invalid("track_id", shown(value), TRACK_IDS)
    kept: str | int | float = value
    return kept
