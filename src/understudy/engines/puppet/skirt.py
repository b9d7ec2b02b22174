"""How cloth that hangs over both legs goes with them: one field for its whole width."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from understudy.engines.puppet.parts import HIPS, LIMBS, SHOULDERS, centre
from understudy.engines.puppet.warp import moved
from understudy.tracking.motion import Floats

APEX = 1.0  # how far above the hips the threads come together, in distances of the hips
RINGS = 64  # distances from the apex at which the legs' angles are kept
# Legs that come together press the cloth between them to this share of its angle, not to nothing
CLOSEST = 0.4
SWAY = 0.4  # how far cloth follows legs that nothing is seen of: there is nothing to show under it
STIRRED = 0.7  # of the hips' distance from the apex: from there on the cloth may move
STILL = np.radians(150)  # from straight down: what lies beyond this angle is the trunk's


@dataclass(frozen=True)
class Skirt:
    """The cloth in the rest pose: its threads hang from an ``apex`` (2,) above the hips, straight ``down`` (2,) in the
    middle; ``across`` (2,) points to the character's left. ``lines`` (2, 3, 2) are hip, knee and ankle, left and
    right, ``follow`` how far the cloth goes with them."""

    apex: Floats
    down: Floats
    across: Floats
    lines: Floats
    follow: float = 1.0

    @classmethod
    def of(cls, joints: Floats, follow: float = 1.0) -> Skirt:
        hips = centre(joints, HIPS)
        wide = joints[HIPS[0]] - joints[HIPS[1]]
        knees = centre(joints, (25, 26)) - hips
        down = knees / max(float(np.hypot(*knees)), 1e-3)
        across = np.array([-down[1], down[0]], np.float32)
        across = across if float(across @ wide) >= 0 else -across
        height = APEX * max(
            float(np.hypot(*wide)), 0.3 * float(np.hypot(*(hips - centre(joints, SHOULDERS))))
        )
        return cls(hips - height * down, down, across, leg_lines(joints), follow)

    @cached_property
    def legs(self) -> tuple[Floats, Floats]:
        """(2, N) distances and (2, N) angles, without jumps, of points along the legs at rest."""
        distance, angle = self.polar(_along(self.lines))
        return distance, np.unwrap(angle)

    def polar(self, points: Floats) -> tuple[Floats, Floats]:
        """Distance from the apex and angle from ``down`` towards ``across``, both (...,), of points (..., 2)."""
        own = np.stack([self.across, self.down])
        offset = moved(points, own, -own @ self.apex)
        x, y = offset[..., 0], offset[..., 1]
        return np.hypot(x, y), np.arctan2(x, y)

    def place(self, distance: Floats, angle: Floats) -> Floats:
        """(..., 2) the points at these polar coordinates."""
        aside, below = distance * np.sin(angle), distance * np.cos(angle)
        points = np.empty((*aside.shape, 2), np.float32)
        for axis in (0, 1):
            points[..., axis] = aside * self.across[axis] + below * self.down[axis] + self.apex[axis]
        return points


def leg_lines(joints: Floats) -> Floats:
    """(2, 3, 2) hip, knee and ankle of the left and the right leg."""
    return np.stack([joints[list(limb.points)] for limb in LIMBS if not limb.arm]).astype(np.float32)


class PosedSkirt:
    """The cloth in one frame. ``lines`` (2, 3, 2) are the legs now, brought back by the trunk's own map at the hips.

    In polar coordinates about the apex each leg is an angle at every distance. There the cloth is turned by as much as
    the leg has turned, between the legs by a share of both, so that it spreads evenly and never folds over; threads
    keep their length, and where a leg is foreshortened they are drawn up with it. Above the hips nothing moves.
    """

    def __init__(self, skirt: Skirt, lines: Floats) -> None:
        self._skirt = skirt
        # A leg's points at the same shares of thigh and shin, at rest and now.
        followed = skirt.lines + skirt.follow * (lines - skirt.lines)
        (rest_away, rest_angles), (away, angle) = skirt.legs, skirt.polar(_along(followed))
        far = float(max(rest_away.max(), away.max())) + 1.0
        self._ring = np.linspace(0, far, RINGS).astype(np.float32)
        # Seen from the side the hips come together, and then not everything above them can stay.
        self._still = float(min(rest_away[:, 0].min(), away[:, 0].min())) * STIRRED
        self._reach: list[Floats] = []
        angles: tuple[list[Floats], list[Floats]] = [], []  # now, at rest
        for leg in (0, 1):
            # A shin that folds back lies over what the thigh has turned already.
            outwards = np.maximum.accumulate(away[leg] + np.arange(away.shape[1]) * 1e-3)
            knots = np.concatenate([[0.0, self._still], outwards])
            first = np.full(2, rest_angles[leg, 0])
            for kept, line in zip(angles, (np.unwrap(angle[leg]), rest_angles[leg]), strict=True):
                kept.append(np.interp(self._ring, knots, np.concatenate([first, line])))
            reach = np.concatenate([[0.0, self._still], rest_away[leg]])
            self._reach.append(np.interp(self._ring, knots, reach) + np.maximum(self._ring - outwards[-1], 0))
        self._tables = np.array([*angles[0], *angles[1], *self._reach], np.float32)

    def reaches(self, corners: Floats) -> Floats:
        """(N, 2) points about all that the cloth can cover, if its layer has these ``corners`` (4, 2) at rest."""
        longest = float(self._skirt.polar(corners)[0].max())
        rest, now = np.asarray(self._reach), self._ring
        # The outermost ring that shows anything of the layer, on either leg.
        shown = (rest <= longest).any(axis=0)
        far = float(now[shown].max()) + max(longest - float(rest.max()), 0.0)
        angles = np.linspace(-STILL, STILL, 25, dtype=np.float32)
        return self._skirt.place(np.full_like(angles, far), angles)

    def source(self, points: Floats) -> Floats:
        """(..., 2) where in the rest pose the cloth at ``points`` (..., 2) comes from."""
        distance, angle = self._skirt.polar(points)
        moves = (distance > self._still) & (np.abs(angle) < STILL)
        moved = points.astype(np.float32)
        moved[moves] = self._source(distance[moves], angle[moves])
        return moved

    def _source(self, distance: Floats, angle: Floats) -> Floats:
        """(N, 2) the same for points in polar coordinates (N,)."""
        # All tables at once: the rings lie evenly.
        at = np.minimum(distance * np.float32((RINGS - 1) / self._ring[-1]), RINGS - 1)
        ring = np.minimum(at.astype(np.intp), RINGS - 2)
        inner = self._tables[:, ring]
        found = inner + (at - ring).astype(np.float32) * (self._tables[:, ring + 1] - inner)
        now, rest, reach = found[:2], found[2:4], found[4:]
        # The left leg's angle is the larger one.
        middle, gap = (now[0] + now[1]) / 2, now[0] - now[1]
        wide = np.maximum(gap, CLOSEST * np.maximum(rest[0] - rest[1], 1e-3))
        left, right = middle + wide / 2, middle - wide / 2
        share = np.minimum(np.maximum((angle - right) / wide, 0), 1)
        between = rest[1] + share * (rest[0] - rest[1])
        turned = np.where(
            angle > left,
            angle + (rest[0] - left) * _fading(angle, left),
            np.where(angle < right, angle + (rest[1] - right) * _fading(-angle, -right), between),
        )
        length = reach[1] + share * (reach[0] - reach[1])
        length = length + np.maximum(distance - self._ring[-1], 0)
        away = np.where(angle > left, _fading(angle, left), _fading(-angle, -right))
        return self._skirt.place(distance + (length - distance) * away, turned)


def _fading(angle: Floats, start: Floats) -> Floats:
    """1 up to the angle ``start``, 0 from `STILL` on."""
    room = np.maximum(STILL - start, np.radians(20))
    return np.asarray(np.minimum(np.maximum(1 - (angle - start) / room, 0), 1))


def _along(lines: Floats) -> Floats:
    """(2, N, 2) points along the legs' ``lines`` (2, 3, 2)."""
    share = np.linspace(0, 1, 16, dtype=np.float32)[:, None]
    parts = [lines[:, k, None] + share * (lines[:, k + 1, None] - lines[:, k, None]) for k in (0, 1)]
    return np.concatenate([parts[0], parts[1][:, 1:]], axis=1)
