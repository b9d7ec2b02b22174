"""Files to write: whether their places will do, told before any work, and each written whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from understudy.errors import RequestError

PLACELESS = (OSError, RuntimeError, ValueError)  # of a path in a loop of links, or with a zero byte in it


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write bytes, or what ``content`` writes into the file it is given, to ``path``.

    The file is built under a hidden name beside ``path`` and then takes its place; after an exception nothing is
    left and an older file stands. Raises RequestError (``output_unwritable``).
    """
    part = part_beside(path)
    try:
        _check_kind(path)
        with part.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
        part.replace(path)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError, ValueError):
            part.unlink(missing_ok=True)


def check_places(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Raise RequestError where an output cannot be written, would replace an input, or has another one's name.

    Each folder is tried with an empty file under a hidden name, for what a folder's rights say is not all. Codes:
    ``output_folder``, ``output_unwritable``, ``output_is_input``, ``outputs_collide``.
    """
    wanted = [path for path in outputs if path is not None]
    try:
        resolved = [path.resolve() for path in wanted]
    except PLACELESS as error:
        raise unwritable(wanted[0], error) from error
    given = set()
    for path in inputs:
        with suppress(*PLACELESS):  # whoever reads it will tell
            given |= set() if path is None else {path.resolve()}
    for path, place in zip(wanted, resolved, strict=True):
        if not path.absolute().parent.is_dir():
            raise RequestError(
                "output_folder",
                f"There is no folder {str(path.parent)!r} to write {path.name!r} into.",
                value=str(path.parent),
                fix="Make the folder first.",
            )
        if place in given:
            raise RequestError(
                "output_is_input",
                f"The output {path.name!r} would replace an input.",
                value=path.name,
                fix="Give it another name.",
            )
    if len(set(resolved)) < len(resolved):
        raise RequestError(
            "outputs_collide",
            "Two outputs have the same name.",
            fix="Give video, sheet and motion names of their own.",
        )
    for path in wanted:
        _try_place(path)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Raises RequestError (``output_folder``)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise RequestError(
            "output_folder",
            f"The folder {str(folder)!r} cannot be made: {_why(error)}.",
            value=str(folder),
            fix="Choose a folder that may be made, where no file stands in its way.",
        ) from error


def part_beside(path: Path) -> Path:
    """A hidden name in the same folder, new at each call, under which a file is built."""
    return path.absolute().parent / f".{path.name}.{secrets.token_hex(4)}.part"


def unwritable(path: Path, error: Exception) -> RequestError:
    return RequestError(
        "output_unwritable",
        f"{path.name!r} cannot be written there: {_why(error)}.",
        value=str(path),
        fix="Choose a file name in a folder that exists, has room and may be written to.",
    )


def _try_place(path: Path) -> None:
    part = part_beside(path)
    try:
        _check_kind(path)
        part.touch(exist_ok=False)
        part.unlink()
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error


def _check_kind(path: Path) -> None:
    """What stands there already may be a file, but no folder, device or pipe: a rename would fail, or replace it."""
    if path.is_dir():
        raise IsADirectoryError("it is a folder")
    if path.exists() and not path.is_file():
        raise OSError("it is no ordinary file")


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
