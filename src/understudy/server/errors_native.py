"""Errors in the native API's shape: one table of HTTP statuses, one JSON form."""

from __future__ import annotations

from typing import Any

from understudy.errors import (
    AccountError,
    AuthError,
    InputError,
    TaskError,
    UnavailableError,
    UnderstudyError,
)
from understudy.server.dialects.dialect import Answer

STATUS_OF_CODE: dict[str, int] = {
    "body_unreadable": 400,
    "body_too_large": 413,
    "field_missing": 422,
    "field_invalid": 422,
    "model_unknown": 422,
    "external_id_taken": 409,
    "idempotency_conflict": 409,
    "route_unknown": 404,
    "method_unknown": 405,
    "auth_missing": 401,
    "auth_invalid": 401,
    "auth_not_yet": 401,
    "auth_expired": 401,
    "account_disabled": 403,
    "balance_used_up": 402,
    "too_many_tasks": 429,
    "task_unknown": 404,
    "element_unknown": 404,
    "task_ended": 409,
    "task_running": 409,
    "unavailable": 503,
    "maintenance": 503,
    "dialect_off": 503,
    "internal": 500,
    "inputs_gone": 410,
    "file_missing": 410,
    "file_unknown": 404,
    "file_unfinished": 404,
    "range_invalid": 416,
}
"""Every code that the entrance answers has a row; ``status_of`` places the others by their class."""

CLASSES: tuple[tuple[type[UnderstudyError], int], ...] = (
    (InputError, 422),
    (AuthError, 401),
    (AccountError, 403),
    (TaskError, 409),
    (UnavailableError, 503),
)


def status_of(error: UnderstudyError) -> int:
    """The HTTP status that the native API answers with."""
    found = STATUS_OF_CODE.get(error.code)
    if found is None:
        found = next((status for kind, status in CLASSES if isinstance(error, kind)), 500)
    return found


def error_json(error: UnderstudyError, request_id: str) -> dict[str, Any]:
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "value": error.value,
            "limit": error.limit,
            "fix": error.fix,
            "request_id": request_id,
        }
    }


def encode_error(error: UnderstudyError, request_id: str) -> Answer:
    return Answer(status_of(error), error_json(error, request_id))
