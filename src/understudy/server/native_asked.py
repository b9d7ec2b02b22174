"""What every route of our own API has: who asks, the service, and the errors that it may end in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from understudy.server.errors_native import STATUS_OF_CODE
from understudy.server.native_answers import ErrorAnswer
from understudy.server.service import Service
from understudy.tasks.accounts import Account

PREFIX = "/understudy/v1"

OF_NO_TASK = {"route_unknown", "file_unknown", "file_unfinished", "file_missing"}  # of any path, of files

_KEY = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, or a token signed with a key pair."
)


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def caller(request: Request, _shown: Annotated[object, Security(_KEY)]) -> Account:
    return await service_of(request).authenticator.account(request.headers.get("authorization"))


Caller = Annotated[Account, Depends(caller)]
The = Annotated[Service, Depends(service_of)]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    told = {
        400: "The body cannot be read.",
        401: "No key, or one that is not known, not valid yet or expired.",
        402: "The balance does not reach.",
        403: "The account is disabled.",
        404: "There is no such task or element in this account.",
        409: "That cannot be done now, or the name or key was used before.",
        410: "The inputs were deleted.",
        413: "The body or a file is too large.",
        422: "A field is missing or its value is not allowed.",
        429: "As many tasks live, or elements are being made, as the account may have.",
        503: "A part of the service is away; see Retry-After.",
    }
    return {
        status: {"model": ErrorAnswer, "description": f"{told[status]} {_codes(status)}"}
        for status in statuses
    }


def _codes(status: int) -> str:
    codes = [code for code, its_status in STATUS_OF_CODE.items() if its_status == status]
    return ", ".join(f"`{code}`" for code in codes if code not in OF_NO_TASK)


ALWAYS = (401, 403, 503)
