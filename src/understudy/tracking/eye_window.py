"""Windows of a picture in which eyes are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.eye_pairs import Candidate, EyePair, Place, candidates, with_mouths
from understudy.tracking.face_lines import EYE_CORNERS
from understudy.tracking.motion import Floats
from understudy.tracking.region import Region
from understudy.tracking.tracker import Frame

SIDE = 208  # pixels


@dataclass(frozen=True)
class EyeWindow:
    """A square of the picture in which eyes are looked for."""

    region: Region
    lab: Floats  # (SIDE, SIDE, 3)
    mask: NDArray[np.uint8]  # (SIDE, SIDE)

    @classmethod
    def of(cls, picture: Frame, silhouette: Floats, region: Region) -> EyeWindow:
        matrix, flags = region.matrix(SIDE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        coarse = region.size / SIDE
        # Before it is made smaller the picture is blurred, the part of it that is seen alone.
        x0, y0 = (int(max(v - 0.75 * region.size, 0)) for v in (region.x, region.y))
        x1, y1 = int(region.x + 0.75 * region.size) + 1, int(region.y + 0.75 * region.size) + 1
        part = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        if part.size == 0:
            part, x0, y0 = picture, 0, 0
        if coarse > 1.5:
            part = cv2.GaussianBlur(part, (0, 0), 0.45 * coarse)
        moved = matrix.copy()
        moved[:, 2] -= (x0, y0)
        seen = cv2.warpAffine(part, moved, (SIDE, SIDE), flags=flags, borderValue=(128, 128, 128))
        lab = cv2.cvtColor(cv2.GaussianBlur(seen, (0, 0), 0.7).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        inside = (cv2.warpAffine(silhouette, matrix, (SIDE, SIDE), flags=flags) > 0.4).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        # A head drawn as a ring is a head inside, too.
        return cls(region, np.asarray(lab, np.float32), cv2.drawContours(inside, outlines, -1, 1, -1))

    def into(self, points: Floats) -> Floats:
        return np.asarray(self.region.from_picture(points) * SIDE - 0.5, np.float32)

    def out(self, points: Floats) -> Floats:
        return self.region.to_picture(np.asarray((points + 0.5) / SIDE, np.float32))

    def eyes_of(self, faces: list[tuple[Floats, float]]) -> Floats:
        """(K, 2, 5) the eyes of meshes in the window, as `eye_pairs` takes them."""
        rows = []
        for mesh, score in faces:
            eyes = []
            for corners in EYE_CORNERS:
                a, b = self.into(mesh[list(corners)])
                wide = float(np.linalg.norm(b - a))
                eyes.append([*((a + b) / 2), wide, 0.6 * wide, score])
            rows.append(eyes)
        return np.array(rows, np.float32).reshape(-1, 2, 5)

    def pairs(self, middle: Floats, half: float, faces: list[tuple[Floats, float]]) -> list[FoundEyes]:
        """Eye pairs, best first; ``middle`` (2,) and ``half`` in the picture's pixels are where a head should be."""
        return self.with_mouths(self.candidates(middle, half, faces))

    def candidates(self, middle: Floats, half: float, faces: list[tuple[Floats, float]]) -> list[Candidate]:
        """The pairs of `pairs` before their mouths are looked for."""
        x, y = (float(v) for v in self.into(middle[None])[0])
        place = Place(x, y, half / self.region.size * SIDE, self.region.angle)
        return candidates(self.lab, self.mask, place, self.eyes_of(faces))

    def with_mouths(self, found: list[Candidate]) -> list[FoundEyes]:
        """The candidates with their mouths, best first."""
        coarse = self.region.size / SIDE
        return [
            FoundEyes(self, pair, self.out(pair.boxes[:, :2]), pair.boxes[:, 2:] * np.float32(coarse))
            for pair in with_mouths(self.lab, found)
        ]


@dataclass(frozen=True)
class FoundEyes:
    """A pair of eyes in one of the windows."""

    window: EyeWindow
    pair: EyePair
    eyes: Floats  # (2, 2) their middles, pixels of the picture, the picture's left eye first
    sizes: Floats  # (2, 2) width and height, pixels of the picture

    @property
    def apart(self) -> float:
        return max(float(np.linalg.norm(self.eyes[1] - self.eyes[0])), 1e-3)

    def away(self, other: Floats) -> float:
        """Mean distance of the eyes from others (2, 2), over the eyes' distance."""
        return float(np.linalg.norm(self.eyes - other, axis=1).mean()) / self.apart
