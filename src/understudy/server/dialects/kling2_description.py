"""Kling's API 2.0 and the account's costs in the words of OpenAPI: fields, limits and codes are those that the code
beside it reads."""

from __future__ import annotations

from typing import Any

from understudy.request import Orientation
from understudy.server.dialects.dialect import Description
from understudy.server.dialects.fields import URL_CHARACTERS
from understudy.server.dialects.inline_picture import ALLOWED as PICTURES
from understudy.server.dialects.kling2_account import BALANCE, COSTS, DETAILS, PACK_NAME, PACKAGE
from understudy.server.dialects.kling2_answers import PRODUCT, STATUSES
from understudy.server.dialects.kling2_form import (
    AUDIO,
    CONTENTS,
    CREATE,
    EXTERNAL_ID_CHARACTERS,
    INDEX_CHARACTERS,
    MODELS,
    PROMPT_CHARACTERS,
    RESOLUTIONS,
    WITH_ELEMENTS,
)
from understudy.server.dialects.kling2_window import LIMITS, LIST, LISTED, MOST_FILTERS, MOST_NAMES
from understudy.server.dialects.kling_errors import ROWS

TAG = "Kling API 2.0"
JSON = "application/json"
EXAMPLE = {
    "contents": [
        {"type": "prompt", "text": "The girl is wearing a loose gray T-shirt"},
        {"type": "image", "url": "https://example.com/character.png"},
        {"type": "video", "url": "https://example.com/dance.mp4"},
    ],
    "settings": {"character_orientation": "video", "audio": "original", "resolution": "720p"},
    "options": {"callback_url": "", "external_task_id": "", "watermark_info": {"enabled": False}},
}
CODES = {
    1001: "no Authorization",
    1002: "the token is not valid, or it is a JWT where only API keys are let in",
    1100: "the account is disabled",
    1102: "the balance is used up",
    1103: "the operator has switched this protocol off",
    1200: "the body cannot be read",
    1201: "a key or a value is not allowed",
    1303: "as many tasks live as the account may have",
    5000: "an error of the server",
    5001: "a part of the server is away, or in maintenance",
}
ALWAYS = (1001, 1002, 1100, 1103, 1201, 5000, 5001)
TIME = {"description": "Milliseconds since 1970.", "oneOf": [{"type": "integer"}, {"type": "string"}]}


def description() -> Description:
    paths: dict[str, Any] = {f"{CREATE}/{model}": {"post": _create(model)} for model in MODELS}
    paths[LIST] = {"get": _several(), "post": _listed()}
    paths[COSTS] = {"get": _costs()}
    for path, what in ((BALANCE, "Money"), (PACKAGE, "Units")):
        paths[path] = {"post": _billing(path, what)}
    return Description(paths, _schemas())


def _create(model: str) -> dict[str, Any]:
    key = _parameter("idempotency-key", "header", "The same key and body within 24 hours: one task.")
    words = "Looks at form only and answers at once; what is wrong with what must be fetched ends the task as `failed`."
    name = f"kling2_create_{model.replace('-', '_').replace('.', '_')}"
    answer = "Kling2Created"
    codes = (1102, 1200, 1303)
    return _operation(name, f"Create Task ({model})", words, answer, codes, [key], f"Kling2NewTask_{model}")


def _several() -> dict[str, Any]:
    words = (
        f"At most {MOST_NAMES}, with commas between. One of the two parameters; what is unknown is left out."
    )
    parameters = [
        _parameter("task_ids", "query", "Ids of tasks, made through whatever protocol."),
        _parameter("external_task_ids", "query", "Ids that you gave them."),
    ]
    return _operation("kling2_tasks", "Query Task (By task ID)", words, "Kling2Queried", (), parameters)


def _listed() -> dict[str, Any]:
    words = "The account's tasks, newest first. A cursor goes on where an earlier answer ended, whatever came since."
    return _operation(
        "kling2_list", "Query Task (By Cursor)", words, "Kling2Listed", (1200,), [], "Kling2Window"
    )


def _costs() -> dict[str, Any]:
    words = "One resource pack, which mirrors the account's units. A JWT is let in too."
    parameters = [
        _parameter("start_time", "query", "Milliseconds since 1970."),
        _parameter("end_time", "query", "Milliseconds since 1970."),
        _parameter("resource_pack_name", "query", f"The pack's whole name, {PACK_NAME!r}."),
    ]
    return _operation("kling2_costs", "Query Account Usage", words, "Kling2Costs", (), parameters)


