"""Drawing the puppet: one frame from one pose, layer by layer over the clean background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.box import Box, around, common, empty
from understudy.engines.puppet.cut import extended
from understudy.engines.puppet.hand_bend import HandBend
from understudy.engines.puppet.hand_target import HandTargets
from understudy.engines.puppet.head_relief import HeadTurn
from understudy.engines.puppet.joint import HIP, SHOULDER, Bend
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.limb_layers import RiggedLimb, joint_radius
from understudy.engines.puppet.order import TRUNK, DrawingOrder, Part
from understudy.engines.puppet.paint import Begun, Canvas, Field, Placed
from understudy.engines.puppet.parts import Limb
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.posed_limb import PosedLimb
from understudy.engines.puppet.rig import Rig
from understudy.engines.puppet.shoulder import quiet_armpit
from understudy.engines.puppet.skirt import PosedSkirt, leg_lines
from understudy.engines.puppet.trunk import HipBlend, TrunkPose, TrunkRest, hip_parent, shoulder_parent
from understudy.engines.puppet.warp import inverted
from understudy.tracking.motion import Floats

Shown = dict[Part, tuple[Placed, ...]]
FRONT: Part = ("front", 0)  # what lies on the arms and moves with the trunk
ON_ARM = 0.01  # of a forearm's or hand's area that the front covers in the picture if it lies on that too


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
        self._finger_bends = {
            limb.limb.name: HandBend(limb.hand, limb.clean)
            for limb in rig.limbs
            if limb.hand is not None and limb.clean is not None
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

        def posed_limb(limb: RiggedLimb) -> PosedLimb:
            name = limb.limb.name
            return PosedLimb(
                limb,
                pose.lifted(limb.limb, extended(limb.limb, joints), extended(limb.limb, rig.joints)),
                across,
                parents[limb.limb.arm],
                _towards(limb.limb, pose),
                pose.frontal if limb.limb.arm else 1.0,
                self._bends[name],
                self._hands[name].at(t) if name in self._hands else None,
                self._finger_bends.get(name),
            )

        limbs = {limb.limb.name: posed_limb(limb) for limb in rig.limbs}
        roots = [(limb.limb, limbs[limb.limb.name].joints[0]) for limb in rig.limbs]
        skirt = self._skirt(pose, limbs, joints)
        hips = tuple(
            HipBlend(joint, 1.0 if limb.side == 0 else -1.0)
            for limb, joint in roots
            if joint and not limb.arm and skirt is None
        )
        shoulders = tuple(joint for limb, joint in roots if joint and limb.arm)

        def trunk_field(grid: Floats, blends: Blends) -> Callable[[], Floats]:
            source = pose.field(grid, hips, shoulders, skirt, blends=blends)
            return source if turn is None else lambda: turn.source(source())

        reach = 0.0 if turn is None else turn.reach * float(np.hypot(*pose.head_matrix[:, 0]))

        layer = trunk or rig.trunk
        layers = {limb.limb.name: limb.layers for limb in rig.limbs}
        box = self._trunk_box(layer, pose, skirt, reach)

        blends = Blends()
        begun: list[tuple[Part, Begun]] = []

        def place(
            part: Part, layer: Layer, field: Field, box: Box, cell: int | None = None, opacity: float = 1.0
        ) -> None:
            each = self._canvas.begin(blends, layer, field, box, cell, opacity)
            if each is not None:
                begun.append((part, each))

        arms = {limb.limb.name for limb in rig.limbs if limb.limb.arm}
        for name, posed in limbs.items():
            for k, shape in enumerate(layers[name][: 2 if name in arms else 3]):
                place((name, k), shape, posed.field(k), posed.box(k), opacity=posed.opacity(k))
        for limb in rig.limbs:
            own = limbs[limb.limb.name]
            if limb.limb.arm:
                for hand in own.hand_parts():
                    place((limb.limb.name, 2), *hand)
        place((TRUNK, 0), layer, trunk_field, box)
        if rig.front is not None:
            place(FRONT, rig.front, trunk_field, self._trunk_box(rig.front, pose, skirt, reach))
        blends.run()
        shown: Shown = {}
        for part, each in begun:
            placed = self._canvas.place(each)
            if placed is not None:
                shown[part] = (*shown.get(part, ()), placed)
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
            matrix = posed.axes @ inverted(rest.axes)
            places.append(posed.origin + (corners - rest.origin) @ matrix.T)
        if skirt is not None:
            places.append(pose.from_hips(skirt.reaches(corners)))
        return _bounds(np.concatenate(places))
