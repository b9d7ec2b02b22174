"""Understudy: open, self-hosted motion control.

    import understudy
    result = understudy.animate("character.png", "dancing.mp4", output="out.mp4")

Names are loaded when first used (PEP 562), so that importing the package costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.animate import animate
    from understudy.errors import (
        CharacterError,
        ClipError,
        EngineError,
        InputError,
        ModelError,
        PerformerError,
        PictureError,
        RequestError,
        UnderstudyError,
    )
    from understudy.evaluation.evaluate import evaluate
    from understudy.request import LeftOut, Matting, Mode, MotionRequest, Orientation, Result, Scene
    from understudy.tracking.motion import Motion

__all__ = [
    "CharacterError",
    "ClipError",
    "EngineError",
    "InputError",
    "LeftOut",
    "Matting",
    "Mode",
    "ModelError",
    "Motion",
    "MotionRequest",
    "Orientation",
    "PerformerError",
    "PictureError",
    "RequestError",
    "Result",
    "Scene",
    "UnderstudyError",
    "animate",
    "evaluate",
]

_HOMES = {
    "animate": "understudy.animate",
    "evaluate": "understudy.evaluation.evaluate",
    "Motion": "understudy.tracking.motion",
    **dict.fromkeys(
        ("LeftOut", "Matting", "Mode", "MotionRequest", "Orientation", "Result", "Scene"),
        "understudy.request",
    ),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES.get(name, "understudy.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps ``understudy.animate`` the function: the import system would put the module of that name there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
