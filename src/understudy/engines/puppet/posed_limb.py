"""A limb in one frame: where its segments come from, and the hand or foot at its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.box import Box
from understudy.engines.puppet.hand_bend import HandBend
from understudy.engines.puppet.hand_target import HandTarget
from understudy.engines.puppet.joint import LIMB, Bend, Joint, segment_field
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.limb_layers import RiggedLimb, joint_radius
from understudy.engines.puppet.paint import Field
from understudy.engines.puppet.posed_hand import WRIST, PosedHand, palm_map, reflection
from understudy.engines.puppet.warp import (
    MAX_FORESHORTENED_STRETCH,
    MAX_STRETCH,
    BoneMap,
    bone_map,
    limited_turn,
    rotation,
    turned,
    wrapped,
)
from understudy.tracking.motion import Floats

# A layer, its field, where it can show, the distance of its nodes if not the usual one, how much of it shows.
HandPart = tuple[Layer, Field, Box, int | None, float]

DISC = 2.2  # half widths about a joint in which a layer can show something that is bent round it
# What the reference image shows about a hand (a forearm that points at the camera, clothes between its fingers) is
# seen no more when the hand has turned so far, the forearm has moved by so many half widths of the wrist, or a finger
# by so many of its own. Up to a share of that the hand is as it is.
REST_TURN, REST_OFF, REST_BENT, AS_IT_IS = np.radians(15), 0.8, 0.8, 0.15
FINE = 4  # pixels between two nodes of a hand that bends
# A wrist bends by so much; by more in the picture where the forearm is shortened. Up to a share of it nothing holds it.
WRIST_TURN, WRIST_LOOSE, WRIST_FREE = np.radians(78), np.radians(80), 0.75
FOOT_TURN = np.radians(75)  # how far a foot bends against its shin


class PosedLimb:
    """One limb in one frame: the maps of its bones and the joints between them."""

    def __init__(
        self,
        limb: RiggedLimb,
        line: Floats,
        across: float,
        trunk: BoneMap | None,
        towards: Floats,
        strength: float,
        bend: Bend,
        hand: HandTarget | None = None,
        finger_bend: HandBend | None = None,
    ) -> None:
        rest, bones = limb.starts, limb.bones
        self._limb, self._across, self._finger_bend = limb, across, finger_bend
        posed = line[1:] - line[:-1]
        lengths = [math.hypot(*bone) for bone in bones.tolist()]
        self.maps = [
            bone_map(bones[k], posed[k], across, end=k == 2, longest=_longest(lengths, k)) for k in range(3)
        ]
        if not limb.limb.arm:
            back = limited_turn(self.maps[1], self.maps[2], FOOT_TURN)
            if back:
                self.maps[2] = bone_map(bones[2], rotation(-back) @ posed[2], across, end=True)
        self._target = hand
        if limb.hand is not None and hand is not None:
            self.maps[2] = palm_map(limb.hand, hand, self.maps[2], across)
        mirrored = reflection(limb.hand.points) if limb.hand and hand and hand.mirrored else None
        last = bones[2] if mirrored is None else mirrored @ bones[2]
        if limb.limb.arm:
            back = _wrist_back(limb, posed[1], self.maps[2].forward @ last, across)
            self.maps[2] = turned(self.maps[2], back)
            if hand is not None:
                points = hand.points[0] + (hand.points - hand.points[0]) @ rotation(back).T
                self._target = replace(hand, points=points)
        self._forearm = posed[1]
        if limb.made:
            reach = posed[1]
            if limb.wrist is not None:
                off = (limb.wrist - rest[2]) * (1 - self._at_rest(0.0))
                reach = reach + self.maps[2].forward @ (off if mirrored is None else mirrored @ off)
            self.maps[1] = bone_map(bones[1], reach, across, shortest=0.02)
        # A bone that may not get shorter carries what hangs on it outwards.
        self.line = line.copy()
        for k in range(3):
            bone = last if k == 2 else bones[k]
            drawn = posed[1] if limb.made and k == 1 else self.maps[k].forward @ bone
            self.line[k + 1] = self.line[k] + drawn
        posed = self.line[1:] - self.line[:-1]
        self.joints: list[Joint | None] = [None]
        if trunk is not None:
            wide = joint_radius(limb.radii, 0) * across
            self.joints[0] = Joint.between(
                rest[0], self.line[0], towards, posed[0], wide, trunk, self.maps[0], bend, strength
            )
        for k in (1, 2):
            wide = joint_radius(limb.radii, k) * across
            # Layers that show different things do not bend into each other.
            if limb.made or (k == 2 and mirrored is not None):
                self.joints.append(None)
                continue
            self.joints.append(
                Joint.between(
                    rest[k],
                    self.line[k],
                    posed[k - 1],
                    posed[k],
                    wide,
                    self.maps[k - 1],
                    self.maps[k],
                    WRIST if k == 2 and limb.hand is not None else LIMB,
                )
            )

    def hand_parts(self) -> list[HandPart]:
        """What shows the hand, from back to front, and over it the picture's own while it lies as in the picture."""
        limb, where = self._limb, (self.field(2), self.box(2), None)
        if limb.clean is None:
            return [(limb.layers[2], *where, 1.0)]
        off = 0.0
        parts: list[HandPart] = [(limb.clean, *where, 1.0)]
        if limb.hand is not None and self._target is not None and self._finger_bend is not None:
            posed = PosedHand(
                limb.hand,
                self._finger_bend,
                self._target,
                limb.starts[2],
                self.line[2],
                self.maps[2],
                self.joints[2],
            )
            off = 1.0 if self._target.mirrored else posed.off
            parts = [(limb.clean, posed.field, posed.box, FINE, 1.0)]
        rest = self._at_rest(off)
        behind = self._at_rest(0.0) if limb.stub is not None else 0.0
        if limb.stub is not None and behind > 0:
            parts = [(limb.stub, *where, behind), *parts]
        if rest >= 1:
            return [(limb.layers[2], *where, 1.0)]
        return [*parts, (limb.layers[2], *where, rest)] if rest > 0 else parts

    def opacity(self, k: int) -> float:
        """How much of layer ``k`` shows: a made forearm is not the picture's and comes as the arm leaves its place."""
        return 1 - self._at_rest(0.0) if k == 1 and self._limb.made and self._limb.clean is not None else 1.0

    def _at_rest(self, bent: float) -> float:
        """1 where hand and forearm lie as in the reference image, falling to 0 as they leave that place, or the fingers
        do, which are ``bent`` by that share of a finger's half width."""
        forearm = self._forearm - self._across * (self._limb.starts[2] - self._limb.starts[1])
        moved = math.hypot(*forearm) / (REST_OFF * joint_radius(self._limb.radii, 2) * self._across)
        off = max(moved, abs(self.maps[2].turn) / REST_TURN, bent / REST_BENT)
        return 1 - _eased((off - AS_IT_IS) / (1 - AS_IT_IS))

    def field(self, k: int) -> Field:
        joints = tuple(j for j in self.joints[k : k + 2] if j is not None)
        rest, posed, own = self._limb.starts[k], self.line[k], self.maps[k]

        def field(grid: Floats, blends: Blends) -> Callable[[], Floats]:
            source = segment_field(grid, rest, posed, own, joints, blends)
            return lambda: source

        return field

    def box(self, k: int) -> Box:
        """Where the segment's layer can show: its corners moved with the bone, and discs about its joints."""
        layer, (rest_x, rest_y) = self._limb.layers[k], self._limb.starts[k].tolist()
        (a, b), (c, e) = self.maps[k].forward.tolist()
        (x, y), (end_x, end_y) = self.line[k : k + 2].tolist()
        # The layer's middle, and how far its corners are off it.
        tall, wide = layer.texture.shape[0] / 2, layer.texture.shape[1] / 2
        u, v = layer.origin[0] + wide - rest_x, layer.origin[1] + tall - rest_y
        middle_x, middle_y = x + a * u + b * v, y + c * u + e * v
        off_x, off_y = abs(a) * wide + abs(b) * tall, abs(c) * wide + abs(e) * tall
        radius = DISC * max(self._limb.radii.tolist()) * self._across
        return (
            int(min(middle_x - off_x, x - radius, end_x - radius)) - 3,
            int(min(middle_y - off_y, y - radius, end_y - radius)) - 3,
            int(max(middle_x + off_x, x + radius, end_x + radius)) + 4,
            int(max(middle_y + off_y, y + radius, end_y + radius)) + 4,
        )


