"""The border between a wire protocol and the service.

A new protocol is one class of this form and one line in ``registry.py``: the app mounts its endpoints, asks it for the
shape of every error on its paths, and the worker asks it for the bodies of its tasks' callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from understudy.errors import UnderstudyError
from understudy.server.dialects.call import Call
from understudy.server.dialects.notes import Note
from understudy.server.links import Links
from understudy.tasks import signing
from understudy.tasks.submission import Submission
from understudy.tasks.task import StatusChange, Task

if TYPE_CHECKING:  # a worker renders callbacks without the HTTP server's packages
    from fastapi import APIRouter

    from understudy.server.dialects.endpoint import Endpoint
    from understudy.server.service import Service


@dataclass(frozen=True)
class Answer:
    """An HTTP answer in a dialect's words: ``body`` becomes JSON. ``headers`` go beside those of every answer."""

    status: int
    body: Any
    notes: tuple[Note, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


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


class Dialect:
    """A pure translation, both ways. What is the same in most protocols is written here, and theirs to change."""

    name: str
    """What a task's record keeps. Never change it: callbacks of old tasks are found by it."""
    owned: tuple[str, ...] = ()
    """Paths that answer in this dialect's shapes, with everything below them, whether or not something is there."""
    prefix: str = ""
    """What stands before all paths at the provider itself: they are served with and without it."""

    form_paths: tuple[str, ...] = ()
    """Paths that take forms with files: their bodies may be as large as a picture and a video."""

    key_in_body: bool = False
    """Whether who is asking stands in the body, so that it is read before that is known."""

    def endpoints(self) -> Sequence[Endpoint]:
        """What can be asked, the more special paths first."""
        return ()

    def router(self, service: Service) -> APIRouter:
        """The endpoints as routes. They raise UnderstudyErrors, which the app answers by ``encode_error``."""
        from understudy.server.dialects.mounting import mounted

        return mounted(self, service)

    def description(self) -> Description:
        """Its endpoints for the API's page. Their security scheme is ``key``."""
        return Description()

    def authorization(self, call: Call) -> str | None:
        """What stands for the header ``Authorization``: who is asking."""
        return call.headers.get("authorization")

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer:
        """The answer to a request that ended in this error; nothing of the server's inside is in it."""
        raise NotImplementedError

    def encode_error_at(self, path: str, error: UnderstudyError, request_id: str) -> Answer:
        """The same, for those whose errors differ by path; the path is the request's own."""
        del path
        return self.encode_error(error, request_id)

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        """The body of the callback that tells of one change of status, as it goes over the wire. The same arguments
        give the same bytes."""
        raise NotImplementedError

    def callback_headers(
        self, task: Task, webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]
    ) -> dict[str, str]:
        """The headers of one try of a callback; ``timestamp`` in seconds since 1970. Without a secret no signature."""
        return signing.standard_headers(task, webhook_id, timestamp, body, secrets)
