"""The element library in our own API: characters that an account keeps, and what may be asked of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from understudy.server.dialects.element_id import element_id
from understudy.server.native_answers import FailureAnswer
from understudy.server.native_asked import ALWAYS, Caller, The, errors
from understudy.server.native_element_form import decode_element
from understudy.server.upload_sources import element_with_own_uploads
from understudy.tasks.element import Element, Reference, link_of
from understudy.tasks.task import Status

EXAMPLE = "123456789012345"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewElement"}}},
    }
}
ElementName = Annotated[str, Path(alias="id", description="The element's id.", examples=[EXAMPLE])]


class ElementAnswer(BaseModel):
    """An element as it stands. Times are ISO 8601 in UTC."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """15 digits; what a task names as `element_id` once the element has succeeded."""
    external_id: str | None
    name: str
    description: str
    reference: Reference
    """`image_refer`: made of pictures; `video_refer`: of a video."""
    sources: list[str | None]
    """The links that were sent; null for a picture that came within the request."""
    views: int
    """How many pictures a task gets of it."""
    status: Status
    """Only moves forward: submitted, processing, then succeed or failed."""
    error: FailureAnswer | None
    created_at: datetime
    updated_at: datetime


class ElementsAnswer(BaseModel):
    """A page of elements, newest first; past the end it is empty."""

    elements: list[ElementAnswer]
    page: int
    size: int


router = APIRouter()


@router.post(
    "/elements",
    status_code=201,
    tags=["elements"],
    summary="Create an element",
    responses=errors(400, 409, 413, 422, 429, *ALWAYS),
    openapi_extra=_BODY,
)
async def create_element(
    request: Request, response: Response, service: The, account: Caller
) -> ElementAnswer:
    """Keeps a character: its pictures are fetched and checked once, or picked from a video of it. Only the form is
    checked here; what is wrong with the rest ends the element as `failed`."""
    content = await request.body()
    new = await asyncio.to_thread(decode_element, content)
    element = await service.elements.create(account, await element_with_own_uploads(service, new))
    response.headers["Location"] = f"{service.settings.base_url}{request.url.path}/{element.id}"
    return element_answer(element)


@router.get("/elements", tags=["elements"], summary="List elements", responses=errors(422, *ALWAYS))
async def list_elements(
    service: The,
    account: Caller,
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = 30,
) -> ElementsAnswer:
    """The account's elements that it has not deleted, newest first."""
    found = await service.elements.page(account.id, page, size)
    return ElementsAnswer(elements=[element_answer(each) for each in found], page=page, size=size)


@router.get(
    "/elements/{id}", tags=["elements"], summary="Query an element", responses=errors(404, 422, *ALWAYS)
)
async def query_element(service: The, account: Caller, name: ElementName) -> ElementAnswer:
    """An element as it stands."""
    return element_answer(await service.elements.get(account.id, element_id("id", name)))


@router.delete(
    "/elements/{id}",
    status_code=204,
    tags=["elements"],
    summary="Delete an element",
    responses=errors(404, 422, *ALWAYS),
)
async def delete_element(service: The, account: Caller, name: ElementName) -> Response:
    """Deletes it with its pictures. Tasks that were made with it go on: they have copies."""
    await service.elements.delete(account.id, element_id("id", name))
    return Response(status_code=204)


def element_answer(element: Element) -> ElementAnswer:
    failed = element.status is Status.FAILED
    return ElementAnswer(
        id=str(element.id),
        external_id=element.external_task_id,
        name=element.name,
        description=element.description,
        reference=element.reference,
        sources=[link_of(source) for source in element.sources],
        views=len(element.views),
        status=element.status,
        error=FailureAnswer(code=element.error_code or "", message=element.status_msg, fix=element.fix)
        if failed
        else None,
        created_at=element.created_at.astimezone(UTC),
        updated_at=element.updated_at.astimezone(UTC),
    )
