"""imini's two routes in the words of OpenAPI: fields, limits and codes are those that the code beside it reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from understudy.request import Orientation
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.imini_answers import STATUSES
from understudy.server.dialects.imini_errors import PROMPT, ROWS
from understudy.server.dialects.imini_form import (
    GENERATE_PATH,
    MODELS,
    MODES,
    PICTURES,
    PREFIX,
    PROMPT_CHARACTERS,
    TASKS_PATH,
)

TAG = "imini"
JSON = "application/json"
EXAMPLE = {
    "model": next(iter(MODELS)),
    "resolution": "720P",
    "reference_images": [{"url": "https://example.com/character.png"}],
    "reference_videos": [{"url": "https://example.com/dance.mp4"}],
    "generate_audio": True,
    "extra_params": {"character_orientation": "video"},
}
OF_CREATE = frozenset({"INVALID_PROMPT", "INVALID_PARAMETER", "INSUFFICIENT_CREDITS", "RATE_LIMITED"})
ALWAYS = frozenset({"UNAUTHORIZED", "FORBIDDEN", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"})


def description() -> Description:
    paths = {
        PREFIX + GENERATE_PATH: {"post": _create()},
        f"{PREFIX}{TASKS_PATH}/{{task_id}}": {"get": _query()},
    }
    return Description(paths, _schemas())


def _create() -> dict[str, Any]:
    return {
        "tags": [TAG],
        "summary": "Generate Video",
        "description": "Looks at form only and answers at once; what must be fetched is looked at next. Also at "
        f"`{GENERATE_PATH}`.",
        "operationId": "imini_generate",
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "idempotency-key",
                "in": "header",
                "required": False,
                "description": "The same key and body within 24 hours: one task.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": _ref("IminiNewTask")}}},
        "responses": {"200": _answer("The task.", "IminiCreated"), **_errors(OF_CREATE | ALWAYS)},
    }


def _query() -> dict[str, Any]:
    words = "`task_` and 19 digits; the bare number, and an external id of other protocols, are found too."
    return {
        "tags": [TAG],
        "summary": "Query Task",
        "description": f"A task as it stands. Also at `{TASKS_PATH}/{{task_id}}`.",
        "operationId": "imini_query",
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "task_id",
                "in": "path",
                "required": True,
                "description": words,
                "schema": {"type": "string", "examples": ["task_0004503599627370496"]},
            }
        ],
        "responses": {"200": _answer("The task.", "IminiTask"), **_errors(ALWAYS | {"TASK_NOT_FOUND"})},
    }


def _errors(codes: Iterable[str]) -> dict[str, Any]:
    told: dict[int, list[str]] = {}
    for status, code in sorted({*ROWS.values(), PROMPT}):
        if code in codes:
            told.setdefault(status, []).append(f"`{code}`")
    return {str(status): _answer(", ".join(names) + ".", "IminiError") for status, names in told.items()}


def _answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": _ref(schema)}}}


def _schemas() -> dict[str, Any]:
    id_and_model = {
        "task_id": _text("`task_` and 19 digits."),
        "status": _text("Only moves forward.") | {"enum": list(STATUSES.values())},
        "model": _text("The model."),
        "created_at": _text("ISO 8601 with milliseconds, UTC."),
        "request_id": _text("Also in the header X-Request-Id."),
    }
    fault = {
        "code": _text("A word for it."),
        "message": _text("What is wrong, what is allowed, what to do."),
        "request_id": _text("Also in the header X-Request-Id."),
    }
    return {
        "IminiNewTask": {**_object("The body of a new task.", _new_task(), _REQUIRED), "examples": [EXAMPLE]},
        "IminiReference": _object("A picture or a video.", {"url": _text("Where it is.")}),
        "IminiExtra": _object(
            "Parameters of this model.",
            {
                "character_orientation": _text("Whose facing the output follows.")
                | {"enum": list(map(str, Orientation)), "default": str(Orientation.VIDEO)}
            },
            (),
        ),
        "IminiCreated": _object("A task as it was created.", id_and_model),
        "IminiTask": _object(
            "A task as it stands.",
            {
                **id_and_model,
                "completed_at": _or_null(_text(""), "When it ended."),
                "videos": _or_null({"type": "array", "items": _ref("IminiVideo")}, "Null until `succeeded`."),
                "error": _or_null(_ref("IminiReason"), "Why it failed."),
            },
        ),
        "IminiVideo": _object(
            "A finished video.",
            {
                "url": _text("A signed link that needs no key: treat it as a secret."),
                "width": {"type": "integer", "description": "Pixels."},
                "height": {"type": "integer", "description": "Pixels."},
                "duration": {"type": "number", "description": "Seconds."},
                "cover_url": _or_null(
                    _text(""), "Its first frame, a JPEG; null for tasks of older versions."
                ),
            },
        ),
        "IminiReason": _object("Why a task failed.", fault),
        "IminiError": _object("Every error has this form.", {"error": _ref("IminiFault")}),
        "IminiFault": _object(
            "What went wrong.", {**fault, "status": {"type": "integer", "description": "The HTTP status."}}
        ),
    }


_REQUIRED = ("model", "reference_images", "reference_videos")


def _new_task() -> dict[str, Any]:
    one = {"type": "array", "items": _ref("IminiReference"), "minItems": 1, "maxItems": 1}
    return {
        "model": _text("The one model that there is here.") | {"enum": list(MODELS)},
        "prompt": _text("What else should be seen.") | {"maxLength": PROMPT_CHARACTERS},
        "resolution": _text("The short side's pixels; a small p will do.")
        | {"enum": list(MODES), "default": "720P"},
        "reference_images": {
            **one,
            "description": f"The reference image: {PICTURES}; 300 to 65536 pixels a side, 1:2.5 to 2.5:1. Or "
            "`character_image`: the address alone.",
        },
        "reference_videos": {
            **one,
            "description": "The driving video (http or https): MP4 or MOV, at most 100 MB, 340 to 3850 pixels a side, "
            "3 to 30 s, or 10 s with the orientation `image`. Or `motion_video`, or `reference_video`: the address "
            "alone.",
        },
        "generate_audio": {
            "type": "boolean",
            "default": False,
            "description": "Keep the driving video's sound.",
        },
        "extra_params": _ref("IminiExtra"),
        "character_image": _text("The same as `reference_images`."),
        "motion_video": _text("The same as `reference_videos`."),
        "reference_video": _text("The same as `reference_videos`."),
    }


def _object(
    words: str, properties: dict[str, Any], required: tuple[str, ...] | None = None
) -> dict[str, Any]:
    needed = tuple(properties) if required is None else required
    schema: dict[str, Any] = {"type": "object", "description": words, "properties": properties}
    return {**schema, "required": list(needed)} if needed else schema


def _or_null(schema: dict[str, Any], words: str) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}], "description": words}


def _text(words: str) -> dict[str, Any]:
    return {"type": "string", "description": words}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
