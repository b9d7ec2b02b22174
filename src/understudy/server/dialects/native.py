"""Our own API, as one more protocol: what the registry, the app and the worker's callbacks ask of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.errors import UnderstudyError
from understudy.server import errors_native, native_form
from understudy.server.dialects.dialect import Answer, Dialect
from understudy.server.links import Links
from understudy.server.native_answers import callback_body
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:
    from fastapi import APIRouter

    from understudy.server.service import Service


class Native(Dialect):
    """The dialect ``native``. Its router tells the API's page all about itself."""

    name = native_form.NAME
    owned = ("/understudy",)
    form_paths = ("/understudy/v1/tasks",)

    def router(self, service: Service) -> APIRouter:
        from understudy.server.native import router

        return router

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return errors_native.encode_error(error, request_id)

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return callback_body(task, change, links)
