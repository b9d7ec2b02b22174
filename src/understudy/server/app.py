"""The HTTP application: every entrance of the service on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from understudy.errors import UnderstudyError
from understudy.server import api_page, files, own_uploads
from understudy.server.dialects.registry import dialect_routers
from understudy.server.entrance import Entrance, handle_error
from understudy.server.open_service import close_service
from understudy.server.readiness import Readiness
from understudy.server.service import Service


def create_app(service: Service) -> FastAPI:
    """The application on a service that is open; its end closes the service's database."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await close_service(service)

    app = FastAPI(
        title="Understudy",
        version=version("understudy"),
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # such redirects are built on the Host header
    )
    app.state.service = service
    app.state.readiness = Readiness(service)
    for router in (*dialect_routers(service), files.router, own_uploads.router, api_page.router):
        app.include_router(router)
    for kind in (UnderstudyError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle_error)
    app.add_middleware(Entrance)
    return app
