"""The head as a rounded volume that turns: face, hair, ears and hat, down to the neck."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.head_solid import HeadSolid
from understudy.engines.puppet.head_volume import lattice_about, seen, volume_of
from understudy.engines.puppet.relief import FaceFrame, Lattice, numbered
from understudy.tracking.motion import Floats

SMALLEST_PX = 10.0  # distance of the outer eye corners below which a turn would be lost in the pixels
MOST_DEG = (25.0, 20.0)  # yaw and pitch as far as one picture of a head can be turned
GUESSED_DEG = (15.0, 10.0)  # the same for a head whose shape is only guessed
LEAST_AREA = 0.06  # what a pixel may shrink to, and
MOST_STRETCH = 2.2  # grow to along one direction: beyond, the far side folds and the near one smears
SHARES = tuple(float(x) for x in np.linspace(1.0, 0.1, 19))  # of those angles that are tried
ROUND = tuple((math.cos(x), math.sin(x)) for x in np.linspace(0, 2 * math.pi, 12, endpoint=False))
STRAIGHT = 0.7  # of the room for a turn: so far it is drawn as wished
ROW_SUMS = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], np.float32)  # of a flat (2, 2) matrix
ROUNDS = 2  # of Newton's method; a third changes no pixel by a tenth


@dataclass(frozen=True)
class HeadTurn:
    """One frame's turn as an inverse displacement over the reference picture."""

    lattice: Lattice
    back: Floats  # (rows, columns, 2) from a place in the turned head to its source, in pixels

    @property
    def reach(self) -> float:
        """The farthest that anything goes, in pixels."""
        return float(np.abs(self.back).max())

    def source(self, points: Floats) -> Floats:
        """(..., 2) where in the reference picture the turned head's ``points`` (..., 2) come from."""
        at = points if points.ndim == 3 else points.reshape(1, -1, 2)
        corner = np.array([self.lattice.x0, self.lattice.y0], np.float32)
        nodes = (at - corner + np.float32(0.5)) / np.float32(self.lattice.step) - np.float32(0.5)
        by = cv2.remap(self.back, nodes.astype(np.float32), None, cv2.INTER_LINEAR, borderValue=(0, 0))
        return np.asarray(points + by.reshape(points.shape), np.float32)


