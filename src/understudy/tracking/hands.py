"""The hands' landmarks, looked for where the body's wrists and knuckles are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import atan2, hypot, pi

import cv2
import numpy as np

from understudy.tracking.hand_check import body_length, is_plausible
from understudy.tracking.motion import HAND, Floats
from understudy.tracking.network import Network
from understudy.tracking.region import Region, upright
from understudy.tracking.tracker import Frame

# Wrist, pinky and index of the body's landmarks; the performer's own left first.
FROM_BODY = ((15, 17, 19), (16, 18, 20))
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
WRIST_SEEN = 0.3  # visibility of the wrist under which a hand is not looked for
PRESENT, SURE = 0.5, 0.6  # score of a hand that was followed here, and of one that was not
LOST_PATIENCE = 6  # frames in a row that a lost hand is looked for; after that
LOST_EVERY = 3  # only in every so many frames, where the body's knuckles are and along the forearm in turn
SMALLEST_PX = 20.0  # side of a hand's square under which fingers cannot be told apart
Z_SCALE = 0.4  # the model's depth unit over its width unit
OUTSIDE = 0.1  # sides that the square's centre may lie outside the picture
# How far the square of the last frame, carried along by the wrist, may be from the one that the body gives.
DRIFT = (0.5, 2.2, 1.3)
# Within this a square in which no hand was seen need not be looked at again in the same frame.
LOOKED_AT = (0.1, 1.12, 0.15)
# Within this a square counts as the same, so that a resting hand keeps one crop.
REST = (0.03, 1.04, 0.04)
SAME_CROP = 1.5  # mean difference of 8-bit crops under which a hand has not moved
SAME_HAND = 0.35  # mean distance of landmarks in sides under which both hands are one
# Which hand the network takes it for counts only between two that lie close: seen from its edge a hand is often taken
# for the other one, and found well all the same.
BOTH_CONTRARY = 0.25  # of two hands close to each other: they have changed places
CONTRARY_COST = 0.25  # sides by which a wrist counts as farther for the other side's hand
# Where the body's own knuckles do not lead to the hand: a square that goes on in the forearm's direction.
FOREARM_SQUARE, FOREARM_AHEAD = 0.48, 0.4  # its side in torso lengths; from the wrist to its centre in sides


@dataclass(frozen=True)
class Hand:
    """One hand: landmarks (21, 3) in pixels, score 0..1, the square they came from, the body's wrist then.

    ``right`` is the chance, as the network sees it, that it is a right hand.
    """

    landmarks: Floats
    score: float
    region: Region
    wrist: Floats  # (2,)
    crop: Frame
    right: float

    def own(self, side: int) -> float:
        """The chance that it is a hand of ``side``."""
        return self.right if side else 1.0 - self.right


class HandLandmarks:
    """Follows both hands of one body; the last frame's squares are kept between calls."""

    def __init__(self, *, threads: int = 1) -> None:
        self._recrop = Network("hand_recrop", threads=threads)
        self._network = Network("hand_landmark_full", threads=threads)
        self.restart()

    def restart(self) -> None:
        self._last: list[Hand | None] = [None, None]
        self._lost_for = [0, 0]  # frames
        self._tried = [0, 0]  # how often a lost hand was looked for
        self._tried_at = [0, 0]  # and after how many frames the last time

    def look(
        self, frame: Frame, body: Floats, visibility: Floats, passed: tuple[int, int] = (1, 1)
    ) -> list[Hand | None]:
        """The hands in a frame, left first, None where lost; ``body`` (33, 3) and ``visibility`` (33,) in it.

        ``passed`` says for either side how many frames on from its last look this is, 0 where it is not looked at.
        """
        found = [
            self._followed(frame, side, body, visibility) if passed[side] else self._last[side]
            for side in (0, 1)
        ]
        wrists = body[[15, 16], :2]
        left, right = drop_double(found[0], found[1], wrists)
        self._last = uncrossed(left, right, wrists) if all(passed) else [left, right]
        for side, hand in enumerate(self._last):
            self._lost_for[side] = 0 if hand is not None else self._lost_for[side] + passed[side]
        return [
            hand if passed[side] and hand is not None and is_plausible(hand.landmarks, body, side) else None
            for side, hand in enumerate(self._last)
        ]

    def between(self, frame: Frame, body: Floats, visibility: Floats, side: int, near: Hand) -> Hand | None:
        """The hand of ``side`` in a frame near the one in which it was seen as ``near``; nothing is kept."""
        points = body[list(FROM_BODY[side]), :2]
        if not _can_be_seen(frame, visibility[FROM_BODY[side][0]], region_from_body(points)):
            return None
        region = region_from_hand(near.landmarks).moved(points[0] - near.wrist)
        hand = self._seen(frame, region, points[0], near)
        return hand if hand is not None and is_plausible(hand.landmarks, body, side) else None

    def _followed(self, frame: Frame, side: int, body: Floats, visibility: Floats) -> Hand | None:
        """A hand that stays lost is not looked for in every frame: most often it is hidden for a while."""
        lost = self._lost_for[side]
        if lost == 0:
            self._tried[side] = 0
        elif lost > LOST_PATIENCE and lost < self._tried_at[side] + LOST_EVERY:
            return None
        hand = self._follow(frame, side, body, visibility)
        self._tried[side] += 1
        self._tried_at[side] = lost
        return hand

    def _follow(self, frame: Frame, side: int, body: Floats, visibility: Floats) -> Hand | None:
        points = body[list(FROM_BODY[side]), :2]
        rough = region_from_body(points)
        wrist = points[0]
        if not _can_be_seen(frame, visibility[FROM_BODY[side][0]], rough):
            return None
        looked_at: list[Region] = []
        last = self._last[side]
        if last is not None:
            region = region_from_hand(last.landmarks).moved(wrist - last.wrist)
            if _within(region.differs(rough), DRIFT):
                hand = self._seen(frame, region, wrist, last)
                if hand is not None and is_plausible(hand.landmarks, body, side):
                    return hand
                looked_at.append(region)
        for region in self._places(frame, side, rough, body):
            if region.size < SMALLEST_PX / 2:
                continue
            if any(_within(region.differs(other), LOOKED_AT) for other in looked_at):
                continue
            looked_at.append(region)
            hand = self._seen(frame, region, wrist, None)
            if hand is not None and hand.score < SURE:  # a better square may tell
                hand = self._seen(frame, region_from_hand(hand.landmarks), wrist, None)
            if hand is not None and hand.score >= SURE and is_plausible(hand.landmarks, body, side):
                return hand
        return None

    def _places(self, frame: Frame, side: int, rough: Region, body: Floats) -> Iterator[Region]:
        """Where to look for a hand that is not followed: in both places as it is lost, then in one a frame."""
        lost = self._lost_for[side]
        along = lost > LOST_PATIENCE and self._tried[side] % 2 == 1
        if not along:
            yield self._refined(frame, rough)
        if along or lost == 0:
            yield region_from_forearm(body, side)

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
            and cv2.norm(crop, last.crop, cv2.NORM_L1) < SAME_CROP * crop.size
        ):
            return last
        flat, score, right, _ = self._network.run()
        if score[0] < PRESENT:
            return None
        places = flat.reshape(HAND, 3) / np.float32(self._network.width)
        places[:, 2] /= Z_SCALE
        landmarks = region.to_picture(places)
        return Hand(landmarks, float(score[0]), region, wrist, crop, float(right[0]))


