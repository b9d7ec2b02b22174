"""Drawing the puppet: one frame from one pose, layer by layer over the clean background."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.cut import extended
from understudy.engines.puppet.hand_target import HandTarget, HandTargets
from understudy.engines.puppet.head_relief import HeadTurn
from understudy.engines.puppet.joint import HIP, LIMB, SHOULDER, Bend, Joint, segment_field
from understudy.engines.puppet.layer import Layer, faded
from understudy.engines.puppet.limb_layers import RiggedLimb, joint_radius
from understudy.engines.puppet.order import TRUNK, DrawingOrder, Part
from understudy.engines.puppet.paint import Box, Canvas, Field, Placed, around, common, empty
from understudy.engines.puppet.parts import Limb
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.posed_hand import WRIST, HandPart, PosedHand, palm_map, reflection
from understudy.engines.puppet.rig import Rig
from understudy.engines.puppet.shoulder import quiet_armpit
from understudy.engines.puppet.skirt import PosedSkirt, leg_lines
from understudy.engines.puppet.trunk import HipBlend, TrunkPose, TrunkRest, hip_parent, shoulder_parent
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

DISC = 2.2  # half widths about a joint in which a layer can show something that is bent round it
Shown = dict[Part, tuple[Placed, ...]]
FRONT: Part = ("front", 0)  # what lies on the arms and moves with the trunk
ON_ARM = 0.01  # of a forearm's or hand's area that the front covers in the picture if it lies on that too
# What the reference image shows about a hand (a forearm that points at the camera, clothes between its fingers) is
# seen no more when the hand has turned so far, the forearm has moved by so many half widths of the wrist, or a finger
# by so many of its own. Up to a share of that the hand is as it is.
REST_TURN, REST_OFF, REST_BENT, AS_IT_IS = np.radians(15), 0.8, 0.8, 0.15
STILL = 0.06  # half widths of a finger by which it may be off the stiff hand that it then is
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
    ) -> None:
        rest, bones = limb.starts, limb.bones
        self._limb, self._across = limb, across
        posed = np.diff(line, axis=0)
        lengths = np.hypot(bones[:, 0], bones[:, 1])
        self.maps = [
            bone_map(bones[k], posed[k], across, end=k == 2, longest=_longest(lengths, k)) for k in range(3)
        ]
        if not limb.limb.arm:
            back = limited_turn(self.maps[1], self.maps[2], FOOT_TURN)
            if back:
                self.maps[2] = bone_map(bones[2], rotation(-back) @ posed[2], across, end=True)
        self.hand = self._target = hand
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
        posed = np.diff(self.line, axis=0)
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
        """What shows the hand, from back to front: palm and fingers or one rigid layer, and over it the picture's own
        while it lies as in the picture."""
        limb, hand, where = self._limb, self.hand, (self.field(2), self.box(2), None)
        if limb.clean is None:
            return [(limb.layers[2], *where)]
        off, bent = 0.0, None
        if limb.hand is not None and self._target is not None and hand is not None:
            bent = PosedHand(
                limb.hand,
                self._target,
                limb.starts[2],
                self.line[2],
                self.maps[2],
                self.joints[2],
                self._across,
            )
            off = 1.0 if hand.mirrored else bent.off
        rest = self._at_rest(off)
        parts: list[HandPart] = [(limb.clean, *where)]
        if bent is not None and hand is not None and (hand.mirrored or bent.off > STILL):
            parts = bent.parts
        behind = self._at_rest(0.0) if limb.stub is not None else 0.0
        if limb.stub is not None and behind > 0:
            parts = [(faded(limb.stub, behind), *where), *parts]
        if rest >= 1:
            return [(limb.layers[2], *where)]
        return [*parts, (faded(limb.layers[2], rest), *where)] if rest > 0 else parts

    def opacity(self, k: int) -> float:
        """How much of layer ``k`` shows: a made forearm is not the picture's and comes as the arm leaves its place."""
        return 1 - self._at_rest(0.0) if k == 1 and self._limb.made and self._limb.clean is not None else 1.0

    def _at_rest(self, bent: float) -> float:
        """1 where hand and forearm lie as in the reference image, falling to 0 as they leave that place, or the fingers
        do, which are ``bent`` by that share of a finger's half width."""
        forearm = self._forearm - self._across * (self._limb.starts[2] - self._limb.starts[1])
        moved = float(np.hypot(*forearm)) / (REST_OFF * joint_radius(self._limb.radii, 2) * self._across)
        off = max(moved, abs(self.maps[2].turn) / REST_TURN, bent / REST_BENT)
        return 1 - _eased((off - AS_IT_IS) / (1 - AS_IT_IS))

    def field(self, k: int) -> Field:
        joints = tuple(j for j in self.joints[k : k + 2] if j is not None)
        rest, posed, own = self._limb.starts[k], self.line[k], self.maps[k]
        return lambda grid: segment_field(grid, rest, posed, own, joints)

    def box(self, k: int) -> Box:
        """Where the segment's layer can show: its corners moved with the bone, and discs about its joints."""
        layer, rest, (start, end) = self._limb.layers[k], self._limb.starts[k], self.line[k : k + 2]
        (a, b), (c, e) = self.maps[k].forward.tolist()
        rest_x, rest_y, x, y, end_x, end_y = (float(v) for v in (*rest, *start, *end))
        left, top = layer.origin[0] - rest_x, layer.origin[1] - rest_y
        right, bottom = left + layer.texture.shape[1], top + layer.texture.shape[0]
        corners = ((left, top), (right, top), (left, bottom), (right, bottom))
        xs = [x + a * u + b * v for u, v in corners]
        ys = [y + c * u + e * v for u, v in corners]
        radius = DISC * float(self._limb.radii.max()) * self._across
        xs += [x - radius, x + radius, end_x - radius, end_x + radius]
        ys += [y - radius, y + radius, end_y - radius, end_y + radius]
        return int(min(xs)) - 3, int(min(ys)) - 3, int(max(xs)) + 4, int(max(ys)) + 4


