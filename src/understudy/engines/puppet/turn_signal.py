"""How the performer's head turns over time, against the performer's own usual facing."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.face_measures import without_noise
from understudy.tracking.motion import Floats


def angle(values: Floats, own: Floats | None, most: float) -> Floats:
    """Angles against the performer's neutral; a reference that faces elsewhere keeps its facing, but for ``most``."""
    neutral = float(np.median(values))
    change = values - neutral
    if own is not None:
        change = change + most * np.tanh((neutral - float(own[0])) / most)
    return without_noise(change, 0.4)
