"""How the camera moved: a similarity from a shot's first frame to each later one, from corners outside the performer.

Corners of a key frame are followed (Lucas and Kanade) and a similarity fitted to them by RANSAC. Each frame is
measured against the key frame, not the one before, so that a camera at rest does not drift; a new key frame is
taken only when the camera has left the old one.

Where the camera has rested for a while every second measurement is put off, and made up for where the next one finds
that it rests no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats
from understudy.tracking.thumbnail import Grey

EVERY = 3  # frames between two measurements; those between are interpolated
RESTED = 4  # measurements in a row that found it where it was
CORNERS = 90
ENOUGH = 14  # corners that must agree
AGREE = 0.5  # share of those followed
SPREAD = 0.25  # of the picture's width or height that the agreeing ones must span in both directions
RENEW = 0.3  # of the picture's short side: a shift from which a new key frame is taken
PATIENCE = 15  # measurements in a row that may fail before that
RETURN_PX = 0.7  # how near a corner must come back to itself when followed there and back
STILL_PX = 0.6  # in the small picture: less than this from the key frame is no movement
THICK = 0.6  # of a limb as it is left out, over the torso's size
LIMBS = ((11, 13, 15, 19), (12, 14, 16, 20), (23, 25, 27, 31), (24, 26, 28, 32), (11, 12, 24, 23, 11))
NONE_SHARE = 0.006  # of the picture's diagonal: a camera that moves less in a whole clip stands still


@dataclass
class _Key:
    """A frame that others are measured against."""

    grey: Grey
    corners: NDArray[np.float32]  # (N, 1, 2)
    base: Floats  # (3, 3) from the shot's first frame to this one
    missed: int = 0  # measurements in a row that failed


class CameraMovement:
    """Fed every frame's small grey copy; gives affines from the shot's first frame.

    A new shot begins at the identity: between two shots no movement is defined.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._key: _Key | None = None
        self._known: dict[int, Floats] = {}  # (3, 3) in the small picture, at measured frames
        self._cuts: list[int] = []
        self._scale = 1.0
        self._count = 0
        self._rested = 0
        self._put_off: tuple[int, Grey, Floats | None] | None = None

    def add(self, grey: Grey, body: Floats | None, *, cut: bool) -> None:
        """The next frame; ``body`` (33, 3) in pixels of the full picture, or None where nobody is tracked."""
        frame = self._count
        self._count += 1
        self._scale = grey.shape[1] / self._size[0]
        if cut or frame == 0:
            self._make_up()
            self._rested = 0
            if cut:
                self._cuts.append(frame)
            self._known[frame] = np.eye(3, dtype=np.float32)
            self._key = self._new_key(grey, body, self._known[frame])
        elif (frame - max([0, *self._cuts[-1:]])) % EVERY == 0:
            if self._rested >= RESTED and self._put_off is None:
                self._put_off = frame, grey, body
                return
            last, key = self._known[max(self._known)], self._key
            now = self._measure(grey, body)
            if now is not None and np.array_equal(now, last):
                self._rested += 1
                self._put_off = None
            else:
                self._rested = 0
                after, self._key = self._key, key
                self._make_up()
                self._key = after
            if now is not None:
                self._known[frame] = now

    def _make_up(self) -> None:
        """Make the measurement that was put off, if there is one."""
        if self._put_off is None:
            return
        frame, grey, body = self._put_off
        self._put_off = None
        now = self._measure(grey, body)
        if now is not None:
            self._known[frame] = now

    def affines(self) -> Floats | None:
        """(T, 2, 3) in pixels of the full picture, or None where the camera stands still all the time."""
        if not self._count:
            return None
        self._make_up()
        whole = np.tile(np.eye(3, dtype=np.float32), (self._count, 1, 1))
        for start, stop in pairwise([0, *self._cuts, self._count]):
            known = [f for f in sorted(self._known) if start <= f < stop]
            values = np.stack([self._known[f] for f in known]).reshape(len(known), 9)
            places = np.arange(start, stop)
            for entry in range(9):
                whole[start:stop, entry // 3, entry % 3] = np.interp(places, known, values[:, entry])
        whole[:, :2, 2] /= np.float32(self._scale)
        width, height = self._size
        moved = np.einsum("tij,kj->tki", whole[:, :2], _corners(width, height))
        if float(np.abs(moved - moved[:1]).max()) < NONE_SHARE * float(np.hypot(width, height)):
            return None
        return np.asarray(whole[:, :2], np.float32)

    def _new_key(self, grey: Grey, body: Floats | None, base: Floats) -> _Key | None:
        mask = np.where(self._cover(grey, body) > 0, 0, 255).astype(np.uint8)
        corners = cv2.goodFeaturesToTrack(grey, CORNERS, 0.02, 8, mask=mask)
        if corners is None or len(corners) < ENOUGH:
            return None
        return _Key(grey, np.asarray(corners, np.float32), base)

    def _measure(self, grey: Grey, body: Floats | None) -> Floats | None:
        """From the shot's first frame to this one, or None where too little of the background can be seen."""
        last = self._known[max(self._known)]
        key = self._key
        if key is None:
            self._key = self._new_key(grey, body, last)
            return None
        guess = np.asarray(last @ np.linalg.inv(key.base), np.float32)
        expected = key.corners @ guess[:2, :2].T + guess[:2, 2]
        found, seen = _follow(key.grey, grey, key.corners, expected)
        back, seen_back = _follow(grey, key.grey, found, key.corners)
        returned = np.abs(back - key.corners).max(axis=(1, 2)) < RETURN_PX
        good = seen & seen_back & returned & ~self._covered(found, self._cover(grey, body))
        step = _fit(key.corners[good], found[good], grey.shape)
        if step is None:
            key.missed += 1
            if key.missed > PATIENCE:
                self._key = self._new_key(grey, body, last)
            return None
        key.missed = 0
        now = np.asarray(step @ key.base, np.float32)
        if float(np.abs(step[:2, 2]).max()) > RENEW * min(grey.shape):
            self._key = self._new_key(grey, body, now) or key
        return now

    def _cover(self, grey: Grey, body: Floats | None) -> Grey:
        """Where the performer is in the small picture: their limbs, drawn thick."""
        cover = np.zeros(grey.shape, np.uint8)
        if body is None:
            return cover
        points = np.clip(body[:, :2] * np.float32(self._scale), -4000, 4000).astype(np.int32)
        torso = points[[11, 12, 24, 23]]
        long = float(np.linalg.norm(torso[0] - torso[3]) + np.linalg.norm(torso[0] - torso[1])) / 2
        width = max(3, int(THICK * long))
        cv2.fillConvexPoly(cover, cv2.convexHull(torso), 255)
        for limb in LIMBS:
            cv2.polylines(cover, [points[list(limb)]], False, 255, width)
        head = points[0]
        cv2.circle(cover, (int(head[0]), int(head[1])), int(0.55 * long), 255, -1)
        return cover

    @staticmethod
    def _covered(points: NDArray[np.float32], cover: Grey) -> NDArray[np.bool_]:
        height, width = cover.shape
        x = np.clip(points[:, 0, 0], 0, width - 1).astype(np.intp)
        y = np.clip(points[:, 0, 1], 0, height - 1).astype(np.intp)
        return np.asarray(cover[y, x] > 0)


def _follow(
    first: Grey, second: Grey, corners: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where the corners of one picture are in another, starting at ``guess``, and whether they were found."""
    found, seen, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        corners,
        np.asarray(guess, np.float32).copy(),
        winSize=(15, 15),
        maxLevel=2,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(found, np.float32), np.asarray(seen)[:, 0] == 1


def _fit(before: NDArray[np.float32], after: NDArray[np.float32], shape: tuple[int, ...]) -> Floats | None:
    """(3, 3) similarity, or None where too few corners agree or they lie in one place."""
    if len(before) < ENOUGH:
        return None
    moved = np.linalg.norm(after - before, axis=-1)[:, 0]
    resting = moved < STILL_PX
    if resting.mean() >= AGREE and _spread(before[resting], shape):
        return np.eye(3, dtype=np.float32)
    found, inliers = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=1.0, maxIters=200)
    if found is None:
        return None
    agreeing = before[np.asarray(inliers)[:, 0] == 1]
    if len(agreeing) < max(ENOUGH, AGREE * len(before)) or not _spread(agreeing, shape):
        return None
    return np.vstack([found, [0, 0, 1]]).astype(np.float32)


def _spread(points: NDArray[np.float32], shape: tuple[int, ...]) -> bool:
    """Whether corners (N, 1, 2) span enough of the picture to tell a turn from a shift."""
    spans = np.ptp(points[:, 0], axis=0) / np.array([shape[1], shape[0]])
    return len(points) >= ENOUGH and bool(spans.min() >= SPREAD)


def _corners(width: int, height: int) -> Floats:
    """(4, 3) homogeneous corners of a picture."""
    return np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float32)
