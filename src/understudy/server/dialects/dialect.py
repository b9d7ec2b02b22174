"""The border between a wire protocol and the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from understudy.errors import UnderstudyError
from understudy.server.links import Links
from understudy.tasks.submission import Submission
from understudy.tasks.task import StatusChange, Task


@dataclass(frozen=True)
class Answer:
    """An HTTP answer in a dialect's words: ``body`` becomes JSON."""

    status: int
    body: Any


class Dialect(Protocol):
    """A pure translation, both ways: no database, no network, no engine."""

    name: str

    def decode(self, body: Mapping[str, Any], *, engine: str) -> Submission:
        """The request's form. Raises FormError with a code of ``FORM_CODES``."""
        ...

    def encode_error(self, error: UnderstudyError, request_id: str) -> Answer: ...

    def encode_callback(self, task: Task, change: StatusChange, links: Links) -> bytes:
        """The body of the callback that tells of one change of status, as it goes over the wire."""
        ...
