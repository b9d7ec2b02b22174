"""Relief: the frame in which a face is upright, and the coarse lattice whose displacements move it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Bytes = NDArray[np.uint8]

DAMPED = 0.65  # share of each step of an inverse that is taken
ROUNDS = 8  # of such steps: to a hundredth of a pixel in faces


def limited(x: Floats, most: float) -> Floats:
    """0 below 0, and no more than ``most``: `numpy.clip`, whose call costs more than a small array's numbers."""
    return np.asarray(np.minimum(np.maximum(x, 0.0), most))


def smooth(x: Floats | float) -> Floats:
    """0 below 0, 1 above 1, and without a kink between."""
    inside = limited(np.asarray(x, np.float32), 1.0)
    return np.asarray(inside * inside * (3.0 - 2.0 * inside), np.float32)


def planes(picture: Bytes | Floats) -> Floats:
    """(channels, h, w) of a picture (h, w, channels): NumPy is much quicker a channel at a time."""
    return np.moveaxis(picture, -1, 0).astype(np.float32, order="C")


@dataclass(frozen=True)
class FaceFrame:
    """The upright frame of a face: origin between the eyes, ``u`` along the eyes, ``v`` down the nose, in pixels."""

    origin: Floats  # (2,)
    along: Floats  # (2,) unit vector of u in the picture
    span: float  # distance of the outer eye corners as seen from the front

    @classmethod
    def of(cls, mesh: Floats) -> FaceFrame:
        right, left = mesh[33], mesh[263]
        # The line of the eyes and that of the mouth: their mean is less at the mercy of one landmark.
        along = (left - right)[:2] / max(float(np.linalg.norm((left - right)[:2])), 1e-6)
        mouth = (mesh[291] - mesh[61])[:2]
        along = along + 0.5 * mouth / max(float(np.linalg.norm(mouth)), 1e-6)
        along = along / max(float(np.linalg.norm(along)), 1e-6)
        origin = (mesh[33, :2] + mesh[263, :2]) / 2
        return cls(origin.astype(np.float32), along.astype(np.float32), float(np.linalg.norm(left - right)))

    def into(self, points: Floats) -> Floats:
        """Picture points ``(..., 2)`` to ``(u, v)``."""
        p = np.asarray(points[..., :2], np.float32) - self.origin
        a, b = self.along
        return np.stack([p[..., 0] * a + p[..., 1] * b, p[..., 1] * a - p[..., 0] * b], axis=-1)

    def turn(self, u: Floats | float, v: Floats | float) -> Floats:
        """Displacements along u and v to displacements in the picture ``(..., 2)``."""
        a, b = (float(x) for x in self.along)
        out = np.stack(np.broadcast_arrays(u * a - v * b, u * b + v * a), axis=-1)
        return np.asarray(out, np.float32)


@dataclass(frozen=True)
class Lattice:
    """A coarse grid of nodes over a box of the picture, and the way between its nodes and the box's pixels.

    Nodes lie in the middle of squares of ``step`` pixels, so that `cv2.resize` is the exact interpolation.
    """

    x0: int
    y0: int
    step: int
    columns: int
    rows: int

    @property
    def width(self) -> int:
        return self.columns * self.step

    @property
    def height(self) -> int:
        return self.rows * self.step

    def nodes(self) -> Floats:
        """(rows, columns, 2) picture coordinates of the nodes."""
        x = self.x0 + (np.arange(self.columns) + 0.5) * self.step - 0.5
        y = self.y0 + (np.arange(self.rows) + 0.5) * self.step - 0.5
        return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)

    def pixels(self) -> Floats:
        """(height, width, 2) box coordinates of the pixels: the map that changes nothing."""
        return np.stack(np.meshgrid(np.arange(self.width), np.arange(self.height)), axis=-1).astype(
            np.float32
        )

    def back(self, forward: Floats) -> Floats:
        """The displacement ``(rows, columns, 2)`` from each target node to its source, by fixed-point iteration.

        ``forward`` moves sources; the inverse solves ``q = -forward(x + q)``. Steps are damped, so that it converges
        where the forward displacement shrinks with a slope below 1 or stretches with one below 2.
        """
        at = numbered(self.rows, self.columns)
        found = -forward
        where, moved = np.empty_like(found), np.empty_like(found)
        for _ in range(ROUNDS):
            cv2.scaleAdd(found, 1 / self.step, at, dst=where)
            cv2.remap(forward, where, None, cv2.INTER_LINEAR, dst=moved, borderMode=cv2.BORDER_REPLICATE)
            cv2.addWeighted(found, 1.0 - DAMPED, moved, -DAMPED, 0.0, dst=found)
        return found

    def full(self, coarse: Floats) -> Floats:
        """Coarse values at the box's pixels."""
        return np.asarray(
            cv2.resize(coarse, (self.width, self.height), interpolation=cv2.INTER_LINEAR), np.float32
        )

    def margin(self, width_px: float) -> Floats:
        """(rows, columns) 1 inside, easing to 0 at the box's edges: nothing moves there."""
        x = (np.arange(self.columns) + 0.5) * self.step
        y = (np.arange(self.rows) + 0.5) * self.step
        across = smooth((np.minimum(x, self.width - x) - self.step) / width_px)
        down = smooth((np.minimum(y, self.height - y) - self.step) / width_px)
        return np.asarray(down[:, None] * across[None], np.float32)


@cache
def numbered(rows: int, columns: int) -> Floats:
    """(rows, columns, 2) column and row of each place."""
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(np.float32)
