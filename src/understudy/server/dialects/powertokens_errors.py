"""Our errors in PowerTokens' words: Kling's envelope with Kling's codes, and beside it OpenAI's error object.

PowerTokens documents the envelope and no error. It is a gateway: what it says itself, of keys and of quota, comes at
such gateways as OpenAI's ``{"error": {"message", "type", "param", "code"}}``. Both stand in every error, so that
either kind of client finds its own.
"""

from __future__ import annotations

from typing import Any

from understudy.errors import UnderstudyError
from understudy.server.dialects import kling_errors

ROWS: dict[str, tuple[int, int]] = {**kling_errors.ROWS, "model_unknown": (400, 1201)}

# OpenAI's words for kinds of errors, by HTTP status.
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
WRONG, BROKEN = "invalid_request_error", "server_error"
QUOTA = {"balance_used_up": "insufficient_quota"}  # the one that no waiting helps


def powertokens_error(error: UnderstudyError, request_id: str) -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    status, body = kling_errors.kling_error(error, request_id, ROWS)
    kind = QUOTA.get(error.code) or TYPES.get(status) or (BROKEN if status >= 500 else WRONG)
    known = error.code if error.code in ROWS else kind
    openai = {"message": body["message"], "type": kind, "param": None, "code": known}
    return status, {**body, "error": openai}
