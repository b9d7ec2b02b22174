"""Every error that Understudy raises on purpose.

    UnderstudyError
    ├── InputError              what the user gave cannot be used
    │   ├── PictureError        the reference image
    │   ├── ClipError           the driving video
    │   ├── CharacterError      nobody to animate in the reference image
    │   ├── PerformerError      nobody to follow in the driving video
    │   └── RequestError        an option or a file that goes with it
    ├── ModelError              a tracker's model file is missing or wrong
    └── EngineError             the engine could not make the video

A code is stable: programs may compare it. The message names what was found and the limit; ``fix`` says what to
do about it. Bad input never ends in any other exception.
"""

from __future__ import annotations


class UnderstudyError(Exception):
    """Something went wrong that Understudy can explain.

    ``code`` is stable and machine-readable, ``value`` is what was found, ``limit`` what is allowed (both already
    rendered with their units, or None), ``fix`` is one sentence on what to do.
    """

    def __init__(
        self, code: str, message: str, *, value: str | None = None, limit: str | None = None, fix: str
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.value = value
        self.limit = limit
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix} [{self.code}]"


class InputError(UnderstudyError):
    """What the user gave cannot be used."""


class PictureError(InputError):
    """The reference image cannot be read or breaks a limit."""


class ClipError(InputError):
    """The driving video cannot be read or breaks a limit."""


class CharacterError(InputError):
    """No character that can be animated was found in the reference image."""


class PerformerError(InputError):
    """No performer who can be followed was found in the driving video."""


class RequestError(InputError):
    """An option, or a file given with it, cannot be used."""


class ModelError(UnderstudyError):
    """A model file of the tracker is missing, or its checksum is wrong."""


class EngineError(UnderstudyError):
    """The engine could not make the video."""
