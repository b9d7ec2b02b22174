"""An assignment whose arrays are noise: for tests of what makes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter


def written(folder: Path, blank: Assignment) -> Assignment:
    """In ``folder``, which is made. A mask is black and white."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    writer = AssignmentWriter(folder, blank, rng.integers(0, 255, blank.shape("reference"), np.uint8))
    for name, _ in blank.spec.arrays:
        entries = rng.integers(0, 255, blank.shape(name), np.uint8)
        for entry in entries // 128 * 255 if name == "mask" else entries:
            writer.add(name, entry)
    return writer.finish()
