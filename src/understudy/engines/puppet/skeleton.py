"""The skeleton that retargeting works on: bones between BlazePose landmarks, points of the plane as complex numbers.

A point is ``x + iy`` in the picture's axes (x right, y down), so that a turn or a change of length is one product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.tracking import series
from understudy.tracking.character import Character
from understudy.tracking.motion import BODY, Floats

Points = NDArray[np.complex128]
Reals = NDArray[np.float64]

HEAD = slice(0, 11)
EARS, SHOULDERS, ELBOWS, WRISTS = (7, 8), (11, 12), (13, 14), (15, 16)
HIPS, KNEES, ANKLES, HEELS, TOES = (23, 24), (25, 26), (27, 28), (29, 30), (31, 32)
FINGERS = ((17, 19, 21), (18, 20, 22))  # pinky, index, thumb of the left and of the right hand

# Upper arm, forearm, thigh and shin, left before right; parents come before children.
LIMBS = ((11, 13), (12, 14), (13, 15), (14, 16), (23, 25), (24, 26), (25, 27), (26, 28))
TWINS = ((0, 1), (2, 3), (4, 5), (6, 7))
LEGS = (4, 5, 6, 7)

# Index of each landmark's mirror image, for a body whose left and right change places.
SWAPPED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(j + 1 if j % 2 else j - 1 for j in range(11, 33))]

# What a landmark that was not found hangs from, in an order in which parents come first.
_PARENTS = dict(
    [(13, 11), (14, 12), (15, 13), (16, 14), (17, 15), (18, 16), (19, 15), (20, 16), (21, 15), (22, 16)]
    + [(25, 23), (26, 24), (27, 25), (28, 26), (29, 27), (30, 28), (31, 27), (32, 28)]
    + [(j, 0) for j in range(1, 11)]
)

# A standing adult seen from the front: metres about the mid-hip (x right in the picture, y down), to stand in for
# landmarks that a character found by its silhouette or by a file of joints does not have.
STANDING = np.array(
    [
        0.0 - 0.66j, 0.02 - 0.70j, 0.03 - 0.70j, 0.05 - 0.70j, -0.02 - 0.70j, -0.03 - 0.70j, -0.05 - 0.70j,
        0.08 - 0.68j, -0.08 - 0.68j, 0.03 - 0.62j, -0.03 - 0.62j, 0.17 - 0.49j, -0.17 - 0.49j, 0.24 - 0.23j,
        -0.24 - 0.23j, 0.27 + 0.01j, -0.27 + 0.01j, 0.30 + 0.08j, -0.30 + 0.08j, 0.28 + 0.09j, -0.28 + 0.09j,
        0.25 + 0.05j, -0.25 + 0.05j, 0.10 + 0.0j, -0.10 + 0.0j, 0.11 + 0.40j, -0.11 + 0.40j, 0.11 + 0.78j,
        -0.11 + 0.78j, 0.10 + 0.82j, -0.10 + 0.82j, 0.14 + 0.87j, -0.14 + 0.87j,
    ]
)  # fmt: skip


def plane(points: Floats | Reals) -> Points:
    """``(..., 2 or 3)`` coordinates to complex points; z is dropped."""
    return points[..., 0].astype(np.float64) + 1j * points[..., 1].astype(np.float64)


def middle(points: Points, pair: tuple[int, int]) -> Points:
    return np.asarray(0.5 * (points[..., pair[0]] + points[..., pair[1]]))


def unit(vector: Points, fallback: complex | Points = 1.0) -> Points:
    """Directions of ``vector``; ``fallback`` where it has no length."""
    length = np.abs(vector)
    return np.asarray(np.where(length > 1e-9, vector / np.maximum(length, 1e-9), fallback))


def blur(values: Reals, fps: float, sigma_s: float) -> Reals:
    """Gaussian smoothing over time (the first axis) without lag."""
    if len(values) < 2:
        return values
    return series.gaussian(values.astype(np.float64), sigma_s * fps)


def smooth(values: Points, fps: float, sigma_s: float) -> Points:
    """The same for points."""
    return np.asarray(blur(values.real, fps, sigma_s) + 1j * blur(values.imag, fps, sigma_s))


def step(values: Reals, low: float, high: float) -> Reals:
    """0 below ``low``, 1 above ``high``, smooth between."""
    x = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))


def rest_points(character: Character) -> Points:
    """The character's 33 landmarks (33,), completed by those of a standing adult where it has none."""
    body = plane(character.person.body)
    known = np.isfinite(body)
    if known.all():
        return body
    a, b = STANDING[known], body[known]
    if known.sum() < 2 or np.abs(a - a.mean()).max() < 1e-6:
        height = float(character.silhouette.shape[0])
        return np.asarray(STANDING * (height / 2.2) + complex(character.silhouette.shape[1] / 2, height / 2))
    a0, b0 = a.mean(), b.mean()
    size = float(np.abs(b - b0).sum() / np.abs(a - a0).sum())
    turn = (
        complex(unit(np.asarray(np.vdot(a - a0, b - b0)))) if known[[*SHOULDERS, *HIPS]].sum() >= 3 else 1.0
    )
    for j in np.flatnonzero(~known):
        parent = _PARENTS.get(int(j), -1)
        near, there = (
            (STANDING[parent], body[parent]) if np.isfinite(body[parent]) and parent >= 0 else (a0, b0)
        )
        body[j] = there + (STANDING[j] - near) * size * turn
    return body


def rest_depth(character: Character) -> Reals:
    """The character's landmark depths (33,) in pixels; 0 where it has none."""
    return np.nan_to_num(character.person.body[:BODY, 2].astype(np.float64))
