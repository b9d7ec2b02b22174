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

LEFT_OUT = Missing(
    "This service takes no tasks for it.", "Ask its operator, who can add it to the setting engines."
)
LEFT_TO_OTHERS = Missing(
    "The worker of this machine leaves a GPU's tasks to others.", "Set work to all, where there is a GPU."
)


@dataclass(frozen=True)
class Offer:
    """``scenes`` are those that a task may ask for; of an engine that is not ``taken`` there are none, and ``missing``
    says why."""

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
    if default is not None and default.missing is not None:
        raise SettingError(
            "engine_unavailable",
            f"Tasks are to be made by {settings.engine}, which cannot work here. {default.missing.reason}",
            value=settings.engine,
            fix=f"{default.missing.fix} Or, where workers with a GPU run elsewhere, name it in the setting engines.",
        )
    if default is not None and Scene.IMAGE not in default.scenes:  # what a task without a scene asks for
        lacks = availability(default.engine).missing[Scene.IMAGE]
        raise SettingError(
            "engine_unavailable",
            f"Tasks are to be made by {settings.engine}, which cannot make the scene image here. {lacks.reason}",
            value=settings.engine,
            fix=lacks.fix,
        )
    return offered


def _offer(engine: Capabilities, settings: Settings) -> Offer:
    named = engine.name in settings.engines
    if settings.engines and not named and engine.name != settings.engine:
        return Offer(engine, (), LEFT_OUT)
    if engine.device == "cpu":
        return Offer(engine, engine.scenes)
    here = availability(engine) if settings.work != "cpu" else None
    if here is not None and here.available:
        return Offer(engine, here.scenes)
    if named:  # on what its workers elsewhere have, nothing is known here
        return Offer(engine, engine.scenes)
    return Offer(engine, (), LEFT_TO_OTHERS if here is None else here.first)