def _billing(path: str, what: str) -> dict[str, Any]:
    words = f"{what} that tasks took, the newest tasks first."
    if path == BALANCE:
        words += " Accounts have units alone, so there is none."
    name = path.rpartition("/")[2]
    return _operation(
        f"kling2_{name}", f"Query Deductions ({name})", words, "Kling2Billed", (1200,), [], "Kling2Window"
    )


def _operation(
    name: str,
    summary: str,
    words: str,
    answer: str,
    codes: tuple[int, ...],
    parameters: list[dict[str, Any]],
    body: str | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [TAG],
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
        if code in codes and (status, code) != (405, 1202):
            told.setdefault(status, {})[code] = f"`{code}`: {CODES[code]}"
    return {
        str(status): _answer("; ".join(words.values()) + ".", "Kling2Error") for status, words in told.items()
    }


def _schemas() -> dict[str, Any]:
    created = {
        "id": _text("16 digits; a text, so that no client rounds it."),
        "status": _choice("Only moves forward.", tuple(STATUSES.values())),
        "create_time": {"type": "integer", "description": "Milliseconds since 1970."},
        "update_time": {"type": "integer", "description": "When the status last changed."},
        "external_id": _text("Where one was given."),
    }
    always = ("id", "status", "create_time", "update_time")
    task = {
        **created,
        "message": _text("Of a failed task what was found, the limit, and what to do; else empty."),
        "outputs": _array("Kling2Output", "Empty until `succeeded`."),
        "billing": _array("Kling2Bill", "Empty until the task has ended."),
    }
    return {
        **{f"Kling2NewTask_{model}": _new_task(model) for model in MODELS},
        "Kling2Content": _content(),
        "Kling2Window": _window(),
        "Kling2Error": _object("Every error of these paths has this form.", _head()),
        "Kling2Created": _envelope(_ref("Kling2CreatedTask")),
        "Kling2CreatedTask": _object("A task as it was created.", created, always),
        "Kling2Queried": _envelope(_array("Kling2Task", "In the order of the ids.")),
        "Kling2Listed": _envelope(_ref("Kling2Page")),
        "Kling2Page": _object("A page of tasks.", {"result": _array("Kling2Task", ""), **_paging()}),
        "Kling2Task": _object(
            "A task as it stands; a callback's body is the same.",
            task,
            (*always, "message", "outputs", "billing"),
        ),
        "Kling2Output": _object(
            "A finished video.",
            {
                "type": _choice("", (PRODUCT,)),
                "id": _text("Unique."),
                "url": _text("A signed link that needs no further authorization: treat it as a secret."),
                "watermark_url": _text("The watermarked video, where one was asked for."),
                "duration": _text("Seconds."),
            },
            ("type", "id", "url", "duration"),
        ),
        "Kling2Bill": _object(
            "What the task took.",
            {
                "charge_type": _choice("Units, not money.", ("unit",)),
                "amount": _text('Units; "0" for a failed task.'),
                "package_type": _choice("", (PRODUCT,)),
            },
        ),
        "Kling2Costs": _envelope(_ref("Kling2Packs")),
        "Kling2Packs": _object(
            "",
            {
                "code": {"type": "integer", "description": "0, once more."},
                "msg": _text("success."),
                "resource_pack_subscribe_infos": _array("Kling2Pack", "One, or none that fits."),
            },
        ),
        "Kling2Pack": _pack(),
        "Kling2Billed": _envelope(_ref("Kling2Deductions")),
        "Kling2Deductions": _object(
            "", {"result": _ref("Kling2DeductionPage"), "next_cursor": _text(""), "has_more": _flag("")}
        ),
        "Kling2DeductionPage": _object(
            "", {"detail": _array("Kling2Deduction", ""), "count": {"type": "integer", "description": ""}}
        ),
        "Kling2Deduction": _deduction(),
    }


def _new_task(model: str) -> dict[str, Any]:
    kinds = [kind for kind in CONTENTS if kind != "element" or model == WITH_ELEMENTS]
    settings = {
        "character_orientation": _choice("Whose facing the output follows.", tuple(map(str, Orientation))),
        "audio": _choice("The driving video's sound, or none.", AUDIO) | {"default": AUDIO[0]},
        "resolution": _choice("Of the short side.", tuple(RESOLUTIONS)) | {"default": "720p"},
    }
    options = {
        "callback_url": _text(
            "Gets a POST at every change of status. Empty counts as left out.", URL_CHARACTERS
        ),
        "external_task_id": _text(
            "A name of your own, unique in the account for ever. Empty counts as left out.",
            EXTERNAL_ID_CHARACTERS,
        ),
        "watermark_info": _object("", {"enabled": _flag("Make a watermarked video beside the first.")}, ()),
    }
    fields = {
        "contents": _array(
            "Kling2Content", f"Each type at most once: {', '.join(kinds)}; image and video are needed."
        ),
        "settings": _object("", settings, ("character_orientation",)),
        "options": _object("", options, ()),
    }
    return {**_object("The body of a new task.", fields, ("contents", "settings")), "examples": [EXAMPLE]}


def _content() -> dict[str, Any]:
    fields = {
        "type": _choice("", tuple(CONTENTS)),
        "text": _text("Of a prompt: what else should be seen.", PROMPT_CHARACTERS),
        "url": _text(f"Of a video: http or https. Of an image: {PICTURES}."),
        "element_id": _text("Of an element of the library; it forces the orientation `video`."),
        "id": _text("Of an element: by what name the prompt speaks of it.", INDEX_CHARACTERS),
    }
    return _object("Something that goes in.", fields, ("type",))


def _window() -> dict[str, Any]:
    limit = {"type": "integer", "description": f"{LISTED} tasks or {DETAILS} deductions, where left out."}
    one = _object(
        "Alternatives of one dimension.",
        {
            "key": _text("`status`, `product_type` and others."),
            "values": {"type": "array", "items": _text("")},
        },
    )
    fields = {
        "start_time": TIME,
        "end_time": TIME,
        "cursor": _text("An answer's next_cursor. Empty counts as left out."),
        "limit": limit | {"minimum": LIMITS[0], "maximum": LIMITS[1]},
        "filters": {"type": "array", "items": one, "maxItems": MOST_FILTERS, "description": ""},
    }
    example = {
        "start_time": "1795000000000",
        "end_time": "1795262400123",
        "cursor": "",
        "limit": LISTED,
        "filters": [],
    }
    words = "Which tasks: without times those of the last 30 days."
    return {**_object(words, fields, ()), "examples": [example]}


def _pack() -> dict[str, Any]:
    words = {
        "resource_pack_name": "Always the same.",
        "resource_pack_id": "32 hexadecimal digits.",
        "resource_pack_type": "decreasing_total.",
    }
    fields: dict[str, Any] = {name: _text(each) for name, each in words.items()}
    for name, each in {"total_quantity": "Units granted.", "remaining_quantity": "Units left."}.items():
        fields[name] = {"type": "number", "description": each}
    for name in ("purchase_time", "effective_time", "invalid_time"):
        fields[name] = {"type": "integer", "description": "Milliseconds since 1970."}
    fields["status"] = _choice("runOut: nothing is left.", ("online", "runOut"))
    return _object("The account's units.", fields)


def _deduction() -> dict[str, Any]:
    texts = ("package_id", "product_type", "task_id", "api_key_name", "product_function", "model_name")
    fields: dict[str, Any] = {name: _text("") for name in texts}
    fields["resolution"] = _choice("", tuple(RESOLUTIONS))
    fields["duration"] = _text("Seconds.")
    fields["refer_video_input"] = _flag("Always.")
    fields["video_sound"] = _choice("", AUDIO)
    fields["voice_control"] = _flag("Never.")
    fields["deduction_time"] = _text("Milliseconds since 1970.")
    for name in ("unit_before_deduction", "deduction_amount", "unit_after_deduction"):
        fields[name] = {"type": "number", "description": "Units."}
    return _object("What one task took.", fields)


def _paging() -> dict[str, Any]:
    return {
        "count": {"type": "integer", "description": "Tasks on this page."},
        "next_cursor": _text("Empty on the last page."),
        "has_more": _flag("Whether there is another page."),
    }


def _head() -> dict[str, Any]:
    return {
        "code": {"type": "integer", "description": "0, or the error's code."},
        "message": _text("SUCCEED, or what is wrong and what is allowed."),
        "request_id": _text("Also in the header X-Request-Id."),
    }


def _envelope(data: dict[str, Any]) -> dict[str, Any]:
    return _object("", {**_head(), "data": data})


def _object(
    words: str, properties: dict[str, Any], required: tuple[str, ...] | None = None
) -> dict[str, Any]:
    needed = tuple(properties) if required is None else required
    schema: dict[str, Any] = {"type": "object", "description": words, "properties": properties}
    return {**schema, "required": list(needed)} if needed else schema


def _array(schema: str, words: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(schema), "description": words}


def _text(words: str, most: int | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "description": words}
    return schema if most is None else {**schema, "maxLength": most}


def _choice(words: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    return {**_text(words), "enum": list(allowed)}


def _flag(words: str) -> dict[str, Any]:
    return {"type": "boolean", "description": words}


def _parameter(name: str, place: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "description": words, "schema": {"type": "string"}}


def _answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": _ref(schema)}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
