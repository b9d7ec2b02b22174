"""The dialects by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.server.dialects.dialect import Dialect
from understudy.server.dialects.kling import Kling
from understudy.server.dialects.native import Native

if TYPE_CHECKING:
    from fastapi import APIRouter

    from understudy.server.service import Service

_ALL: tuple[Dialect, ...] = (Kling(), Native())

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _ALL}


def dialect_named(name: str) -> Dialect:
    """The dialect that a task's record names. Raises KeyError: records are ours, so it is a fault."""
    return DIALECTS[name]


def dialect_of_path(path: str) -> Dialect | None:
    """The dialect that answers on that path, or None where it is nobody's."""
    return next((dialect for dialect in _ALL if dialect.owns(path)), None)


def dialect_routers(service: Service) -> list[APIRouter]:
    """Each dialect's routes, to be mounted where they say."""
    return [dialect.router(service) for dialect in _ALL]
