"""The engines by name. None is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from understudy.engines.capabilities import FAKE, PUPPET, SLOW_FAKE, WAN_ANIMATE, Capabilities
from understudy.errors import RequestError
from understudy.request import Matting, Scene

if TYPE_CHECKING:
    from understudy.engines.engine import Engine

SLOW_S = 3.0


def _puppet(threads: int, matting: Matting, scene: Scene) -> Engine[Any]:
    from understudy.engines.puppet.engine import PuppetEngine
    from understudy.engines.puppet.learned_matte import matter_for

    del scene
    return PuppetEngine(matter=matter_for(matting, threads=threads), threads=threads)


def _wan_animate(threads: int, matting: Matting, scene: Scene) -> Engine[Any]:
    from understudy.engines.diffusion.availability import check_available

    del matting
    check_available(WAN_ANIMATE, scene)
    from understudy.engines.diffusion.in_process import wan_animate

    return wan_animate(threads)


def _fake(threads: int, matting: Matting, scene: Scene) -> Engine[Any]:
    from understudy.engines.engine import FakeEngine

    del threads, matting, scene
    return FakeEngine()


def _slow_fake(threads: int, matting: Matting, scene: Scene) -> Engine[Any]:
    from understudy.engines.engine import FakeEngine

    del threads, matting, scene
    return FakeEngine(slow_s=SLOW_S)


ENGINES: dict[str, Callable[[int, Matting, Scene], Engine[Any]]] = {
    PUPPET.name: _puppet,
    WAN_ANIMATE.name: _wan_animate,
    FAKE.name: _fake,
    SLOW_FAKE.name: _slow_fake,
}


def engine_named(
    name: str, *, threads: int = 2, matting: Matting = Matting.OWN, scene: Scene = Scene.IMAGE
) -> Engine[Any]:
    """The engine of that name, for that scene. Raises RequestError (``engine_unknown``), EngineError
    (``engine_unavailable``) where it cannot work here, and ModelError where ``matting`` asks for a network that is not
    here."""
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
    return make(threads, matting, scene)


def engine_capabilities() -> tuple[Capabilities, ...]:
    """What each engine is and can do, the default one first."""
    return (PUPPET, WAN_ANIMATE, FAKE, SLOW_FAKE)


def capabilities_of(name: str) -> Capabilities | None:
    """Those of the engine of that name, None where there is no such."""
    return next((known for known in engine_capabilities() if known.name == name), None)
