"""An arm straightened: the picture sampled across its bones, from the shoulder to the fingertips."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.parts import Limb
from understudy.engines.puppet.seam import STATION_PX, normal_outwards
from understudy.tracking.motion import Floats
from understudy.tracking.series import gaussian

TURN = 5.0  # stations about a joint over which the normals turn from one bone's to the next one's
# Where along the arm it is as wide as which bone (upper arm, forearm, hand).
WIDE_AT = ((0.0, 0), (0.6, 0), (1.35, 1), (1.8, 1), (2.15, 2), (3.0, 2))


class Strip:
    """Stations along an arm and what lies across it there.

    ``points`` (N, 2) on the bones and their ``normals`` (N, 2), pointing outwards; ``along`` (N,) number of the bone
    plus share of the way; ``widths`` (N,) expected half widths; ``across`` (S,) pixels outwards from the bone.
    """

    def __init__(self, limb: Limb, line: Floats, radii: Floats, joints: Floats, reach: float) -> None:
        """``line`` (4, 2) the arm's points, ``radii`` (3,) expected half widths, ``reach`` pixels to each side."""
        points, normals, along = [], [], []
        first = line[1] - line[0]
        outwards = normal_outwards(limb, line[0], line[1], joints)
        turned = 1.0 if float(outwards @ np.array([-first[1], first[0]])) >= 0 else -1.0
        for k in range(3):
            bone = line[k + 1] - line[k]
            length = float(np.linalg.norm(bone))
            share = np.linspace(0, 1, max(int(length / STATION_PX), 2), dtype=np.float32)
            normal = turned * np.array([-bone[1], bone[0]], np.float32) / max(length, 1e-6)
            points.append(line[k] + share[:, None] * bone)
            normals.append(np.repeat((normal if length >= 2 else outwards)[None], len(share), axis=0))
            along.append(k + share)
        self.points: Floats = np.concatenate(points).astype(np.float32)
        self.along: Floats = np.concatenate(along).astype(np.float32)
        soft = gaussian(np.concatenate(normals), TURN)
        size = np.maximum(np.linalg.norm(soft, axis=1, keepdims=True), 1e-6)
        self.normals: Floats = (soft / size).astype(np.float32)
        places, bones = zip(*WIDE_AT, strict=True)
        self.widths: Floats = np.interp(self.along, places, radii[list(bones)]).astype(np.float32)
        self.across: Floats = np.arange(-int(reach), int(reach) + 1, dtype=np.float32)
        self._places = self.points[:, None, :] + self.across[None, :, None] * self.normals[:, None, :]

    def sampled(self, picture: Floats) -> Floats:
        """(N, S[, C]) the picture (H, W[, C]) across the arm; beyond its edges its last pixels."""
        sampled: Floats = cv2.remap(
            picture, self._places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        return sampled

    def ends(self, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """((N,), (N,)) how far from the bone what is ``inside`` (N, S) ends, outwards and inwards."""
        middle = len(self.across) // 2
        ends = []
        for side in (~inside[:, middle:], ~inside[:, middle::-1]):
            ends.append(np.where(side.any(axis=1), side.argmax(axis=1), middle + 1).astype(np.float32))
        return ends[0], ends[1]
