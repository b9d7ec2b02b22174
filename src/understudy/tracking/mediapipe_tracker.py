"""The tracker that runs MediaPipe's published networks: body first, then face and hands from it."""

from __future__ import annotations

from math import hypot

import numpy as np

from understudy.tracking.body import Body, BodyLandmarks, region_about
from understudy.tracking.face import FaceLandmarks
from understudy.tracking.hands import HandLandmarks
from understudy.tracking.motion import Floats
from understudy.tracking.one_euro import OneEuro
from understudy.tracking.pose_detection import BODY_MARGIN, Candidate, PoseDetector
from understudy.tracking.region import Region
from understudy.tracking.tracker import Frame, Person

PRESENT = 0.5
LOOK_AT_MOST = 4  # people of a picture whose landmarks are tried
# After a loss: how far from the last place, in sides of the body's square, somebody still is the same person.
SAME_PLACE = 0.25
SAME_PLACE_GROWTH = 0.02  # a frame
SAME_PLACE_LIMIT = 0.75
SAME_SIZE = 1.6


class MediaPipeTracker:
    """Follows one person through a clip, or finds the largest in a picture (`tracker.Tracker`).

    ``threads`` is the number of CPU threads that one network may use. The networks load at once and stay; a
    tracker belongs to one thread. Raises ModelError when the model files are missing or wrong.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._detector = PoseDetector(threads=threads)
        self._body = BodyLandmarks(threads=threads)
        self._face = FaceLandmarks(threads=threads)
        self._hands = HandLandmarks(threads=threads)
        # Only the square is steadied, as MediaPipe does: a calm crop makes calm landmarks.
        self._steady = OneEuro(0.01, 10.0)
        self._region: Region | None = None
        self._last: Region | None = None
        self._lost_for = 0

    def restart(self) -> None:
        """Forget the followed person: the next frame begins a new shot."""
        self._region = None
        self._last = None
        self._steady.reset()
        self._lost_for = 0
        self._face.restart()
        self._hands.restart()

    def track(self, frame: Frame) -> Person | None:
        """The followed person in the next frame of a clip, or None when lost."""
        body = None
        if self._region is not None:
            body = self._seen(frame, self._region)
        if body is None:
            self._steady.reset()
            body = self._search(frame)
        if body is None:
            self._region = None
            self._steady.reset()
            self._lost_for += 1
            return None
        self._region = region_about(self._steady(body.alignment, body.region.size / BODY_MARGIN))
        self._last = body.region
        self._lost_for = 0
        return self._person(frame, body)

    def find(self, picture: Frame, *, mask: bool = False) -> Person | None:
        """The largest person in a single picture, found from scratch with the best effort, or None."""
        body = None
        for min_score in (0.5, 0.25):
            body = self._largest(picture, self._detector.detect(picture, min_score=min_score))
            if body is not None:
                break
        if body is None:
            return None
        # A second look from the landmarks' own square: the detector's is rougher.
        return self._found(picture, self._body.look(picture, body.region, mask=mask))

    def look_at(self, picture: Frame, x: float, y: float, side: float, *, mask: bool = False) -> Person | None:
        """The person who fills a square of a single picture (centre and side in pixels), or None.

        No detector is asked: this sees figures that are too unlike a photograph for it.
        """
        body = self._seen(picture, Region(x, y, side, 0.0))
        if body is None:
            return None
        again = self._body.look(picture, body.region, mask=mask)
        if again.presence < PRESENT:
            again = self._body.look(picture, Region(x, y, side, 0.0), mask=mask)
        return self._found(picture, again)

    def _found(self, picture: Frame, again: Body) -> Person:
        self.restart()
        person = self._person(picture, again)
        self.restart()
        return person

    def _search(self, frame: Frame) -> Body | None:
        candidates = self._detector.detect(frame)
        if self._last is None:
            return self._largest(frame, candidates)
        last = self._last
        reach = min(SAME_PLACE + SAME_PLACE_GROWTH * self._lost_for, SAME_PLACE_LIMIT) * last.size
        near = [c for c in candidates if is_same(c.region, last, reach)]
        near.sort(key=lambda c: hypot(c.region.x - last.x, c.region.y - last.y))
        for candidate in near[:LOOK_AT_MOST]:
            body = self._seen(frame, candidate.region)
            if body is not None and is_same(body.region, last, reach):
                return body
        return None

    def _largest(self, frame: Frame, candidates: list[Candidate]) -> Body | None:
        by_size = sorted(candidates, key=lambda c: -c.region.size)
        for candidate in by_size[:LOOK_AT_MOST]:
            body = self._seen(frame, candidate.region)
            if body is not None:
                return body
        return None

    def _seen(self, frame: Frame, region: Region) -> Body | None:
        body = self._body.look(frame, region)
        return body if body.presence >= PRESENT and body.region.size > 1 else None

    def _person(self, frame: Frame, body: Body) -> Person:
        hands, hand_score = self._hands.look(frame, body.landmarks, body.visibility)
        face, face_score = self._face.look(frame, body.landmarks)
        return Person(
            body=body.landmarks,
            visibility=body.visibility,
            world=body.world,
            hands=hands,
            hand_score=hand_score,
            face=face,
            face_score=face_score,
            mask=body.mask,
        )


def is_same(region: Region, last: Region, reach: float) -> bool:
    """Whether somebody at ``region`` may be the person last seen at ``last``: near and of like size."""
    far = hypot(region.x - last.x, region.y - last.y)
    ratio = region.size / last.size
    return far <= reach and 1 / SAME_SIZE <= ratio <= SAME_SIZE


def extent(points: Floats) -> tuple[float, float]:
    """Width and height of the box about points (N, 2 or 3)."""
    span = np.ptp(points[:, :2], axis=0)
    return float(span[0]), float(span[1])
