"""The API's description: as OpenAPI for programs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from understudy.server.native import PREFIX
from understudy.server.openapi import describe

OPENAPI_PATH = f"{PREFIX}/openapi.json"

router = APIRouter(include_in_schema=False)


@router.get(OPENAPI_PATH)
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(describe(request.app), headers={"Cache-Control": "no-cache"})
