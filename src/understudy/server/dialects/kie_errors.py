"""Our errors in Kie's words: HTTP 200 always, and the code in the body, as its live servers answer.

The codes are those of Kie's list: 400, 401, 402 credits, 404, 422, 429, 455 maintenance, 500, 501 (a failed generation,
in callbacks), 505 (a feature that is switched off).
"""

from __future__ import annotations

from typing import Any

from understudy.errors import FetchError, FormError, InputError, UnderstudyError

ROWS: dict[str, int] = {
    "body_unreadable": 400,
    "body_too_large": 422,
    "field_missing": 422,
    "field_invalid": 422,
    "model_unknown": 422,
    "external_id_taken": 422,
    "idempotency_conflict": 422,
    "task_unknown": 422,
    "element_unknown": 422,
    "task_ended": 422,
    "task_running": 422,
    "route_unknown": 404,
    "method_unknown": 404,
    "auth_missing": 401,
    "auth_invalid": 401,
    "auth_not_yet": 401,
    "auth_expired": 401,
    "account_disabled": 401,
    "balance_used_up": 402,
    "too_many_tasks": 429,
    "internal": 500,
    "unavailable": 500,
    "maintenance": 455,
    "dialect_off": 505,
}
OTHER_INPUT, OTHER = 422, 500
UPLOAD_INPUT = 400  # what is wrong with an upload; Kie's own samples

# Word for word Kie's, since its clients may look for them.
KIES_MESSAGES = {
    "task_unknown": "recordInfo is null",
    "account_disabled": "You do not have access permissions",
}
# Errors of the server's inside may name what is no client's business: they get these.
PLAIN_MESSAGES = {
    "unavailable": "A part of the server is away at the moment. Try again in a few seconds; nothing accepted is lost.",
}
PLAIN = "The server met an error of its own. Try again; if it stays, give the operator the X-Request-Id."


class KieFormError(FormError):
    """A mistake in the form for which Kie has a code and a text of its own."""

    def __init__(self, kie_code: int, message: str, *, fix: str) -> None:
        super().__init__("field_missing", message, fix=fix)
        self.kie_code = kie_code


def kie_error(error: UnderstudyError) -> dict[str, Any]:
    """The body of an answer to a request that ended in this error."""
    if isinstance(error, KieFormError):
        return _body(error.kie_code, error.message)
    usual = OTHER_INPUT if isinstance(error, InputError | FormError) else OTHER
    code = ROWS.get(error.code, usual)
    if code == OTHER:
        return _body(code, PLAIN_MESSAGES.get(error.code, PLAIN))
    return _body(code, KIES_MESSAGES.get(error.code) or f"{error.message} {error.fix}")


def kie_upload_error(error: UnderstudyError) -> dict[str, Any]:
    """The same for an upload: there it also says ``success``, and what is wrong with the request is 400."""
    if isinstance(error, KieFormError):
        body = kie_error(error)
    elif isinstance(error, InputError | FormError | FetchError):
        body = _body(UPLOAD_INPUT, f"{error.message} {error.fix}")
    else:
        body = kie_error(error)
    return {"success": False, **body}


def _body(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "msg": message, "data": None}
