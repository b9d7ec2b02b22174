"""The service's OpenAPI description: what FastAPI knows of the routes, made true to what they answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from understudy.server.dialects.registry import DIALECTS
from understudy.server.native_element_form import EXAMPLE as NEW_ELEMENT_EXAMPLE
from understudy.server.native_element_form import NewElementBody
from understudy.server.native_form import FILE_BYTES, NewTask

REFERENCE = "#/components/schemas/"
DESCRIPTION = (
    "One image of a character and one video of somebody moving go in, a video of that character making those "
    "movements comes out. Create a task, follow it until it has succeeded, download its result.\n\n"
    "Every request but `health` and `ready` needs `Authorization: Bearer` with an API key (`understudy keys create`), "
    "or with a token signed with a key pair. Every answer has an `X-Request-Id`; every error under "
    "`/understudy` has the same form, a stable code, and a hint on what to do.\n\n"
    "Clients written for Kling's Motion Control API (both generations), PowerTokens, imini, ModelsLab or Kie use "
    "theirs: each has its own part of this page. An account sees the same tasks in all of them."
)

NEW_TASK_EXAMPLE = {
    "image_url": "https://example.com/character.png",
    "video_url": "https://example.com/dance.mp4",
    "orientation": "video",
    "mode": "std",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of the app, made at the first call."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="Understudy", version=app.version, description=DESCRIPTION, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        for path in document["paths"].values():
            for operation in path.values():
                _without_framework_errors(operation)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        new_task = NewTask.model_json_schema(ref_template=REFERENCE + "{model}")
        schemas.update(new_task.pop("$defs", {}))
        schemas["NewTask"] = {**new_task, "examples": [NEW_TASK_EXAMPLE]}
        schemas["NewTaskForm"] = _form(new_task)
        new_element = NewElementBody.model_json_schema(ref_template=REFERENCE + "{model}")
        schemas["NewElement"] = {**new_element, "examples": [NEW_ELEMENT_EXAMPLE]}
        for dialect in DIALECTS.values():
            described = dialect.description()
            document["paths"].update(described.paths)
            schemas.update(described.schemas)
        app.openapi_schema = document
    return app.openapi_schema


def _without_framework_errors(operation: dict[str, Any]) -> None:
    """FastAPI promises its own 422 wherever a parameter can be wrong; ours is in the native shape, or never comes."""
    answer = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
    if answer.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]


def _form(new_task: dict[str, Any]) -> dict[str, Any]:
    files = {
        name: {
            "type": "string",
            "format": "binary",
            "description": f"The file itself, at most {limit // 2**20} MB; instead of a link.",
        }
        for name, limit in FILE_BYTES.items()
    }
    return {
        **new_task,
        "title": "NewTaskForm",
        "description": "The same fields as a form, with the picture and the video as files.",
        "properties": {**files, **new_task["properties"]},
    }
