"""The border between the generator and a model that makes one segment at a time, with its fake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.assignment import Assignment, mapped
from understudy.engines.diffusion.spec import ModelSpec

Made = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""A segment's new frames (T, height, width, 3) RGB, and its last ones for the next, (3, overlap, height, width) in
-1..1."""

Step = Callable[[int, int], None]
"""Called after each denoising step, and after what comes before the first and takes as long, with how many are done and
how many there are; what it raises ends the work."""


class Model(Protocol):
    """A model whose weights are loaded."""

    spec: ModelSpec

    def begin(self, folder: Path, assignment: Assignment) -> Any:
        """What all segments of an assignment share."""

    def make(self, begun: Any, number: int, before: NDArray[np.float32] | None, step: Step) -> Made:
        """Segment ``number``, going on from the one ``before``. The same each time, whoever made the others."""

    def forget(self) -> None:
        """Give back what memory it holds besides its weights: called after it did not suffice."""


class FakeModel:
    """Shows the driving frames, negated; carries the segment before in one pixel: for tests of the generator.

    ``fail_at`` is the number of a segment that raises ``error``, once.
    """

    def __init__(
        self, spec: ModelSpec, *, fail_at: int | None = None, error: Exception | None = None
    ) -> None:
        self.spec = spec
        self.made: list[int] = []
        self.forgot = 0
        self._fail_at, self._error = fail_at, error

    def begin(self, folder: Path, assignment: Assignment) -> tuple[Path, Assignment]:
        return folder, assignment

    def make(
        self, begun: tuple[Path, Assignment], number: int, before: NDArray[np.float32] | None, step: Step
    ) -> Made:
        folder, assignment = begun
        if number == self._fail_at and self._error is not None:
            self._fail_at = None
            raise self._error
        for done in range(assignment.steps):
            step(done + 1, assignment.steps)
        frames = mapped(folder, assignment, self.spec.arrays[0][0])
        chosen = segment_frames(self.spec, assignment.frames, number)[
            0 if number == 0 else self.spec.overlap :
        ]
        made = 255 - frames[chosen]
        made[:, 0, 0] = 0 if before is None else np.rint(before[0, 0, 0, 0] * 127 + 129)
        self.made.append(number)
        tail = made[-self.spec.overlap :].astype(np.float32).transpose(3, 0, 1, 2) / 127.5 - 1
        return made, np.ascontiguousarray(tail)

    def forget(self) -> None:
        self.forgot += 1


def segment_frames(spec: ModelSpec, frames: int, number: int) -> NDArray[np.intp]:
    """Which of the assignment's frames a segment is given: past the end they go back and forth, as the models' authors
    pad; what is made of those is cut off."""
    wanted = np.arange(spec.segment_frames) + number * spec.advance
    wanted %= 2 * frames
    return np.where(wanted < frames, wanted, 2 * frames - 1 - wanted)
