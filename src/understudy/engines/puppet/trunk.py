"""How the trunk and the head bend: the field of the one layer that is not a limb."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.joint import Joint
from understudy.engines.puppet.parts import HIPS, MOUTH_LEFT, MOUTH_RIGHT, SHOULDERS, Limb, centre
from understudy.engines.puppet.skirt import PosedSkirt
from understudy.engines.puppet.warp import BoneMap, axes, between, inverted, moved, rotation, smoothstep
from understudy.tracking.motion import Floats

MIN_WIDTH = 0.4  # a torso seen from the side is not drawn narrower than this
NECK_START, NECK_END = 0.12, 0.62  # of the way from the shoulders to the mouth
# A raised arm takes its shoulder along, from this elevation over the collarbone's line in degrees up to straight up, by
# these shares of the shoulders' width upwards and towards the neck: the collarbone turns up by about 25 degrees then.
RAISED_DEG = (-30.0, 80.0)
RISE, INWARDS = 0.12, 0.05
SIDEWAYS = (0.5, 0.9)  # of the shoulders' width: a trunk seen from the side does not stretch to its arms
LIFT_REACH = 0.4  # of the shoulders' width: how far about a lifted shoulder the trunk follows
HEAD_POINTS = (0, 2, 5, 7, 8, 9, 10)
LEAST_HEAD = 1e-3  # of its size at rest


@dataclass(frozen=True)
class Frame2D:
    """An oriented frame: ``origin`` (2,), ``axes`` (2, 2) columns: across (character's right to left) and up."""

    origin: Floats
    axes: Floats


def _frame(
    pair: tuple[Floats, Floats], spine: Floats, rest_widths: float | None, rest_spine: float
) -> Frame2D:
    left, right = pair
    if float(np.hypot(*spine)) < 1.0:  # hips on shoulders: bowed towards the camera
        spine = np.array([0.0, -1.0], np.float32)
    across: Floats = left - right
    width = float(np.hypot(*across))
    if rest_widths is not None and width < MIN_WIDTH * rest_widths:
        # In profile the line between the joints is short and turns wildly: square to the spine instead.
        sign = 1.0 if float(across @ np.array([-spine[1], spine[0]])) >= 0 else -1.0
        square = np.array([-spine[1], spine[0]], np.float32) / max(float(np.hypot(*spine)), 1e-3)
        keep = width / (MIN_WIDTH * rest_widths)
        across = keep * across + (1 - keep) * sign * square * MIN_WIDTH * rest_widths
        across = across * (MIN_WIDTH * rest_widths / max(float(np.hypot(*across)), 1e-3))
    up = spine * (max(float(np.hypot(*spine)), 0.35 * rest_spine) / float(np.hypot(*spine)))
    turned = abs(float(across[0] * up[1] - across[1] * up[0]))
    if turned <= 0.05 * float(np.hypot(*across) * np.hypot(*up)):  # also where both joints lie in one place
        across = np.array([-up[1], up[0]], np.float32) * (max(width, 1.0) / float(np.hypot(*up)))
    return Frame2D((left + right) / 2, np.stack([across, up], axis=1).astype(np.float32))


@dataclass(frozen=True)
class TrunkRest:
    """What of the rest pose the trunk's field needs."""

    hips: Frame2D
    shoulders: Frame2D
    mouth: Floats  # (2,)
    head: Floats  # (P, 2) points of the head
    head_width: float

    @classmethod
    def of(cls, joints: Floats) -> TrunkRest:
        spine = centre(joints, SHOULDERS) - centre(joints, HIPS)
        length = float(np.hypot(*spine))
        ears = float(np.hypot(*(joints[7] - joints[8])))
        reach = float(np.hypot(*(joints[0] - centre(joints, SHOULDERS))))
        return cls(
            hips=_frame((joints[HIPS[0]], joints[HIPS[1]]), spine, None, length),
            shoulders=_frame((joints[SHOULDERS[0]], joints[SHOULDERS[1]]), spine, None, length),
            mouth=centre(joints, (MOUTH_LEFT, MOUTH_RIGHT)).astype(np.float32),
            head=joints[list(HEAD_POINTS)].astype(np.float32),
            head_width=max(ears, 0.6 * reach),
        )


def similarity(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Least-squares similarity (Umeyama 1991, no reflection): ``target ~ source @ matrix.T + shift``."""
    a, b = source.mean(axis=0), target.mean(axis=0)
    p, q = source - a, target - b
    norm = max(float((p**2).sum()), 1e-6)
    c = float((p * q).sum()) / norm
    s = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / norm
    matrix = np.array([[c, -s], [s, c]], np.float32)
    return matrix, (b - matrix @ a).astype(np.float32)


def _raised(line: Floats, inwards: Floats, up: Floats) -> float:
    """0 for a hanging arm, 1 for one that points up."""
    arm = line[1] - line[0]
    arm = arm / max(float(np.hypot(*arm)), 1.0)
    elevation = np.degrees(np.arctan2(float(arm @ up), abs(float(arm @ inwards))))
    share = (elevation - RAISED_DEG[0]) / (RAISED_DEG[1] - RAISED_DEG[0])
    return float(smoothstep(np.asarray(share, np.float32)))


@dataclass(frozen=True)
class HipBlend:
    """Where a thigh bends away from the trunk, and where its hip rests across the trunk (-1 right .. 1 left)."""

    joint: Joint
    lateral: float


class TrunkPose:
    """The trunk's inverse field in one frame."""

    def __init__(self, rest: TrunkRest, joints: Floats) -> None:
        self._rest = rest
        spine = centre(joints, SHOULDERS) - centre(joints, HIPS)
        rest_spine = float(np.hypot(*rest.hips.axes[:, 1]))
        hip_width = float(np.hypot(*rest.hips.axes[:, 0]))
        shoulder_width = float(np.hypot(*rest.shoulders.axes[:, 0]))
        self.hips = _frame((joints[HIPS[0]], joints[HIPS[1]]), spine, hip_width, rest_spine)
        self.shoulders = _frame(
            (joints[SHOULDERS[0]], joints[SHOULDERS[1]]), spine, shoulder_width, rest_spine
        )
        matrix, shift = similarity(rest.head, joints[list(HEAD_POINTS)].astype(np.float32))
        if (
            float(np.hypot(*matrix[:, 0])) < LEAST_HEAD
        ):  # a head in one place, at rest or now: it keeps its size
            matrix = np.eye(2, dtype=np.float32)
            shift = joints[list(HEAD_POINTS)].mean(axis=0).astype(np.float32) - rest.head.mean(axis=0)
        self.head_matrix, self.head_shift = matrix, shift
        self._head_back = inverted(matrix)
        self.mouth = matrix @ rest.mouth + shift
        self._lifts: list[tuple[Floats, Floats]] = []

    @property
    def frontal(self) -> float:
        """1 while the shoulders are seen in about their width, 0 in profile."""
        now, rest = (float(np.hypot(*frame.axes[:, 0])) for frame in (self.shoulders, self._rest.shoulders))
        spine = float(np.hypot(*self.hips.axes[:, 1])) / float(np.hypot(*self._rest.hips.axes[:, 1]))
        share = now / max(rest * spine, 1.0)
        return float(smoothstep(np.asarray((share - SIDEWAYS[0]) / (SIDEWAYS[1] - SIDEWAYS[0]))))

    def lifted(self, limb: Limb, line: Floats, rest: Floats) -> Floats:
        """(4, 2) a limb's ``line`` with its shoulder where raising the arm brings it; the trunk follows.

        ``rest`` is the arm's line in the rest pose: an arm that is raised there has lifted its shoulder already.
        """
        if not limb.arm:
            return line
        towards = self.shoulders.axes[:, 0] * (-1.0 if limb.side == 0 else 1.0)
        up = self.shoulders.axes[:, 1]
        width = float(np.hypot(*towards))
        inwards, up = towards / max(width, 1.0), up / max(float(np.hypot(*up)), 1.0)
        was = np.stack(
            [
                self._rest.shoulders.axes[:, 0] * (-1.0 if limb.side == 0 else 1.0),
                self._rest.shoulders.axes[:, 1],
            ]
        )
        was = was / np.maximum(np.hypot(was[:, 0], was[:, 1]), 1.0)[:, None]
        raised = _raised(line, inwards, up) - _raised(rest, was[0], was[1])
        lift = (raised * width * (RISE * up + INWARDS * inwards)).astype(np.float32)
        if float(np.hypot(*lift)) < 0.1:
            return line
        self._lifts.append((line[0] + lift, lift))
        moved = line.copy()
        moved[0] = line[0] + lift
        return moved

    def field(
        self,
        grid: Floats,
        hips: tuple[HipBlend, ...],
        shoulders: tuple[Joint, ...] = (),
        skirt: PosedSkirt | None = None,
        *,
        blends: Blends,
    ) -> Callable[[], Floats]:
        """(..., 2) source of every grid point, once the ``blends`` have run; ``hips`` and ``shoulders`` are where limbs
        bend away, a ``skirt`` is what hangs over the legs."""
        x, y = axes(grid)
        lowered = grid
        for at, lift in self._lifts:
            reach = LIFT_REACH * float(np.hypot(*self.shoulders.axes[:, 0]))
            away = np.hypot(x - at[0], y - at[1]) / np.float32(max(reach, 1.0))
            lowered = between(lowered - lift, lowered, smoothstep(away))
        down = self._through(lowered, self.hips, self._rest.hips)
        up = self._through(lowered, self.shoulders, self._rest.shoulders)
        spine = self.shoulders.origin - self.hips.origin
        along = _along(x, y, self.hips.origin, spine / np.float32(max(float(spine @ spine), 1.0)))
        torso = between(down, up, smoothstep(along))
        for hip in hips:
            blends.add(hip.joint, torso, grid, hip.joint.parent, self._side(x, y, hip))
        if skirt is not None:
            torso += skirt.source(down) - down
        for shoulder in shoulders:
            blends.add(shoulder, torso, grid, shoulder.parent)

        def with_head() -> Floats:
            head = moved(grid, self._head_back, -self._head_back @ self.head_shift)
            return between(torso, head, self._head_share(x, y))

        return with_head

    @staticmethod
    def _through(grid: Floats, posed: Frame2D, rest: Frame2D) -> Floats:
        matrix = rest.axes @ inverted(posed.axes)
        return moved(grid, matrix, rest.origin - matrix @ posed.origin)

    def at_hips(self, points: Floats) -> Floats:
        """(..., 2) points of the frame brought back to the rest pose as if they moved with the hips."""
        return self._through(points, self.hips, self._rest.hips)

    def from_hips(self, points: Floats) -> Floats:
        """(..., 2) the other way."""
        return self._through(points, self._rest.hips, self.hips)

    def _side(self, x: Floats, y: Floats, hip: HipBlend) -> Floats:
        """(...,) 1 on a thigh's side of the crotch, eased to 0 on the other thigh's."""
        across = self.hips.axes[:, 0]
        out = across * np.float32(math.copysign(1.6, hip.lateral) / max(float(across @ across), 1.0))
        return smoothstep(_along(x, y, self.hips.origin, out) + np.float32(0.5))

    def _head_share(self, x: Floats, y: Floats) -> Floats:
        """(...,) 0 on the torso, 1 on the head, eased along the neck; shoulders beside the neck are the torso's."""
        start = self.shoulders.origin
        neck = self.mouth - start
        length = max(float(np.hypot(*neck)), 4.0)
        axis = neck / max(float(np.hypot(*neck)), 1e-3)
        axis = axis / np.float32(length)
        along = _along(x, y, start, axis)
        beside = np.abs(_along(x, y, start, np.array([-axis[1], axis[0]], np.float32)))
        beside -= np.float32(0.55 * self._rest.head_width / length)
        np.maximum(beside, 0, out=beside)
        beside *= np.float32(0.6)
        along -= beside
        along -= np.float32(NECK_START)
        along *= np.float32(1 / (NECK_END - NECK_START))
        return smoothstep(along)


def _along(x: Floats, y: Floats, start: Floats, way: Floats) -> Floats:
    """(...) how far places lie from ``start`` (2,) along ``way`` (2,), times its length."""
    return np.asarray((x - start[0]) * way[0] + (y - start[1]) * way[1], np.float32)


def hip_parent(rest: TrunkRest, pose: TrunkPose) -> BoneMap | None:
    """The trunk's own linear map at the hips, as the parent of a thigh; None while the trunk is mirrored."""
    return _as_bone(rest.hips, pose.hips)


def shoulder_parent(rest: TrunkRest, pose: TrunkPose) -> BoneMap | None:
    """The trunk's own linear map at the shoulders, as the parent of an arm; None while the trunk is mirrored."""
    return _as_bone(rest.shoulders, pose.shoulders)


def _as_bone(rest: Frame2D, posed: Frame2D) -> BoneMap | None:
    matrix = rest.axes @ inverted(posed.axes)
    (a, b), (c, d) = matrix.tolist()
    if a * d - b * c <= 0:
        return None
    # The polar decomposition of a (2, 2) matrix that does not mirror: a turn after a symmetric stretch.
    turn = math.atan2(c - b, a + d)
    return BoneMap(turn, rotation(-turn) @ matrix)
