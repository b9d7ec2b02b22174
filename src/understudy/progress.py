"""How a long job tells how far it is: one callable that the command line draws and tests record."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often: ``stage`` is a short word shown to the user, ``done`` of ``total`` units (0 if not known)."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """The fake: nobody is watching."""
