"""What a camera without perspective sees of groups of solids: sphere tracing, in tiles.

A tile only meets the solids that reach into it. Sphere tracing: Hart 1996.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from understudy.sample.solid import Floats, Group, melt

TILE = 160
MARGIN_M = 0.05  # how far beyond a solid its neighbours still feel it: blends and creases
BLOCK = 6  # rays that share their first steps
STEPS = 64
PATIENCE = 20  # steps after which a ray that only grazes a surface hurries on

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Camera:
    """Looks down by ``pitch_deg``; ``scale`` pixels per metre; the world's origin lies at ``origin`` (x, y) pixels."""

    width: int
    height: int
    scale: float
    origin: tuple[float, float]
    pitch_deg: float = 7.0

    @property
    def turn(self) -> Floats:
        c, s = cos(radians(self.pitch_deg)), sin(radians(self.pitch_deg))
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float32)

    def pixels(self, points: Floats) -> Floats:
        """(..., 3) metres to (..., 2) pixels."""
        seen = points @ self.turn.T
        x = self.origin[0] + self.scale * seen[..., 0]
        y = self.origin[1] - self.scale * seen[..., 1]
        result: Floats = np.stack([x, y], axis=-1).astype(np.float32)
        return result

    def enlarged(self, factor: float) -> Camera:
        return Camera(
            round(self.width * factor),
            round(self.height * factor),
            self.scale * factor,
            (self.origin[0] * factor, self.origin[1] * factor),
            self.pitch_deg,
        )


@dataclass(frozen=True)
class Surface:
    """What each hit pixel shows: flat indices, points and normals in world metres, group, openness 0..1."""

    index: Indices
    points: Floats
    normals: Floats
    group: Indices
    open: Floats


class Scene:
    """Groups in the coordinates of one view, cut down to those that reach into a tile."""

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups
        self.boxes = [[s.box() for s in g.solids] for g in groups]

    def near(self, low: tuple[float, float], high: tuple[float, float]) -> tuple[Scene, list[int]]:
        """The part of the scene that reaches into a column of x, y; and the numbers of its groups."""
        kept, numbers = [], []
        for number, (group, boxes) in enumerate(zip(self.groups, self.boxes, strict=True)):
            margin = MARGIN_M + group.blend
            inside = tuple(
                s
                for s, (a, b) in zip(group.solids, boxes, strict=True)
                if a[0] - margin < high[0]
                and b[0] + margin > low[0]
                and a[1] - margin < high[1]
                and b[1] + margin > low[1]
            )
            if inside:
                kept.append(Group(group.name, inside, group.paint, group.blend))
                numbers.append(number)
        return Scene(kept), numbers

    def depth_range(self) -> tuple[float, float]:
        ends = [box for boxes in self.boxes for box in boxes]
        return min(float(a[2]) for a, _ in ends), max(float(b[2]) for _, b in ends)

    def parts(self, x: Floats, y: Floats, z: Floats) -> list[Floats]:
        found = []
        for group in self.groups:
            d = group.solids[0].distance(x, y, z)
            for solid in group.solids[1:]:
                d = melt(d, solid.distance(x, y, z), group.blend)
            found.append(d)
        return found

    def distance(self, x: Floats, y: Floats, z: Floats) -> Floats:
        parts = self.parts(x, y, z)
        nearest = parts[0]
        for part in parts[1:]:
            nearest = np.minimum(nearest, part)
        return nearest

    def march(self, x: Floats, y: Floats, eps: float) -> tuple[Indices, Floats]:
        """Indices (flat) of the rays that hit, and the hits' z; rays (h, w) on a regular grid come from +z.

        One thick ray for each block of rays goes first, as far as the whole block can go.
        """
        back, front = self.depth_range()
        pitch = abs(float(x[0, 1] - x[0, 0]))
        thick = pitch * BLOCK * 0.75
        down = float(y[1, 0] - y[0, 0])
        block_x = x[::BLOCK, ::BLOCK] + np.float32(pitch * (BLOCK - 1) / 2)
        block_y = y[::BLOCK, ::BLOCK] + np.float32(down * (BLOCK - 1) / 2)
        _, start = self._march(
            block_x.ravel(), block_y.ravel(), np.full(block_x.size, front, np.float32), thick, thick
        )
        every = np.repeat(np.repeat(start.reshape(block_x.shape), BLOCK, axis=0), BLOCK, axis=1)
        z = every[: x.shape[0], : x.shape[1]].ravel().copy()
        live = np.flatnonzero(z > back)
        x, y = x.ravel(), y.ravel()
        hit, reached = self._march(x[live], y[live], z[live], eps, 0.0)
        return live[hit], reached[hit]

    def _march(self, x: Floats, y: Floats, z: Floats, near: float, keep: float) -> tuple[Indices, Floats]:
        """Go on until the distance is below ``near``, each step by the distance less ``keep``; (hits, every z)."""
        back, _ = self.depth_range()
        z = z + np.float32(0.01 + keep)
        live = np.arange(len(x))
        hits = [live[:0]]
        for step in range(STEPS):
            d = self.distance(x[live], y[live], z[live])
            hit = d < near
            least = np.float32(0.0 if step < PATIENCE else 0.006)
            ahead = np.maximum(0.88 * (d - np.float32(keep * 0.95)), least)
            z[live] -= np.where(hit, np.float32(0), ahead)
            if not keep:
                z[live[hit]] -= 0.88 * d[hit]
            hits.append(live[hit])
            live = live[~hit & (z[live] > back - 0.01)]
            if not len(live):
                break
        return np.concatenate(hits), z


