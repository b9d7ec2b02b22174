"""A finger as a chain of bones that bends: the inverse field of its ribbon of texture.

A point of the frame belongs to the nearest point of the posed chain and comes from the same place along the chain at
rest, off it by the same distance, turned as the chain turns there. A ribbon keeps its width however it bends and
however short a bone is drawn, so that a finger is never a knife. Chaikin's corner cutting rounds the joints.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from understudy.engines.puppet.warp import smoothstep, wrapped
from understudy.tracking.motion import Floats

SHORTEST, LONGEST = (
    0.35,
    1.2,
)  # of a bone's length at rest: what points at the camera, what was measured too short
# A bone that folds back in the picture comes towards the camera or goes away from it. It is drawn short instead, but
# for so much of its part across the bone before that a finger bends to about 110 degrees in the picture.
FOLD = 0.8
NOWHERE = np.float32(-1e4)  # a place that no picture has
# Pixels between two nodes of a finger's field, which folds over where it is bent by so much in all, and where not.
FINE, COARSE, SHARP = 2, 4, math.radians(60)
ROOT = (0.4, 1.0)  # of the first of the rounded chain's pieces: beyond it lies no palm
CORNER = 0.25  # share of a bone that a rounded joint takes (Chaikin 1974)


def unfolded(vectors: Floats, lengths: Floats, before: Floats) -> Floats:
    """(K, 2) bones ``vectors`` (K, 2) that follow the direction ``before`` (2,), none drawn shorter than `SHORTEST` of
    its length at rest ``lengths`` (K,), longer than `LONGEST`, or folded back on the one before it."""
    made = []
    u, v = _unit(before).tolist()
    for (e, f), length in zip(vectors.tolist(), lengths.tolist(), strict=True):
        full = max(length, 1e-3)
        along, across = e * u + f * v, min(max(f * u - e * v, -full), full)
        along = max(along, SHORTEST * full - FOLD * abs(across))
        size = max(math.hypot(along, across), 1e-6)
        share = min(max(size, SHORTEST * full), LONGEST * full) / size
        x, y = (along * u - across * v) * share, (along * v + across * u) * share
        made.append((x, y))
        size = max(math.hypot(x, y), 1e-6)
        u, v = x / size, y / size
    return np.array(made, np.float32)


def rounded(points: Floats) -> Floats:
    """(2 K - 2, 2) a chain of K ``points`` with its inner corners cut once."""
    bones = points[1:] - points[:-1]
    cut = np.empty((2 * len(points) - 2, 2), np.float32)
    cut[0], cut[-1] = points[0], points[-1]
    cut[1:-1:2] = points[1:-1] - CORNER * bones[:-1]
    cut[2:-1:2] = points[1:-1] + CORNER * bones[1:]
    return cut


class FingerChain:
    """The ribbon field of a finger from its ``rest`` (K, 2) to its ``posed`` (K, 2) points.

    ``across`` widens it; at rest it ends ``reach`` pixels off its chain.
    """

    def __init__(self, rest: Floats, posed: Floats, across: float, reach: float) -> None:
        self._reach = reach
        self._rest, self._posed = rounded(rest), rounded(posed)
        self._across = across
        self._bones = self._posed[1:] - self._posed[:-1]
        angles, own = _angles(self._posed), _angles(self._rest)
        turns = [own[0] - angles[0]]
        bent = 0.0
        for k in range(1, len(own)):
            turns.append(turns[-1] + wrapped(own[k] - angles[k] - turns[-1]))
            bent += abs(wrapped(angles[k] - angles[k - 1]))
        inner = [(a + b) / 2 for a, b in pairwise(turns)]
        self._turns = np.array([turns[0], *inner, turns[-1]], np.float32)
        self.cell = FINE if bent > SHARP else COARSE

    def blend(self, field: Floats, grid: Floats, before: Floats, radius: float) -> None:
        """Lead the palm's ``field`` (..., 2) over the points ``grid`` (..., 2) of the frame into the finger's

        ``before`` (2,) is the direction in which the palm comes to the chain's root, ``radius`` half the root's width.
        """
        bones, start = self._bones, self._posed
        x, y = grid[..., 0], grid[..., 1]
        best = np.full(x.shape, np.inf, np.float32)
        place = off_x = off_y = np.zeros(x.shape, np.float32)
        for k in range(len(bones)):
            (a, b), (e, f) = start[k].tolist(), bones[k].tolist()
            dx, dy = x - a, y - b
            share = np.clip((dx * e + dy * f) * (1 / max(e * e + f * f, 1e-6)), 0, 1)
            dx -= share * e
            dy -= share * f
            away = dx * dx + dy * dy
            nearer = away < best
            best = np.where(nearer, away, best)
            place = np.where(nearer, share + k, place)
            off_x, off_y = np.where(nearer, dx, off_x), np.where(nearer, dy, off_y)
        # On the two sides of a fold the sources are far apart, and between two nodes of a grid everything between them
        # would show as a thin line: what is off the finger comes from nowhere.
        off = best > (self._reach * self._across + 2 * self.cell) ** 2
        stations = np.arange(len(self._turns), dtype=np.float32)
        turn = np.interp(place, stations, self._turns)
        cosine, sine = np.cos(turn) / self._across, np.sin(turn) / self._across
        u = np.interp(place, stations, self._rest[:, 0]) + cosine * off_x - sine * off_y
        v = np.interp(place, stations, self._rest[:, 1]) + sine * off_x + cosine * off_y
        (a, b), (c, d) = self._posed[0].tolist(), _unit(_unit(before) + _unit(self._bones[0])).tolist()
        share = smoothstep(((x - a) * c + (y - b) * d) * (0.5 / max(radius, 1.0)) + 0.5)
        # A finger that is bent back lies behind its root and is the finger's all the same.
        share = np.maximum(share, smoothstep((place - ROOT[0]) / (ROOT[1] - ROOT[0])))
        off &= share > 0
        field[..., 0] = np.where(off, NOWHERE, field[..., 0] + share * (u - field[..., 0]))
        field[..., 1] = np.where(off, NOWHERE, field[..., 1] + share * (v - field[..., 1]))


def _angles(points: Floats) -> list[float]:
    """The directions of a chain's bones, radians."""
    return [math.atan2(d - b, c - a) for (a, b), (c, d) in pairwise(points.tolist())]


def _unit(vector: Floats) -> Floats:
    length = float(np.hypot(*vector))
    if length < 1e-6:
        return np.array([1, 0], np.float32)
    return np.asarray(vector / length, np.float32)
