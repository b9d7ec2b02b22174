"""Whether a path leads to an ordinary file: others have no end, or would be waited for."""

from __future__ import annotations

from pathlib import Path


def why_not_ordinary(path: Path) -> str | None:
    """In words, why the path cannot be read as a file; None where it can be tried."""
    try:
        if path.is_file():  # False, too, for a name with a zero byte
            return None
        if path.is_dir():
            return "it is a folder, not a file"
        return "it is no ordinary file" if path.exists() else "no such file"
    except OSError as error:  # a name that is too long, a folder that may not be entered
        return error.strerror or str(error)
