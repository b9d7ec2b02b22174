"""A rigged hand in one frame: its palm turned, stretched and turned over, and its fingers bent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.box import Box
from understudy.engines.puppet.hand_bend import HandBend
from understudy.engines.puppet.hand_points import KNUCKLES, chain
from understudy.engines.puppet.hand_rig import RiggedHand
from understudy.engines.puppet.hand_target import HandTarget
from understudy.engines.puppet.joint import Bend, Joint
from understudy.engines.puppet.warp import BoneMap, moved, rotation, wrapped
from understudy.tracking.motion import Floats

THINNEST, WIDEST = 0.6, 1.25  # of a palm in any direction: a thinner one looks like a knife
EVEN = (
    0.05  # of the palm's own spread that pulls its map towards a mere turn: a palm seen edge-on tells no more
)
# The knuckles lie three half widths of a wrist beyond it and are the palm's alone.
WRIST = Bend(middle=0.5, soft=0.25, under=0.15, held=0.0, reach=(1.0, 2.5))


def palm_map(hand: RiggedHand, target: HandTarget, rigid: BoneMap, across: float) -> BoneMap:
    """The palm's inverse map as its landmarks in the ``target`` tell, as far as they are trusted; else ``rigid``.

    A mirrored palm's map begins after its reflection (`reflection`), so that it is a mere turn and stretch as well.
    """
    own = hand.points[[1, *KNUCKLES]] - hand.points[0]
    if target.mirrored:
        own = own @ reflection(hand.points).T
    to = target.points[[1, *KNUCKLES]] - target.points[0]
    own_axis, axis = own[1:].mean(axis=0), to[1:].mean(axis=0)
    like = rotation(float(np.arctan2(axis[1], axis[0]) - np.arctan2(own_axis[1], own_axis[0])))
    even = EVEN * float((own**2).sum())
    there = own.T @ own + even * np.eye(2)
    matrix = np.linalg.solve(there, own.T @ to + even * across * like.T).T
    if np.linalg.det(matrix) <= 0:  # thinner than nothing: its direction is all that it tells
        along = own_axis / max(float(np.hypot(*own_axis)), 1e-6)
        both = np.outer(along, along)
        length = float(np.hypot(*axis)) / max(float(np.hypot(*own_axis)), 1e-6)
        matrix = like @ (length * both + THINNEST * across * (np.eye(2) - both))
    left, size, right = np.linalg.svd(matrix)
    size = 1 / np.clip(size, THINNEST * across, WIDEST * across)
    # The inverse: turned after it is stretched in the frame's axes.
    turn = wrapped(float(np.arctan2(*(right.T @ left.T)[[1, 0], 0])))
    turn = wrapped(rigid.turn + target.weight * wrapped(turn - rigid.turn))
    stretch = rigid.stretch + target.weight * ((left * size) @ left.T - rigid.stretch)
    return BoneMap(turn, stretch.astype(np.float32))


def reflection(points: Floats) -> Floats:
    """(2, 2) the reflection of a hand's rest pose ``points`` (21, 2) at its own axis."""
    axis = points[[*KNUCKLES]].mean(axis=0) - points[0]
    c, s = axis / max(float(np.hypot(*axis)), 1e-6)
    return np.array([[c * c - s * s, 2 * c * s], [2 * c * s, s * s - c * c]], np.float32)


class PosedHand:
    """A rigged ``hand`` in one frame.

    ``rest`` and ``posed`` (2,) are the wrist that the map ``palm`` (`palm_map`) turns about, ``wrist`` the joint to the
    forearm. A hand that shows its other side is its own mirror image, and nothing bends it into the forearm. ``bend``
    belongs to this frame until the next one is posed.
    """

    def __init__(
        self,
        hand: RiggedHand,
        bend: HandBend,
        target: HandTarget,
        rest: Floats,
        posed: Floats,
        palm: BoneMap,
        wrist: Joint | None,
    ) -> None:
        self._bend, self._rest, self._posed, self._palm = bend, rest, posed, palm
        self._wrist = None if target.mirrored else wrist
        self._mirror = reflection(hand.points) if target.mirrored else None
        wanted = np.diff(np.stack([chain(target.points, f) for f in range(5)]), axis=1) @ palm.matrix.T
        if self._mirror is not None:
            wanted = wanted @ self._mirror.T
        # How far the fingers are off the stiff hand, in their half widths.
        self.off = bend.bend(wanted, target.weight)

    def field(self, grid: Floats, blends: Blends) -> Callable[[], Floats]:
        """(rows, columns, 2) where the nodes of the frame come from, once the ``blends`` have run."""
        source = moved(grid, self._palm.matrix, self._rest - self._palm.matrix @ self._posed)
        if self._wrist is not None:
            blends.add(self._wrist, source, grid, self._palm)

        def bent() -> Floats:
            if self._mirror is None:
                return self._bend.source(source)
            return self._bend.source(moved(source, self._mirror, self._rest - self._mirror @ self._rest))

        return bent

    @property
    def box(self) -> Box:
        """Where the hand can show."""
        left, top, right, bottom = self._bend.box
        corners = (
            np.array([[left, top], [right, top], [left, bottom], [right, bottom]], np.float32) - self._rest
        )
        if self._mirror is not None:
            corners = corners @ self._mirror.T
        places = self._posed + corners @ self._palm.forward.T
        low, high = places.min(axis=0), places.max(axis=0)
        # Bent at the wrist, what lies behind it is moved with the forearm.
        reach = 0.0 if self._wrist is None else 2 * self._wrist.radius
        low, high = np.minimum(low, self._posed - reach), np.maximum(high, self._posed + reach)
        return int(low[0]) - 3, int(low[1]) - 3, int(high[0]) + 4, int(high[1]) + 4
