"""Links to results: signed capabilities on the public URL, valid as long as the file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Sequence

SIGNATURE_BYTES = 18  # 144 bits, 24 characters

_RESULT = re.compile(r"/files/(\d{1,16})/([a-z]+)/([\w.-]+)/[^/]*", re.ASCII)
_UPLOAD = re.compile(r"/uploads/(\d{1,16})/([\w-]+)/[^/]*", re.ASCII)
_ENDING = re.compile(r"(\d{1,12})\.[\w-]+", re.ASCII)


class Links:
    """Makes and checks ``/files/{task id}/{kind}/{signature}/{name}``; ``kind`` is ``video``, ``watermarked`` or
    ``cover``.

    And of ``/uploads/{upload id}/{signature}/{name}``. The first secret signs, all verify, so that links live through
    a change of secret.
    """

    def __init__(self, public_url: str, secrets: Sequence[bytes]) -> None:
        self._base = public_url.rstrip("/")
        self._secrets = tuple(secrets)

    def public(self, path: str) -> str:
        """The address of one of our own paths, as others reach it."""
        return self._base + path

    def make(self, task_id: int, kind: str) -> str:
        """The same before and after there is a file."""
        signature = _signature(self._secrets[0], f"file:{task_id}:{kind}")
        return f"{self._base}/files/{task_id}/{kind}/{signature}/{file_name(task_id, kind)}"

    def make_until(self, task_id: int, kind: str, second: int) -> str:
        """A link that ends at that ``second`` since 1970, though the file lives on."""
        signature = _signature(self._secrets[0], f"file:{task_id}:{kind}:{second}")
        return f"{self._base}/files/{task_id}/{kind}/{second}.{signature}/{file_name(task_id, kind)}"

    def upload(self, upload_id: int, name: str) -> str:
        """``name`` is ours: for those who save the file under the last part of its link."""
        return (
            f"{self._base}/uploads/{upload_id}/{_signature(self._secrets[0], f'upload:{upload_id}')}/{name}"
        )

    def check(self, task_id: int, kind: str, signature: str) -> bool:
        ending = _ENDING.fullmatch(signature)
        if ending is None:
            return self._signed(f"file:{task_id}:{kind}", signature)
        second, _, rest = signature.partition(".")
        return int(second) > time.time() and self._signed(f"file:{task_id}:{kind}:{second}", rest)

    def left_s(self, signature: str) -> int | None:
        """How many seconds a link of that signature, which was checked, still holds; None where it does not end."""
        if _ENDING.fullmatch(signature) is None:
            return None
        return max(0, int(int(signature.partition(".")[0]) - time.time()))

    def check_upload(self, upload_id: int, signature: str) -> bool:
        return self._signed(f"upload:{upload_id}", signature)

    def result_of(self, url: str) -> tuple[int, str] | None:
        """The task's id and the kind of a result's link that holds now; None for any other address."""
        found = _RESULT.fullmatch(self._path(url))
        if found is None or not self.check(int(found[1]), found[2], found[3]):
            return None
        return int(found[1]), found[2]

    def upload_of(self, url: str) -> int | None:
        """The id in an uploaded file's link; None for any other address."""
        found = _UPLOAD.fullmatch(self._path(url))
        return int(found[1]) if found is not None and self.check_upload(int(found[1]), found[2]) else None

    def leads_to_uploads(self, url: str) -> bool:
        """Whether the address lies where uploaded files do, be it a link or not."""
        return self._path(url).startswith("/uploads/")

    def _path(self, url: str) -> str:
        """What stands behind our own base in an address, without its query; empty for one of somebody else's."""
        plain = url.partition("#")[0].partition("?")[0]
        return plain.removeprefix(self._base) if plain.startswith(f"{self._base}/") else ""

    def _signed(self, what: str, signature: str) -> bool:
        given = signature.encode("utf-8", "replace")
        return any(hmac.compare_digest(_signature(secret, what).encode(), given) for secret in self._secrets)


def file_name(task_id: int, kind: str) -> str:
    """What the file is called by those who save it."""
    if kind == "cover":
        return f"understudy-{task_id}-cover.jpg"
    return f"understudy-{task_id}.mp4" if kind == "video" else f"understudy-{task_id}-{kind}.mp4"


def _signature(secret: bytes, what: str) -> str:
    digest = hmac.new(secret, what.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()
