"""A cut hand in one frame: where its palm and each of its fingers come from."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.finger_chain import SHORTEST, FingerChain, unfolded
from understudy.engines.puppet.hand_cut import CutHand, Finger
from understudy.engines.puppet.hand_points import KNUCKLES, THUMB, chain
from understudy.engines.puppet.hand_target import HandTarget
from understudy.engines.puppet.joint import Bend, Joint
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.paint import Box, Field
from understudy.engines.puppet.warp import BoneMap, moved, rotation, wrapped
from understudy.tracking.motion import Floats

HandPart = tuple[
    Layer, Field, Box, int | None
]  # a layer, its field, where it can show, the distance of its nodes

THINNEST, WIDEST = 0.6, 1.25  # of a palm in any direction: a thinner one looks like a knife
EVEN = (
    0.05  # of the palm's own spread that pulls its map towards a mere turn: a palm seen edge-on tells no more
)
# The knuckles lie three half widths of a wrist beyond it and are the palm's alone.
WRIST = Bend(middle=0.5, soft=0.25, under=0.15, held=0.0, reach=(1.0, 2.5))


def palm_map(cut: CutHand, target: HandTarget, rigid: BoneMap, across: float) -> BoneMap:
    """The palm's inverse map as its landmarks in the ``target`` tell, as far as they are trusted; else ``rigid``.

    A mirrored palm's map begins after its reflection (`reflection`), so that it is a mere turn and stretch as well.
    """
    own = cut.points[[1, *KNUCKLES]] - cut.points[0]
    if target.mirrored:
        own = own @ reflection(cut.points).T
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
    """The parts of a cut hand in one frame, from back to front in `parts`.

    ``rest`` and ``posed`` (2,) are the wrist that the map ``palm`` (`palm_map`) turns about, ``wrist`` the joint to the
    forearm. A hand that shows its other side is its own mirror image, and nothing bends it into the forearm.
    """

    def __init__(
        self,
        cut: CutHand,
        target: HandTarget,
        rest: Floats,
        posed: Floats,
        palm: BoneMap,
        wrist: Joint | None,
        across: float,
    ) -> None:
        self._cut, self._rest, self._posed, self._palm = cut, rest, posed, palm
        self._wrist = None if target.mirrored else wrist
        self._mirror = reflection(cut.points) if target.mirrored else None
        self._across = across
        own = np.stack([finger.line for finger in cut.fingers])
        wrist_at = cut.points[0]
        if self._mirror is not None:
            own, wrist_at = (rest + (p - rest) @ self._mirror.T for p in (own, wrist_at))
        stiff = posed + (own - rest) @ palm.forward.T
        from_wrist = stiff[:, 0] - (posed + palm.forward @ (wrist_at - rest))
        lines = _posed_lines(cut, own, stiff, from_wrist, target, across)
        # How far the fingers are off the stiff hand, in their half widths.
        self.off = max(
            float(np.abs(line - as_it_was).max()) / (finger.radius * across)
            for finger, line, as_it_was in zip(cut.fingers, lines, stiff, strict=True)
        )
        self._chains = [
            (FingerChain(rest_line, line, across, finger.reach), line, before)
            for finger, rest_line, line, before in zip(cut.fingers, own, lines, from_wrist, strict=True)
        ]

    @property
    def parts(self) -> list[HandPart]:
        """The layers from back to front: the thumb lies on the side of the palm's inside."""
        fingers = [
            (f.layer, self._finger_field(f, k), self._finger_box(f, k), self._chains[k][0].cell)
            for k, f in enumerate(self._cut.fingers)
        ]
        palm = (self._cut.palm, self._palm_field, self._palm_box, None)
        thumbs = [p for f, p in zip(self._cut.fingers, fingers, strict=True) if f.number == THUMB]
        rest = [p for f, p in zip(self._cut.fingers, fingers, strict=True) if f.number != THUMB]
        inside = self._cut.shows_palm == (self._mirror is None)
        return [palm, *rest, *thumbs] if inside else [*thumbs, palm, *rest]

    def _unmirrored(self, source: Floats) -> Floats:
        if self._mirror is None:
            return source
        return moved(source, self._mirror, self._rest - self._mirror @ self._rest)

    def _palm_source(self, grid: Floats) -> Floats:
        field = moved(grid, self._palm.matrix, self._rest - self._palm.matrix @ self._posed)
        if self._wrist is not None:
            self._wrist.correct(field, grid, self._palm)
        return field

    def _palm_field(self, grid: Floats) -> Floats:
        return self._unmirrored(self._palm_source(grid))

    def _finger_field(self, finger: Finger, k: int) -> Field:
        bent, _, before = self._chains[k]

        def field(grid: Floats) -> Floats:
            made = self._palm_source(grid)
            bent.blend(made, grid, before, finger.radius * self._across)
            return self._unmirrored(made)

        return field

    def _finger_box(self, finger: Finger, k: int) -> Box:
        line = self._chains[k][1]
        reach = finger.reach * self._across + 1
        low, high = line.min(axis=0) - reach, line.max(axis=0) + reach
        return int(low[0]) - 2, int(low[1]) - 2, int(high[0]) + 3, int(high[1]) + 3

    @property
    def _palm_box(self) -> Box:
        (x, y), (h, w) = self._cut.palm.origin, self._cut.palm.texture.shape[:2]
        corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]], np.float32) - self._rest
        if self._mirror is not None:
            corners = corners @ self._mirror.T
        places = self._posed + corners @ self._palm.forward.T
        low, high = places.min(axis=0), places.max(axis=0)
        # Bent at the wrist, what lies behind it is moved with the forearm.
        reach = 0.0 if self._wrist is None else 2 * self._wrist.radius
        low, high = np.minimum(low, self._posed - reach), np.maximum(high, self._posed + reach)
        return int(low[0]) - 3, int(low[1]) - 3, int(high[0]) + 4, int(high[1]) + 4


def _posed_lines(
    cut: CutHand, own: Floats, stiff: Floats, before: Floats, target: HandTarget, across: float
) -> Floats:
    """(F, 4, 2) every finger's middle line in the frame: from its knuckle on the palm, its bones as asked for.

    ``own`` (F, 4, 2) are these lines at rest, ``stiff`` as the palm takes them along, ``before`` (F, 2) the directions
    in which it comes to them.
    """
    wanted = np.stack([chain(target.points, finger.number) for finger in cut.fingers])
    turned, wanted, rest = (lines[:, 1:] - lines[:, :-1] for lines in (stiff, wanted, own))
    vectors = turned + target.weight * (wanted - turned)
    lengths = across * np.hypot(rest[..., 0], rest[..., 1])
    bones = np.stack([unfolded(*each) for each in zip(vectors, lengths, before, strict=True)])
    for one, other in cut.together:
        turn, share = _common(bones[[one, other]], rest[[one, other]], across)
        for k in (one, other):
            bones[k] = np.stack(
                [rotation(float(a)) @ v * s for a, v, s in zip(turn, rest[k], share, strict=True)]
            )
    made = np.empty_like(own)
    made[:, 0] = stiff[:, 0]
    made[:, 1:] = stiff[:, :1] + np.cumsum(bones, axis=1)
    return made


def _common(bones: Floats, rest: Floats, across: float) -> tuple[Floats, Floats]:
    """The mean turn (3,) and stretch (3,) of two fingers' bones (2, 3, 2) against those at rest."""
    total = ((bones @ [1, 1j]) / (rest @ [1, 1j])).sum(axis=0)
    return np.angle(total).astype(np.float32), np.maximum(np.abs(total) / 2, SHORTEST * across).astype(
        np.float32
    )
