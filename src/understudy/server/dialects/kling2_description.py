"""Kling's API 2.0 and the account's costs in the words of OpenAPI: fields, limits and codes are those that the code
beside it reads."""

from __future__ import annotations

from typing import Any

from understudy.server.dialects.dialect import Description
from understudy.server.dialects.kling2_account import BALANCE, COSTS, PACK_NAME, PACKAGE
from understudy.server.dialects.kling2_form import (
    CREATE,
    MODELS,
)
from understudy.server.dialects.kling2_schemas import schemas
from understudy.server.dialects.kling2_window import LIST, MOST_NAMES
from understudy.server.dialects.kling_schema import CODES as KLINGS_CODES
from understudy.server.dialects.kling_schema import (
    Part,
    operation,
)

TAG = "Kling API 2.0"
CODES = {
    **KLINGS_CODES,
    1002: "the token is not valid, or it is a JWT where only API keys are let in",
    1103: "the operator has switched this protocol off",
}
PART = Part(TAG, "Kling2Error", CODES, (1001, 1002, 1100, 1103, 1201, 5000, 5001))


def description() -> Description:
    paths: dict[str, Any] = {f"{CREATE}/{model}": {"post": _create(model)} for model in MODELS}
    paths[LIST] = {"get": _several(), "post": _listed()}
    paths[COSTS] = {"get": _costs()}
    for path, what in ((BALANCE, "Money"), (PACKAGE, "Units")):
        paths[path] = {"post": _billing(path, what)}
    return Description(paths, schemas())


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
    return operation(name, summary, words, answer, codes, parameters=parameters, body=body, part=PART)


def _parameter(name: str, place: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "description": words, "schema": {"type": "string"}}
