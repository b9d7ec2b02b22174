"""The engines that this service takes tasks for: those that work on its machine, and those that its operator names,
whose workers may be elsewhere. A task for any other would wait for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.config import Settings
from understudy.engines.capabilities import Capabilities
from understudy.engines.diffusion.availability import Missing, availability
from understudy.engines.registry import engine_capabilities
from understudy.errors import SettingError
from understudy.request import Scene
from understudy.tasks.device import needs_gpu

LEFT_OUT = Missing(
    "This service takes no tasks for it.", "Ask its operator, who can add it to the setting engines."
)
LEFT_TO_OTHERS = Missing(
    "The worker of this machine leaves a GPU's tasks to others.", "Set work to all, where there is a GPU."
)


@dataclass(frozen=True)
class Offer:
    """``scenes`` are those that a task may ask for; of an engine that is not ``taken`` there are none. ``missing`` is
    why not, or why not a further one."""

    engine: Capabilities
    scenes: tuple[Scene, ...]
    missing: Missing | None = None

    @property
    def taken(self) -> bool:
        return bool(self.scenes)


@dataclass(frozen=True)
class Offered:
    """Every engine that there is, with what this service does with it; ``default`` is that of tasks that name none."""

    offers: Sequence[Offer]
    default: str

    def of(self, name: str) -> Offer | None:
        return next((offer for offer in self.offers if offer.engine.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the engines that tasks are taken for."""
        return tuple(offer.engine.name for offer in self.offers if offer.taken)

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Those of the default engine."""
        offer = self.of(self.default)
        return () if offer is None else offer.scenes


def offered_by(settings: Settings) -> Offered:
    """As things are now: what is installed later is offered after the next start. Raises SettingError
    (``setting_invalid``, ``engine_unavailable``)."""
    known = [engine.name for engine in engine_capabilities()]
    for name in settings.engines:
        if name not in known:
            raise SettingError(
                "setting_invalid",
                f"The setting engines names {name!r}, which is no engine.",
                value=name,
                limit=", ".join(known),
                fix="Correct UNDERSTUDY_ENGINES, the flag --engines or the settings file.",
            )
    offered = Offered([_offer(engine, settings) for engine in engine_capabilities()], settings.engine)
    default = offered.of(settings.engine)
    if default is not None and Scene.IMAGE not in default.scenes:  # what a task without a scene asks for
        raise _cannot_work(default)
    return offered


def _cannot_work(default: Offer) -> SettingError:
    name, lacks = default.engine.name, default.missing or LEFT_OUT
    elsewhere = " Or, where workers with a GPU run elsewhere, name it in the setting engines."
    return SettingError(
        "engine_unavailable",
        f"Tasks are to be made by {name}, which cannot {'make the scene image' if default.taken else 'work'} here. "
        f"{lacks.reason}",
        value=name,
        fix=lacks.fix + (elsewhere if needs_gpu(name) and not default.taken else ""),
    )


def _offer(engine: Capabilities, settings: Settings) -> Offer:
    named = engine.name in settings.engines
    if settings.engines and not named and engine.name != settings.engine:
        return Offer(engine, (), LEFT_OUT)
    if named and needs_gpu(engine.name):  # what its workers elsewhere have is not known here
        return Offer(engine, engine.scenes)
    if needs_gpu(engine.name) and settings.work == "cpu":
        return Offer(engine, (), LEFT_TO_OTHERS)
    here = availability(engine)
    return Offer(engine, here.scenes, here.first)
