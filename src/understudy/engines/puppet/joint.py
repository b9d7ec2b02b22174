"""A joint between two bones: an inverse field that never folds over, however far the joint bends.

About the joint a source lies at its own distance, turned and stretched by what the *angle* of the frame's point tells:
near a bone's axis as that bone, between the bones as a monotone run from the one to the other. Such a radial map has a
positive Jacobian determinant wherever its angle rises, so no bend can show a pixel twice. Where a side opens (the outer
elbow), a wedge of texture is spread out and the elbow is round; where it closes, each bone keeps its own up to a crease
and the two lie over each other, so that nothing is pinched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from understudy.engines.puppet.warp import BoneMap, rotation, smoothstep, wrapped
from understudy.tracking.motion import Floats

STEPS = 180  # of the profile about the joint: 2 degrees each
ROUND = (1.0, 6.0)  # degrees between the bones over which they become two rigid halves of a round hinge
WRONG_WAY = (
    220.0,
    270.0,
)  # degrees of turn against the rest pose that only come from folding through: rigid as well
WEDGE = np.radians(40)  # half of the texture's wedge that an opening side spreads out
LEAST_TURN = 0.05  # of the source's angle for the frame's: what keeps the field from folding over
WEDGE_SHARE = 0.35  # of a side that is narrower in the picture
SHARP_CREASE = (
    0.12  # half of the run's share of a side that is far closed: each bone keeps its width up to the crease
)
CLOSED = (40.0, 110.0)  # closing by so many degrees leads from the soft crease to the sharp one
# Closing by so many degrees more, the child, which is drawn over its parent, goes on as it is to its own edge: in a
# folded arm the forearm lies whole before the upper arm. Nearly square to its axis its round end begins.
FOLDED = (105.0, 150.0)
WHOLE, SEAM = np.radians(78), np.radians(20)


@dataclass(frozen=True)
class Bend:
    """How a kind of joint bends.

    On a closing side the run lies in the ``middle`` (share of the side, from the parent's axis), ``soft`` to both
    sides of it; far closed each bone goes on below the other by ``under``. On an opening side the parent keeps at
    least the share ``held``. ``reach`` in half widths: the blend is whole up to the first and gone from the second.
    """

    middle: float
    soft: float
    under: float
    held: float
    reach: tuple[float, float]


LIMB = Bend(middle=0.5, soft=0.25, under=0.15, held=0.0, reach=(2.0, 5.0))
HIP = Bend(middle=0.5, soft=0.25, under=0.15, held=0.42, reach=(1.0, 2.6))
# The chest and what lies on the shoulder stay as they are; the armpit's cloth goes with the arm.
SHOULDER = Bend(middle=0.72, soft=0.2, under=0.35, held=0.45, reach=(1.0, 3.0))


@dataclass(frozen=True)
class Joint:
    """A joint between two bone maps: where it rests, where it is now, the bones' directions in the frame."""

    rest: Floats  # (2,)
    posed: Floats  # (2,)
    backwards: float  # angle of the parent's axis, from the joint back along the parent
    forwards: float  # angle of the child's axis
    radius: float  # half width of the limb here, in the frame
    parent: BoneMap
    child: BoneMap
    bend: Bend

    @classmethod
    def between(
        cls,
        rest: Floats,
        posed: Floats,
        parent_direction: Floats,
        child_direction: Floats,
        radius: float,
        parent: BoneMap,
        child: BoneMap,
        bend: Bend = LIMB,
    ) -> Joint:
        back, on = -np.asarray(parent_direction), np.asarray(child_direction)
        return cls(
            rest,
            posed,
            float(np.arctan2(back[1], back[0])),
            float(np.arctan2(on[1], on[0])),
            max(radius, 1.0),
            parent,
            child,
            bend,
        )

    @property
    def opening(self) -> float:
        """Radians in [0, 2 pi) from the parent's axis to the child's, in the frame."""
        return float((self.forwards - self.backwards) % (2 * np.pi))

    @property
    def rest_opening(self) -> float:
        """The same in the rest pose."""
        turned = self.forwards + self.child.turn - self.backwards - self.parent.turn
        return float(turned % (2 * np.pi))

    @property
    def flex(self) -> float:
        """1 while the joint bends smoothly, 0 where it is folded so far that only a round hinge looks right."""
        folded = _eased(np.degrees(abs(wrapped(self.opening))), ROUND)
        through = _eased(np.degrees(abs(self.opening - self.rest_opening)), WRONG_WAY)
        return folded * (1 - through)

    def correction(self, grid: Floats, own: BoneMap) -> Floats:
        """(..., 2) what the blend adds to the affine map ``own`` (one of the joint's two) anchored at this joint,
        over ``grid`` (..., 2)."""
        offset = grid - self.posed
        x, y = offset[..., 0], offset[..., 1]
        away = np.maximum(np.hypot(x, y), 1e-3)
        # Even in the logarithm, so that a change of stretch fades slower than the distance grows.
        whole, gone = self.bend.reach
        near = 1 - smoothstep(np.log(away / (whole * self.radius)) / np.log(gone / whole))
        at = ((np.arctan2(y, x) - self.backwards) % (2 * np.pi)) * (STEPS / (2 * np.pi))
        turns, logs = self._of_child if own is self.child else self._of_parent
        steps = np.arange(STEPS + 1, dtype=np.float32)
        turn = near * np.interp(at, steps, turns)
        size = np.exp(near * np.interp(at, steps, logs))
        even = offset @ own.matrix.T
        c, s = size * np.cos(turn) - 1, size * np.sin(turn)
        u, v = even[..., 0], even[..., 1]
        bent: Floats = np.stack([c * u - s * v, s * u + c * v], axis=-1).astype(np.float32)
        return bent

    @cached_property
    def _of_parent(self) -> tuple[Floats, Floats]:
        return self._profile(self.parent, 1.0)

    @cached_property
    def _of_child(self) -> tuple[Floats, Floats]:
        return self._profile(self.child, -1.0)

    def _profile(self, own: BoneMap, role: float) -> tuple[Floats, Floats]:
        """(STEPS + 1,) turn and logarithm of the size of the blended source against ``own``'s, by the angle from the
        parent's axis; ``role`` is 1 for the parent's layer, -1 for the child's."""
        least = np.radians(2)
        opening = float(np.clip(self.opening, least, 2 * np.pi - least))
        rest_opening, bend = self.rest_opening, self.bend
        first = _run(bend, opening, rest_opening, role)
        last = _run(bend, 2 * np.pi - opening, 2 * np.pi - rest_opening, role)
        # From the parent's axis round to it again: own, run, the child's axis in the middle, run, own.
        knots = np.array([0, first[0], opening - first[1], opening + last[1], 2 * np.pi - last[0], 2 * np.pi])
        shift = rest_opening - opening
        at = np.linspace(0, 2 * np.pi, STEPS + 1)
        turned = np.interp(at, knots, [0, 0, shift, shift, 0, 0])
        share = np.interp(at, knots, [0, 0, 1, 1, 0, 0])
        folded = _eased(np.degrees(abs(shift)), FOLDED) if role < 0 else 0.0
        if folded:
            side, kept = (1.0, first[1]) if shift > 0 else (-1.0, last[1])
            from_child = (side * (opening - at)) % (2 * np.pi)
            kept += folded * max(WHOLE - kept, 0.0)
            blended = np.clip((from_child - kept) / SEAM, 0, 1)
            turned, share = shift + blended * (turned - shift), 1 + blended * (share - 1)
        share = share[:, None, None]
        parent, child = _at_rest(self.parent), _at_rest(self.child)
        source = at + turned + self.backwards + self.parent.turn
        angles, sizes = _stretched(parent + share * (child - parent), source)
        # Where one bone is much more foreshortened than the other, the mixed stretches alone would turn back a little.
        least = LEAST_TURN * at
        angles = np.minimum(np.maximum.accumulate(angles - least), angles[-1] - least[-1]) + least
        own_angles, own_sizes = _stretched(own.stretch[None], at + self.backwards)
        turns = angles - own_angles - own.turn
        axis = float(
            np.interp(0.0 if role > 0 else opening, at, turns)
        )  # whole turns: there it is the bone's own
        turns -= 2 * np.pi * np.round(axis / (2 * np.pi))
        logs = np.log(sizes / own_sizes)
        flex = self.flex
        return (flex * turns).astype(np.float32), (flex * logs).astype(np.float32)


def _eased(value: float, borders: tuple[float, float]) -> float:
    low, high = borders
    return float(smoothstep(np.asarray((value - low) / (high - low), np.float32)))


def _run(bend: Bend, frame: float, source: float, role: float) -> tuple[float, float]:
    """Radians about the parent's and about the child's axis in which a side of the joint, ``frame`` wide in the frame
    and ``source`` wide in the rest pose, is that bone's own. Between them lies the run."""
    if source <= frame:
        own = source / 2 - min(WEDGE, WEDGE_SHARE * source)
        return max(own, bend.held * source), own
    closed = _eased(np.degrees(source - frame), CLOSED)
    half = bend.soft + closed * (SHARP_CREASE - bend.soft)
    middle = bend.middle + closed * (0.5 + role * bend.under - bend.middle)
    return (middle - half) * frame, (1 - middle - half) * frame


def _at_rest(bone: BoneMap) -> Floats:
    """(2, 2) the bone's stretch as it acts after its turn, in the rest pose's axes."""
    turn = rotation(bone.turn)
    return turn @ bone.stretch @ turn.T


def _stretched(stretches: Floats, angles: Floats) -> tuple[Floats, Floats]:
    """(N,) angles, without jumps, and lengths of the unit vectors at ``angles`` (N,) under symmetric, positive
    ``stretches`` (N or 1, 2, 2)."""
    x, y = np.cos(angles), np.sin(angles)
    u = stretches[:, 0, 0] * x + stretches[:, 0, 1] * y
    v = stretches[:, 1, 0] * x + stretches[:, 1, 1] * y
    return angles + np.arctan2(x * v - y * u, x * u + y * v), np.hypot(u, v)


def segment_field(
    grid: Floats, rest: Floats, posed: Floats, own: BoneMap, joints: tuple[Joint, ...]
) -> Floats:
    """(..., 2) source of every grid point for one segment whose start rests at ``rest`` and is at ``posed``."""
    field: Floats = rest + (grid - posed) @ own.matrix.T
    for joint in joints:
        field = field + joint.correction(grid, own)
    return field
