"""Our errors in imini's words: one table from our codes to HTTP status and imini's code.

``INVALID_PROMPT``, ``INVALID_PARAMETER``, ``INSUFFICIENT_CREDITS``, ``RATE_LIMITED`` and ``TASK_NOT_FOUND`` are
imini's own; it names no others, so the rest are ours, in its manner.
"""

from __future__ import annotations

from typing import Any

from understudy.errors import FormError, InputError, UnderstudyError
from understudy.server.dialects.imini_form import PromptError

PARAMETER = (400, "INVALID_PARAMETER")
ROWS: dict[str, tuple[int, str]] = {
    "body_unreadable": PARAMETER,
    "body_too_large": (413, "INVALID_PARAMETER"),
    "field_missing": PARAMETER,
    "field_invalid": PARAMETER,
    "model_unknown": PARAMETER,
    "external_id_taken": PARAMETER,
    "idempotency_conflict": PARAMETER,
    "task_ended": PARAMETER,
    "task_running": PARAMETER,
    "task_unknown": (404, "TASK_NOT_FOUND"),
    "element_unknown": (404, "NOT_FOUND"),
    "route_unknown": (404, "NOT_FOUND"),
    "method_unknown": (405, "METHOD_NOT_ALLOWED"),
    "auth_missing": (401, "UNAUTHORIZED"),
    "auth_invalid": (401, "UNAUTHORIZED"),
    "auth_not_yet": (401, "UNAUTHORIZED"),
    "auth_expired": (401, "UNAUTHORIZED"),
    "account_disabled": (403, "FORBIDDEN"),
    "dialect_off": (403, "FORBIDDEN"),
    "balance_used_up": (402, "INSUFFICIENT_CREDITS"),
    "too_many_tasks": (429, "RATE_LIMITED"),
    "internal": (500, "INTERNAL_ERROR"),
    "unavailable": (503, "SERVICE_UNAVAILABLE"),
    "maintenance": (503, "SERVICE_UNAVAILABLE"),
}
PROMPT = (400, "INVALID_PROMPT")
OTHER = (500, "INTERNAL_ERROR")
# Errors of the server's inside may name what is no client's business: they get these.
PLAIN_MESSAGES = {
    500: "The server met an error of its own. Try again; if it stays, give the operator the request_id.",
    503: "A part of the server is away at the moment. Try again in a few seconds; nothing accepted is lost.",
}


def imini_error(error: UnderstudyError, request_id: str) -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    status, code = _row(error)
    told = None if error.code == "maintenance" else PLAIN_MESSAGES.get(status)
    message = told or f"{error.message} {error.fix}"
    return status, {"error": {"code": code, "message": message, "status": status, "request_id": request_id}}


def _row(error: UnderstudyError) -> tuple[int, str]:
    if isinstance(error, PromptError):
        return PROMPT
    return ROWS.get(error.code, PARAMETER if isinstance(error, InputError | FormError) else OTHER)
