"""One request and what its answer may be made of: plain values, so that a dialect stays a pure translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from understudy.request import Scene
from understudy.server.dialects.body import json_object
from understudy.server.links import Links


@dataclass(frozen=True)
class Call:
    """A request as a dialect reads it. ``path`` has the parameters of the endpoint's path, decoded; ``query`` what
    stands behind it, in order; names of ``headers`` are lower case. ``endpoint`` is that path itself, as the dialect
    has written it. ``scenes`` are those that the service's engine can make."""

    endpoint: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    scenes: tuple[Scene, ...] = (Scene.IMAGE,)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body's JSON object. Raises FormError (``body_unreadable``)."""
        return json_object(self.content)


@dataclass(frozen=True)
class View:
    """What an answer may say besides its task. ``urls`` gives other addresses of results than links, by ``video`` and
    ``watermarked``; ``wait_s`` is how long the task will probably still take, None where nobody knows."""

    links: Links
    request_id: str
    urls: Mapping[str, str] = field(default_factory=dict)
    wait_s: float | None = None
