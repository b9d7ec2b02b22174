"""Signatures of callbacks, per Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over ``id.timestamp.body``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Sequence

from understudy.tasks.task import Task

PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification allows 24 to 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(random.token_bytes(SECRET_BYTES)).decode()


def headers(webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one callback: id, time (seconds since 1970), and a signature by each secret, in their order.

    Without a secret there is no signature.
    """
    named = {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        content = f"{webhook_id}.{timestamp}.".encode() + body
        named["webhook-signature"] = " ".join(_signature(secret, content) for secret in secrets)
    return named


def standard_headers(
    _task: Task, webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """``headers``, whatever the task is."""
    return headers(webhook_id, timestamp, body, secrets)


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
