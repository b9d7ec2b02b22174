"""A rotated square of a picture: what the landmark networks look at, there and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, floor, hypot, pi, sin

import cv2
import numpy as np

from understudy.tracking.motion import Floats
from understudy.tracking.network import Network
from understudy.tracking.tracker import Frame


def upright(angle: float) -> float:
    """The same angle in -pi to pi."""
    return angle - 2 * pi * floor((angle + pi) / (2 * pi))


@dataclass(frozen=True)
class Region:
    """A square with its centre and side in pixels, turned clockwise (y is down) by ``angle`` in radians."""

    x: float
    y: float
    size: float
    angle: float

    @classmethod
    def around(cls, centre: Floats, rim: Floats, *, up: float) -> Region:
        """The square about MediaPipe's alignment points: a circle about ``centre`` through ``rim``.

        ``up`` is the angle in radians, counter-clockwise from x, at which the crop shows the rim.
        """
        dx, dy = float(rim[0] - centre[0]), float(rim[1] - centre[1])
        return cls(float(centre[0]), float(centre[1]), 2 * hypot(dx, dy), upright(up - atan2(-dy, dx)))

    @classmethod
    def enclosing(cls, points: Floats, angle: float) -> Region:
        """The smallest square turned by ``angle`` about points (N, 2 or 3)."""
        c, s = cos(angle), sin(angle)
        turned = points[:, :2] @ np.array([[c, -s], [s, c]], np.float32)
        low, high = turned.min(axis=0), turned.max(axis=0)
        u, v = (float(x) for x in (low + high) / 2)
        return cls(c * u - s * v, s * u + c * v, float((high - low).max()), upright(angle))

    def scaled(self, factor: float) -> Region:
        return Region(self.x, self.y, self.size * factor, self.angle)

    def moved(self, by: Floats) -> Region:
        """Moved by (2,) pixels of the picture."""
        return Region(self.x + float(by[0]), self.y + float(by[1]), self.size, self.angle)

    def differs(self, other: Region) -> tuple[float, float, float]:
        """How far the other's centre is in own sides, the ratio of sides from 1 up, the turn in radians."""
        ratio = self.size / other.size
        return (
            hypot(self.x - other.x, self.y - other.y) / self.size,
            max(ratio, 1 / ratio),
            abs(upright(self.angle - other.angle)),
        )

    def shifted(self, down: float) -> Region:
        """Moved along its own y axis by ``down`` sides."""
        step = self.size * down
        x, y = self.x - step * sin(self.angle), self.y + step * cos(self.angle)
        return Region(x, y, self.size, self.angle)

    def matrix(self, side: int) -> Floats:
        """(2, 3) affine from pixels of a ``side`` x ``side`` crop to pixels of the picture."""
        scale = self.size / side
        c, s = cos(self.angle) * scale, sin(self.angle) * scale
        half = side / 2
        return np.array(
            [[c, -s, self.x - (c - s) * half], [s, c, self.y - (s + c) * half]],
            np.float32,
        )

    def crop(self, frame: Frame, network: Network, *, low: float = 0.0, replicate: bool = True) -> Frame:
        """Fill the network's input with this region, values from ``low`` to 1, bilinear.

        Outside the picture lie its edge pixels, or black without ``replicate``. Returns the 8-bit crop.
        """
        cut = cv2.warpAffine(
            frame,
            self.matrix(network.width),
            (network.width, network.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT,
        )
        values = network.input
        np.multiply(cut, np.float32((1.0 - low) / 255.0), out=values)
        if low:
            values += np.float32(low)
        return np.asarray(cut, np.uint8)

    def to_picture(self, points: Floats) -> Floats:
        """Points (N, 2 or 3) in units of the crop's side to pixels of the picture."""
        matrix = self.matrix(1)
        moved = np.empty_like(points)
        moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        if points.shape[1] == 3:
            moved[:, 2] = points[:, 2] * self.size
        return moved

    def from_picture(self, points: Floats) -> Floats:
        """Pixels (N, 2) of the picture in units of the crop's side, 0 to 1 inside."""
        c, s = cos(self.angle), sin(self.angle)
        d = (points[:, :2] - np.array([self.x, self.y], np.float32)) / np.float32(self.size)
        turned: Floats = d @ np.array([[c, -s], [s, c]], np.float32) + np.float32(0.5)
        return turned

    def inside(self, frame: Frame, *, margin: float = 0.0) -> bool:
        """Whether the centre lies in the picture, or outside it by at most ``margin`` sides."""
        height, width = frame.shape[:2]
        slack = margin * self.size
        return bool(-slack <= self.x < width + slack and -slack <= self.y < height + slack)
