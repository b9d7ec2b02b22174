"""Kling's Motion Control API (its first generation: ``/v1/videos/motion-control``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.errors import UnderstudyError
from understudy.server.dialects.dialect import Answer, Decoded, Description
from understudy.server.dialects.kling_answers import called_back
from understudy.server.dialects.kling_errors import kling_error
from understudy.server.dialects.kling_form import DIALECT, decode_create
from understudy.server.links import Links
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:
    from fastapi import APIRouter

    from understudy.server.service import Service


class Kling:
    """The dialect ``kling``. It owns ``/v1`` and everything below it."""

    name = DIALECT

    def owns(self, path: str) -> bool:
        named = "/" + path.lstrip("/")  # a base URL that ends with a slash makes it two
        return named == "/v1" or named.startswith("/v1/")

    def router(self, service: Service) -> APIRouter:
        from understudy.server.dialects.kling_routes import router

        return router(service)

    def description(self) -> Description:
        from understudy.server.dialects.kling_description import description

        return description()

    def decode(self, body: Mapping[str, Any], *, engine: str) -> Decoded:
        return decode_create(body, engine=engine)

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        status, envelope = kling_error(error, request_id)
        return Answer(status, envelope)

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return called_back(task, change, links)
