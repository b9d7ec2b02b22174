"""Legs of figures that are no people: knees that the pose model bends outwards because the legs are too short."""

from __future__ import annotations

import numpy as np

from understudy.tracking.motion import Floats

LEGS = ((23, 25, 27), (24, 26, 28))
SHORT = 0.75  # of the trunk: people's legs are longer than their trunk, sitting ones are not straight down
DETOUR = 1.06  # thigh and shin together over the way from hip to ankle


def straightened(body: Floats) -> Floats:
    """``body`` (33, 3) with the knees of a short-legged standing figure on the line from hip to ankle.

    A bend that is not there would unfold when the figure dances and lift it out of the picture.
    """
    shoulders, hips = body[[11, 12], :2].mean(axis=0), body[[23, 24], :2].mean(axis=0)
    trunk = float(np.linalg.norm(shoulders - hips))
    out = body.copy()
    for hip, knee, ankle in LEGS:
        way = body[ankle, :2] - body[hip, :2]
        length = float(np.linalg.norm(way))
        bones = float(
            np.linalg.norm(body[knee, :2] - body[hip, :2]) + np.linalg.norm(body[ankle, :2] - body[knee, :2])
        )
        standing = length > 1.0 and float(way @ (hips - shoulders)) > 0.8 * length * max(trunk, 1e-6)
        if standing and length < SHORT * trunk and bones > DETOUR * length:
            share = float(np.clip((body[knee, :2] - body[hip, :2]) @ way / length**2, 0.35, 0.65))
            out[knee, :2] = body[hip, :2] + share * way
    return out
