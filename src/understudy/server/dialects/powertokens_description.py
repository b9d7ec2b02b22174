"""PowerTokens' routes in the words of OpenAPI: Kling's as Kling describes them, and those of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.server.dialects import kling_description
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.kling_form import PATH
from understudy.server.dialects.powertokens_answers import STATUSES
from understudy.server.dialects.powertokens_errors import BROKEN, QUOTA, TYPES, WRONG
from understudy.server.dialects.powertokens_form import MODELS, PREFIX

TAG = "PowerTokens"
JSON = "application/json"
REFERENCE = "#/components/schemas/"
VIDEO = f"{PREFIX}/v1/videos/{{task_id}}"
OWN_SCHEMAS = {"KlingNewTask": "PowerTokensNewTask", "KlingError": "PowerTokensError"}


def description() -> Description:
    kling = kling_description.description()
    paths = {
        PREFIX + path: {method: _as_own(operation) for method, operation in methods.items()}
        for path, methods in kling.paths.items()
        if path.startswith(PATH)
    }
    errors = paths[f"{PREFIX}{PATH}/{{task_id}}"]["get"]["responses"]
    paths[VIDEO] = {"get": _query(errors)}
    paths[f"{VIDEO}/content"] = {"get": _content(errors)}
    return Description(paths, _schemas(kling.schemas))


def _as_own(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Kling's operation under a name and with the schemas of this dialect. An unknown model is a wrong value here."""
    own: dict[str, Any] = _renamed(operation)
    own["tags"] = [TAG]
    own["operationId"] = own["operationId"].replace("kling", "powertokens")
    own["responses"].pop("404", None)
    return own


def _renamed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _renamed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each) for each in value]
    if isinstance(value, str) and value.startswith(REFERENCE):
        name = value.removeprefix(REFERENCE)
        return REFERENCE + OWN_SCHEMAS.get(name, name)
    return value


def _query(errors: Mapping[str, Any]) -> dict[str, Any]:
    ok = {"description": "The task.", "content": {JSON: {"schema": {"$ref": f"{REFERENCE}PowerTokensVideo"}}}}
    return {
        "tags": [TAG],
        "summary": "Query Video",
        "description": "A task as OpenAI's video API tells of one. Also at `/v1/videos/{task_id}`.",
        "operationId": "powertokens_video",
        "security": [{"key": []}],
        "parameters": [_task_id()],
        "responses": {**errors, "200": ok},
    }


def _content(errors: Mapping[str, Any]) -> dict[str, Any]:
    words = "Leads to the video's link, which needs no key. Also at `/v1/videos/{task_id}/content`."
    answers = {status: answer for status, answer in errors.items() if status != "200"}
    return {
        "tags": [TAG],
        "summary": "Download Video",
        "description": words,
        "operationId": "powertokens_content",
        "security": [{"key": []}],
        "parameters": [_task_id()],
        "responses": {"302": {"description": "The link, in `Location`."}, **answers},
    }


def _task_id() -> dict[str, Any]:
    return {
        "name": "task_id",
        "in": "path",
        "required": True,
        "description": "The task's id.",
        "schema": {"type": "string", "pattern": "^[0-9]+$", "examples": ["4503599627370496"]},
    }


def _schemas(kling: Mapping[str, Any]) -> dict[str, Any]:
    new_task, error = kling["KlingNewTask"], kling["KlingError"]
    (example,) = new_task["examples"]
    model = {"type": "string", "description": "The one model that there is here.", "enum": list(MODELS)}
    fault = {
        "message": _text("The same as beside it."),
        "type": _text("The kind of error.")
        | {"enum": sorted({*TYPES.values(), *QUOTA.values(), WRONG, BROKEN})},
        "param": {"type": "null", "description": "Always null."},
        "code": _text("A stable word for it."),
    }
    return {
        "PowerTokensNewTask": {
            **new_task,
            "required": ["model_name", *new_task["required"]],
            "properties": {**new_task["properties"], "model_name": model},
            "examples": [example | {"model_name": MODELS[0]}],
        },
        "PowerTokensError": {
            **error,
            "description": f"Every error under `{PREFIX}` has this form: Kling's, and OpenAI's in it.",
            "properties": {**error["properties"], "error": {"$ref": f"{REFERENCE}PowerTokensFault"}},
            "required": [*error["required"], "error"],
        },
        "PowerTokensFault": _object("An error as OpenAI's API tells it.", fault),
        "PowerTokensVideo": _object("A task as OpenAI's video API tells of one.", _video()),
        "PowerTokensMetadata": {
            "type": "object",
            "description": "Empty until `completed`.",
            "properties": {"url": _text("A signed link that needs no key: treat it as a secret.")},
        },
        "PowerTokensReason": _object(
            "Why a task failed.",
            {"code": _text("A stable word for it."), "message": _text("And what to do.")},
        ),
    }


def _video() -> dict[str, Any]:
    return {
        "id": _text("The task's id."),
        "object": _text("Always `video`.") | {"enum": ["video"]},
        "model": _text("As the task was made with."),
        "status": _text("Only moves forward.") | {"enum": list(STATUSES.values())},
        "progress": {"type": "integer", "description": "Percent.", "minimum": 0, "maximum": 100},
        "created_at": {"type": "integer", "description": "Seconds since 1970."},
        "completed_at": {
            "anyOf": [{"type": "integer"}, {"type": "null"}],
            "description": "When it ended; seconds since 1970.",
        },
        "metadata": {"$ref": f"{REFERENCE}PowerTokensMetadata"},
        "error": {
            "anyOf": [{"$ref": f"{REFERENCE}PowerTokensReason"}, {"type": "null"}],
            "description": "Why it failed.",
        },
    }


def _object(words: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": words, "properties": properties, "required": list(properties)}


def _text(words: str) -> dict[str, Any]:
    return {"type": "string", "description": words}
