"""The engines by name. None is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from understudy.engines.capabilities import FAKE, PUPPET, SLOW_FAKE, Capabilities
from understudy.errors import RequestError
from understudy.request import Matting

if TYPE_CHECKING:
    from understudy.engines.engine import Engine

SLOW_S = 3.0


def _puppet(threads: int, matting: Matting) -> Engine[Any]:
    from understudy.engines.puppet.engine import PuppetEngine
    from understudy.engines.puppet.learned_matte import matter_for

    return PuppetEngine(matter=matter_for(matting, threads=threads), threads=threads)


def _fake(threads: int, matting: Matting) -> Engine[Any]:
    from understudy.engines.engine import FakeEngine

    del threads, matting
    return FakeEngine()


def _slow_fake(threads: int, matting: Matting) -> Engine[Any]:
    from understudy.engines.engine import FakeEngine

    del threads, matting
    return FakeEngine(slow_s=SLOW_S)


ENGINES: dict[str, Callable[[int, Matting], Engine[Any]]] = {
    PUPPET.name: _puppet,
    FAKE.name: _fake,
    SLOW_FAKE.name: _slow_fake,
}


def engine_named(name: str, *, threads: int = 2, matting: Matting = Matting.OWN) -> Engine[Any]:
    """The engine of that name. Raises RequestError (``engine_unknown``), and ModelError where ``matting`` asks for a
    network that is not here."""
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
    return make(threads, matting)


def engine_capabilities() -> tuple[Capabilities, ...]:
    """What each engine is and can do, the default one first."""
    return (PUPPET, FAKE, SLOW_FAKE)
