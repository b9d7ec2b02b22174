"""What the performer's mouth and brows do over time, freed of the performer's build."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.face_measures import Measures, without_noise
from understudy.tracking.motion import Floats

FULL_GAPE = 0.40  # gap between the inner lips over the distance of the outer eye corners: a mouth wide open
WIDEST = 0.30  # change of the mouth's width over its neutral width that counts as 1
BROW_TRAVEL = 0.07  # change of the brow's height over the distance of the outer eye corners that counts as 1
CLOSED_MOUTH = 0.06  # a neutral gap above this is an open mouth, not a habit of the tracker


def mouth_open(m: Measures, own: Measures | None) -> Floats:
    closed = min(float(np.quantile(m.gape, 0.1)), CLOSED_MOUTH)
    change = m.gape - closed
    if own is not None:
        change = change - (own.gape[0] - min(float(own.gape[0]), closed, CLOSED_MOUTH))
    return without_noise(change / FULL_GAPE, 0.015)


def mouth_wide(m: Measures, own: Measures | None) -> Floats:
    neutral = float(np.median(m.width))
    change = m.width / neutral - 1.0
    if own is not None:
        # Mouths differ in width more than in smiles: only half of the difference to the reference is a smile.
        change = change + 0.5 * np.clip(neutral / own.width[0] - 1.0, -0.25, 0.25)
    return np.clip(without_noise(change / WIDEST, 0.04), -1.2, 1.2)


def brows(m: Measures) -> Floats:
    change = (m.brows - np.median(m.brows, axis=0)) / BROW_TRAVEL
    return np.clip(without_noise(change, 0.12), -1.0, 1.2)
