"""The linear maps of bones, from the frame back to the rest pose.

A bone's segment is turned, stretched along the bone by the foreshortening, across by the figure's scale. How two such
maps meet at a joint is told in ``joint.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from understudy.tracking.motion import Floats

MIN_STRETCH = 0.28  # a bone that points at the camera is not drawn shorter than this
MIN_END_STRETCH = 0.6  # hands and feet: thinner they look like knives
MAX_STRETCH = 1.6  # longer than this a bone's rest was foreshortened, and its texture smears
# For a bone that points at the camera in the reference: smeared, but it moves
MAX_FORESHORTENED_STRETCH = 3.0
MAX_END_STRETCH = 1.25


@dataclass(frozen=True)
class BoneMap:
    """The linear part of an inverse map: rotation by ``turn`` (radians) after the symmetric ``stretch`` (2, 2)."""

    turn: float
    stretch: Floats

    @cached_property
    def matrix(self) -> Floats:
        """(2, 2) frame to rest."""
        c, s = math.cos(self.turn), math.sin(self.turn)
        (p, q), (u, v) = self.stretch.tolist()
        return np.array([[c * p - s * u, c * q - s * v], [s * p + c * u, s * q + c * v]], np.float32)

    @cached_property
    def forward(self) -> Floats:
        """(2, 2) rest to frame."""
        return inverted(self.matrix)


def inverted(matrix: Floats) -> Floats:
    """The inverse of a (2, 2) matrix."""
    (a, b), (c, d) = matrix.tolist()
    size = a * d - b * c
    return np.array([[d / size, -b / size], [-c / size, a / size]], np.float32)


def rotation(angle: float) -> Floats:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]], np.float32)


def bone_map(
    rest: Floats,
    posed: Floats,
    across: float,
    *,
    end: bool = False,
    shortest: float = MIN_STRETCH,
    longest: float = MAX_STRETCH,
) -> BoneMap:
    """Inverse map of a bone from its ``rest`` vector (2,) to its ``posed`` one; ``across`` is its widening.

    ``end`` is for hands and feet, which keep more of their shape; others stretch to ``shortest`` to ``longest`` times
    their rest.
    """
    (rest_x, rest_y), (x, y) = map(float, rest), map(float, posed)
    rest_length, length = max(math.hypot(rest_x, rest_y), 1e-3), max(math.hypot(x, y), 1e-3)
    if end:
        shortest, longest = MIN_END_STRETCH, MAX_END_STRETCH
    along = min(max(length / rest_length, shortest * across), longest * across)
    turn = math.atan2(rest_y, rest_x) - math.atan2(y, x)
    # Across the bone the scale's inverse, along it the foreshortening's.
    x, y, even = x / length, y / length, 1 / across
    more = 1 / along - even
    stretch = [[even + more * x * x, more * x * y], [more * x * y, even + more * y * y]]
    return BoneMap(wrapped(turn), np.array(stretch, np.float32))


def turned(bone: BoneMap, angle: float) -> BoneMap:
    """The map of a bone that is turned on by ``angle`` radians in the frame."""
    if not angle:
        return bone
    turn = rotation(angle)
    return BoneMap(wrapped(bone.turn - angle), turn @ bone.stretch @ turn.T)


def moved(points: Floats, matrix: Floats, shift: Floats) -> Floats:
    """(..., 2) ``matrix`` (2, 2) times every point plus ``shift`` (2,), float32."""
    both = np.empty((2, 3), np.float32)
    both[:, :2], both[:, 2] = matrix, shift
    flat = np.ascontiguousarray(points, np.float32).reshape(-1, 1, 2)
    return np.asarray(cv2.transform(flat, both), np.float32).reshape(points.shape)


def between(one: Floats, other: Floats, share: Floats) -> Floats:
    """(..., 2) float32 the places a ``share`` (...) of the way from points ``one`` (..., 2) to the ``other``."""
    way = np.subtract(other, one, dtype=np.float32)
    # As complex numbers: NumPy is ten times as fast with one long row as with rows of two.
    way.view(np.complex64)[..., 0] *= share
    way += one
    return way


def axes(grid: Floats) -> tuple[Floats, Floats]:
    """x and y of points (..., 2): a row and a column of a regular grid's nodes (rows, columns, 2), which tell all."""
    if grid.ndim == 3:
        return grid[:1, :, 0], grid[:, :1, 1]
    return grid[..., 0], grid[..., 1]


def wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi


def limited_turn(parent: BoneMap, child: BoneMap, limit: float) -> float:
    """Radians to turn ``child`` back by, so that it bends at most ``limit`` against ``parent``."""
    gap = wrapped(child.turn - parent.turn)
    return min(max(gap, -limit), limit) - gap


def smoothstep(x: Floats) -> Floats:
    inside = np.minimum(np.maximum(x, 0), 1)
    eased: Floats = inside * inside
    inside = inside * -2
    inside += 3
    return np.asarray(eased * inside)
