"""How the camera moved: a similarity from each frame to the next, from corners outside the performer."""

from __future__ import annotations

import cv2
import numpy as np

from understudy.tracking.motion import Floats
from understudy.tracking.thumbnail import Grey

EVERY = 3  # frames between two measurements; those between are interpolated
CORNERS = 80
ENOUGH = 12  # corners that must agree
AGREE = 0.5  # share of them
MARGIN = 0.12  # of the performer's box, grown on each side
STILL_PX = 0.12  # movement of the small picture's corners under which a step counts as none
NONE_SHARE = 0.004  # of the picture's diagonal: a camera that moves less in a whole clip stands still


class CameraMovement:
    """Fed every frame's small grey copy; sums the steps up to affines from the shot's first frame.

    A new shot begins at the identity: between two shots no movement is defined.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._anchor: tuple[int, Grey, Floats] | None = None
        self._steps: dict[int, Floats] = {}  # (3, 3) absolute, in the small picture, at measured frames
        self._cuts: list[int] = []
        self._scale = 1.0
        self._count = 0

    def add(self, grey: Grey, body: Floats | None, *, cut: bool) -> None:
        """The next frame; ``body`` (33, 3) in pixels of the full picture, or None where nobody is tracked."""
        frame = self._count
        self._count += 1
        self._scale = grey.shape[1] / self._size[0]
        box = self._box(grey, body)
        if cut or self._anchor is None:
            if cut:
                self._cuts.append(frame)
            self._steps[frame] = np.eye(3, dtype=np.float32)
            self._anchor = (frame, grey, box)
        elif frame - self._anchor[0] >= EVERY:
            before, earlier, its_box = self._anchor
            step = self._measure(earlier, grey, its_box, box)
            self._steps[frame] = np.asarray(step @ self._steps[before], np.float32)
            self._anchor = (frame, grey, box)

    def affines(self) -> Floats | None:
        """(T, 2, 3) in pixels of the full picture, or None where the camera stands still all the time."""
        if not self._count:
            return None
        whole = np.tile(np.eye(3, dtype=np.float32), (self._count, 1, 1))
        edges = [0, *self._cuts, self._count]
        for start, stop in zip(edges[:-1], edges[1:], strict=True):
            known = [f for f in sorted(self._steps) if start <= f < stop]
            values = np.stack([self._steps[f] for f in known]).reshape(len(known), 9)
            places = np.arange(start, stop)
            for entry in range(9):
                whole[start:stop, entry // 3, entry % 3] = np.interp(places, known, values[:, entry])
        whole[:, :2, 2] /= np.float32(self._scale)
        width, height = self._size
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float32)
        moved = np.einsum("tij,kj->tki", whole[:, :2], corners) - corners[:, :2]
        if float(np.abs(moved).max()) < NONE_SHARE * float(np.hypot(width, height)):
            return None
        return np.asarray(whole[:, :2], np.float32)

    def _box(self, grey: Grey, body: Floats | None) -> Floats:
        """x0, y0, x1, y1 about the performer in the small picture."""
        if body is None:
            return np.zeros(4, np.float32)
        points = body[:, :2] * self._scale
        low, high = points.min(axis=0), points.max(axis=0)
        grow = MARGIN * (high - low).max()
        return np.concatenate([low - grow, high + grow]).astype(np.float32)

    def _measure(self, earlier: Grey, later: Grey, its_box: Floats, box: Floats) -> Floats:
        mask = np.full(earlier.shape, 255, np.uint8)
        for x0, y0, x1, y1 in (its_box, box):
            mask[max(0, int(y0)) : max(0, int(y1)), max(0, int(x0)) : max(0, int(x1))] = 0
        still = np.eye(3, dtype=np.float32)
        corners = cv2.goodFeaturesToTrack(earlier, CORNERS, 0.02, 7, mask=mask)
        if corners is None or len(corners) < ENOUGH:
            return still
        followed, seen, _ = cv2.calcOpticalFlowPyrLK(
            earlier, later, corners, None, winSize=(13, 13), maxLevel=3
        )
        good = seen[:, 0] == 1
        if good.sum() < ENOUGH:
            return still
        found, inliers = cv2.estimateAffinePartial2D(
            corners[good], followed[good], ransacReprojThreshold=1.0, maxIters=200
        )
        if found is None or inliers.sum() < max(ENOUGH, AGREE * good.sum()):
            return still
        step = np.vstack([found, [0, 0, 1]]).astype(np.float32)
        height, width = earlier.shape
        ends = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float32)
        if float(np.abs(ends @ step[:2].T - ends[:, :2]).max()) < STILL_PX * EVERY:
            return still
        return step
