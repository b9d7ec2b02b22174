"""Our errors in ModelsLab's words: one table from our codes to HTTP status, and its own phrases.

Statuses and phrases are those of ModelsLab's error reference; 404 is that of its fetch endpoint.
"""

from __future__ import annotations

import re
from typing import Any

from understudy.errors import FormError, InputError, UnderstudyError
from understudy.server.dialects.modelslab_form import KEYS

ROWS: dict[str, int] = {
    "body_unreadable": 400,
    "body_too_large": 413,
    "field_missing": 400,
    "field_invalid": 400,
    "external_id_taken": 400,
    "idempotency_conflict": 400,
    "model_unknown": 400,
    "task_ended": 400,
    "task_running": 400,
    "task_unknown": 404,
    "element_unknown": 404,
    "route_unknown": 404,
    "method_unknown": 405,
    "auth_missing": 401,
    "auth_invalid": 401,
    "auth_not_yet": 401,
    "auth_expired": 401,
    "balance_used_up": 402,
    "account_disabled": 403,
    "dialect_off": 403,
    "too_many_tasks": 429,
    "internal": 500,
    "unavailable": 503,
    "maintenance": 503,
}

OTHER_INPUT, OTHER = 400, 500
RETRY_AFTER_S = 30  # of every answer 429

# Errors of the server's inside may name what is no client's business: they get these.
PLAIN_MESSAGES = {
    500: "Internal server error. Please try again.",
    503: "Service temporarily unavailable. Please try again later.",
}


def modelslab_error(error: UnderstudyError) -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    usual = OTHER_INPUT if isinstance(error, InputError | FormError) else OTHER
    status = ROWS.get(error.code, usual)
    body: dict[str, Any] = {"status": "error", "message": _message(error, status)}
    if status == 429:
        body["retry_after"] = RETRY_AFTER_S
    return status, body


def _message(error: UnderstudyError, status: int) -> str:
    match error.code:
        case "auth_missing":
            return f"The key field is required; allowed: {KEYS}."
        case "auth_invalid":
            return f"Invalid API key; allowed: {KEYS}."
        case "auth_not_yet" | "auth_expired":
            return f"Invalid API key: {error.message} {error.fix}"
        case "balance_used_up":
            return f"Insufficient credits. Please add more credits to continue. {error.message}"
        case "too_many_tasks":
            most = re.search(r"\d+", error.limit or "")
            number = f"Maximum {most[0]} queued requests allowed." if most else error.fix
            return f"Rate limit exceeded. {number}"
        case "maintenance":
            return f"{PLAIN_MESSAGES[503]} {error.message}"
    return PLAIN_MESSAGES.get(status) or f"{error.message} {error.fix}"
