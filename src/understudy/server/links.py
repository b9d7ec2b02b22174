"""Links to results: signed capabilities on the public URL, valid as long as the file."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

SIGNATURE_BYTES = 18  # 144 bits, 24 characters


class Links:
    """Makes and checks ``/files/{task id}/{kind}/{signature}/{name}``; ``kind`` is ``video`` or ``watermarked``.

    The first secret signs, all verify, so that links live through a change of secret.
    """

    def __init__(self, public_url: str, secrets: Sequence[bytes]) -> None:
        self._base = public_url.rstrip("/")
        self._secrets = tuple(secrets)

    def public(self, path: str) -> str:
        """The address of one of our own paths, as others reach it."""
        return self._base + path

    def make(self, task_id: int, kind: str) -> str:
        """The same before and after there is a file."""
        name = f"understudy-{task_id}.mp4" if kind == "video" else f"understudy-{task_id}-{kind}.mp4"
        return f"{self._base}/files/{task_id}/{kind}/{_signature(self._secrets[0], task_id, kind)}/{name}"

    def check(self, task_id: int, kind: str, signature: str) -> bool:
        given = signature.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(_signature(secret, task_id, kind).encode(), given) for secret in self._secrets
        )


def _signature(secret: bytes, task_id: int, kind: str) -> str:
    digest = hmac.new(secret, f"file:{task_id}:{kind}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()
