"""Kling's Motion Control API (its first generation: ``/v1/videos/motion-control``) and its element library."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from understudy.errors import UnderstudyError
from understudy.server.dialects.call import Call, View
from understudy.server.dialects.dialect import Answer, Decoded, Description, Dialect
from understudy.server.dialects.endpoint import Create, Endpoint, Page, Query
from understudy.server.dialects.kling_answers import called_back, created, envelope, queried
from understudy.server.dialects.kling_elements import element_endpoints
from understudy.server.dialects.kling_errors import kling_error
from understudy.server.dialects.kling_form import DIALECT, PATH, decode_create, decode_page
from understudy.server.links import Links
from understudy.tasks.task import StatusChange, Task


class Kling(Dialect):
    """The dialect ``kling``."""

    name = DIALECT
    owned = ("/v1",)

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            *motion_control(_decode),
            *element_endpoints(),
        )

    def description(self) -> Description:
        from understudy.server.dialects.kling_description import description
        from understudy.server.dialects.kling_element_description import element_description

        motion, elements = description(), element_description()
        return Description({**motion.paths, **elements.paths}, {**motion.schemas, **elements.schemas})

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        return Answer(*kling_error(error, request_id))

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        return called_back(task, change, links)


def motion_control(decode: Callable[[Call, str], Decoded]) -> tuple[Endpoint, ...]:
    """Create, list and query in Kling's shapes, for whoever speaks them and reads a new task's body by ``decode``."""
    return (
        Endpoint("POST", PATH, Create(decode, _created)),
        Endpoint("GET", PATH, Page(decode_page, _listed)),
        Endpoint("GET", f"{PATH}/{{name:rest}}", Query(lambda call: call.path["name"], _queried)),
    )


def _decode(call: Call, engine: str) -> Decoded:
    return decode_create(call.body, engine=engine)


def _created(task: Task, view: View) -> object:
    return envelope(created(task), view.request_id)


def _queried(task: Task, view: View) -> object:
    return envelope(queried(task, view.links, urls=view.urls), view.request_id)


def _listed(tasks: Sequence[Task], view: View) -> object:
    return envelope([queried(task, view.links) for task in tasks], view.request_id)
