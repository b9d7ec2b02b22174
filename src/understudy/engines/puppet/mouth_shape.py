"""Mouth shape: what of a mouth is build and what is expression, from one mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.engines.puppet.relief import smooth
from understudy.engines.puppet.skin_points import MOUTH, places
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER
from understudy.tracking.motion import Floats

# Gap of the inner lips that the mesh gives closed mouths, usually and at most, and one that is surely an open mouth.
CLOSED, STILL_CLOSED, OPEN = 0.015, 0.035, 0.07
USUAL_WIDTH = 0.53  # width of mouths at rest, measured on 20 reference images; build makes 0.48 to 0.60
LEAST_WIDTH, MOST_WIDTH = 0.48, 0.60
JAW_SHARE = 0.8  # of a gap that the jaw makes
GRIN = 0.2  # a mouth so much wider than any at rest is all grin
SCALES = (
    0.75,
    1.3,
)  # a jaw or a mouth so much smaller or larger than the performer's moves by as much less or more


@dataclass(frozen=True)
class MouthShape:
    """The skin points of one face about its mouth ``(len(MOUTH), 2)``, over the distance of the outer eye corners."""

    points: Floats

    @classmethod
    def of(cls, skin: Floats) -> MouthShape:
        """From all skin points ``(len(SKIN), 2)``."""
        return cls(np.asarray(skin[: len(MOUTH)], np.float64))

    @property
    def gap(self) -> float:
        upper, lower = self._line(INNER_UPPER), self._line(INNER_LOWER)
        return max(float((lower[3:8, 1] - upper[3:8, 1]).mean()), 0.0)

    @property
    def width(self) -> float:
        return float(np.ptp(self.points[places((61, 291)), 0]))

    @property
    def rest_width(self) -> float:
        """The width at rest: builds differ less than smiles, and by half of what a single picture shows."""
        return float(np.clip((self.width + USUAL_WIDTH) / 2, LEAST_WIDTH, MOST_WIDTH))

    @property
    def jaw(self) -> float:
        """From the nose's foot to the chin, mouth closed."""
        foot, chin = self.points[places((2, 152)), 1]
        return max(float(chin - foot) - JAW_SHARE * self._opened(), 0.1)

    def shown(self) -> Floats:
        """Shift ``(len(MOUTH), 2)`` of this shape from its own rest: an open mouth, a smile, a pucker."""
        return self._opened() * self._opening() + (self.width - self.rest_width) * self._widening()

    def over(self, other: MouthShape) -> Floats:
        """(2,) this mouth's size over another's, across and down."""
        sizes = self.rest_width / other.rest_width, self.jaw / other.jaw
        return np.asarray(np.clip(np.array(sizes), *SCALES))

    def _opened(self) -> float:
        surely = float(smooth((self.gap - STILL_CLOSED) / (OPEN - STILL_CLOSED)))
        return surely * (self.gap - CLOSED)

    def _line(self, landmarks: tuple[int, ...]) -> Floats:
        return self.points[places(landmarks)]

    def _across(self) -> tuple[Floats, Floats]:
        """For every point -1 to 1 between the corners, and how far it lies beyond one."""
        corners = self.points[places((78, 308)), 0]
        half = max(float(np.ptp(corners)) / 2, 0.02)
        t = (self.points[:, 0] - corners.mean()) / half
        return t, np.maximum(np.abs(t) - 1.0, 0.0) * half

    def _opening(self) -> Floats:
        """Shift for a gap of 1: the lower lip goes with the jaw, the corners a part of the way, the upper lip up.

        A wide mouth is a grin: the upper lip makes more of its gap, and the jaw less.
        """
        grin = float(smooth((self.width - MOST_WIDTH) / GRIN))
        lift, drop = 0.1 + 0.15 * grin, 0.88 - 0.5 * grin
        t, beyond = self._across()
        u, v = self.points.T
        upper, lower = self._line(INNER_UPPER), self._line(INNER_LOWER)
        line = np.interp(u, (upper + lower)[:, 0] / 2, (upper + lower)[:, 1] / 2)
        below = v > line
        below[places(INNER_UPPER[1:-1])], below[places(INNER_LOWER[1:-1])] = False, True
        parted = np.clip(1.0 - t * t, 0.0, 1.0) ** 0.55
        corner = 0.30 * np.exp(-((beyond / 0.28) ** 2)) * (1.0 - parted)
        chin = float(self.points[places((152,))[0], 1])
        seam = float(lower[5, 1])
        mix = smooth((v - line) / (0.55 * max(chin - seam, 0.1)))
        jaw = drop * smooth(1.0 - (np.abs(u - upper[5, 0]) - 0.26) / 0.56)
        nose = float(self.points[places((2,))[0], 1])
        fall = smooth(1.0 - (line - v) / max(0.9 * (float(upper[5, 1]) - nose), 0.05))
        down = np.where(
            below, (corner + (1 - lift) * parted) * (1 - mix) + jaw * mix, (corner - lift * parted) * fall
        )
        return np.stack([np.zeros_like(down), down], axis=-1)

    def _widening(self) -> Floats:
        """Shift for a mouth wider by 1: corners aside and as much up, cheeks before them, the upper lip a little up.

        Measured on clips in which people smile.
        """
        t, beyond = self._across()
        seam = float(self._line(INNER_LOWER)[[0, -1], 1].mean())
        side = np.clip(t, -1.0, 1.0) * np.exp(-((beyond / 0.30) ** 2))
        band = np.exp(-(((self.points[:, 1] - seam) / 0.30) ** 2))
        lip = np.where(self.points[:, 1] < seam, 0.15, 0.0)
        return np.stack([0.5 * side * band, -(lip + (0.5 - lip) * side**2) * band], axis=-1)
