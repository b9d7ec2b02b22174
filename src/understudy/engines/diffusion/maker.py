"""The border to the model: makes what is missing of an assignment in a folder; with its fake, which has no model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.assignment import finished, keep_segment, load_assignment, tail
from understudy.engines.diffusion.source import STAGE, FakeSegments
from understudy.errors import ModelError
from understudy.extras import install
from understudy.progress import Progress, silent

# No download by surprise, no word of what is as it should be, and cards numbered as nvidia-smi has them: read when the
# libraries are imported, unless somebody chose otherwise.
LIBRARIES = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
}


class Maker(Protocol):
    """Keeps its model for the next assignment."""

    def make(self, folder: Path, progress: Progress, stopped: Callable[[], bool]) -> Mapping[str, float]:
        """Make what is missing of the folder's assignment, one segment after the other, each kept by ``keep_segment``.

        ``progress`` is told the stage STAGE, in denoising steps of the whole. ``stopped`` is asked after each step;
        where it says True the work ends with StoppedError, and what is made stays. Returns seconds by stage. Raises
        EngineError (``assignment_invalid``, ``gpu_memory`` ...), ModelError.
        """


class StoppedError(Exception):
    """The work was to end."""


class FakeMaker:
    """Makes what ``FakeSegments`` makes, in as many steps as the assignment wants: for tests of a maker's users.

    ``step(folder, number, done)`` is called before each step of segment ``number``: it may be slow, or go wrong.
    """

    def __init__(self, step: Callable[[Path, int, int], None] = lambda *_: None) -> None:
        self._step = step

    def make(self, folder: Path, progress: Progress, stopped: Callable[[], bool]) -> Mapping[str, float]:
        begun_s = time.monotonic()
        assignment = load_assignment(folder)
        first, total = finished(folder, assignment), assignment.segments * assignment.steps
        progress(STAGE, first * assignment.steps, total)
        for number, frames in enumerate(FakeSegments().segments(folder, assignment, silent)):
            if number < first:
                continue
            if number:
                tail(folder, assignment, number - 1)  # a model goes on from it
            for done in range(assignment.steps):
                if stopped():
                    raise StoppedError
                self._step(folder, number, done)
                progress(STAGE, number * assignment.steps + done + 1, total)
            keep_segment(folder, number, frames, _end(frames, assignment.spec.overlap))
        return {STAGE: round(time.monotonic() - begun_s, 3)}


def real_maker() -> Maker:
    """The model itself, loaded with its first assignment. Raises ModelError (``gpu_packages_missing``) where
    what runs it is not installed or does not load."""
    for variable, value in LIBRARIES.items():
        os.environ.setdefault(variable, value)
    try:
        from understudy.engines.diffusion.generator import Generator
        from understudy.engines.diffusion.loading import Loading

        loading = Loading()
        return Generator(loading, loading.step_down)
    except ModuleNotFoundError as error:
        raise ModelError(
            "gpu_packages_missing",
            f"What runs the GPU engine is not installed, or is another version: {error}.",
            value=error.name,
            fix=install("gpu"),
        ) from None
    except (
        ImportError,
        OSError,
        RuntimeError,
    ) as error:  # a build for another card, CUDA libraries that are gone
        raise ModelError(
            "gpu_packages_missing",
            f"What runs the GPU engine does not load: {str(error) or type(error).__name__}.",
            fix="Install torch and the rest anew, as this card needs them (docs/gpu.md), and start again.",
        ) from None


def _end(frames: NDArray[np.uint8], overlap: int) -> NDArray[np.float32]:
    last = frames[-overlap:].astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(last.transpose(3, 0, 1, 2))
