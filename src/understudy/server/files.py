"""Results for download: whoever has the link may, whole or in ranges (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.exceptions import HTTPException

from understudy.errors import ServiceError
from understudy.server.links import file_name
from understudy.server.native_asked import service_of
from understudy.server.service import Service
from understudy.storage import Storage
from understudy.tasks.standing import Standing
from understudy.tasks.task import Status, Task

KINDS = ("video", "watermarked", "cover")
LINK_S = 300  # of a bucket's own address
CACHED_S = 3600
AGAIN_S = 5  # until it is worth while to ask again for what is not finished
# A browser that opens the link plays or shows it; for that it needs the file's own origin.
POLICY = "sandbox allow-same-origin; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'"

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)

router = APIRouter()


@router.api_route(
    "/files/{task_id}/{kind}/{signature}/{name}",
    methods=["GET", "HEAD"],
    include_in_schema=False,
)
async def download(
    request: Request,
    service: Annotated[Service, Depends(service_of)],
    task_id: str,
    kind: str,
    signature: str,
    name: str,
) -> Response:
    """A finished video, or its cover. The link is a capability: no key is asked for, and a wrong one looks like an
    unknown file. It may be told before there is a video: until then it says when to come again."""
    del name  # for those who save it under the last part of the link
    if kind not in KINDS or not _is_id(task_id) or not service.links.check(int(task_id), kind, signature):
        raise _unknown()
    task = await Standing(service.database).known(int(task_id))
    if task is not None and not task.status.ended:
        raise HTTPException(404, headers={"Retry-After": str(AGAIN_S)}) from _unfinished()
    if task is not None and task.status is Status.FAILED:
        raise _failed()
    key = None if task is None else result_key(task, kind)
    if task is None or key is None:
        raise _gone()
    left_s = service.links.left_s(signature)
    if request.method != "HEAD":
        seconds = LINK_S if left_s is None else max(1, min(LINK_S, left_s))
        elsewhere = await service.storage.link(key, seconds=seconds)
        if elsewhere is not None:
            return RedirectResponse(elsewhere, 302, {"Cache-Control": "no-store"})
    try:
        size = await service.storage.size(key)
    except ServiceError as error:
        raise _gone() if error.code == "file_missing" else error from None
    media_type = "image/jpeg" if kind == "cover" else "video/mp4"
    changed = task.ended_at or task.updated_at
    return sent(
        request,
        service.storage,
        key,
        size,
        filename=file_name(task.id, kind),
        media_type=media_type,
        changed=changed,
        cached=f"private, max-age={CACHED_S if left_s is None else min(CACHED_S, left_s)}",
    )


def result_key(task: Task, kind: str) -> str | None:
    """Where that file of the task lies in the storage; None where there is none, or none any more."""
    if task.output is None or task.files_deleted_at is not None:
        return None
    keys = {
        "video": task.output.key,
        "watermarked": task.output.watermark_key,
        "cover": task.output.cover_key,
    }
    return keys[kind]


def sent(
    request: Request,
    storage: Storage,
    key: str,
    size: int,
    *,
    filename: str,
    media_type: str,
    changed: datetime,
    cached: str,
) -> Response:
    """The answer with an object of ``size`` bytes, whole or the part that is asked for; to be shown, or with
    ``?download=1`` to be saved as ``filename``."""
    asked = request.query_params.get("download", "")
    shown_as = "attachment" if asked not in ("", "0") else "inline"
    tag = f'"{hashlib.sha256(f"{key}:{size}".encode()).hexdigest()[:32]}"'
    changed = changed.replace(microsecond=0)
    head_only = request.method == "HEAD"
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": cached,
        "Content-Disposition": f'{shown_as}; filename="{filename}"',
        "Content-Security-Policy": POLICY,
        "Access-Control-Allow-Origin": "*",  # the link is the right to read it, from any page
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": tag,
        "Last-Modified": format_datetime(changed, usegmt=True),
    }
    if _knows_it(request.headers, tag):
        return Response(status_code=304, headers=headers)
    wanted = _range(request.headers, size, tag, changed)
    if wanted.status == 416:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{size}"}) from _outside(size)
    if wanted.status == 206:
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
    headers["Content-Length"] = str(wanted.stop - wanted.start)
    if head_only:
        return Response(status_code=wanted.status, headers=headers, media_type=media_type)
    content = storage.read(key, wanted.start, wanted.stop)
    return StreamingResponse(content, wanted.status, headers, media_type)


@dataclass(frozen=True)
class Wanted:
    """Bytes from ``start`` to ``stop``, exclusive, and the HTTP status that goes with them."""

    status: int
    start: int
    stop: int


def _range(headers: Mapping[str, str], size: int, tag: str, changed: datetime) -> Wanted:
    """What ``Range`` and ``If-Range`` ask for. Several ranges, other units and what cannot be read are answered with
    the whole, as the standard allows."""
    whole = Wanted(200, 0, size)
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or not any(match.groups()) or not _still(headers.get("if-range"), tag, changed):
        return whole
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return whole
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    return Wanted(206, start, stop) if start < stop else Wanted(416, 0, 0)


def _still(if_range: str | None, tag: str, changed: datetime) -> bool:
    """Whether what the client has a part of is what we have."""
    if if_range is None or if_range == tag:
        return True
    try:
        return parsedate_to_datetime(if_range) == changed
    except (TypeError, ValueError):
        return False


def _knows_it(headers: Mapping[str, str], tag: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in headers.get("if-none-match", "").split(",")]
    return tag in known or known == ["*"]


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16


def _unknown() -> ServiceError:
    return ServiceError(
        "file_unknown", "There is no such file.", fix="Query the task for its links, and use them unchanged."
    )


def _unfinished() -> ServiceError:
    return ServiceError(
        "file_unfinished",
        "The task has not ended yet: its file will be here.",
        fix=f"Come again in {AGAIN_S} s or later, or query the task.",
    )


def _failed() -> ServiceError:
    return ServiceError(
        "file_missing",
        "The task failed, so there is no file.",
        fix="Query the task for the reason.",
    )


def _gone() -> ServiceError:
    return ServiceError(
        "file_missing",
        "The file was deleted, as every result is in the end.",
        fix="Create the task again; save results when they are finished.",
    )


def _outside(size: int) -> ServiceError:
    return ServiceError(
        "range_invalid",
        f"The range asked for lies outside the file, which has {size} bytes.",
        limit=f"{size} bytes",
        fix="Ask for a range within the file, or for all of it.",
    )
