"""The matte: which pixels are the character, how much of each, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import Segment, person_belief
from understudy.engines.puppet.foreground import estimate_foreground
from understudy.tracking.backdrop import find_backdrop
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Person


@dataclass(frozen=True)
class Matte:
    """``alpha`` (H, W) float32 0..1 is how much of each pixel is the character, ``foreground`` its own colour."""

    alpha: Floats
    foreground: NDArray[np.uint8]  # (H, W, 3)


class Matter(Protocol):
    """Anything that mattes: `matte`, a learned network, a fake."""

    def __call__(
        self, rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment
    ) -> Matte: ...


class FakeMatter:
    """Gives back a prepared alpha: for tests of a matter's users."""

    def __init__(self, alpha: Floats) -> None:
        self._alpha = alpha

    def __call__(
        self, rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment
    ) -> Matte:
        return Matte(self._alpha, rgb)


def matte(rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment) -> Matte:
    """The character of a picture (H, W, 3) whose short side is near 720.

    ``given_alpha`` (H, W), the picture's own channel, is trusted. ``person`` has NaN joints where nobody was found.
    ``segment`` gives the person mask (h, w) of a crop (h, w, 3).
    """
    if given_alpha is not None:
        alpha = given_alpha.astype(np.float32) / 255
        return Matte(alpha, estimate_foreground(rgb, alpha))
    belief = person_belief(rgb, person, segment)
    backdrop = find_backdrop(rgb)
    if backdrop is not None and not np.isfinite(person.body).all():
        belief = (~(backdrop.mask | backdrop.holes)).astype(np.float32)
    alpha = cv2.GaussianBlur(belief, (0, 0), 1.5)
    alpha = np.clip((alpha - 0.3) / 0.4, 0, 1).astype(np.float32)
    return Matte(alpha, estimate_foreground(rgb, alpha))
