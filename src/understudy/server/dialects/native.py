"""Our own API, as one more protocol: what the registry, the app and the worker's callbacks ask of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.engines.registry import engine_capabilities
from understudy.errors import UnderstudyError
from understudy.server import errors_native, native_form
from understudy.server.dialects.dialect import Answer, Decoded, Description
from understudy.server.links import Links
from understudy.server.native_answers import callback_body
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:
    from fastapi import APIRouter

    from understudy.server.service import Service


class Native:
    """The dialect ``native``. It owns ``/understudy`` and everything below it."""

    name = native_form.NAME

    def owns(self, path: str) -> bool:
        return path == "/understudy" or path.startswith("/understudy/")

    def router(self, service: Service) -> APIRouter:
        from understudy.server.native import router

        return router

    def description(self) -> Description:
        return Description()  # its router tells all

    def decode(self, body: Mapping[str, Any], *, engine: str) -> Decoded:
        engines = [known.name for known in engine_capabilities()]
        return Decoded(
            native_form.decode(native_form.checked(body), {}, engines=engines, default_engine=engine)
        )

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return errors_native.encode_error(error, request_id)

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return callback_body(task, change, links)
