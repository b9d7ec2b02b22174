"""What the descriptions of Kling's routes are written with: operations, answers, schemas, in the words of OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.server.dialects.kling_errors import ROWS

JSON = "application/json"
CODES = {
    1001: "no Authorization",
    1002: "the token is not valid",
    1003: "the token is not valid yet",
    1004: "the token has expired",
    1100: "the account is disabled",
    1102: "the balance is used up",
    1200: "the body cannot be read",
    1201: "a key or a value is not allowed, or the task or element is unknown",
    1203: "there is no such model",
    1303: "as many tasks live, or elements are being made, as the account may have",
    5000: "an error of the server",
    5001: "a part of the server is away",
}
ALWAYS = (1001, 1002, 1003, 1004, 1100, 5000, 5001)


@dataclass(frozen=True)
class Part:
    """What all operations of one part of the page share: its tag, the schema of its errors, what Kling's codes mean
    there, and those that any of them may answer."""

    tag: str
    error: str
    codes: Mapping[int, str]
    always: tuple[int, ...]


KLING = Part("Kling", "KlingError", CODES, ALWAYS)


def operation(
    name: str,
    summary: str,
    words: str,
    answer: str,
    codes: Iterable[int],
    *,
    parameters: list[dict[str, Any]],
    body: str | None = None,
    part: Part = KLING,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [part.tag],
        "summary": summary,
        "description": words,
        "operationId": name,
        "security": [{"key": []}],
        "parameters": parameters,
        "responses": {"200": an_answer("Code 0.", answer), **_errors({*codes, *part.always}, part)},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": ref(body)}}}
    return operation


def _errors(codes: set[int], part: Part) -> dict[str, Any]:
    told: dict[int, dict[int, str]] = {}
    for status, code in sorted(ROWS.values()):
        if code in codes:
            told.setdefault(status, {})[code] = f"`{code}`: {part.codes[code]}"
    return {
        str(status): an_answer("; ".join(words.values()) + ".", part.error) for status, words in told.items()
    }


def an_answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": ref(schema)}}}


def head() -> dict[str, Any]:
    return {
        "code": {"type": "integer", "description": "0, or the error's code."},
        "message": a_text("SUCCEED, or what is wrong and what is allowed."),
        "request_id": a_text("Also in the header X-Request-Id."),
    }


def envelope(data: dict[str, Any]) -> dict[str, Any]:
    fields = {**head(), "data": data}
    return an_object("", fields, tuple(fields))


def an_object(
    words: str, properties: dict[str, Any], required: tuple[str, ...] | None = None
) -> dict[str, Any]:
    needed = tuple(properties) if required is None else required
    schema: dict[str, Any] = {"type": "object", "description": words, "properties": properties}
    return {**schema, "required": list(needed)} if needed else schema


def a_text(words: str, most: int | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "description": words}
    return schema if most is None else {**schema, "maxLength": most}


def choice(words: str, allowed: tuple[str, ...], *, default: str | None = None) -> dict[str, Any]:
    schema = {**a_text(words), "enum": list(allowed)}
    return schema if default is None else {**schema, "default": default}


def whole(words: str, limits: tuple[int, int]) -> dict[str, Any]:
    return {"type": "integer", "description": words, "minimum": limits[0], "maximum": limits[1]}


def parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    words = schema.pop("description")
    return {"name": name, "in": place, "required": place == "path", "description": words, "schema": schema}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