def gathered(hands: Sequence[Hand | None]) -> tuple[Floats, Floats]:
    """Landmarks (2, 21, 3) in pixels, NaN where lost, and scores (2,), 0 where lost."""
    landmarks = np.full((2, HAND, 3), np.nan, np.float32)
    scores = np.zeros(2, np.float32)
    for side, hand in enumerate(hands):
        if hand is not None:
            landmarks[side] = hand.landmarks
            scores[side] = hand.score
    return landmarks, scores


def _can_be_seen(frame: Frame, wrist_visibility: float, rough: Region) -> bool:
    return bool(
        wrist_visibility >= WRIST_SEEN and rough.inside(frame, margin=OUTSIDE) and rough.size >= SMALLEST_PX
    )


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


def region_from_forearm(body: Floats, side: int) -> Region:
    """The square in which the hand of ``side`` lies if the wrist is straight; ``body`` (33, 3)."""
    elbow, wrist = body[13 + side, :2], body[15 + side, :2]
    dx, dy = (float(x) for x in wrist - elbow)
    x, y = (float(v) for v in wrist)
    square = Region(x, y, FOREARM_SQUARE * body_length(body), upright(pi / 2 - atan2(-dy, dx)))
    return square.shifted(-FOREARM_AHEAD)


def drop_double(left: Hand | None, right: Hand | None, wrists: Floats) -> tuple[Hand | None, Hand | None]:
    """Where both sides found the same hand it stays with the nearer of the body's wrists (2, 2), and with the side
    that it looks like."""
    if (
        left is None
        or right is None
        or _apart(left.landmarks, right.landmarks) > SAME_HAND / 2 * min(left.region.size, right.region.size)
    ):
        return left, right
    return (left, None) if _cost(left, 0, wrists) <= _cost(right, 1, wrists) else (None, right)


def uncrossed(left: Hand | None, right: Hand | None, wrists: Floats) -> list[Hand | None]:
    """Two hands that lie close to each other and each look like the other side's have changed places: put back."""
    if (
        left is not None
        and right is not None
        and left.own(0) < BOTH_CONTRARY
        and right.own(1) < BOTH_CONTRARY
    ):
        kept = _cost(left, 0, wrists) + _cost(right, 1, wrists)
        if _cost(right, 0, wrists) + _cost(left, 1, wrists) < kept:
            return [replace(right, wrist=wrists[0]), replace(left, wrist=wrists[1])]
    return [left, right]


def _cost(hand: Hand, side: int, wrists: Floats) -> float:
    """How little a hand is of ``side``: sides of its square from that wrist, and more if it looks like the other."""
    off = hypot(*(float(x) for x in hand.landmarks[0, :2] - wrists[side]))
    return off / hand.region.size + CONTRARY_COST * (1.0 - hand.own(side))


def _apart(one: Floats, other: Floats) -> float:
    return float(np.linalg.norm(one[:, :2] - other[:, :2], axis=1).mean())


def _within(found: tuple[float, float, float], limits: tuple[float, float, float]) -> bool:
    return all(f <= limit for f, limit in zip(found, limits, strict=True))
