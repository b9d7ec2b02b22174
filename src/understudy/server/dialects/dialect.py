"""The border between a wire protocol and the service.

A new protocol is one class of this form and one line in ``registry.py``: the app mounts its router, asks it for the
shape of every error on its paths, and the worker asks it for the bodies of its tasks' callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from understudy.errors import UnderstudyError
from understudy.server.dialects.notes import Note
from understudy.server.links import Links
from understudy.tasks.submission import Submission
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:  # a worker renders callbacks without the HTTP server's packages
    from fastapi import APIRouter

    from understudy.server.service import Service


@dataclass(frozen=True)
class Answer:
    """An HTTP answer in a dialect's words: ``body`` becomes JSON."""

    status: int
    body: Any


@dataclass(frozen=True)
class Decoded:
    """A request whose form was found right, and what of it will not be acted on."""

    submission: Submission
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Description:
    """A part of an OpenAPI document: ``paths`` and the ``schemas`` that they refer to. Names of schemas are the
    dialect's own: no two dialects share one."""

    paths: Mapping[str, Any] = field(default_factory=dict)
    schemas: Mapping[str, Any] = field(default_factory=dict)


class Dialect(Protocol):
    """A pure translation, both ways, and the routes that speak it. Only ``router`` touches the service."""

    @property
    def name(self) -> str:
        """What a task's record keeps. Never change it: callbacks of old tasks are found by it."""
        ...

    def owns(self, path: str) -> bool:
        """Whether a request to that path, known or not, is answered in this dialect's shapes."""
        ...

    def router(self, service: Service) -> APIRouter:
        """The dialect's routes. They raise UnderstudyErrors, which the app answers by ``encode_error``."""
        ...

    def description(self) -> Description:
        """Its routes for the API's page, where FastAPI cannot tell them from the router. Their security scheme is
        ``key``."""
        ...

    def decode(self, body: Mapping[str, Any], *, engine: str) -> Decoded:
        """The request's form, without looking anything up. Raises FormError with a code of ``FORM_CODES``."""
        ...

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        """The answer to a request that ended in this error; nothing of the server's inside is in it."""
        ...

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        """The body of the callback that tells of one change of status, as it goes over the wire."""
        ...
