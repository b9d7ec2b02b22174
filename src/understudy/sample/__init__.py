"""The project's own sample: a drawn character, a dance to copy, and the scripts that make both.

``python -m understudy.sample.make`` makes the files again; nothing in them comes from a photo or from a model.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

CHARACTER = "explorer.png"
CLIP = "dancer.mp4"
TRUTH = "dancer.json"


def character_path() -> Path:
    """The reference image: an explorer on a hill."""
    return _asset(CHARACTER)


def clip_path() -> Path:
    """The driving video: six seconds of a dance, with sound."""
    return _asset(CLIP)


def truth_path() -> Path:
    """Where the dancer's joints really are: see ``understudy.sample.make`` for the fields."""
    return _asset(TRUTH)


def _asset(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))
