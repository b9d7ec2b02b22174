"""The engines by name."""

from __future__ import annotations

from collections.abc import Callable

from understudy.engines.engine import Engine, FakeEngine
from understudy.errors import RequestError


def _puppet(threads: int) -> Engine:
    from understudy.engines.puppet.engine import PuppetEngine

    return PuppetEngine(threads=threads)


def _fake(threads: int) -> Engine:
    del threads
    return FakeEngine()


ENGINES: dict[str, Callable[[int], Engine]] = {"puppet": _puppet, "fake": _fake}


def engine_named(name: str, *, threads: int = 2) -> Engine:
    """The engine of that name. Raises RequestError (``engine_unknown``)."""
    make = ENGINES.get(name)
    if make is None:
        known = ", ".join(sorted(ENGINES))
        raise RequestError(
            "engine_unknown",
            f"There is no engine {name!r}.",
            value=name,
            limit=known,
            fix=f"Use one of: {known}.",
        )
    return make(threads)
