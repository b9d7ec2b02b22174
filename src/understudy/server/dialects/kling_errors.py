"""Our errors in Kling's words: one table from our codes to HTTP status and Kling's code.

Codes and their HTTP statuses are those of Kling's error table; an unknown task is 400/1201, as Kling's servers answer,
where the table would suggest 404/1203.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.errors import FormError, InputError, UnderstudyError

ROWS: dict[str, tuple[int, int]] = {
    "body_unreadable": (400, 1200),
    "body_too_large": (413, 1200),
    "field_missing": (400, 1201),
    "field_invalid": (400, 1201),
    "external_id_taken": (400, 1201),
    "idempotency_conflict": (400, 1201),
    "task_unknown": (400, 1201),
    "element_unknown": (400, 1201),
    "task_ended": (400, 1201),
    "task_running": (400, 1201),
    "model_unknown": (404, 1203),
    "route_unknown": (404, 1203),
    "method_unknown": (405, 1202),
    "auth_missing": (401, 1001),
    "auth_invalid": (401, 1002),
    "auth_not_yet": (401, 1003),
    "auth_expired": (401, 1004),
    "account_disabled": (429, 1100),
    "balance_used_up": (429, 1102),
    "too_many_tasks": (429, 1303),
    "internal": (500, 5000),
    "unavailable": (503, 5001),
    "maintenance": (503, 5001),
    "dialect_off": (403, 1103),
}

OTHER_INPUT, OTHER = (400, 1201), (500, 5000)

# Word for word Kling's, since its clients may look for them.
KLINGS_MESSAGES = {
    "balance_used_up": "Account balance not enough",
    "too_many_tasks": "parallel task over resource pack limit",
}
# Errors of the server's inside may name what is no client's business: they get these.
PLAIN_MESSAGES = {
    5000: "The server met an error of its own. Try again; if it stays, give the operator the request_id.",
    5001: "A part of the server is away at the moment. Try again in a few seconds; nothing accepted is lost.",
}


def kling_error(
    error: UnderstudyError, request_id: str, rows: Mapping[str, tuple[int, int]] = ROWS
) -> tuple[int, dict[str, Any]]:
    """HTTP status and envelope. ``rows`` is the table to go by, where it is not Kling's own."""
    usual = OTHER_INPUT if isinstance(error, InputError | FormError) else OTHER
    status, code = rows.get(error.code, usual)
    message = KLINGS_MESSAGES.get(error.code) or _plain(error, code) or f"{error.message} {error.fix}"
    return status, {"code": code, "message": message, "request_id": request_id}


def _plain(error: UnderstudyError, code: int) -> str | None:
    return None if error.code == "maintenance" else PLAIN_MESSAGES.get(code)
