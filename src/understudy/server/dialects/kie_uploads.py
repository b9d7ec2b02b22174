"""Kie's three ways to upload a file: as a form, as base64, by its address. What comes back is a link for tasks."""

from __future__ import annotations

import asyncio
import binascii
import secrets
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.errors import FormError, UnderstudyError
from understudy.media.limits import CLIP_BYTES, MB, PICTURE_BYTES
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer
from understudy.server.dialects.fields import http_url, invalid, shown, text, unknown_keys
from understudy.server.dialects.kie_errors import KieFormError, kie_upload_error
from understudy.server.dialects.kie_fetches import Fetches
from understudy.server.dialects.notes import UNKNOWN_KEY, Note

if TYPE_CHECKING:  # a worker renders callbacks without the HTTP server's packages
    from starlette.requests import Request

    from understudy.server.media_kind import MediaKind
    from understudy.server.service import Service
    from understudy.tasks.accounts import Account

STREAM_PATH, BASE64_PATH, URL_PATH = (
    "/api/file-stream-upload",
    "/api/file-base64-upload",
    "/api/file-url-upload",
)
NAME_CHARACTERS = 256
FETCH_S = 30.0
FORM_TEXTS = ("uploadPath", "fileName")

_fetches = Fetches()


async def take_form(request: Request, _call: Call, account: Account, view: View, service: Service) -> Answer:
    """``file``, ``uploadPath`` and ``fileName`` as a form."""
    from understudy.server.uploads import uploaded_form

    try:
        async with uploaded_form(request, files={"file": CLIP_BYTES}, fields=FORM_TEXTS) as form:
            folder, name = _place(form.fields)
            path = form.files.get("file")
            if path is None:
                raise _missing("file")
            return await _kept(service, view, account, folder, name, path)
    except UnderstudyError as error:
        return Answer(200, kie_upload_error(error))


async def take_base64(call: Call, account: Account, view: View, service: Service) -> Answer:
    """``base64Data``, ``uploadPath`` and ``fileName`` as JSON."""
    try:
        given, notes, content = await asyncio.to_thread(_read_base64, call)
        folder, name = _place(given)
        return await _kept(service, view, account, folder, name, content, notes)
    except UnderstudyError as error:
        return Answer(200, kie_upload_error(error))


async def take_url(call: Call, account: Account, view: View, service: Service) -> Answer:
    """``fileUrl``, ``uploadPath`` and ``fileName`` as JSON: the file is fetched before the answer."""
    try:
        known = ("fileUrl", *FORM_TEXTS)
        notes = unknown_keys(call.body, known, kind=UNKNOWN_KEY, what="The body")
        folder, name = _place(call.body)
        value = call.body.get("fileUrl")
        if value is None or value == "":
            raise _missing("fileUrl")
        url = http_url("fileUrl", value)
        with tempfile.TemporaryDirectory(prefix="understudy-") as here:
            path = Path(here) / "file"
            async with _fetches.place(account.id):
                await _brought(service, url, path)
            return await _kept(service, view, account, folder, name, path, notes)
    except UnderstudyError as error:
        return Answer(200, kie_upload_error(error))


async def _brought(service: Service, url: str, path: Path) -> None:
    """Our own links out of the storage, since they may lie where nothing is fetched from; the others fetched."""
    from understudy.media.fetch import fetch
    from understudy.media.network import NetworkGuard
    from understudy.server.upload_sources import own_key

    key = await own_key(service, url, "file")
    if key is None:
        guard = NetworkGuard(service.settings.allow_networks)
        await fetch(url, path, guard=guard, limit_bytes=CLIP_BYTES, deadline_s=FETCH_S, what="file")
        return
    size = await service.storage.size(key)
    if size > CLIP_BYTES:
        raise _too_large(size, CLIP_BYTES, "Make it smaller.")
    await service.storage.get_file(key, path)


def base64_content(value: object) -> bytes:
    """The bytes of ``base64Data``, bare or as a ``data:`` address. Raises FormError."""
    allowed = (
        f"a picture or a short video of at most {PICTURE_BYTES // MB} MB as base64, bare or as a data: URL"
    )
    if value is None or value == "":
        raise _missing("base64Data")
    if not isinstance(value, str):
        raise invalid("base64Data", shown(value), allowed)
    bare = value
    if value[:5].lower() == "data:":
        head, comma, bare = value.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise invalid("base64Data", shown(value), allowed)
    bare = "".join(bare.split())
    try:
        content = binascii.a2b_base64(bare.encode("ascii"), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are such
        raise invalid("base64Data", "no base64", allowed) from None
    if len(content) > PICTURE_BYTES:
        raise _too_large(len(content), PICTURE_BYTES, "Use /api/file-stream-upload for larger files.")
    return content


def _read_base64(call: Call) -> tuple[Mapping[str, Any], tuple[Note, ...], bytes]:
    notes = unknown_keys(call.body, ("base64Data", *FORM_TEXTS), kind=UNKNOWN_KEY, what="The body")
    return call.body, notes, base64_content(call.body.get("base64Data"))


def _place(given: Mapping[str, Any]) -> tuple[str, str]:
    """``uploadPath`` and ``fileName``, which tell files of an account apart and are nowhere a path."""
    folder = text(given, "uploadPath", most=NAME_CHARACTERS).strip("/")
    if not folder:
        raise _missing("uploadPath")
    return folder, text(given, "fileName", most=NAME_CHARACTERS)


async def _kept(
    service: Service,
    view: View,
    account: Account,
    folder: str,
    name: str,
    content: Path | bytes,
    notes: tuple[Note, ...] = (),
) -> Answer:
    from understudy.server.own_uploads import file_name
    from understudy.tasks.uploads import Uploads

    size, kind = await asyncio.to_thread(_looked_at, content)
    name = name or f"{secrets.token_hex(8)}.{kind.extension}"
    kept = await Uploads(service.database, service.storage).keep(
        account.id, f"{folder}/{name}", content, size_bytes=size, media_type=kind.media_type
    )
    data = {
        "fileName": name,
        "filePath": f"{folder}/{name}",
        "downloadUrl": view.links.upload(kept.id, file_name(kept)),
        "fileSize": kept.size_bytes,
        "mimeType": kept.media_type,
        "uploadedAt": _moment(kept.uploaded_at),
    }
    body = {"success": True, "code": 200, "msg": "File uploaded successfully", "data": data}
    return Answer(200, body, notes)


def _looked_at(content: Path | bytes) -> tuple[int, MediaKind]:
    """Size in bytes, and kind. Raises FormError where tasks can use no such file, or it is too large for its kind."""
    from understudy.server.media_kind import ALLOWED, HEAD_BYTES, kind_of

    if isinstance(content, bytes):
        size, head = len(content), content[:HEAD_BYTES]
    else:
        with content.open("rb") as file:
            head = file.read(HEAD_BYTES)
        size = content.stat().st_size
    kind = kind_of(head)
    if kind is None:
        raise invalid("file", "something that does not begin as a picture or a video does", ALLOWED)
    if size > kind.limit_bytes:
        raise _too_large(size, kind.limit_bytes, "Make it smaller.")
    return size, kind


def _too_large(size: int, limit: int, fix: str) -> FormError:
    return FormError(
        "body_too_large",
        f"The file has {size / MB:.1f} MB; allowed: at most {limit // MB} MB.",
        value=f"{size / MB:.1f} MB",
        limit=f"{limit // MB} MB",
        fix=fix,
    )


def _missing(name: str) -> KieFormError:
    """In Kie's own words."""
    return KieFormError(400, f"Missing required parameter: {name}", fix=f"Send {name}.")


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
