"""ModelsLab's two routes in the words of OpenAPI: fields, limits and statuses are those that the code reads."""

from __future__ import annotations

from typing import Any

from understudy.request import Mode, Orientation
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.modelslab_errors import RETRY_AFTER_S
from understudy.server.dialects.modelslab_form import (
    FETCH_PATH,
    MODELS,
    PATH,
    PROMPT_CHARACTERS,
    TRACK_ID_CHARACTERS,
)

JSON = "application/json"
EXAMPLE = {  # without the key, which the page's line for a shell has in a header
    "model_id": "kling-motion-control",
    "init_image": "https://example.com/character.png",
    "init_video": "https://example.com/dance.mp4",
    "character_orientation": "video",
    "mode": "std",
}
STATUSES = {
    400: "The body cannot be read, or a field is missing or wrong, or there is no such model.",
    401: "No key, or one that is not valid.",
    402: "The balance is used up.",
    403: "The account is disabled, or this protocol is switched off.",
    404: "There is no such task.",
    413: "The body is too large.",
    429: f"As many tasks live as the account may have; `retry_after` is {RETRY_AFTER_S}.",
    500: "An error of the server.",
    503: "A part of the server is away, or it takes no new tasks.",
}


def description() -> Description:
    paths = {
        PATH: {
            "post": _operation(
                "modelslab_create",
                "Motion Control",
                "Looks at form only and answers at once. What must be fetched is looked at next: what is wrong with it "
                "ends the task, and a fetch tells why.",
                "ModelsLabNewTask",
                (400, 401, 402, 403, 413, 429, 500, 503),
            )
        },
        f"{FETCH_PATH}/{{id}}": {
            "post": _operation(
                "modelslab_fetch",
                "Fetch Result",
                "A task as it stands. A failed one is HTTP 200 with the status `error`.",
                "ModelsLabFetch",
                (400, 401, 403, 404, 413, 500, 503),
                name={"type": "integer", "format": "int64", "examples": [4503599627370496]},
            )
        },
    }
    return Description(paths, _schemas())


def _operation(
    name_of: str,
    summary: str,
    words: str,
    body: str,
    statuses: tuple[int, ...],
    *,
    name: dict[str, Any] | None = None,
) -> dict[str, Any]:
    parameters = []
    if name is not None:
        parameters.append(
            {"name": "id", "in": "path", "required": True, "description": "The task's id.", "schema": name}
        )
    errors = {str(status): _answer(STATUSES[status], "ModelsLabError") for status in statuses}
    return {
        "tags": ["ModelsLab"],
        "summary": summary,
        "description": words,
        "operationId": name_of,
        "security": [{"key": []}],
        "parameters": parameters,
        "requestBody": {"required": True, "content": {JSON: {"schema": _ref(body)}}},
        "responses": {"200": _answer("The task.", "ModelsLabTask"), **errors},
    }


def _schemas() -> dict[str, Any]:
    track_id = {"description": "As it was sent; null where there was none."}
    return {
        "ModelsLabNewTask": {
            **_object("The body of a new task.", _new_task(), _REQUIRED),
            "examples": [EXAMPLE],
        },
        "ModelsLabFetch": {
            **_object("Who is asking.", {"key": _key()}, ()),
            "examples": [{}],
        },
        "ModelsLabTask": _object("A task as it stands.", _task(), ("status", "id")),
        "ModelsLabMeta": _object(
            "What was asked for, and the video's size once there is one.",
            {
                "model_id": _text("The model."),
                "prompt": _text("The prompt, or empty."),
                "mode": _choice("The mode.", tuple(map(str, Mode))),
                "character_orientation": _choice("The orientation.", tuple(map(str, Orientation))),
                "keep_original_sound": _choice("Whether the sound was to be kept.", ("yes", "no")),
                "track_id": track_id,
                "width": {"type": "integer", "description": "Pixels."},
                "height": {"type": "integer", "description": "Pixels."},
                "fps": {"type": "number", "description": "Frames per second."},
                "duration": {"type": "number", "description": "Seconds."},
            },
            ("model_id", "prompt", "mode", "character_orientation", "keep_original_sound", "track_id"),
        ),
        "ModelsLabError": _object(
            "Every error under `/api/v7` has this form.",
            {
                "status": _choice("Always `error`.", ("error",)),
                "message": _text("What is wrong and what is allowed."),
                "retry_after": {"type": "integer", "description": "With 429: seconds."},
            },
            ("status", "message"),
        ),
    }


_REQUIRED = ("model_id", "init_image", "init_video", "character_orientation")


def _new_task() -> dict[str, Any]:
    url = {"maxLength": URL_CHARACTERS}
    return {
        "key": _key(),
        "model_id": _choice("Sets the price per second.", tuple(MODELS)),
        "init_image": _text(
            f"The reference image: {PICTURES} (or with that of a `data:` URL); 300 to 65536 pixels a side, 1:2.5 to "
            "2.5:1."
        ),
        "init_video": url
        | _text(
            "The driving video (http or https): MP4 or MOV, at most 100 MB, 340 to 3850 pixels a side, 3 to 30 s, or "
            "10 s with the orientation `image`."
        ),
        "character_orientation": _choice("Whose facing the output follows.", tuple(map(str, Orientation))),
        "prompt": _text("What else should be seen.") | {"maxLength": PROMPT_CHARACTERS},
        "mode": _choice(
            "`std`: the short side has 720 pixels; `pro`: 1080.", tuple(map(str, Mode)), default=str(Mode.STD)
        ),
        "keep_original_sound": _choice("Keep the driving video's sound.", ("yes", "no"), default="yes"),
        "webhook": url | _text("Gets a POST when the task has ended. Null or empty: none."),
        "track_id": {
            "description": f"A text of at most {TRACK_ID_CHARACTERS} characters, a number, or null; comes back in the "
            "webhook's body."
        },
    }


def _task() -> dict[str, Any]:
    links = {"type": "array", "items": {"type": "string"}}
    return {
        "status": _choice("Only moves forward.", ("processing", "success", "error")),
        "id": {"type": "integer", "format": "int64", "description": "16 digits, below 2^53."},
        "message": _text("While it is processing what to do; of a failed task why, and what to do about it."),
        "tip": _text("While it is processing."),
        "eta": {"type": "integer", "description": "While it is processing: about how many seconds still."},
        "fetch_result": _text("Where to fetch it by POST."),
        "output": {
            **links,
            "description": "One signed link to the video, once there is one: treat it as a secret.",
        },
        "proxy_links": {**links, "description": "The same."},
        "future_links": {
            **links,
            "description": "While it is processing: the link that `output` will have. Until then it answers 404 with "
            "`Retry-After`.",
        },
        "generationTime": {"type": "number", "description": "Seconds of work, once it has succeeded."},
        "meta": _ref("ModelsLabMeta"),
    }


def _key() -> dict[str, Any]:
    return _text("Your API key; or send it in the header `key`, or as `Authorization: Bearer`.")


def _answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": _ref(schema)}}}


def _object(words: str, properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "description": words, "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _text(words: str) -> dict[str, Any]:
    return {"type": "string", "description": words}


def _choice(words: str, allowed: tuple[str, ...], *, default: str | None = None) -> dict[str, Any]:
    schema = {**_text(words), "enum": list(allowed)}
    return schema if default is None else {**schema, "default": default}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