def _wrist_back(limb: RiggedLimb, forearm: Floats, hand: Floats, across: float) -> float:
    """Radians to turn a hand back by, so that it bends against its forearm as far as a wrist does, eased.

    ``forearm`` (2,) and ``hand`` (2,) are their directions in the frame. A forearm that points at the camera tells
    little, and as far as in the reference image a hand bends anyhow.
    """
    shown = float(np.hypot(*forearm)) / max(across * float(np.hypot(*limb.bones[1])), 1.0)
    own = _between(limb.starts[2] - limb.starts[1], limb.bones[2])
    limit = WRIST_TURN + (1 - min(shown, 1.0)) * WRIST_LOOSE
    limit = max(limit, abs(own) / WRIST_FREE)
    angle = _between(forearm, hand)
    free = WRIST_FREE * limit
    if abs(angle) <= free:
        return 0.0
    eased = free + (limit - free) * float(np.tanh((abs(angle) - free) / (limit - free)))
    return float(np.copysign(eased, angle)) - angle


def _between(one: Floats, other: Floats) -> float:
    """Radians from a direction (2,) to another."""
    return wrapped(float(np.arctan2(other[1], other[0]) - np.arctan2(one[1], one[0])))


def _eased(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _root_bend(rig: Rig, limb: RiggedLimb, rest: TrunkRest) -> Bend:
    """How a limb's root bends: a shoulder so that no string or strap in the armpit is spread out."""
    if not limb.limb.arm:
        return HIP
    inwards = rest.shoulders.axes[:, 0] * (-1.0 if limb.limb.side == 0 else 1.0)
    radius = joint_radius(limb.radii, 0)
    held, kept = quiet_armpit((rig.trunk, limb.layers[0]), limb.starts[0], inwards, limb.bones[0], radius)
    return replace(SHOULDER, held=held, kept=kept)


def _towards(limb: Limb, pose: TrunkPose) -> Floats:
    """(2,) the direction in which the trunk comes to a limb's root: along the spine, or along the collarbone."""
    if limb.arm:
        across = pose.shoulders.axes[:, 0]
        return across if limb.side == 0 else -across
    return pose.hips.origin - pose.shoulders.origin


def _longest(lengths: Floats, k: int) -> float:
    """How far bone ``k`` may stretch: up to its neighbour's length if it is much shorter, since both are alike."""
    alike = 0.9 * float(lengths[1 - k] / max(float(lengths[k]), 1.0)) if k < 2 else 0.0
    return float(np.clip(alike, MAX_STRETCH, MAX_FORESHORTENED_STRETCH))


def _covered(limb: RiggedLimb, front: Layer | None) -> int:
    """The last layer of an arm that the ``front`` lies on in the picture; the upper arm's if it lies on no other."""
    last = 0
    if front is None:
        return last
    cover = front.texture[..., 3] > 127
    for k, layer in enumerate(limb.layers[1:], 1):
        shape = layer.texture[..., 3] > 127
        x0, y0, x1, y1 = common(_extent(layer), _extent(front))
        if x1 > x0 and y1 > y0:
            (x, y), (u, v) = layer.origin, front.origin
            both = shape[y0 - y : y1 - y, x0 - x : x1 - x] & cover[y0 - v : y1 - v, x0 - u : x1 - u]
            if both.sum() > ON_ARM * shape.sum():
                last = k
    return last


def _extent(layer: Layer) -> Box:
    (x, y), (h, w) = layer.origin, layer.texture.shape[:2]
    return x, y, x + w, y + h


def _corners(layer: Layer) -> Floats:
    h, w = layer.texture.shape[:2]
    x, y = layer.origin
    return np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]], np.float32)


