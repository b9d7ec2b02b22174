"""The disk's room for what the GPU is given and makes."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.errors import EngineError

if TYPE_CHECKING:
    from understudy.engines.diffusion.assignment import Assignment


def check_room(folder: Path, assignment: Assignment) -> None:
    """Raises EngineError (``segments_room``) where the disk has no room for the assignment and its segments."""
    shapes = [assignment.shape(name) for name, _ in assignment.spec.arrays]
    shapes += [assignment.segment_shape(number) for number in range(assignment.segments)]
    needed, free = sum(map(math.prod, shapes)), shutil.disk_usage(folder).free
    if needed > free:
        raise EngineError(
            "segments_room",
            f"What the GPU is given and makes needs {needed / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB.",
            value=f"{free / 1e9:.1f} GB",
            limit=f"{needed / 1e9:.1f} GB",
            fix="Make room, or set UNDERSTUDY_DATA_DIR to a folder of a larger disk.",
        )


def unwritable(folder: Path, error: OSError) -> EngineError:
    return EngineError(
        "segments_unwritable",
        f"The folder {str(folder)!r} for what the GPU makes cannot be written: {error.strerror or error}.",
        value=str(folder),
        fix="Set UNDERSTUDY_DATA_DIR to a folder that can be written and has some GB of room.",
    )
