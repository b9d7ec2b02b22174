"""The hands' landmarks, looked for where the body's wrists and knuckles are."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, hypot, pi

import cv2
import numpy as np

from understudy.tracking.motion import HAND, Floats
from understudy.tracking.network import Network
from understudy.tracking.region import Region, upright
from understudy.tracking.tracker import Frame

# Wrist, pinky and index of the body's landmarks; the performer's own left first.
FROM_BODY = ((15, 17, 19), (16, 18, 20))
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
WRIST_SEEN = 0.3  # visibility of the wrist under which a hand is not looked for
PRESENT = 0.5
LOST_PATIENCE = 6  # frames in a row that a lost hand is looked for; after that
LOST_EVERY = 3  # only in every so many frames
SMALLEST_PX = 20.0  # side of a hand's square under which fingers cannot be told apart
Z_SCALE = 0.4  # the model's depth unit over its width unit
OUTSIDE = 0.1  # sides that the square's centre may lie outside the picture
# How far the square of the last frame, carried along by the wrist, may be from the one that the body gives.
DRIFT = (0.5, 2.2, 1.3)
# Within this a square counts as the same, so that a resting hand keeps one crop.
REST = (0.03, 1.04, 0.04)
SAME_CROP = 1.5  # mean difference of 8-bit crops under which a hand has not moved
SAME_HAND = 0.35  # mean distance of landmarks in sides under which both hands are one
WRIST_OFF = 0.6  # sides between the hand's wrist and the body's from which it is another hand


@dataclass(frozen=True)
class Hand:
    """One hand: landmarks (21, 3) in pixels, score 0..1, the square they came from, the body's wrist then."""

    landmarks: Floats
    score: float
    region: Region
    wrist: Floats  # (2,)
    crop: Frame


class HandLandmarks:
    """Follows both hands of one body; the last frame's squares are kept between calls."""

    def __init__(self, *, threads: int = 1) -> None:
        self._recrop = Network("hand_recrop", threads=threads)
        self._network = Network("hand_landmark_full", threads=threads)
        self.restart()

    def restart(self) -> None:
        self._last: list[Hand | None] = [None, None]
        self._lost_for = [0, 0]

    def look(self, frame: Frame, body: Floats, visibility: Floats) -> tuple[Floats, Floats]:
        """Landmarks (2, 21, 3) in pixels, NaN where lost, and scores (2,), 0 where lost."""
        found = [
            self._follow(frame, side, body, visibility) if self._is_due(side) else None for side in (0, 1)
        ]
        self._last = drop_double(found[0], found[1])
        self._lost_for = [
            0 if hand else lost + 1 for hand, lost in zip(self._last, self._lost_for, strict=True)
        ]
        landmarks = np.full((2, HAND, 3), np.nan, np.float32)
        scores = np.zeros(2, np.float32)
        for side, hand in enumerate(self._last):
            if hand is not None:
                landmarks[side] = hand.landmarks
                scores[side] = hand.score
        return landmarks, scores

    def _is_due(self, side: int) -> bool:
        """A hand that stays lost is not looked for in every frame: most often it is hidden for a while."""
        lost = self._lost_for[side]
        return lost <= LOST_PATIENCE or lost % LOST_EVERY == 0

    def _follow(self, frame: Frame, side: int, body: Floats, visibility: Floats) -> Hand | None:
        points = body[list(FROM_BODY[side]), :2]
        rough = region_from_body(points)
        wrist = points[0]
        if (
            visibility[FROM_BODY[side][0]] < WRIST_SEEN
            or not rough.inside(frame, margin=OUTSIDE)
            or rough.size < SMALLEST_PX
        ):
            return None
        last = self._last[side]
        if last is not None:
            region = region_from_hand(last.landmarks).moved(wrist - last.wrist)
            if _within(region.differs(rough), DRIFT):
                hand = self._seen(frame, region, wrist, last)
                if hand is not None:
                    return hand
        region = self._refined(frame, rough)
        hand = self._seen(frame, region, wrist, None) if region.size >= SMALLEST_PX / 2 else None
        if hand is None and last is not None:
            hand = self._seen(frame, rough, wrist, None)
        return hand

    def _refined(self, frame: Frame, rough: Region) -> Region:
        """The square that the recrop network proposes inside the body's rough one."""
        rough.crop(frame, self._recrop)
        (flat,) = self._recrop.run()
        points = rough.to_picture(flat.reshape(2, 2) / np.float32(self._recrop.width))
        return Region.around(points[0], points[1], up=-pi / 2).shifted(-0.1)

    def _seen(self, frame: Frame, region: Region, wrist: Floats, last: Hand | None) -> Hand | None:
        if last is not None and _within(region.differs(last.region), REST):
            region = last.region
        crop = region.crop(frame, self._network)
        if (
            last is not None
            and region is last.region
            and float(np.mean(cv2.absdiff(crop, last.crop))) < SAME_CROP
        ):
            return last
        flat, score, _, _ = self._network.run()
        if score[0] < PRESENT:
            return None
        places = flat.reshape(HAND, 3) / np.float32(self._network.width)
        places[:, 2] /= Z_SCALE
        landmarks = region.to_picture(places)
        off = hypot(*(float(x) for x in landmarks[0, :2] - wrist))
        if off > WRIST_OFF * region.size:
            return None
        return Hand(landmarks, float(score[0]), region, wrist, crop)


def region_from_body(points: Floats) -> Region:
    """The square to look for a hand in, from the body's wrist, pinky and index (3, 2)."""
    wrist, pinky, index = points
    middle = (2 * index + pinky) / 3
    rough = Region.around(middle, wrist, up=-pi / 2)
    return rough.scaled(2.7).shifted(-0.1 / 2.7)


def region_from_hand(landmarks: Floats) -> Region:
    """The square about a hand's palm, wrist at the bottom, with room for the fingers and for movement."""
    knuckles = (landmarks[5, :2] + landmarks[13, :2]) / 4 + landmarks[9, :2] / 2
    dx, dy = (float(x) for x in knuckles - landmarks[0, :2])
    angle = upright(pi / 2 - atan2(-dy, dx))
    return Region.enclosing(landmarks[list(PALM)], angle).shifted(-0.1).scaled(2.0)


def drop_double(left: Hand | None, right: Hand | None) -> list[Hand | None]:
    """Where both sides found the same hand it stays with the nearer wrist."""
    if left is None or right is None:
        return [left, right]
    apart = float(np.linalg.norm(left.landmarks[:, :2] - right.landmarks[:, :2], axis=1).mean())
    if apart > SAME_HAND / 2 * min(left.region.size, right.region.size):
        return [left, right]
    offs = [float(np.linalg.norm(h.landmarks[0, :2] - h.wrist)) for h in (left, right)]
    return [left, None] if offs[0] <= offs[1] else [None, right]


def _within(found: tuple[float, float, float], limits: tuple[float, float, float]) -> bool:
    return all(f <= limit for f, limit in zip(found, limits, strict=True))
