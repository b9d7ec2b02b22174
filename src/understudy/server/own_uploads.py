"""Files that accounts uploaded here, for whoever has a link to one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from understudy.errors import ServiceError
from understudy.server.files import sent
from understudy.server.media_kind import extension_of
from understudy.server.native_asked import service_of
from understudy.server.service import Service
from understudy.tasks.uploads import KeptFile, Uploads

router = APIRouter()


def file_name(kept: KeptFile) -> str:
    """What the file is called by those who save it: a name of ours."""
    return f"understudy-upload-{kept.id}.{extension_of(kept.media_type)}"


@router.api_route("/uploads/{upload_id}/{signature}/{name}", methods=["GET", "HEAD"], include_in_schema=False)
async def uploaded(
    request: Request,
    service: Annotated[Service, Depends(service_of)],
    upload_id: str,
    signature: str,
    name: str,
) -> Response:
    """An uploaded file. The link is a capability, as a result's is."""
    del name  # for those who save it under the last part of the link
    given = int(upload_id) if upload_id.isascii() and upload_id.isdigit() and len(upload_id) <= 16 else 0
    kept = None
    if service.links.check_upload(given, signature):
        kept = await Uploads(service.database, service.storage).find(given)
    if kept is None:
        raise _unknown()
    try:
        size = await service.storage.size(kept.key)
    except ServiceError as error:
        raise _unknown() if error.code == "file_missing" else error from None
    return sent(
        request,
        service.storage,
        kept.key,
        size,
        filename=file_name(kept),
        media_type=kept.media_type,
        changed=kept.uploaded_at,
        cached="private, no-cache",  # its link stays when it is replaced
    )


def _unknown() -> ServiceError:
    return ServiceError(
        "file_unknown",
        "There is no such file, or it was deleted, as every uploaded one is after 3 days.",
        fix="Upload it again, and use its link unchanged.",
    )
