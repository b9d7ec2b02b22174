"""A joint between two bones: an inverse field that does not fold over, however far the joint bends.

About the joint a source lies at its own distance, turned by what the *angle* of the frame's point tells: near a bone's
axis as that bone, between the bones as a monotone run from the one to the other. Such a radial map has a positive
Jacobian determinant wherever its angle rises, so no bend can show a pixel twice. Where a side opens (the outer elbow),
a wedge of texture is spread out and the elbow is round; where it closes, each bone keeps its own up to a crease and the
two lie over each other, so that nothing is pinched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.warp import BoneMap, moved, wrapped
from understudy.tracking.motion import Floats

ROUND = (1.0, 6.0)  # degrees between the bones over which they become two rigid halves of a round hinge
# Degrees of turn against the rest pose that only come from folding through: rigid as well
WRONG_WAY = (220.0, 270.0)
LEAST = math.radians(2)  # between two bones, so that a run has some room
WEDGE = math.radians(40)  # half of the texture's wedge that an opening side spreads out
WEDGE_SHARE = 0.35  # of a side that is narrower in the picture
# Half of the run's share of a side that is far closed: each bone keeps its width up to the crease
SHARP_CREASE = 0.12
CLOSED = (40.0, 110.0)  # closing by so many degrees leads from the soft crease to the sharp one
# Closing by so many degrees more, the child, which is drawn over its parent, goes on as it is to its own edge: in a
# folded arm the forearm lies whole before the upper arm. Nearly square to its axis its round end begins.
FOLDED = (105.0, 150.0)
WHOLE, SEAM = math.radians(78), math.radians(20)


@dataclass(frozen=True)
class Bend:
    """How a kind of joint bends.

    On a closing side the run lies in the ``middle`` (share of the side, from the parent's axis), ``soft`` to both
    sides of it; far closed each bone goes on below the other by ``under``. On an opening side the parent keeps at
    least the share ``held`` and the child ``kept``. ``reach`` in half widths: the blend is whole up to the first and
    gone from the second.
    """

    middle: float
    soft: float
    under: float
    held: float
    reach: tuple[float, float]
    kept: float = 0.0


LIMB = Bend(middle=0.5, soft=0.25, under=0.15, held=0.0, reach=(2.0, 4.5))
HIP = Bend(middle=0.5, soft=0.25, under=0.15, held=0.42, reach=(1.0, 2.6))
# The chest and what lies on the shoulder stay as they are; the armpit's cloth goes with the arm.
SHOULDER = Bend(middle=0.72, soft=0.2, under=0.35, held=0.45, reach=(1.0, 3.0))


class Told(NamedTuple):
    """What `Blends` needs to know of a joint: numbers in its order, and how far it is ``folded``, if it is."""

    reals: tuple[float, ...]
    complexes: tuple[complex, ...]
    folded: float


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
    strength: float  # 0 to 1: how much of the blend there is

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
        strength: float = 1.0,
    ) -> Joint:
        back, on = (-parent_direction).tolist(), child_direction.tolist()
        return cls(
            rest,
            posed,
            math.atan2(back[1], back[0]),
            math.atan2(on[1], on[0]),
            max(radius, 1.0),
            parent,
            child,
            bend,
            strength,
        )

    @cached_property
    def opening(self) -> float:
        """Radians in [0, 2 pi) from the parent's axis to the child's, in the frame."""
        return (self.forwards - self.backwards) % (2 * math.pi)

    @cached_property
    def rest_opening(self) -> float:
        """The same in the rest pose."""
        turned = self.forwards + self.child.turn - self.backwards - self.parent.turn
        return turned % (2 * math.pi)

    @cached_property
    def flex(self) -> float:
        """1 while the joint bends smoothly, 0 where it is folded so far that only a round hinge looks right."""
        folded = _eased(math.degrees(abs(wrapped(self.opening))), ROUND)
        through = _eased(math.degrees(abs(self.opening - self.rest_opening)), WRONG_WAY)
        return self.strength * folded * (1 - through)

    def told(self, own: BoneMap) -> Told:
        """The numbers of the blend in the layer whose affine map is ``own``, one of the joint's two."""
        return self._child_told if own is self.child else self._parent_told

    @cached_property
    def _child_told(self) -> Told:
        return self._told(self.child, True)

    @cached_property
    def _parent_told(self) -> Told:
        return self._told(self.parent, False)

    def _told(self, own: BoneMap, child: bool) -> Told:
        (shrink, fade, flex, bend, turn, mean, more), (axis, rest, more_rest) = self._common
        first, second, third, fourth = self._runs(child)
        up, down = 1 / max(second - first, 1e-6), 1 / max(fourth - third, 1e-6)
        (e, f), (g, h) = own.matrix.tolist()
        return Told(
            (
                shrink,
                fade,
                flex,
                up,
                first * up,
                down,
                1 + third * down,
                float(child),
                bend,
                turn,
                mean,
                more,
            ),
            (
                axis,
                rest,
                more_rest,
                complex(e + h, g - f) / 2,
                complex(e - h, g + f) / 2,
            ),
            _eased(math.degrees(abs(bend)), FOLDED) if child else 0.0,
        )

    @cached_property
    def _common(self) -> tuple[tuple[float, ...], tuple[complex, complex, complex]]:
        """What of `Told` is the same in both bones' layers."""
        near, far = self.bend.reach
        whole, gone = 2 * math.log(near * self.radius), 2 * math.log(far * self.radius)
        # The parent's stretch as it acts after its turn, in the rest pose's axes, and what the child's adds to it:
        # shares of a place's complex number and of its conjugate.
        mean, rest = _turned(self.parent)
        child_mean, child_rest = _turned(self.child)
        bend = self.rest_opening - self.opening
        return (
            (
                1 / (whole - gone),
                gone / (gone - whole),
                self.flex,
                bend,
                self.parent.turn,
                mean,
                child_mean - mean,
            ),
            (complex(math.cos(self.backwards), -math.sin(self.backwards)), rest, child_rest - rest),
        )

    def folded(self, share: Floats, round_: Floats, far: float) -> Floats:
        """The child's ``share`` (N,) in its own layer at angles ``round_`` (N,) from the parent's axis on, of a joint
        that is folded so ``far``, 0 to 1."""
        _, second, third, _ = self._runs(True)
        closing = self.rest_opening > self.opening
        kept = self.opening - second if closing else third - self.opening
        kept += far * max(WHOLE - kept, 0.0)
        from_child = (self.opening - round_ if closing else round_ - self.opening) % np.float32(2 * math.pi)
        return np.asarray(1 + _ramp(from_child, kept, kept + SEAM) * (share - 1), np.float32)

    def _runs(self, child: bool) -> tuple[float, float, float, float]:
        """For a layer: from the parent's axis round to it again, where the run to the child begins and ends, and where
        the run back does."""
        opening = min(max(self.opening, LEAST), 2 * math.pi - LEAST)
        role = -1.0 if child else 1.0
        first = _run(self.bend, opening, self.rest_opening, role)
        last = _run(self.bend, 2 * math.pi - opening, 2 * math.pi - self.rest_opening, role)
        return first[0], opening - first[1], opening + last[1], 2 * math.pi - last[0]

    def window(self, grid: Floats) -> tuple[slice, slice]:
        """Rows and columns of a regular grid (rows, columns, 2) that the joint reaches."""
        reach = self.bend.reach[1] * self.radius
        return (
            _within(grid[:, 0, 1], float(self.posed[1]), reach),
            _within(grid[0, :, 0], float(self.posed[0]), reach),
        )


def _turned(bone: BoneMap) -> tuple[float, complex]:
    """A bone's stretch in the rest pose's axes, as shares of a place's complex number and its conjugate."""
    (a, b), (_, d) = bone.stretch.tolist()
    return (a + d) / 2, complex((a - d) / 2, b) * complex(math.cos(2 * bone.turn), math.sin(2 * bone.turn))


def _ramp(x: Floats, start: float, stop: float) -> Floats:
    """0 up to ``start``, 1 from ``stop`` on."""
    slope = 1 / max(stop - start, 1e-6)
    ramp: Floats = np.minimum(np.maximum(x * slope - start * slope, 0), 1)
    return ramp


def _within(nodes: Floats, centre: float, reach: float) -> slice:
    """Which of the even ``nodes`` (N,), rising, lie within ``reach`` of ``centre``."""
    count, start = len(nodes), float(nodes[0])
    step = float(nodes[1]) - start if count > 1 else 1.0
    first, last = (centre - reach - start) / step, (centre + reach - start) / step
    return slice(math.ceil(min(max(0.0, first), count)), math.ceil(min(max(0.0, last), count)))


def _eased(value: float, borders: tuple[float, float]) -> float:
    low, high = borders
    x = min(max((value - low) / (high - low), 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _run(bend: Bend, frame: float, source: float, role: float) -> tuple[float, float]:
    """Radians about the parent's and about the child's axis in which a side of the joint, ``frame`` wide in the frame
    and ``source`` wide in the rest pose, is that bone's own. Between them lies the run."""
    if source <= frame:
        own = source / 2 - min(WEDGE, WEDGE_SHARE * source)
        return max(own, bend.held * source), max(own, bend.kept * source)
    closed = _eased(math.degrees(source - frame), CLOSED)
    half = bend.soft + closed * (SHARP_CREASE - bend.soft)
    middle = bend.middle + closed * (0.5 + role * bend.under - bend.middle)
    return (middle - half) * frame, (1 - middle - half) * frame


def segment_field(
    grid: Floats, rest: Floats, posed: Floats, own: BoneMap, joints: tuple[Joint, ...], blends: Blends
) -> Floats:
    """(..., 2) source of every grid point for one segment whose start rests at ``rest`` and is at ``posed``, once the
    ``blends`` have run."""
    field = moved(grid, own.matrix, rest - own.matrix @ posed)
    for joint in joints:
        blends.add(joint, field, grid, own)
    return field
