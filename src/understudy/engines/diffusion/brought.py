"""Weights that somebody brings in a folder, for a machine without network: checked, then linked or copied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from understudy.engines.diffusion.hub_errors import SPARE_BYTES, no_room, unwritable
from understudy.engines.diffusion.manifest import MANIFEST, MB, PARTS, Manifest
from understudy.engines.diffusion.presence import named, present
from understudy.engines.diffusion.verdict import Verdict, verify
from understudy.engines.diffusion.weights import WeightSet
from understudy.errors import ModelError
from understudy.progress import Progress, silent

COPYING = "copy MB"
CHUNK = 2**24


def bring(weights: WeightSet, folder: Path, progress: Progress = silent) -> Verdict:
    """Put the set that lies in ``folder`` into its own, within `pulling.pulling`; what else lies there stays there.

    Its manifest comes along, if it has one. On one disk the files are linked and take no room.

    Raises ModelError: ``weights_source``, ``weights_corrupt``, ``weights_disk`` or ``weights_folder``.
    """
    if not folder.is_dir():
        raise _no_source(weights, folder, "it is no folder")
    if folder.samefile(weights.folder):
        raise _no_source(weights, folder, "it is where the set belongs")
    try:
        verdict = verify(weights, progress, folder=folder)
    except OSError as error:
        raise _no_source(weights, folder, f"{error.filename} cannot be read: {error.strerror}") from error
    if verdict.wrong:
        raise ModelError(
            "weights_corrupt",
            f"The weights {weights.name} in {folder} are damaged: {named(verdict.wrong)}.",
            value=named(verdict.wrong),
            fix="Copy these files there once more.",
        )
    if verdict.presence.lacking:
        raise _no_source(weights, folder, f"{named(verdict.presence.lacking)} missing")
    manifest = Manifest.read(folder, weights)
    try:
        (weights.folder / MANIFEST).unlink(missing_ok=True)
        _place(weights, present(weights, folder), progress)
        if manifest is not None:
            manifest.write(weights.folder)
    except OSError as error:
        raise unwritable(weights, error) from error
    return verdict


def _place(weights: WeightSet, files: Mapping[str, Path], progress: Progress) -> None:
    """Link what can be linked; of the rest see first that there is room."""
    to_copy = {path: origin for path, origin in files.items() if not _linked(origin, weights.folder / path)}
    total = sum(origin.stat().st_size for origin in to_copy.values())
    free = shutil.disk_usage(weights.folder).free
    if to_copy and total + SPARE_BYTES > free:
        raise no_room(weights, total, free)
    done = 0
    part = weights.folder / PARTS / "brought"
    part.parent.mkdir(exist_ok=True)
    try:
        for path, origin in to_copy.items():
            with origin.open("rb") as old, part.open("wb") as new:
                while chunk := old.read(CHUNK):
                    new.write(chunk)
                    done += len(chunk)
                    progress(COPYING, done // MB, total // MB)
            part.replace(weights.folder / path)
    finally:
        shutil.rmtree(part.parent, ignore_errors=True)


def _linked(origin: Path, target: Path) -> bool:
    """Whether ``target`` is now the very file; a link to it elsewhere, as the hub's cache has them, is followed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.link")
    with suppress(OSError):  # another disk, or one that has no links
        aside.unlink(missing_ok=True)
        os.link(origin.resolve(), aside)
        aside.replace(target)
        aside.unlink(missing_ok=True)  # replacing a file by itself leaves both names
        return True
    return False


def _no_source(weights: WeightSet, folder: Path, why: str) -> ModelError:
    return ModelError(
        "weights_source",
        f"The weights {weights.name} cannot be brought from {folder}: {why}.",
        value=str(folder),
        fix="Give the folder that holds its model_index.json or modular_model_index.json and all its parts.",
    )
