"""What is known of a head's shape: points of its surface in the picture and in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.relief import FaceFrame
from understudy.tracking.motion import Floats

EARS, CHIN = (234, 454), 152  # of the face mesh: before the ears, and the chin's tip
AXIS = 0.12  # how far behind EARS the head's axis runs, over the distance of the outer eye corners
HIDES = 0.05  # of that distance: landmarks so near to each other in the picture hide each other
# Where only the body's landmarks are known, over that distance: the ears' and the mouth's from the eyes (medians of 49
# reference images), the face's half width, and the depth of an egg in a face's place.
EAR_SPANS, MOUTH_SPANS, HALF_WIDTH, EGG = 1.26, 0.71, 0.8, 0.6
CHIN_OVER_MOUTH = 1.7  # distances from the eyes
FOREHEAD_OVER_CHIN = 0.55
ODD = 0.6  # of MOUTH_SPANS: a mouth that is so much nearer or farther belongs to no face as people have it


@dataclass(frozen=True)
class HeadSolid:
    """Points of a face, and the axis about which its head turns: between the ears, behind the face."""

    frame: FaceFrame
    picture: Floats  # (N, 2) pixels
    places: Floats  # (N, 3) from the axis: along the eyes, down, towards the viewer
    axis: Floats  # (2,) of the axis in the face's frame
    chin: float  # down in the face's frame
    sure: bool

    @classmethod
    def of(cls, mesh: Floats) -> HeadSolid:
        frame = FaceFrame.of(mesh)
        places = np.concatenate([frame.into(mesh), -mesh[:, 2:]], axis=1)
        axis = places[list(EARS)].mean(axis=0)
        axis[2] -= AXIS * frame.span
        places = places - axis
        front = _front(places, HIDES * frame.span)
        chin = float(frame.into(mesh[CHIN])[1])
        return cls(frame, mesh[front, :2], places[front], axis[:2], chin, True)

    @classmethod
    def guessed(cls, joints: Floats) -> HeadSolid | None:
        """An egg between ears, eyes and mouth (33, 2)."""
        ears, eyes, mouth = joints[[7, 8]], joints[[2, 5]].mean(axis=0), joints[[9, 10]].mean(axis=0)
        across = ears[0] - ears[1]
        wide = float(np.hypot(*across))
        if not np.isfinite([*across, *eyes, *mouth]).all() or across[0] <= 0.5 * wide:
            return None
        span = wide / EAR_SPANS
        frame = FaceFrame(eyes, across / wide, span)
        low = float(frame.into(mouth)[1])
        if abs(low / span - MOUTH_SPANS) > ODD * MOUTH_SPANS:
            return None
        axis = frame.into(ears.mean(axis=0))
        chin = CHIN_OVER_MOUTH * low
        top = -FOREHEAD_OVER_CHIN * chin
        turn, radius = np.meshgrid(np.linspace(0, 2 * np.pi, 24, endpoint=False), np.linspace(0.05, 0.95, 12))
        u = axis[0] + HALF_WIDTH * span * radius * np.cos(turn)
        v = (top + chin) / 2 + (chin - top) / 2 * radius * np.sin(turn)
        depth = EGG * span * np.sqrt(1 - radius**2)
        places = np.stack([u - axis[0], v - axis[1], depth], axis=-1).reshape(-1, 3)
        picture = (frame.turn(u, v) + frame.origin).reshape(-1, 2)
        return cls(frame, picture, places.astype(np.float32), axis, chin, False)


def _front(placed: Floats, near: float) -> NDArray[np.intp]:
    """Which landmarks are seen: none that another one hides."""
    apart = np.hypot(placed[:, None, 0] - placed[None, :, 0], placed[:, None, 1] - placed[None, :, 1])
    hidden = (apart < near) & (placed[None, :, 2] - placed[:, None, 2] > 10 * near)
    return np.flatnonzero(~hidden.any(axis=1))
