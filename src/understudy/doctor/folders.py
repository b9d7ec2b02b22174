"""The folders: home, data, temporary files, models."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from understudy import config
from understudy.doctor.check import Check
from understudy.errors import UnderstudyError

MB = 1_000_000
LEAST_DATA_MB = 50  # the models, 16 MB, and the wheel that they come in
LEAST_TEMPORARY_MB = 300  # a video of 30 s in mode pro twice over, with its sound


def home() -> Check:
    """A home that is missing or cannot be written is no fault: the virtual environment then keeps what is kept."""
    try:
        folder = Path.home()
    except RuntimeError:
        return Check("home", "this user has none")
    return Check("home", f"{folder}{'' if config.can_write(folder) else ', which cannot be written'}")


def data_folder() -> Check:
    """The folder of models and keys; one that is not there yet counts as writable if it can be made."""
    try:
        folder = config.data_dir()
    except UnderstudyError as error:
        return Check("data folder", error.message, error.fix)
    if not config.can_write(folder):
        return Check(
            "data folder",
            f"{folder} cannot be written",
            "Make it writable, or set UNDERSTUDY_DATA_DIR to another folder.",
        )
    free_mb = _free_mb(folder)
    found = f"{folder}{'' if folder.exists() else ', not made yet'}, {free_mb} MB free"
    if free_mb < LEAST_DATA_MB:
        return Check(
            "data folder", f"{found}, {LEAST_DATA_MB} are needed", "Make room, or set UNDERSTUDY_DATA_DIR."
        )
    return Check("data folder", found)


def temporary_folder() -> Check:
    """Where files lie while they are made; Python tries TMPDIR, /tmp, /var/tmp and the current folder."""
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        return Check("temporary", str(error), "Set TMPDIR to a folder that can be written.")
    free_mb = _free_mb(folder)
    found = f"{folder}, {free_mb} MB free"
    if free_mb < LEAST_TEMPORARY_MB:
        return Check(
            "temporary", f"{found}, {LEAST_TEMPORARY_MB} can be needed", "Make room there, or set TMPDIR."
        )
    return Check("temporary", found)


def models() -> Check:
    """Whether the tracker's models are there and are the published ones."""
    from understudy.tracking.models import MODELS, model_path

    faults = []
    for name in MODELS:
        try:
            model_path(name)
        except UnderstudyError as error:
            faults.append(error)
    if faults:
        more = f" So are {len(faults) - 1} more." if len(faults) > 1 else ""
        return Check("models", faults[0].message + more, faults[0].fix)
    return Check("models", f"{len(MODELS)} of {len(MODELS)} in {config.models_dir()}")


def _free_mb(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free // MB
    except OSError:
        return 0
