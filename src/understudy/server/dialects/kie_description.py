"""Kie's routes in the words of OpenAPI: fields, limits and codes are those that the code beside it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.request import Orientation
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.kie import CREATE_PATH, QUERY_PATH
from understudy.server.dialects.kie_account import CREDIT_PATH, DOWNLOAD_PATH
from understudy.server.dialects.kie_answers import STATES
from understudy.server.dialects.kie_form import BACKGROUNDS, MODES, PROMPT_CHARACTERS
from understudy.server.dialects.kie_id import MODELS
from understudy.server.dialects.kie_uploads import BASE64_PATH, NAME_CHARACTERS, STREAM_PATH, URL_PATH
from understudy.server.media_kind import ALLOWED

Schema = dict[str, Any]
JSON, FORM = "application/json", "multipart/form-data"
CODES = (
    "HTTP 200, also for errors: then `code` is 400 (not readable), 401, 402 (not enough credits), 404 (nothing at that "
    "path), 422 (a field, or no such task), 429 (too many live tasks), 455 (maintenance), 500 or 505 (switched off), "
    "and `data` is null."
)
UPLOAD_CODES = (
    "HTTP 200, also for errors: then `success` is false, `code` is 400, 401, 429 (two files are being fetched), 500 or "
    "505 (switched off), and `data` is null."
)
EXAMPLE = {
    "model": "kling-3.0/motion-control",
    "callBackUrl": "https://example.com/callback",
    "input": {
        "input_urls": ["https://example.com/character.png"],
        "video_urls": ["https://example.com/dance.mp4"],
        "character_orientation": "video",
        "mode": "720p",
    },
}
PLACE = {"uploadPath": "images", "fileName": "character.png"}


def description() -> Description:
    task_id = {
        "name": "taskId",
        "in": "query",
        "required": True,
        "description": "The task's id: `task_kling-3.0_` and 16 digits, the digits alone, or an external id.",
        "schema": {"type": "string"},
    }
    paths = {
        CREATE_PATH: {
            "post": _operation("createTask", "Create Task", "Looks at form only.", "Created", body="NewTask")
        },
        QUERY_PATH: {
            "get": _operation(
                "recordInfo", "Get Task Details", "A task as it stands.", "Queried", parameters=[task_id]
            )
        },
        CREDIT_PATH: {"get": _operation("credit", "Get Account Credits", "What is left.", "Credits")},
        DOWNLOAD_PATH: {
            "post": _operation(
                "downloadUrl",
                "Get a Download URL",
                "Lives for 20 minutes.",
                "Address",
                body="DownloadRequest",
            )
        },
        STREAM_PATH: {"post": _upload("streamUpload", "Upload a File", "StreamUpload", FORM)},
        BASE64_PATH: {"post": _upload("base64Upload", "Upload Base64", "Base64Upload", JSON)},
        URL_PATH: {"post": _upload("urlUpload", "Upload from a URL", "UrlUpload", JSON)},
    }
    return Description(paths, {f"Kie{name}": schema for name, schema in _schemas().items()})


def _operation(
    name: str,
    summary: str,
    words: str,
    answer: str,
    *,
    body: str | None = None,
    parameters: list[Schema] | None = None,
) -> Schema:
    operation: Schema = {
        "tags": ["Kie"],
        "summary": summary,
        "description": words,
        "operationId": f"kie_{name}",
        "security": [{"key": []}],
        "parameters": parameters or [],
        "responses": {
            "200": {"description": CODES, "content": {JSON: {"schema": _ref(answer)}}},
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(body)}}}
    return operation


def _upload(name: str, summary: str, body: str, kind: str) -> Schema:
    words = f"Kept for 3 days: {ALLOWED}. The same path and name replace a file; its link stays."
    operation = _operation(name, summary, words, "Uploaded")
    operation["requestBody"] = {"required": True, "content": {kind: {"schema": _ref(body)}}}
    operation["responses"]["200"]["description"] = UPLOAD_CODES
    return operation


def _schemas() -> dict[str, Schema]:
    place = {
        "uploadPath": _text("A folder of your choice: a name only.", NAME_CHARACTERS)
        | {"examples": [PLACE["uploadPath"]]},
        "fileName": _text("Left out: a random one.", NAME_CHARACTERS),
    }
    created = {"taskId": _text("`task_kling-3.0_` and 16 digits."), "recordId": _text("The same.")}
    return {
        "NewTask": {
            **_object(
                "The body of a new task.",
                {
                    "model": _choice("Sets the price per second.", tuple(MODELS)),
                    "callBackUrl": _text("Gets a POST when the task has ended.", URL_CHARACTERS),
                    "input": _ref("Input"),
                },
                ("model", "input"),
            ),
            "examples": [EXAMPLE],
        },
        "Input": _object("What the video is made of.", _input(), ("input_urls", "video_urls")),
        "Created": _envelope(_object("A new task.", created)),
        "Queried": _envelope(_object("A task as it stands.", _record())),
        "Credits": _envelope({"type": "number", "description": "1000000000 for an account without a limit."}),
        "Address": _envelope(_text("Ends 20 minutes from now.")),
        "DownloadRequest": {
            **_object("", {"url": _text("The link of a result.")}),
            "examples": [{"url": "https://example.com/files/4503599627370496/video/SIGNATURE/name.mp4"}],
        },
        "StreamUpload": _object(
            "", {"file": {**_text("The file itself."), "format": "binary"}, **place}, ("file", "uploadPath")
        ),
        "Base64Upload": {
            **_object(
                "",
                {"base64Data": _text("At most 10 MB, bare or as a `data:` URL."), **place},
                ("base64Data", "uploadPath"),
            ),
            "examples": [{"base64Data": "iVBORw0KGgo...", **PLACE}],
        },
        "UrlUpload": {
            **_object(
                "",
                {"fileUrl": _text("Fetched at once, within 30 s.", URL_CHARACTERS), **place},
                ("fileUrl", "uploadPath"),
            ),
            "examples": [{"fileUrl": "https://example.com/character.png", **PLACE}],
        },
        "Uploaded": _object(
            "",
            {
                "success": {"type": "boolean", "description": "Whether it is kept."},
                **_head(),
                "data": _ref("File"),
            },
        ),
        "File": _object(
            "An uploaded file.",
            {
                "fileName": _text("As given, or the random one."),
                "filePath": _text("Path and name."),
                "downloadUrl": _text(
                    "For `input_urls` and `video_urls`: a signed link, to be treated as a secret."
                ),
                "fileSize": _whole("Bytes."),
                "mimeType": _text("By its content."),
                "uploadedAt": _text("ISO 8601, UTC, with milliseconds."),
            },
        ),
    }


def _input() -> dict[str, Schema]:
    url = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}
    return {
        "input_urls": {**url, "description": "One reference image: JPEG or PNG, at most 10 MB."},
        "video_urls": {
            **url,
            "description": "One driving video: MP4, MOV or Matroska, at most 100 MB, 3 to 30 s.",
        },
        "prompt": _text("What else should be seen.", PROMPT_CHARACTERS),
        "character_orientation": _choice(
            "Whose facing the output follows.", tuple(map(str, Orientation)), default="video"
        ),
        "mode": _choice(
            "`720p` or `std`: the short side has 720 pixels; `1080p` or `pro`: 1080.",
            tuple(MODES),
            default="720p",
        ),
        "background_source": _choice(
            "`input_video` puts the character into the video's scene, and is refused where the server's engine cannot.",
            tuple(BACKGROUNDS),
            default="input_image",
        ),
    }


def _record() -> dict[str, Schema]:
    return {
        "taskId": _text("`task_kling-3.0_` and 16 digits."),
        "model": _choice("The model.", tuple(MODELS)),
        "state": _choice("Only moves forward.", STATES),
        "param": _text("The request, as JSON within a text."),
        "resultJson": _text('`{"resultUrls": [...]}` as JSON within a text; null until `success`.'),
        "failCode": _text("Empty; `400` where the input was at fault, `500` where the server was."),
        "failMsg": _text("Of a failed task what was found, the limit, and what to do; else empty."),
        "costTime": _whole("Milliseconds from creation to end; null before."),
        "completeTime": _whole("Milliseconds since 1970; null before the end."),
        "createTime": _whole("Milliseconds since 1970."),
        "updateTime": _whole("When the state last changed; milliseconds since 1970."),
        "creditsConsumed": {"type": "number", "description": "Null before the end, 0 for a failed task."},
    }


def _envelope(data: Schema) -> Schema:
    return _object("", {**_head(), "data": data})


def _head() -> dict[str, Schema]:
    return {
        "code": _whole("200, or the error's."),
        "msg": _text("success, or what is wrong and what is allowed."),
    }


def _object(words: str, properties: Mapping[str, Schema], required: tuple[str, ...] | None = None) -> Schema:
    needed = list(properties if required is None else required)
    return {"type": "object", "description": words, "properties": dict(properties), "required": needed}


def _text(words: str, most: int | None = None) -> Schema:
    schema: Schema = {"type": "string", "description": words}
    return schema if most is None else {**schema, "maxLength": most}


def _whole(words: str) -> Schema:
    return {"type": "integer", "description": words}


def _choice(words: str, allowed: tuple[str, ...], *, default: str | None = None) -> Schema:
    schema: Schema = {**_text(words), "enum": list(allowed)}
    return schema if default is None else {**schema, "default": default}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/Kie{name}"}