def _wrist_back(limb: RiggedLimb, forearm: Floats, hand: Floats, across: float) -> float:
    """Radians to turn a hand back by, so that it bends against its forearm as far as a wrist does, eased.

    ``forearm`` (2,) and ``hand`` (2,) are their directions in the frame. A forearm that points at the camera tells
    little, and as far as in the reference image a hand bends anyhow.
    """
    shown = math.hypot(*forearm) / max(across * math.hypot(*limb.bones[1]), 1.0)
    own = _between(limb.starts[2] - limb.starts[1], limb.bones[2])
    limit = WRIST_TURN + (1 - min(shown, 1.0)) * WRIST_LOOSE
    limit = max(limit, abs(own) / WRIST_FREE)
    angle = _between(forearm, hand)
    free = WRIST_FREE * limit
    if abs(angle) <= free:
        return 0.0
    eased = free + (limit - free) * math.tanh((abs(angle) - free) / (limit - free))
    return math.copysign(eased, angle) - angle


def _between(one: Floats, other: Floats) -> float:
    """Radians from a direction (2,) to another."""
    return wrapped(math.atan2(other[1], other[0]) - math.atan2(one[1], one[0]))


def _eased(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _longest(lengths: list[float], k: int) -> float:
    """How far bone ``k`` may stretch: up to its neighbour's length if it is much shorter, since both are alike."""
    alike = 0.9 * lengths[1 - k] / max(lengths[k], 1.0) if k < 2 else 0.0
    return min(max(alike, MAX_STRETCH), MAX_FORESHORTENED_STRETCH)
