"""What ``understudy doctor`` looks at: whether this installation can make a video, and what to do where it cannot."""

from __future__ import annotations

from understudy.doctor.apart import apart
from understudy.doctor.check import Check
from understudy.doctor.folders import data_folder, home, models, temporary_folder
from understudy.doctor.libraries import PACKAGES, engine, packages
from understudy.doctor.machine import memory, processor, python, system, terminal
from understudy.doctor.service import server
from understudy.doctor.works import codecs, gpu, matting, provenance, video

__all__ = [
    "PACKAGES",
    "Check",
    "codecs",
    "data_folder",
    "engine",
    "examine",
    "gpu",
    "home",
    "matting",
    "memory",
    "models",
    "packages",
    "processor",
    "provenance",
    "python",
    "server",
    "system",
    "temporary_folder",
    "terminal",
    "video",
]


def examine() -> tuple[Check, ...]:
    """Every check, in the order in which things depend on each other. Nothing is asked of the network.

    What loads libraries does so in processes of its own: one that crashes is told, and the others go on.
    """
    here = (python(), system(), processor(), memory(), terminal(), home(), data_folder(), temporary_folder())
    return (
        *here,
        packages(),
        *map(apart, (models, engine, codecs, video, provenance, matting)),
        gpu(),
        server(),
    )