def trace(groups: list[Group], camera: Camera) -> Surface:
    """Everything that the camera sees of the groups."""
    turn = camera.turn
    scene = Scene([g.turned(turn) for g in groups])
    eps = 0.35 / camera.scale
    found: list[tuple[Floats, ...]] = []
    for top in range(0, camera.height, TILE):
        for left in range(0, camera.width, TILE):
            bottom, right = min(top + TILE, camera.height), min(left + TILE, camera.width)
            low = ((left - camera.origin[0]) / camera.scale, (camera.origin[1] - bottom) / camera.scale)
            high = ((right - camera.origin[0]) / camera.scale, (camera.origin[1] - top) / camera.scale)
            tile, numbers = scene.near(low, high)
            if not numbers:
                continue
            rows, columns = np.mgrid[top:bottom, left:right]
            x = ((columns + 0.5 - camera.origin[0]) / camera.scale).astype(np.float32)
            y = ((camera.origin[1] - rows - 0.5) / camera.scale).astype(np.float32)
            index, z = tile.march(x, y, eps)
            if not len(index):
                continue
            x, y = x.ravel()[index], y.ravel()[index]
            group = np.array(numbers)[np.argmin(np.stack(tile.parts(x, y, z)), axis=0)]
            normal = _normals(tile, x, y, z, 0.6 / camera.scale)
            openness = _openness(tile, x, y, z, normal)
            place = (rows.ravel()[index] * camera.width + columns.ravel()[index]).astype(np.intp)
            found.append((place, np.stack([x, y, z], axis=1), normal, group, openness))
    place, points, normals, group, openness = (np.concatenate(part) for part in zip(*found, strict=True))
    return Surface(place, points @ turn, normals @ turn, group, openness)


def _normals(scene: Scene, x: Floats, y: Floats, z: Floats, h: float) -> Floats:
    """Gradient of the distance from the corners of a tetrahedron."""
    total = np.zeros((len(x), 3), np.float32)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        d = scene.distance(x + corner[0] * h, y + corner[1] * h, z + corner[2] * h)
        total += d[:, None] * np.array(corner, np.float32)
    result: Floats = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
    return result


def _openness(scene: Scene, x: Floats, y: Floats, z: Floats, n: Floats) -> Floats:
    """How much air lies before the surface, 0 in a crease to 1."""
    total = np.zeros_like(x)
    for reach, weight in ((0.012, 0.5), (0.045, 0.5)):
        d = scene.distance(x + reach * n[:, 0], y + reach * n[:, 1], z + reach * n[:, 2])
        total += np.float32(weight) * np.clip(d / reach, 0, 1)
    return total
