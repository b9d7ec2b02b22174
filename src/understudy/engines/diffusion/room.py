"""The disk's room for what the GPU is given and makes: first its arrays, then what is missing of its segments."""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.errors import EngineError

if TYPE_CHECKING:
    from understudy.engines.diffusion.assignment import Assignment

MB, GB = 10**6, 10**9
FLOAT_BYTES = 4  # of a tail's numbers
MAKE_ROOM = (
    "Make room: what killed runs left to go on from lies in <data>/segments. "
    "Or set UNDERSTUDY_DATA_DIR to a folder of a larger disk."
)


def arrays_bytes(assignment: Assignment) -> int:
    """Of what the model is given."""
    return sum(math.prod(assignment.shape(name)) for name in assignment.arrays)


def segments_bytes(assignment: Assignment, first: int = 0) -> int:
    """Of the segments from ``first`` on, with what the next one goes on from."""
    tail = FLOAT_BYTES * math.prod(assignment.tail_shape())
    numbers = range(first, assignment.segments)
    return sum(math.prod(assignment.segment_shape(number)) + tail for number in numbers)


def check_room(folder: Path, needed: int) -> None:
    """Raises EngineError (``segments_room``) where the disk of ``folder`` has no room for so many bytes more, and what
    OSError the disk has."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        wanted, there = _told(needed, math.ceil), _told(free, math.floor)
        raise EngineError(
            "segments_room",
            f"What the GPU is given and makes needs {wanted} more on the disk of {str(folder.parent)!r}, which has "
            f"{there}.",
            value=there,
            limit=wanted,
            fix=MAKE_ROOM,
        )


def unwritable(folder: Path, error: OSError) -> EngineError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return EngineError(
        "segments_unwritable",
        f"The folder {str(folder)!r} for what the GPU makes cannot be written: {error.strerror or error}.",
        value=str(folder),
        fix=MAKE_ROOM
        if full
        else "Set UNDERSTUDY_DATA_DIR to a folder that can be written and has some GB of room.",
    )


def _told(count: int, rounded: Callable[[float], int]) -> str:
    return f"{rounded(count / GB * 10) / 10:.1f} GB" if count >= GB else f"{rounded(count / MB)} MB"