@dataclass(frozen=True)
class HeadRelief:
    """The head's depth over a coarse lattice of the reference picture, turned as a rigid body about its axis.

    ``volume`` is every node's place from the axis in the face's frame: along the eyes, down, and towards the viewer,
    in pixels. On the face it is the mesh's own; from there it goes on smoothly (a thin plate) to the outline, where
    a rounded head shows its axis' depth, and to nothing below the neck, so that hair and ears follow and what
    hangs on the shoulders stays.
    """

    lattice: Lattice
    frame: FaceFrame
    volume: Floats  # (rows, columns, 3)
    room_deg: tuple[float, float, float, float]  # turned to the picture's left and right, looking up and down

    @classmethod
    def build(
        cls, mesh: Floats | None, joints: Floats | None, alpha: Floats, *, human: bool = True
    ) -> HeadRelief | None:
        """From the face's ``mesh`` (468, 3), or where there is none from the body's ``joints`` (33, 2), and from the
        ``alpha`` (H, W) of head and trunk, all in the picture's pixels. A mesh that is not ``human`` is a template.

        None where neither tells where the face is, or where it is too small to be seen turning.
        """
        solid = None
        if mesh is not None and np.isfinite(mesh).all():
            solid = HeadSolid.of(np.asarray(mesh, np.float32))
        elif joints is not None:
            solid = HeadSolid.guessed(np.asarray(joints, np.float32))
        if solid is None or solid.frame.span < SMALLEST_PX:
            return None
        lattice = lattice_about(solid, alpha)
        if lattice is None:
            return None
        yaw, pitch = MOST_DEG if solid.sure and human else GUESSED_DEG
        whole = cls(lattice, solid.frame, volume_of(solid, alpha, lattice), (yaw, yaw, pitch, pitch))
        shown = seen(alpha, lattice)[:-1, :-1] > 0
        ways = ((-yaw, 0.0), (yaw, 0.0), (0.0, -pitch), (0.0, pitch))
        left, right, up, down = (whole._room(shown, *way) for way in ways)
        # Room to the sides and room to nod need not be room for both at once.
        rooms = [(left * s, right * s, up * s, down * s) for s in SHARES]
        reliefs = (replace(whole, room_deg=room) for room in rooms)
        return next((r for r in reliefs if r._fits_all_round(shown)), replace(whole, room_deg=rooms[-1]))

    def turned(self, yaw_deg: float, pitch_deg: float) -> HeadTurn | None:
        """The head turned to the picture's right and down, as far as there is room; None where it is not turned."""
        yaw, pitch = self.eased(yaw_deg, pitch_deg)
        if yaw == 0.0 and pitch == 0.0:
            return None
        return HeadTurn(self.lattice, self._undone(yaw, pitch))

    def eased(self, yaw_deg: float, pitch_deg: float) -> tuple[float, float]:
        """The angles to draw: as wished up to `STRAIGHT` of the room there is, then easing to a stop at all of it."""
        left, right, up, down = self.room_deg
        yaw = yaw_deg / (right if yaw_deg > 0 else left)
        pitch = pitch_deg / (down if pitch_deg > 0 else up)
        far = math.hypot(yaw, pitch)
        if far <= STRAIGHT:
            return yaw_deg, pitch_deg
        share = (STRAIGHT + (1 - STRAIGHT) * math.tanh((far - STRAIGHT) / (1 - STRAIGHT))) / far
        return yaw_deg * share, pitch_deg * share

    def displacement(self, yaw_deg: float, pitch_deg: float) -> Floats:
        """(rows, columns, 2) how far each node goes in the picture, turned by exactly so much."""
        return np.asarray(cv2.transform(self.volume, self._way(yaw_deg, pitch_deg)), np.float32)

    def _way(self, yaw_deg: float, pitch_deg: float) -> Floats:
        """(2, 3) from a place of the volume to how far it goes in the picture.

        Nodding first and then turning keeps the line of the eyes level: its tilt is the head's roll, which is the
        body's to draw.
        """
        cy, sy = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
        cp, sp = math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))
        aside = np.array([cy - 1, -sp * sy, cp * sy], np.float32)
        lower = np.array([0, cp - 1, sp], np.float32)
        return self.frame.turn(aside, lower).T

    @cached_property
    def _slopes(self) -> Floats:
        """(rows, columns, 6) by how much the volume's places differ from node to node, across and down."""
        down, across = (np.gradient(self.volume, axis=axis) / self.lattice.step for axis in (0, 1))
        return np.ascontiguousarray(np.concatenate([across, down], axis=-1), np.float32)

    def _undone(self, yaw_deg: float, pitch_deg: float) -> Floats:
        """(rows, columns, 2) the displacement from each target node to its source.

        Newton's method from two steps of the fixed point ``q = -forward(x + q)``, which alone hardly gets anywhere
        where the picture is stretched.
        """
        way, step = self._way(yaw_deg, pitch_deg), self.lattice.step
        forward = cv2.transform(self.volume, way)
        # The slope of x + forward is [[a, b], [c, d]]; (d, -b, -c, a) over its determinant is the inverse.
        none = np.zeros(3, np.float32)
        inverse = cv2.transform(
            self._slopes,
            np.array([[*none, *way[1], 1], [*none, *-way[0], 0], [*-way[1], *none, 0], [*way[0], *none, 1]]),
        )
        area = inverse[..., 0] * inverse[..., 3] - inverse[..., 1] * inverse[..., 2]
        # Four times over: NumPy is much quicker with one long row than with rows of four.
        inverse /= cv2.merge([np.maximum(area, LEAST_AREA)] * 4)
        at = numbered(self.lattice.rows, self.lattice.columns)
        where, off, turn = np.empty_like(at), np.empty_like(at), np.empty_like(inverse)

        def there(field: Floats, found: Floats, out: Floats) -> Floats:
            cv2.scaleAdd(found, 1 / step, at, dst=where)
            return np.asarray(
                cv2.remap(field, where, None, cv2.INTER_LINEAR, dst=out, borderMode=cv2.BORDER_REPLICATE)
            )

        found: Floats = -forward
        for _ in range(2):
            np.negative(there(forward, found, off), out=found)
        for _ in range(ROUNDS):
            there(forward, found, off)
            off += found
            # (rows, columns, 2, 2), flat, times (rows, columns, 2)
            there(inverse, found, turn)
            turn *= cv2.merge([off, off])
            found -= cv2.transform(turn, ROW_SUMS)
        return found

    def gauge(self, yaw_deg: float, pitch_deg: float) -> tuple[Floats, Floats]:
        """(rows - 1, columns - 1) by how much a cell's area changes, and how far it is stretched at most."""
        field = self.displacement(yaw_deg, pitch_deg) / self.lattice.step
        right = (np.diff(field, axis=1)[:-1] + np.diff(field, axis=1)[1:]) / 2
        down = (np.diff(field, axis=0)[:, :-1] + np.diff(field, axis=0)[:, 1:]) / 2
        a, c, b, d = 1 + right[..., 0], right[..., 1], down[..., 0], 1 + down[..., 1]
        square = (a * a + b * b + c * c + d * d) / 2
        area = a * d - b * c
        widest = np.sqrt(square + np.sqrt(np.maximum(square**2 - area**2, 0)))
        return area.astype(np.float32), widest.astype(np.float32)

    def _room(self, shown: NDArray[np.bool_], yaw_deg: float, pitch_deg: float) -> float:
        """How much of a turn the picture can show, in degrees."""
        fitting = (share for share in SHARES if self._fits(shown, yaw_deg * share, pitch_deg * share))
        return (abs(yaw_deg) + abs(pitch_deg)) * next(fitting, SHARES[-1])

    def _fits_all_round(self, shown: NDArray[np.bool_]) -> bool:
        left, right, up, down = self.room_deg
        return all(
            self._fits(shown, (right if x > 0 else left) * x, (down if y > 0 else up) * y) for x, y in ROUND
        )

    def _fits(self, shown: NDArray[np.bool_], yaw_deg: float, pitch_deg: float) -> bool:
        """Whether nothing folds, and nothing of what is ``shown`` smears."""
        area, widest = self.gauge(yaw_deg, pitch_deg)
        return bool(area.min() > LEAST_AREA and widest[shown].max(initial=1.0) < MOST_STRETCH)
