"""Kling's three routes in the words of OpenAPI: fields, limits and codes are those that the code beside it reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from understudy.request import Mode, Orientation
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling_errors import ROWS
from understudy.server.dialects.kling_form import (
    EXTERNAL_ID_CHARACTERS,
    MODELS,
    PAGE_NUMBERS,
    PAGE_SIZES,
    PATH,
    PROMPT_CHARACTERS,
)
from understudy.tasks.task import Status

JSON = "application/json"
EXAMPLE = {
    "model_name": "kling-v2-6",
    "image_url": "https://example.com/character.png",
    "video_url": "https://example.com/dance.mp4",
    "character_orientation": "video",
    "mode": "std",
}
CODES = {
    1001: "no Authorization",
    1002: "the token is not valid",
    1003: "the token is not valid yet",
    1004: "the token has expired",
    1100: "the account is disabled",
    1102: "the balance is used up",
    1200: "the body cannot be read",
    1201: "a key or a value is not allowed, or the task is unknown",
    1203: "there is no such model",
    1303: "as many tasks live as the account may have",
    5000: "an error of the server",
    5001: "a part of the server is away",
}
ALWAYS = (1001, 1002, 1003, 1004, 1100, 5000, 5001)


def description() -> Description:
    paths = {
        PATH: {"post": _create(), "get": _list()},
        f"{PATH}/{{task_id}}": {"get": _query()},
    }
    return Description(paths, _schemas())


def _create() -> dict[str, Any]:
    key = _parameter("idempotency-key", "header", _text("The same key and body within 24 hours: one task."))
    return _operation(
        "kling_create",
        "Create Task",
        "Looks at form only and answers at once. What must be fetched is looked at next: what is wrong with it ends "
        'the task as `failed`, with the reason in `task_status_msg` and `final_unit_deduction` `"0"`.',
        "KlingCreated",
        (1102, 1200, 1201, 1203, 1303),
        parameters=[key],
        body="KlingNewTask",
    )


def _query() -> dict[str, Any]:
    name = _text("The task's id, else its external_task_id, percent-encoded.") | {
        "examples": ["4503599627370496"]
    }
    return _operation(
        "kling_query",
        "Query Task (Single)",
        "A task as it stands.",
        "KlingQueried",
        (1201,),
        parameters=[_parameter("task_id", "path", name)],
    )


def _list() -> dict[str, Any]:
    return _operation(
        "kling_list",
        "Query Task (List)",
        "The account's tasks, newest first; past the end there are none.",
        "KlingListed",
        (1201,),
        parameters=[
            _parameter("pageNum", "query", _whole("Page number.", PAGE_NUMBERS) | {"default": 1}),
            _parameter("pageSize", "query", _whole("Tasks on a page.", PAGE_SIZES) | {"default": 30}),
        ],
    )


def _operation(
    name: str,
    summary: str,
    words: str,
    answer: str,
    codes: Iterable[int],
    *,
    parameters: list[dict[str, Any]],
    body: str | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": ["Kling"],
        "summary": summary,
        "description": words,
        "operationId": name,
        "security": [{"key": []}],
        "parameters": parameters,
        "responses": {"200": _answer("Code 0.", answer), **_errors({*codes, *ALWAYS})},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(body)}}}
    return operation


def _errors(codes: set[int]) -> dict[str, Any]:
    told: dict[int, dict[int, str]] = {}
    for status, code in sorted(ROWS.values()):
        if code in codes:
            told.setdefault(status, {})[code] = f"`{code}`: {CODES[code]}"
    return {
        str(status): _answer("; ".join(words.values()) + ".", "KlingError") for status, words in told.items()
    }


def _answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": _ref(schema)}}}


def _schemas() -> dict[str, Any]:
    id_and_times = {
        "task_id": _text("16 digits; a text, so that no client rounds it."),
        "task_status": _text("Only moves forward.") | {"enum": [str(status) for status in Status]},
        "task_info": _ref("KlingTaskInfo"),
        "created_at": {"type": "integer", "description": "Milliseconds since 1970."},
        "updated_at": {
            "type": "integer",
            "description": "When the status last changed; milliseconds since 1970.",
        },
    }
    return {
        "KlingNewTask": {**_object("The body of a new task.", _new_task(), _REQUIRED), "examples": [EXAMPLE]},
        "KlingElement": _object(
            "An element of the library.",
            {"element_id": {"type": "integer", "format": "int64", "description": "Its number."}},
        ),
        "KlingCreated": _envelope(_ref("KlingCreatedTask")),
        "KlingQueried": _envelope(_ref("KlingTask")),
        "KlingListed": _envelope({"type": "array", "items": _ref("KlingTask")}),
        "KlingError": _object("Every error under `/v1` has this form.", _head(), tuple(_head())),
        "KlingCreatedTask": _object("A task as it was created.", id_and_times, tuple(id_and_times)),
        "KlingTask": _object(
            "A task as it stands.",
            {
                **id_and_times,
                "task_status_msg": _text(
                    "Of a failed task what was found, the limit, and what to do; else empty."
                ),
                "task_result": _ref("KlingTaskResult"),
                "watermark_info": _ref("KlingWatermark"),
                "final_unit_deduction": _text('Units, once it has ended; "0" for a failed one.'),
            },
            (*id_and_times, "task_status_msg", "task_result", "watermark_info"),
        ),
        "KlingTaskInfo": _object(
            "What the task was created with.", {"external_task_id": _text("Where one was given.")}, ()
        ),
        "KlingTaskResult": _object(
            "",
            {
                "videos": {
                    "type": "array",
                    "items": _ref("KlingVideo"),
                    "description": "Empty until `succeed`.",
                }
            },
        ),
        "KlingVideo": _object(
            "A finished video.",
            {
                "id": _text("Unique."),
                "url": _text("A signed link that needs no further authorization: treat it as a secret."),
                "watermark_url": _text("The watermarked video, where one was asked for."),
                "duration": _text("Seconds."),
            },
            ("id", "url", "duration"),
        ),
        "KlingWatermark": _object(
            "", {"enabled": {"type": "boolean", "description": "Make a watermarked video beside the first."}}
        ),
    }


_REQUIRED = ("image_url", "video_url", "character_orientation", "mode")


def _new_task() -> dict[str, Any]:
    url = {"maxLength": URL_CHARACTERS}
    return {
        "model_name": _choice("Sets the price per second.", MODELS, default=MODELS[0]),
        "prompt": _text("What else should be seen.", PROMPT_CHARACTERS),
        "image_url": _text(f"The reference image: {PICTURES}; 300 to 65536 pixels a side, 1:2.5 to 2.5:1."),
        "video_url": url
        | _text(
            "The driving video (http or https): MP4 or MOV, at most 100 MB, 340 to 3850 pixels a side, 3 to 30 s, or "
            "10 s with the orientation `image`."
        ),
        "element_list": {
            "type": "array",
            "items": _ref("KlingElement"),
            "maxItems": 0,
            "description": "Empty or left out: this server has no element library yet.",
        },
        "keep_original_sound": _choice("Keep the driving video's sound.", ("yes", "no"), default="yes"),
        "character_orientation": _choice("Whose facing the output follows.", tuple(map(str, Orientation))),
        "mode": _choice("`std`: the short side has 720 pixels; `pro`: 1080.", tuple(map(str, Mode))),
        "watermark_info": {**_ref("KlingWatermark"), "description": "Left out: no watermarked video."},
        "callback_url": url | _text("Gets a POST at every change of status. Empty counts as left out."),
        "external_task_id": _text(
            "A name of your own, unique in the account for ever. Empty counts as left out.",
            EXTERNAL_ID_CHARACTERS,
        ),
    }


def _head() -> dict[str, Any]:
    return {
        "code": {"type": "integer", "description": "0, or the error's code."},
        "message": _text("SUCCEED, or what is wrong and what is allowed."),
        "request_id": _text("Also in the header X-Request-Id."),
    }


def _envelope(data: dict[str, Any]) -> dict[str, Any]:
    fields = {**_head(), "data": data}
    return _object("", fields, tuple(fields))


def _object(
    words: str, properties: dict[str, Any], required: tuple[str, ...] | None = None
) -> dict[str, Any]:
    needed = tuple(properties) if required is None else required
    schema: dict[str, Any] = {"type": "object", "description": words, "properties": properties}
    return {**schema, "required": list(needed)} if needed else schema


def _text(words: str, most: int | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "description": words}
    return schema if most is None else {**schema, "maxLength": most}


def _choice(words: str, allowed: tuple[str, ...], *, default: str | None = None) -> dict[str, Any]:
    schema = {**_text(words), "enum": list(allowed)}
    return schema if default is None else {**schema, "default": default}


def _whole(words: str, limits: tuple[int, int]) -> dict[str, Any]:
    return {"type": "integer", "description": words, "minimum": limits[0], "maximum": limits[1]}


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    words = schema.pop("description")
    return {"name": name, "in": place, "required": place == "path", "description": words, "schema": schema}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
