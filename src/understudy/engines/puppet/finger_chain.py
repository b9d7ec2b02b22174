"""A finger as a chain of bones that bends: the inverse field of its ribbon of texture.

A point of the frame belongs to the nearest point of the posed chain and comes from the same place along the chain at
rest, off it by the same distance, turned as the chain turns there. A ribbon keeps its width however it bends and
however short a bone is drawn, so that a finger is never a knife. Chaikin's corner cutting rounds the joints.
"""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.warp import smoothstep
from understudy.tracking.motion import Floats

SHORTEST, LONGEST = (
    0.35,
    1.2,
)  # of a bone's length at rest: what points at the camera, what was measured too short
# A bone that folds back in the picture comes towards the camera or goes away from it. It is drawn short instead, but
# for so much of its part across the bone before that a finger bends to about 110 degrees in the picture.
FOLD = 0.8
NOWHERE = np.float32(-1e4)  # a place that no picture has
BESIDE_PX = 4  # two nodes of the field: a finger's outermost ones lie so far beside it
ROOT = (0.4, 1.0)  # of the first of the rounded chain's pieces: beyond it lies no palm
CORNER = 0.25  # share of a bone that a rounded joint takes (Chaikin 1974)


def unfolded(vectors: Floats, lengths: Floats, before: Floats) -> Floats:
    """(K, 2) bones ``vectors`` (K, 2) that follow the direction ``before`` (2,), none drawn shorter than `SHORTEST` of
    its length at rest ``lengths`` (K,), longer than `LONGEST`, or folded back on the one before it."""
    made = np.empty_like(vectors)
    ahead = _unit(before)
    for k, vector in enumerate(vectors):
        full = max(float(lengths[k]), 1e-3)
        aside = np.array([-ahead[1], ahead[0]], np.float32)
        along, across = float(vector @ ahead), float(vector @ aside)
        across = min(max(across, -full), full)
        along = max(along, SHORTEST * full - FOLD * abs(across))
        length = max(float(np.hypot(along, across)), 1e-6)
        wanted = min(max(length, SHORTEST * full), LONGEST * full)
        made[k] = (along * ahead + across * aside) * (wanted / length)
        ahead = _unit(made[k])
    return made


def rounded(points: Floats) -> Floats:
    """(2 K - 2, 2) a chain of K ``points`` with its inner corners cut once."""
    bones = np.diff(points, axis=0)
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
        self._bones, self._own = np.diff(self._posed, axis=0), np.diff(self._rest, axis=0)
        turn = np.arctan2(self._own[:, 1], self._own[:, 0]) - np.arctan2(self._bones[:, 1], self._bones[:, 0])
        turn = np.unwrap(turn)
        inner = (turn[1:] + turn[:-1]) / 2
        self._turns = np.concatenate([turn[:1], inner, turn[-1:]]).astype(np.float32)

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
        off = best > (self._reach * self._across + BESIDE_PX) ** 2
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


def _unit(vector: Floats) -> Floats:
    length = float(np.hypot(*vector))
    if length < 1e-6:
        return np.array([1, 0], np.float32)
    return np.asarray(vector / length, np.float32)
