"""Soft solids and how far a point is from them: what the sample's figures are built of.

Distances are signed fields in the sense of Hart, "Sphere tracing" (1996); solids of one group melt into each other by
a polynomial smooth minimum. Coordinates are metres: x to the picture's right, y up, z towards the viewer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Paint = Callable[[Floats], Floats]  # (N, 3) points in metres to (N, 3) linear RGB


def vec(x: float, y: float, z: float) -> Floats:
    return np.array([x, y, z], np.float32)


def unit(v: Floats) -> Floats:
    result: Floats = (v / max(float(np.linalg.norm(v)), 1e-9)).astype(np.float32)
    return result


def local(points: Floats, origin: Floats, frame: Floats, scale: float = 1.0) -> Floats:
    """(N, 3) points in a frame's own coordinates: (3, N), so that it unpacks."""
    seen: Floats = (frame @ (points - origin).T / np.float32(scale)).astype(np.float32)
    return seen


@dataclass(frozen=True)
class Cone:
    """A round cone from ``a`` to ``b``; ``cut`` ends it flat at ``b``; ``flat`` < 1 thins it along ``across``."""

    a: Floats
    b: Floats
    ra: float
    rb: float
    cut: bool = False
    flat: float = 1.0
    across: Floats = field(default_factory=lambda: vec(0, 0, 1))

    def turned(self, r: Floats) -> Cone:
        return replace(self, a=r @ self.a, b=r @ self.b, across=r @ self.across)

    def box(self) -> tuple[Floats, Floats]:
        return (
            np.minimum(self.a - self.ra, self.b - self.rb),
            np.maximum(self.a + self.ra, self.b + self.rb),
        )

    def distance(self, x: Floats, y: Floats, z: Floats) -> Floats:
        ax, ay, az = (float(v) for v in self.a)
        bx, by, bz = (float(v) for v in self.b - self.a)
        x, y, z = x - ax, y - ay, z - az
        length2 = bx * bx + by * by + bz * bz
        t = (x * bx + y * by + z * bz) * (1.0 / max(length2, 1e-9))
        end = (t - 1.0) * length2**0.5 if self.cut else None
        t = np.clip(t, 0.0, 1.0)
        x, y, z = x - t * bx, y - t * by, z - t * bz
        if self.flat != 1.0:
            nx, ny, nz = (float(v) for v in self.across)
            along = (x * nx + y * ny + z * nz) * (1.0 / self.flat - 1.0)
            x, y, z = x + along * nx, y + along * ny, z + along * nz
        d: Floats = (np.sqrt(x * x + y * y + z * z) - (self.ra + t * (self.rb - self.ra))) * self.flat**0.5
        if end is not None:
            d = np.maximum(d, end)
        return d


@dataclass(frozen=True)
class Ellipsoid:
    """``axes`` holds the three unit axes in its rows."""

    centre: Floats
    radii: tuple[float, float, float]
    axes: Floats = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    power: float = 2.0  # above 2 it grows box-like

    def turned(self, r: Floats) -> Ellipsoid:
        return replace(self, centre=r @ self.centre, axes=self.axes @ r.T)

    def box(self) -> tuple[Floats, Floats]:
        grow = 1.0 if self.power == 2.0 else 1.25
        reach = grow * np.sqrt(((self.axes * np.array(self.radii, np.float32)[:, None]) ** 2).sum(axis=0))
        if self.power != 2.0:
            reach = np.abs(self.axes * np.array(self.radii, np.float32)[:, None]).sum(axis=0)
        return self.centre - reach, self.centre + reach

    def distance(self, x: Floats, y: Floats, z: Floats) -> Floats:
        cx, cy, cz = (float(v) for v in self.centre)
        x, y, z = x - cx, y - cy, z - cz
        near = np.zeros_like(x)
        slope = np.zeros_like(x)
        for axis, radius in zip(self.axes, self.radii, strict=True):
            ex, ey, ez = (float(v) / radius for v in axis)
            q = np.abs(x * ex + y * ey + z * ez)
            if self.power == 2.0:
                near += q * q
                slope += (q / radius) ** 2
            else:
                step = q ** (self.power - 1)
                near += step * q
                slope += (step / radius) ** 2
        level = near ** (1.0 / self.power)
        # |gradient| of level is sqrt(slope) / level^(power - 1)
        gradient = np.sqrt(slope) / np.maximum(level, 1e-4) ** (self.power - 1)
        d: Floats = (level - 1.0) / np.maximum(gradient, 1e-4)
        return d


@dataclass(frozen=True)
class Ring:
    """A torus: ``major`` is the circle's radius about ``axis``, ``minor`` the tube's."""

    centre: Floats
    axis: Floats
    major: float
    minor: float

    def turned(self, r: Floats) -> Ring:
        return replace(self, centre=r @ self.centre, axis=r @ self.axis)

    def box(self) -> tuple[Floats, Floats]:
        reach = np.float32(self.major + self.minor)
        return self.centre - reach, self.centre + reach

    def distance(self, x: Floats, y: Floats, z: Floats) -> Floats:
        cx, cy, cz = (float(v) for v in self.centre)
        ax, ay, az = (float(v) for v in self.axis)
        x, y, z = x - cx, y - cy, z - cz
        up = x * ax + y * ay + z * az
        out = np.sqrt(np.maximum(x * x + y * y + z * z - up * up, 0.0)) - self.major
        d: Floats = np.sqrt(out * out + up * up) - self.minor
        return d


Solid = Cone | Ellipsoid | Ring


@dataclass(frozen=True)
class Group:
    """Solids of one material. ``blend`` is how far apart, in metres, they begin to melt into each other."""

    name: str
    solids: tuple[Solid, ...]
    paint: Paint
    blend: float = 0.02
    gloss: float = 0.0  # strength of the highlight
    skin: bool = False  # light bleeds through a little

    def turned(self, r: Floats) -> Group:
        return replace(self, solids=tuple(s.turned(r) for s in self.solids))


def melt(a: Floats, b: Floats, k: float) -> Floats:
    """Quadratic smooth minimum, ``k`` in metres."""
    h = np.maximum(k - np.abs(a - b), 0.0)
    result: Floats = np.minimum(a, b) - h * h * (0.25 / k)
    return result


def linear(colour: str) -> Floats:
    """#rrggbb to linear RGB (sRGB's transfer curve)."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    result: Floats = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )
    return result


def plain(colour: str) -> Paint:
    """One colour everywhere."""
    rgb = linear(colour)
    return lambda points: np.broadcast_to(rgb, points.shape)
