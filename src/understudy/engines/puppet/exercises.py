"""Range of motion: poses that take every joint of a rig far from the reference image, without any video.

Angles are degrees in the picture, measured from where the trunk points (shoulders to hips): 0 hangs down, 90 is
straight out to the limb's own side, negative crosses the body. Points of the plane are complex numbers, x + iy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.parts import HEAD, HIPS, SHOULDERS
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.rest import poses_at
from understudy.engines.puppet.rig import Rig

Points = NDArray[np.complex128]
Bend = tuple[float, float]  # degrees of a limb's upper and lower bone
Bends = tuple[Bend, Bend]  # left, right: the character's own

UPPER_BODY = slice(0, 23)
CHAINS: Final = (  # root, middle joint, end joint and what hangs on it; left before right
    ((11, 13, 15, (17, 19, 21)), (12, 14, 16, (18, 20, 22))),
    ((23, 25, 27, (29, 31)), (24, 26, 28, (30, 32))),
)
LEAST_LOWER = 0.6  # a lower bone that the reference shows shortened, in lengths of the upper one
LEAST_DIRECTION = 0.3  # below this share of the upper bone a lower one has no direction to speak of


@dataclass(frozen=True)
class Exercise:
    """One pose. Arms or legs that are None stay as the reference image has them."""

    name: str
    arms: Bends | None = None
    legs: Bends | None = None
    lean_deg: float = 0.0  # of everything above the hips, clockwise
    nod_deg: float = 0.0  # of the head about the neck, clockwise


EXERCISES: Final = (
    Exercise("arms out", arms=((90, 90), (90, 90))),
    Exercise("arms up", arms=((150, 165), (150, 165))),
    Exercise("elbows bent", arms=((40, -60), (60, 170))),
    Exercise("knee raised", arms=((120, 60), (30, 30)), legs=((75, -10), (5, 5))),
    Exercise("legs apart", arms=((60, 170), (20, -95)), legs=((30, 25), (30, 25))),
    Exercise("leaning", arms=((45, 45), (130, 60)), legs=((10, 10), (40, 35)), lean_deg=-15, nod_deg=15),
)


def exercise_poses(rig: Rig, exercises: tuple[Exercise, ...] = EXERCISES) -> Poses:
    """The rig's character in each of the ``exercises``, one frame each."""
    rest = rig.joints.astype(np.float64) @ np.array([1, 1j])
    posed = np.stack([_posed(rest, exercise) for exercise in exercises])
    return poses_at(rig, np.stack([posed.real, posed.imag], axis=-1))


def _posed(rest: Points, exercise: Exercise) -> Points:
    """(33,) joints of one exercise."""
    joints = rest.copy()
    hips = rest[[*HIPS]].mean()
    trunk = _unit(hips - rest[[*SHOULDERS]].mean(), 1j)
    lean = np.exp(1j * np.radians(exercise.lean_deg))
    joints[UPPER_BODY] = hips + lean * (rest[UPPER_BODY] - hips)
    neck = joints[[*SHOULDERS]].mean()
    nod = np.exp(1j * np.radians(exercise.nod_deg))
    joints[[*HEAD]] = neck + nod * (joints[[*HEAD]] - neck)
    # The shoulders may be swapped in the picture: a character seen from behind.
    across = rest[SHOULDERS[0]] - rest[SHOULDERS[1]]
    outwards = 1.0 if (np.conj(trunk) * across).imag > 0 else -1.0
    for chains, bends, hang in (
        (CHAINS[0], exercise.arms, trunk * lean),
        (CHAINS[1], exercise.legs, trunk),
    ):
        for side, chain in enumerate(chains):
            if bends is not None:
                _bend(joints, rest, chain, bends[side], hang, outwards if side == 0 else -outwards)
    return joints


def _bend(
    joints: Points,
    rest: Points,
    chain: tuple[int, int, int, tuple[int, ...]],
    bend: Bend,
    hang: complex,
    outwards: float,
) -> None:
    """Put one limb's joints, in place. Bones keep their lengths in the picture, hands and feet their angle."""
    root, middle, end, far = chain
    upper, lower = rest[middle] - rest[root], rest[end] - rest[middle]
    toward = [hang * np.exp(1j * outwards * np.radians(angle)) for angle in bend]
    joints[middle] = joints[root] + abs(upper) * toward[0]
    joints[end] = joints[middle] + max(abs(lower), LEAST_LOWER * abs(upper)) * toward[1]
    told = abs(lower) > LEAST_DIRECTION * abs(upper)
    turn = toward[1] / _unit(lower if told else hang, 1j)
    for point in far:
        joints[point] = joints[end] + turn * (rest[point] - rest[end])


def _unit(vector: complex, otherwise: complex) -> complex:
    length = abs(vector)
    return vector / length if length > 1e-6 else otherwise
