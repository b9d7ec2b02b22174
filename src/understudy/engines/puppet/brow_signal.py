"""Brow signal: brows raised, drawn together and down, each side for itself."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.face_measures import without_noise
from understudy.engines.puppet.skin_points import BROWS
from understudy.tracking.motion import Floats

NOISE = 0.005  # over the distance of the outer eye corners
MOST = 0.13
GAIN = 1.35  # the mesh understates: brows found again in the result had moved by 0.44 of the performer's


def brow_shifts(shifts: Floats) -> Floats:
    """Shifts ``(T, 20, 2)`` of the brows' skin points from rest, over the distance of the outer eye corners, cleaned.

    A brow moves by its height, its slope and how near it is to the other: three numbers, so that the noise of
    single landmarks cannot bend it. The lower and the upper line agree.
    """
    along = np.tile(np.linspace(0.0, 1.0, len(BROWS[0]) // 2), 2)  # outer end to inner
    basis = np.stack([np.ones_like(along), along - 0.5], axis=1)
    line = basis @ np.linalg.pinv(basis)
    out = np.empty_like(shifts)
    for side in (0, 1):
        part = slice(side * len(along), (side + 1) * len(along))
        down = without_noise(np.einsum("ij,tj->ti", line, shifts[:, part, 1]), NOISE)
        aside = without_noise(shifts[:, part, 0].mean(axis=1), NOISE)
        out[:, part, 1] = MOST * np.tanh(GAIN * down / MOST)
        out[:, part, 0] = MOST * np.tanh(GAIN * aside / MOST)[:, None] * along
    return out
