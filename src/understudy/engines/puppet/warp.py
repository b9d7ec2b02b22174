"""Where each pixel of a frame comes from: inverse warp fields of the layers, on a coarse grid.

A bone's segment has a linear map from the frame back to the rest pose: turned, stretched along the bone by the
foreshortening, across by the figure's scale. About a joint the maps of both neighbours are blended across the joint's
bisector *in the frame*, by the angle of their rotations and not by their matrices, so that distances from the joint are
kept: no spikes outside, no pinch inside. Both layers see the same field there, so the joint stays closed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.tracking.motion import Floats

MIN_STRETCH = 0.28  # a bone that points at the camera is not drawn shorter than this
MIN_END_STRETCH = 0.6  # hands and feet: thinner they look like knives
MAX_STRETCH = 1.6  # longer than this a bone's rest was foreshortened, and its texture smears
MAX_FORESHORTENED_STRETCH = (
    3.0  # for a bone that points at the camera in the reference: smeared, but it moves
)
MAX_END_STRETCH = 1.25


@dataclass(frozen=True)
class BoneMap:
    """The linear part of an inverse map: rotation by ``turn`` (radians) after the symmetric ``stretch`` (2, 2)."""

    turn: float
    stretch: Floats

    @property
    def matrix(self) -> Floats:
        return rotation(self.turn) @ self.stretch


def rotation(angle: float) -> Floats:
    c, s = float(np.cos(angle)), float(np.sin(angle))
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
    rest_length = max(float(np.hypot(*rest)), 1e-3)
    length = max(float(np.hypot(*posed)), 1e-3)
    if end:
        shortest, longest = MIN_END_STRETCH, MAX_END_STRETCH
    along = float(np.clip(length / rest_length, shortest * across, longest * across))
    direction = posed / length
    turn = float(np.arctan2(rest[1], rest[0]) - np.arctan2(posed[1], posed[0]))
    outer = np.outer(direction, direction).astype(np.float32)
    stretch = outer / along + (np.eye(2, dtype=np.float32) - outer) / across
    return BoneMap(_wrapped(turn), stretch.astype(np.float32))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def limited_turn(parent: BoneMap, child: BoneMap, limit: float) -> float:
    """Radians to turn ``child`` back by, so that it bends at most ``limit`` against ``parent``."""
    gap = _wrapped(child.turn - parent.turn)
    return float(np.clip(gap, -limit, limit) - gap)


def smoothstep(x: Floats) -> Floats:
    x = np.clip(x, 0, 1)
    eased: Floats = x * x * (3 - 2 * x)
    return eased


@dataclass(frozen=True)
class Joint:
    """A joint between two bone maps: where it rests, where it is now, its bisector and the blend's half width."""

    rest: Floats  # (2,)
    posed: Floats  # (2,)
    bisector: Floats  # (2,) unit, from the parent's side to the child's
    reach: float
    parent: BoneMap
    child: BoneMap

    @classmethod
    def between(
        cls,
        rest: Floats,
        posed: Floats,
        parent_direction: Floats,
        child_direction: Floats,
        reach: float,
        parent: BoneMap,
        child: BoneMap,
    ) -> Joint:
        a = parent_direction / max(float(np.hypot(*parent_direction)), 1e-3)
        b = child_direction / max(float(np.hypot(*child_direction)), 1e-3)
        both = a + b
        norm = float(np.hypot(*both))
        # Folded right back there is no bisector: the bend's normal stands in for it.
        bisector = both / norm if norm > 0.15 else np.array([-a[1], a[0]], np.float32)
        return cls(rest, posed, bisector.astype(np.float32), max(reach, 1.0), parent, child)

    @property
    def flex(self) -> float:
        """1 while the joint bends smoothly, 0 where it is folded so far that only a round hinge looks right."""
        gap = abs(_wrapped(self.child.turn - self.parent.turn))
        return float(1 - smoothstep(np.asarray((gap - np.radians(105)) / np.radians(35), np.float32)))

    def correction(self, grid: Floats, own: BoneMap) -> Floats:
        """(..., 2) what the blend adds to the affine map ``own`` anchored at this joint, over ``grid`` (..., 2)."""
        offset = grid - self.posed
        share = smoothstep((offset @ self.bisector) / (2 * self.reach) + 0.5)
        # Away from the joint each side is its own: in a folded limb the other side's pixels lie there.
        near = 1 - smoothstep((np.hypot(offset[..., 0], offset[..., 1]) / self.reach - 1.2) / 1.2)
        bent: Floats = (self.flex * near)[..., None] * (self.source(offset, share) - offset @ own.matrix.T)
        return bent

    def source(self, offset: Floats, share: Floats) -> Floats:
        """(..., 2) blended source offset from the rest joint; ``share`` 0 is the parent's, 1 the child's."""
        gap = _wrapped(self.child.turn - self.parent.turn)
        turn = self.parent.turn + share * gap
        even = offset @ self.parent.stretch.T
        stretched = even + share[..., None] * (offset @ self.child.stretch.T - even)
        c, s = np.cos(turn), np.sin(turn)
        x, y = stretched[..., 0], stretched[..., 1]
        return np.stack([c * x - s * y, s * x + c * y], axis=-1)


def segment_field(
    grid: Floats, rest: Floats, posed: Floats, own: BoneMap, joints: tuple[Joint, ...]
) -> Floats:
    """(..., 2) source of every grid point for one segment whose start rests at ``rest`` and is at ``posed``."""
    field: Floats = rest + (grid - posed) @ own.matrix.T
    for joint in joints:
        field = field + joint.correction(grid, own)
    return field
