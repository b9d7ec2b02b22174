"""What the puppet is asked to do: the character's joints over time, in the output picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class Poses:
    """The character's performance over T frames: pixels of the output picture, float32, never NaN.

    ``joints`` are BlazePose's 33 landmarks. A landmark that is not shown in the reference image, or whose performer's
    part is lost for long, follows its parent rigidly. ``depth`` is in pixels, smaller is nearer to the camera.
    ``facing`` is the cosine of the torso's yaw against the reference's: 1 as in the reference, 0 in profile and
    while the performer shows the back. ``hands`` are the target hand landmarks, ``hand_weight`` how far to trust them
    (eases to 0 where a hand is lost). ``scale`` is the size of the whole figure against the reference image.
    """

    joints: Floats  # (T, 33, 2)
    depth: Floats  # (T, 33)
    facing: Floats  # (T,)
    scale: Floats  # (T,)
    hands: Floats  # (T, 2, 21, 2)
    hand_weight: Floats  # (T, 2)
    shown: NDArray[np.bool_]  # (33,) which landmarks the reference image shows

    def __len__(self) -> int:
        return len(self.joints)
