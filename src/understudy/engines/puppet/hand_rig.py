"""A hand whose landmarks are known, made ready to bend in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.hand_belief import believable, freedom
from understudy.engines.puppet.hand_points import THUMB, chain, palm_area
from understudy.engines.puppet.hand_shape import palm_length
from understudy.engines.puppet.hand_skin import foreign
from understudy.tracking.motion import Floats

LEAST_PX = 40.0  # a smaller hand stays stiff: its fingers are a few pixels wide
WIDTH = 0.095  # half a finger's width over the palm's length, wrist to knuckles: adults' hands
THUMB_WIDTH = 1.2  # ... of the thumb, in fingers
WRIST_OFF = 0.7  # of the palm's length: farther from the body's wrist, the hand is somebody else's or wrong


@dataclass(frozen=True)
class RiggedHand:
    """A hand of side 0 (left) or 1: the rest pose's landmarks ``points`` (21, 2), and for the five
    fingers from the thumb on half their widths ``radii`` (5,) in pixels and how ``free`` (5,) they are to move."""

    side: int
    points: Floats
    radii: Floats
    free: Floats

    @cached_property
    def lines(self) -> Floats:
        """(5, 4, 2) the fingers' middle lines."""
        return np.stack([chain(self.points, f) for f in range(5)])

    @cached_property
    def area(self) -> float:
        """Signed, which of its sides shows (`palm_area`)."""
        return palm_area(self.points)


def rig_hand(
    side: int, rgb: NDArray[np.uint8], alpha: Floats, points: Floats, wrist: Floats
) -> RiggedHand | None:
    """The hand with ``alpha`` (H, W) 0..1 in the picture ``rgb``; ``points`` (21, 2) are its
    landmarks, ``wrist`` (2,) is the body's. None where they cannot be believed or the hand is small: it stays stiff."""
    if not np.isfinite(points).all():
        return None
    span = float(np.hypot(*(points[:, None] - points[None]).reshape(-1, 2).T).max())
    ys, xs = np.nonzero(alpha > 1 / 255)
    if span < LEAST_PX or not len(xs):
        return None
    x0, y0 = max(int(xs.min()) - 8, 0), max(int(ys.min()) - 8, 0)
    box = np.s_[y0 : int(ys.max()) + 9, x0 : int(xs.max()) + 9]
    own = points - np.array([x0, y0], np.float32)
    length = palm_length(points)
    if float(np.hypot(*(points[0] - wrist))) > WRIST_OFF * length:
        return None
    radii = np.full(5, WIDTH * length, np.float32)
    radii[THUMB] *= THUMB_WIDTH
    inside = alpha[box] > 0.5
    if not believable(inside, own, radii, foreign(rgb[box], inside, own)):
        return None
    return RiggedHand(side, points.astype(np.float32), radii, freedom(inside, own, radii))
