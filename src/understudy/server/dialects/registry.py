"""The dialects by name."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from understudy.server.dialects.dialect import Dialect
from understudy.server.dialects.imini import Imini
from understudy.server.dialects.kie import Kie
from understudy.server.dialects.kling import Kling
from understudy.server.dialects.kling2 import Kling2
from understudy.server.dialects.modelslab import ModelsLab
from understudy.server.dialects.native import Native
from understudy.server.dialects.powertokens import PowerTokens

if TYPE_CHECKING:
    from fastapi import APIRouter

    from understudy.server.service import Service

_ALL: tuple[Dialect, ...] = (Kling(), PowerTokens(), Imini(), Kling2(), ModelsLab(), Kie(), Native())

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _ALL}


def dialect_named(name: str) -> Dialect:
    """The dialect that a task's record names. Raises KeyError: records are ours, so it is a fault."""
    return DIALECTS[name]


def dialect_of_path(path: str) -> Dialect | None:
    """The dialect in whose shapes that path is answered: one that has something there, else who owns the most of it;
    None where it is nobody's."""
    named = "/" + path.lstrip("/")  # a base URL that ends with a slash makes it two
    for dialect, pattern in _patterns():
        if pattern.match(path):
            return dialect
    owners = [(own, dialect) for dialect in _ALL for own in dialect.owned if _below(named, own)]
    return max(owners, key=lambda owner: len(owner[0]))[1] if owners else None


@cache
def form_paths() -> frozenset[str]:
    """Those of all dialects, with their prefixes and without."""
    return frozenset(
        path
        for dialect in _ALL
        for declared in dialect.form_paths
        for path in (declared, dialect.prefix + declared)
    )


@cache
def _patterns() -> tuple[tuple[Dialect, re.Pattern[str]], ...]:
    from understudy.server.dialects.mounting import patterns

    return tuple((dialect, pattern) for dialect in _ALL for pattern in patterns(dialect))


def _below(path: str, own: str) -> bool:
    return path == own or path.startswith(f"{own}/")


def dialect_routers(service: Service) -> list[APIRouter]:
    """Each dialect's routes, to be mounted where they say."""
    return [dialect.router(service) for dialect in _ALL]