def _bounds(points: Floats) -> Box:
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return int(low[0]) - 2, int(low[1]) - 2, int(high[0]) + 3, int(high[1]) + 3


def _clearest(states: tuple[HandTarget, ...] | None) -> HandTarget | None:
    """The state in which most of a hand shows."""
    return max(states, key=lambda state: state.opacity) if states else None


def _shown(placed: tuple[Placed, ...]) -> Box:
    """The box about all layers of a part."""
    boxes = [each.shown for each in placed]
    return (
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    )


def _changed(shown: Shown, one: tuple[Part, ...], other: tuple[Part, ...]) -> Box | None:
    """Where two orders of the same parts look different: where parts that change places lie over each other."""
    ranks = {part: rank for rank, part in enumerate(part for part in other if part in shown)}
    found: Box | None = None
    for below, above in combinations((part for part in one if part in ranks), 2):
        if ranks[below] > ranks[above]:
            shared = common(_shown(shown[below]), _shown(shown[above]))
            if not empty(shared):
                found = around(found, shared)
    return found


class Painter:
    """Draws the frames of one performance. ``frame(t)`` gives (H, W, 3) uint8, a new array each time."""

    def __init__(self, rig: Rig, poses: Poses, order: DrawingOrder) -> None:
        self._rig, self._poses, self._order = rig, poses, order
        self._rest = TrunkRest.of(rig.joints)
        self._canvas = Canvas(rig.background)
        self._bends = {limb.limb.name: _root_bend(rig, limb, self._rest) for limb in rig.limbs}
        self._hands = {
            limb.limb.name: HandTargets(limb.hand, poses.hands[:, side], poses.hand_weight[:, side])
            for limb in rig.limbs
            for side in [limb.limb.side]
            if limb.hand is not None
        }
        self._under_front = {
            (limb.limb.name, k)
            for limb in rig.limbs
            if limb.limb.arm
            for k in range(_covered(limb, rig.front) + 1)
        }

    def frame(self, t: int, trunk: Layer | None = None, turn: HeadTurn | None = None) -> NDArray[np.uint8]:
        """Frame ``t``; ``trunk`` stands in for the rig's trunk layer (with this frame's face, say), and ``turn`` is
        what the head does."""
        rig, joints = self._rig, self._poses.joints[t]
        across = float(self._poses.scale[t])
        pose = TrunkPose(self._rest, joints)
        parents = {True: shoulder_parent(self._rest, pose), False: hip_parent(self._rest, pose)}

        def posed_limb(limb: RiggedLimb, hand: HandTarget | None) -> PosedLimb:
            return PosedLimb(
                limb,
                pose.lifted(limb.limb, extended(limb.limb, joints), extended(limb.limb, rig.joints)),
                across,
                parents[limb.limb.arm],
                _towards(limb.limb, pose),
                pose.frontal if limb.limb.arm else 1.0,
                self._bends[limb.limb.name],
                hand,
            )

        hands = {name: targets.at(t) for name, targets in self._hands.items()}
        limbs = {limb.limb.name: posed_limb(limb, _clearest(hands.get(limb.limb.name))) for limb in rig.limbs}
        roots = [(limb.limb, limbs[limb.limb.name].joints[0]) for limb in rig.limbs]
        skirt = self._skirt(pose, limbs, joints)
        hips = tuple(
            HipBlend(joint, 1.0 if limb.side == 0 else -1.0)
            for limb, joint in roots
            if joint and not limb.arm and skirt is None
        )
        shoulders = tuple(joint for limb, joint in roots if joint and limb.arm)

        def trunk_field(grid: Floats) -> Floats:
            source = pose.field(grid, hips, shoulders, skirt)
            return source if turn is None else turn.source(source)

        reach = 0.0 if turn is None else turn.reach * float(np.hypot(*pose.head_matrix[:, 0]))

        layer = trunk or rig.trunk
        layers = {limb.limb.name: limb.layers for limb in rig.limbs}
        box = self._trunk_box(layer, pose, skirt, reach)

        shown: Shown = {}

        def place(part: Part, layer: Layer, field: Field, box: Box, cell: int | None = None) -> None:
            placed = self._canvas.place(layer, field, box, cell)
            if placed is not None:
                shown[part] = (*shown.get(part, ()), placed)

        arms = {limb.limb.name for limb in rig.limbs if limb.limb.arm}
        for name, posed in limbs.items():
            for k, each in enumerate(layers[name][: 2 if name in arms else 3]):
                place((name, k), faded(each, posed.opacity(k)), posed.field(k), posed.box(k))
        for limb in rig.limbs:
            own = limbs[limb.limb.name]
            if limb.limb.arm and limb.limb.name not in hands:
                for each, field, where, cell in own.hand_parts():
                    place((limb.limb.name, 2), each, field, where, cell)
            for hand in hands.get(limb.limb.name, ()):
                own = own if own.hand is hand else posed_limb(limb, hand)
                for each, field, where, cell in own.hand_parts():
                    place((limb.limb.name, 2), faded(each, hand.opacity), field, where, cell)
        place((TRUNK, 0), layer, trunk_field, box)
        if rig.front is not None:
            place(FRONT, rig.front, trunk_field, self._trunk_box(rig.front, pose, skirt, reach))
        (first, _), *later = self._order.stacks(t, legs_under=rig.skirt is not None)
        first = self._with_front(first)
        self._canvas.clear()
        for part in first:
            for painted in shown.get(part, ()):
                self._canvas.paint(painted)
        picture = self._canvas.picture()
        for other, share in later:
            stack = self._with_front(other)
            within = _changed(shown, first, stack)
            if within is None:
                continue
            self._canvas.clear_box(within)
            for part in stack:
                for painted in shown.get(part, ()):
                    self._canvas.paint(painted, within)
            self._canvas.blend(picture, share, within)
        return picture

    def _with_front(self, stack: tuple[Part, ...]) -> tuple[Part, ...]:
        """The stack with the rig's front in it: over the upper arms, below hands and forearms before the trunk."""
        if self._rig.front is None:
            return stack
        body = stack.index((TRUNK, 0)) + 1
        arms = {limb.limb.name for limb in self._rig.limbs if limb.limb.arm}
        over = tuple(p for p in stack[body:] if p[0] in arms and p not in self._under_front)
        return (*stack[:body], *(p for p in stack[body:] if p not in over), FRONT, *over)

    def _skirt(self, pose: TrunkPose, limbs: dict[str, PosedLimb], joints: Floats) -> PosedSkirt | None:
        """What hangs over the legs, as they are drawn in this frame."""
        if self._rig.skirt is None:
            return None
        lines = leg_lines(joints)
        for limb in self._rig.limbs:
            if not limb.limb.arm:
                lines[limb.limb.side] = limbs[limb.limb.name].line[:3]
        return PosedSkirt(self._rig.skirt, pose.at_hips(lines))

    def _trunk_box(self, layer: Layer, pose: TrunkPose, skirt: PosedSkirt | None, reach: float) -> Box:
        """Where a layer of the trunk can show; ``reach`` is how far in pixels the head's turn moves anything."""
        corners = _corners(layer)
        head = corners @ pose.head_matrix.T + pose.head_shift
        places: list[Floats] = [head - reach, head + reach]
        for posed, rest in ((pose.hips, self._rest.hips), (pose.shoulders, self._rest.shoulders)):
            matrix = posed.axes @ np.linalg.inv(rest.axes)
            places.append(posed.origin + (corners - rest.origin) @ matrix.T)
        if skirt is not None:
            places.append(pose.from_hips(skirt.reaches(corners)))
        return _bounds(np.concatenate(places))
