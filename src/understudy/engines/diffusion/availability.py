"""Whether an engine can work on this machine, and the first thing that it lacks: told without loading any of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from understudy.config import PREFIX
from understudy.engines.capabilities import Capabilities
from understudy.engines.diffusion.devices import Device, gpus
from understudy.engines.diffusion.weights import weights_folder
from understudy.errors import EngineError, ModelError
from understudy.extras import install
from understudy.request import Scene

PACKAGES = {
    "torch": (2, 11),
    "diffusers": (0, 42),
    "transformers": (),
}  # name: the oldest version that will do
EXTRA = install("gpu")
DEVICE = f"{PREFIX}GPU_DEVICE"  # "cpu": the processor stands in for a GPU, for tests and for the very patient
DEVICES = re.compile(r"|cpu|cuda(:\d{1,3})?")
WEIGHTS_STATES = {
    "weights_missing": "not here",
    "weights_partial": "not whole",
    "weights_corrupt": "damaged",
}  # in words that name no folder: the service's API tells them


@dataclass(frozen=True)
class Missing:
    """Why an engine cannot work, and what mends it: a sentence each."""

    reason: str
    fix: str


@dataclass(frozen=True)
class Availability:
    """``devices`` are what the engine could run on, ``missing`` the first thing that each scene lacks; a scene that is
    not in it can be made."""

    devices: tuple[Device, ...]
    missing: Mapping[Scene, Missing]
    scenes: tuple[Scene, ...]

    @property
    def available(self) -> bool:
        return bool(self.scenes)

    @property
    def first(self) -> Missing | None:
        """What is to be mended first; of an engine that can work, what would let it make a further scene."""
        return next(iter(self.missing.values()), None)


def availability(engine: Capabilities) -> Availability:
    """Of this moment, in some milliseconds; at most `devices.LIMIT_S` where a graphics driver hangs."""
    on_gpu = engine.device == "gpu"
    devices = _devices() if on_gpu else ()
    whole, tracker = _lacking(devices) if on_gpu else None, _tracker_lacking(engine)
    missing = {}
    for number, scene in enumerate(engine.scenes):
        lacks = whole
        if lacks is None and number < len(engine.weights):
            lacks = _weights_lacking(engine.weights[number])
        lacks = lacks or tracker
        if lacks is not None:
            missing[scene] = lacks
    return Availability(devices, missing, tuple(scene for scene in engine.scenes if scene not in missing))


def check_available(engine: Capabilities, scene: Scene) -> None:
    """Raises EngineError (``engine_unavailable``) where the engine cannot make that scene here."""
    lacks = availability(engine).missing.get(scene)
    if lacks is not None:
        raise EngineError(
            "engine_unavailable",
            f"The engine {engine.name} cannot make this here. {lacks.reason}",
            value=engine.name,
            fix=lacks.fix,
        )


def package_versions() -> dict[str, str | None]:
    """Of what the GPU engines need: None for what is not installed."""
    return {name: _version(name) for name in PACKAGES}


def weights_here(engine: Capabilities) -> dict[str, bool]:
    """Which of the engine's sets of model files are complete."""
    return {name: _weights_lacking(name) is None for name in engine.weights}


def _devices() -> tuple[Device, ...]:
    return (Device("cpu", None),) if os.environ.get(DEVICE) == "cpu" else gpus()


def _misnamed() -> Missing | None:
    named = os.environ.get(DEVICE, "")
    if DEVICES.fullmatch(named):
        return None
    return Missing(f"{DEVICE} is {named!r}, and no device.", "Unset it, or set it to cuda, cuda:1 or cpu.")


def _lacking(devices: tuple[Device, ...]) -> Missing | None:
    """What of packages and devices is not here."""
    found = package_versions()
    absent = [name for name, installed in found.items() if installed is None]
    if absent:
        return Missing(f"Not installed: {', '.join(absent)}.", EXTRA)
    for name, least in PACKAGES.items():
        installed = found[name] or ""
        if _numbers(installed) < least:
            wanted = ".".join(map(str, least))
            return Missing(f"{name} {installed} is too old, {wanted} is needed.", EXTRA)
    misnamed = _misnamed()
    if misnamed is not None:
        return misnamed
    if not devices:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        if hidden is not None and hidden.strip() in ("", "-1"):
            return Missing("CUDA_VISIBLE_DEVICES hides every GPU.", "Unset it, or name a GPU in it.")
        return Missing(
            "No NVIDIA or AMD GPU is seen.",
            "Use a machine with a GPU, and in a container hand it over (docker run --gpus all).",
        )
    return _beyond(len(devices))


def _beyond(count: int) -> Missing | None:
    """Whether the device that is named is none of the cards that this process may use."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        count = min(count, len([name for name in shown.split(",") if name.strip()]))
    if named_card() < max(count, 1):  # the first one is there
        return None
    cards = "the only GPU is cuda:0" if count == 1 else f"the GPUs are cuda:0 to cuda:{count - 1}"
    return Missing(
        f"{DEVICE} is {os.environ[DEVICE]!r}, and {cards}.", "Unset it, or name one that is there."
    )


def named_card() -> int:
    """The number that UNDERSTUDY_GPU_DEVICE names, else 0."""
    return int(os.environ.get(DEVICE, "").partition(":")[2] or 0)


def _tracker_lacking(engine: Capabilities) -> Missing | None:
    if not engine.follows_motion:
        return None
    from understudy.tracking.models import PULL, lacking_models

    lacking = lacking_models()
    return Missing("The tracker's model files are not here.", PULL) if lacking else None


def _weights_lacking(name: str) -> Missing | None:
    try:
        weights_folder(name)
    except ModelError as error:
        return Missing(f"The weights {name} are {WEIGHTS_STATES[error.code]}.", error.fix)
    return None


def _version(name: str) -> str | None:
    """Of a package that can be imported. Its metadata may lie there without it."""
    try:
        return version(name) if find_spec(name) is not None else None
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: 0.42.0.dev0 is (0, 42, 0)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
