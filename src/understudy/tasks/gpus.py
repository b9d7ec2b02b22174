"""Which GPUs of this machine a worker renders on."""

from __future__ import annotations

import os

from understudy.config import Settings
from understudy.engines.capabilities import WAN_ANIMATE
from understudy.engines.diffusion.availability import DEVICE, availability, named_card
from understudy.errors import SettingError
from understudy.tasks.jobs import render_job

VISIBLE = "CUDA_VISIBLE_DEVICES"
ANY = ("",)  # one place, where the engine finds by itself what there is


def gpus_of(settings: Settings) -> tuple[str, ...]:
    """Their numbers or names, none where the worker leaves GPU tasks to others. Raises SettingError where the worker
    is for GPU tasks alone and cannot do any, or where both GPUs and a GPU's
    number as the engine's device are set."""
    if settings.work == "cpu":
        return ()
    found = availability(WAN_ANIMATE)
    if found.available:
        if settings.gpus and named_card():
            raise SettingError(
                "setting_invalid",
                f"{DEVICE} is {os.environ[DEVICE]!r}, but each process of this worker sees one GPU alone, as cuda:0.",
                value=os.environ[DEVICE],
                limit="cuda:0",
                fix=f"Unset {DEVICE}: the GPUs are chosen by UNDERSTUDY_GPUS.",
            )
        return settings.gpus or _visible(len(found.devices))
    if settings.work == "gpu":
        reason, fix = ("", "") if found.first is None else (found.first.reason, found.first.fix)
        raise SettingError("work_impossible", f"This worker is for GPU tasks alone. {reason}", fix=fix)
    return ()


def gpu_queues(settings: Settings) -> tuple[str, ...]:
    """The queues of the GPU tasks that can be made here: of those scenes whose weights are here."""
    if settings.work == "cpu":
        return ()
    return tuple(render_job(WAN_ANIMATE.name, scene) for scene in availability(WAN_ANIMATE).scenes)


def _visible(count: int) -> tuple[str, ...]:
    if os.environ.get(DEVICE):  # the processor stands in for a GPU
        return ANY
    shown = os.environ.get(VISIBLE)
    if shown is None:
        return tuple(map(str, range(count))) or ANY
    return tuple(name.strip() for name in shown.split(",") if name.strip()) or ANY
