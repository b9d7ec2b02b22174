"""Copies within the storage, of files that their owner may delete or replace at any time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from understudy.errors import FormError, ServiceError
from understudy.storage import Storage


async def copy(storage: Storage, source: str, target: str, what: str) -> None:
    """Copy the file under the key ``source`` to ``target``. Raises FormError (``field_invalid``) where it is gone,
    which names ``what`` it was to be, and UnavailableError."""
    with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
        path = Path(folder) / "file"
        try:
            await storage.get_file(source, path)
        except ServiceError as error:
            if error.code != "file_missing":
                raise
            raise FormError(
                "field_invalid",
                f"The {what}'s uploaded file is not kept here any more: it was replaced, or has expired.",
                limit="an uploaded file that is kept here",
                fix="Upload it again, and use its new link unchanged.",
            ) from None
        await storage.put_file(target, path)
