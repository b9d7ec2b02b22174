"""The border between the engine and whoever has the model: in this process, or in another; with its fake."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.assignment import Assignment, mapped
from understudy.progress import Progress

STAGE = "denoising"


class SegmentSource(Protocol):
    """Has an assignment's segments made."""

    def place(self) -> AbstractContextManager[Path]:
        """A folder to write an assignment into; what is left in it on the way out is the source's to clear away."""

    def segments(
        self, folder: Path, assignment: Assignment, progress: Progress
    ) -> Generator[NDArray[np.uint8]]:
        """Each segment's new frames, (T, height, width, 3) RGB, in order, as soon as it is made; those past
        ``assignment.frames`` are padding. Closed early, it has no more made.

        ``progress`` is told the stage STAGE, in denoising steps of the whole. Raises EngineError, ModelError.
        """


class FakeSegments:
    """Shows the driving video beside the reference, half and half: for tests of the engine, without any model."""

    def place(self) -> AbstractContextManager[Path]:
        return _TemporaryPlace()

    def segments(
        self, folder: Path, assignment: Assignment, progress: Progress
    ) -> Generator[NDArray[np.uint8]]:
        name = assignment.spec.arrays[0][0]
        frames, reference = mapped(folder, assignment, name), mapped(folder, assignment, "reference")
        half, at = assignment.width // 2, 0
        for number in range(assignment.segments):
            count = assignment.spec.new_frames(number)
            chosen = np.minimum(np.arange(at, at + count), assignment.frames - 1)
            made = frames[chosen]
            made[:, :, :half] = reference[:, :half]
            at += count
            progress(STAGE, number + 1, assignment.segments)
            yield made


class _TemporaryPlace:
    def __enter__(self) -> Path:
        self._folder = tempfile.TemporaryDirectory(prefix="understudy-")
        return Path(self._folder.__enter__())

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()
