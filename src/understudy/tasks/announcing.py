"""The confined child's way to a GPU: it says what it wants made, and waits until the files are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.assignment import Assignment, segment, segment_name
from understudy.progress import Progress

LOOK_S = 0.05


class Announcing:
    """A ``SegmentSource``. ``wanted`` is called with the number of segments once an assignment lies in ``folder``, the
    child's own; whoever hears it puts them there. How long they may take is the parent's to say, and how far they are
    the maker's."""

    def __init__(self, folder: Path, wanted: Callable[[int], None]) -> None:
        self._folder = folder
        self._wanted = wanted

    def place(self) -> AbstractContextManager[Path]:
        return nullcontext(self._folder)

    def segments(
        self, folder: Path, assignment: Assignment, progress: Progress
    ) -> Generator[NDArray[np.uint8]]:
        del progress
        self._wanted(assignment.segments)
        for number in range(assignment.segments):
            while not (folder / segment_name(number)).exists():
                time.sleep(LOOK_S)
            yield segment(folder, assignment, number)
