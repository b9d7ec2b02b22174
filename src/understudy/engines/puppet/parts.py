"""The puppet's parts and the points that hold them: one trunk with the head, and four limbs of three segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

NOSE, MOUTH_LEFT, MOUTH_RIGHT = 0, 9, 10
EARS: Final = (7, 8)
SHOULDERS: Final = (11, 12)  # left, right: the character's own
HIPS: Final = (23, 24)
HEAD: Final = tuple(range(11))

# How far the fingertips and the toe's tip lie beyond the knuckles and the toe's joint, in lengths of the
# last bone that BlazePose marks (wrist to knuckles, ankle to toe); from hand and foot proportions of adults.
FINGER_REACH = 2.1
TOE_REACH = 1.15

# Of a thigh that comes forward the picture shows less than so many figure sizes: a standing adult's shows 0.7 to 1,
# but so does a dwarf's. That it lies this far from straight down, or the knee so far before the hip, tells them apart.
SHORT_THIGH = 0.5
ASIDE = np.radians(55)
FORWARD = 1.2  # figure sizes


@dataclass(frozen=True)
class Limb:
    """A chain of four points: root joint, middle joint, end joint, and the far point of hand or foot.

    ``points`` are landmark numbers; the far point is the mean of ``far``.
    """

    name: str
    points: tuple[int, int, int]
    far: tuple[int, ...]
    segments: tuple[str, str, str]
    side: int  # 0 left, 1 right
    arm: bool

    def polyline(self, joints: Floats) -> Floats:
        """(..., 33, 2) landmarks to (..., 4, 2): the chain's points."""
        far = joints[..., list(self.far), :].mean(axis=-2, keepdims=True)
        return np.concatenate([joints[..., list(self.points), :], far], axis=-2)


LIMBS: Final = (
    Limb("left arm", (11, 13, 15), (17, 19), ("left upper arm", "left forearm", "left hand"), 0, True),
    Limb("right arm", (12, 14, 16), (18, 20), ("right upper arm", "right forearm", "right hand"), 1, True),
    Limb("left leg", (23, 25, 27), (31,), ("left thigh", "left shin", "left foot"), 0, False),
    Limb("right leg", (24, 26, 28), (32,), ("right thigh", "right shin", "right foot"), 1, False),
)


def centre(joints: Floats, pair: tuple[int, int]) -> Floats:
    """(..., 33, 2) to (..., 2): the point between two landmarks."""
    middle: Floats = (joints[..., pair[0], :] + joints[..., pair[1], :]) / 2
    return middle


def figure_size(joints: Floats) -> float:
    """A length in pixels that stands for the figure's size and is there for busts and full figures alike:
    the larger of shoulder width times 1.4 and of the spine's length (for adults both are about 0.3 heights)."""
    shoulders = float(np.linalg.norm(joints[11] - joints[12]))
    spine = float(np.linalg.norm(centre(joints, SHOULDERS) - centre(joints, HIPS)))
    return max(1.4 * shoulders, spine, 8.0)


def moving_limbs(
    shown: NDArray[np.bool_], joints: Floats | None = None, depth: Floats | None = None
) -> tuple[Limb, ...]:
    """The limbs that can be moved: an arm that is shown to the wrist, a leg that is shown to the knee.

    A limb which the picture's edge cuts before that would show the cut as soon as it moves; it stays with the trunk.
    So do the legs of somebody seated, as ``joints`` (33, 2) and their ``depth`` (33,) tell: what thighs that point at
    the camera hide cannot be made up, and legs that stay are better than torn ones.
    """
    seated = joints is not None and is_seated(joints, depth)
    return tuple(
        limb
        for limb in LIMBS
        if all(shown[list(limb.points[: 3 if limb.arm else 2])]) and (limb.arm or not seated)
    )


def is_seated(joints: Floats, depth: Floats | None = None) -> bool:
    """Whether both thighs are foreshortened because they come forward or lie aside, not because they are short."""
    size = figure_size(joints)
    spine = centre(joints, HIPS) - centre(joints, SHOULDERS)
    aside = forward = False
    for limb in LIMBS:
        if limb.arm:
            continue
        root, middle, _ = limb.points
        thigh = joints[middle] - joints[root]
        length = float(np.hypot(*thigh))
        if not length < SHORT_THIGH * size:  # NaN is no length
            return False
        cosine = float(thigh @ spine) / max(length * float(np.hypot(*spine)), 1e-6)
        aside |= bool(cosine < np.cos(ASIDE))
        if depth is not None:
            forward |= bool(float(depth[root] - depth[middle]) > FORWARD * size)
    return bool(aside or forward)
