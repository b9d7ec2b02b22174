"""Where things lie on this machine, from ``UNDERSTUDY_*`` variables or the usual places."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir() -> Path:
    """Folder for what Understudy keeps: models, the signing authority. ``UNDERSTUDY_DATA_DIR`` moves it."""
    chosen = os.environ.get("UNDERSTUDY_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "understudy"


def models_dir() -> Path:
    """Folder of the tracker's model files. ``UNDERSTUDY_MODELS_DIR`` moves it."""
    chosen = os.environ.get("UNDERSTUDY_MODELS_DIR")
    return Path(chosen).expanduser() if chosen else data_dir() / "models"
