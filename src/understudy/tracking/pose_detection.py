"""Finding people in a picture: BlazePose's detector, an SSD of one class with four keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from understudy.tracking.motion import Floats
from understudy.tracking.network import Network
from understudy.tracking.region import Region
from understudy.tracking.tracker import Frame

SIDE = 224
# Cells of 8, 16 and thrice 32 pixels, two anchors each; anchors of one stride lie together in a cell.
LAYERS = ((8, 2), (16, 2), (32, 6))
BODY_MARGIN = 1.25
SUPPRESS_OVERLAP = 0.3


@dataclass(frozen=True)
class Candidate:
    """Somebody who may be there: score 0..1, the square to look for landmarks in, and the face, in pixels."""

    score: float
    region: Region
    face: Region


def anchors() -> Floats:
    """(2254, 2) centres of the detector's anchors, 0 to 1 across the input; their size is fixed at 1."""
    centres = []
    for stride, count in LAYERS:
        cells = SIDE // stride
        line = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, count, axis=0))
    return np.concatenate(centres).astype(np.float32)


class PoseDetector:
    """Looks at the whole picture, letterboxed into 224 x 224."""

    def __init__(self, *, threads: int = 1) -> None:
        self._network = Network("pose_detection", threads=threads)
        self._anchors = anchors()

    def detect(self, frame: Frame, *, min_score: float = 0.5) -> list[Candidate]:
        """Everybody seen with at least ``min_score``, best first."""
        height, width = frame.shape[:2]
        whole = Region(width / 2, height / 2, float(max(width, height)), 0.0)
        whole.crop(frame, self._network, low=-1.0, replicate=False)
        raw, logits = self._network.run()
        scores = np.asarray(1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80))), np.float32)
        keep = np.flatnonzero(scores >= min_score)
        keep = keep[np.argsort(-scores[keep], kind="stable")]
        places = np.asarray(raw[keep] / SIDE, np.float32)
        # A box is its centre and size, then four points; everything but the size hangs on the anchor.
        places[:, 0:2] += self._anchors[keep]
        places[:, 4:] += np.tile(self._anchors[keep], 4)
        found = []
        for place, score in merge(places, scores[keep]):
            points = whole.to_picture(np.stack([place[4:6], place[6:8], place[0:2]]))
            region = Region.around(points[0], points[1], up=pi / 2).scaled(BODY_MARGIN)
            if region.size > 0:
                x, y = (float(v) for v in points[2])
                face = Region(x, y, float(place[2:4].max()) * whole.size, 0.0)
                found.append(Candidate(score, region, face))
        return found


def merge(places: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Weighted non-maximum suppression: boxes that overlap the best one become one, averaged by score.

    ``places`` (N, 12) begin with centre x, y, width, height; sorted by ``scores`` (N,), best first.
    """
    merged = []
    rest = np.arange(len(scores))
    while rest.size:
        overlap = _iou(places[rest[0]], places[rest])
        overlap[0] = 1.0
        near = overlap > SUPPRESS_OVERLAP
        group = rest[near]
        weights = scores[group]
        merged.append(
            ((places[group] * weights[:, None]).sum(axis=0) / weights.sum(), float(scores[rest[0]]))
        )
        rest = rest[~near]
    return merged


def _iou(one: Floats, many: Floats) -> Floats:
    low = np.maximum(one[:2] - one[2:4] / 2, many[:, :2] - many[:, 2:4] / 2)
    high = np.minimum(one[:2] + one[2:4] / 2, many[:, :2] + many[:, 2:4] / 2)
    shared = np.clip(high - low, 0, None).prod(axis=1)
    union = one[2] * one[3] + many[:, 2] * many[:, 3] - shared
    result: Floats = shared / np.maximum(union, np.float32(1e-9))
    return result
