"""Following one person's body through a clip: where to look next, when to ask the detector, when somebody is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import hypot

import numpy as np

from understudy.tracking.body import Body, BodyLandmarks, region_about
from understudy.tracking.motion import Floats
from understudy.tracking.one_euro import OneEuro
from understudy.tracking.pose_detection import BODY_MARGIN, Candidate, PoseDetector
from understudy.tracking.region import Region
from understudy.tracking.steps import Moment, Steps, blocks, mixture
from understudy.tracking.tracker import Frame, Shown

PRESENT = 0.5
LOOK_AT_MOST = 4  # people of a picture whose landmarks are tried
# After a loss: how far from the last place, in sides of the body's square, somebody still is the same person.
SAME_PLACE = 0.25
SAME_PLACE_GROWTH = 0.02  # a look
SAME_PLACE_LIMIT = 0.75
SAME_SIZE = 1.6
# Measured on real clips: people 0.003 to 0.04, poses read into something else from 0.06.
STEADFAST = 0.05
# After how many looks the detector is asked whether the pose that is followed still is the person's: doubling from
# the first to the second. And how far its square may be off (sides, ratio, radians) before its word counts.
CHECK_FIRST, CHECK_EVERY = 4, 24
LOOKS = 5  # at a picture, or at the first frame in which somebody is found
CHECK_SCORE = 0.6
OFF = (0.3, 1.45, 0.7)
SAME_FACE = 1.0  # widths of a face between the nose and the detector's face
# What a joint may be off where frames are stepped over: of the body's height, or of the picture's longer side where
# that is less. The joints of a clip and of its copy at 0.96 of the size differ by 0.0023 to 0.01 in a twentieth of all.
BEND = 0.004
JOINTS = np.array([0, *range(11, 17), *range(23, 29)])
SEEN = 0.5  # visibility from which a joint has a word in it


class FollowedBody:
    """Follows one body from look to look (`steps.Part`), or finds the largest in a picture."""

    def __init__(self, *, threads: int = 1) -> None:
        self._detector = PoseDetector(threads=threads)
        self._network = BodyLandmarks(threads=threads)
        # Only the square is steadied, as MediaPipe does: a calm crop makes calm landmarks.
        self._steady = OneEuro(0.01, 10.0)
        self.restart()

    def restart(self) -> None:
        """Forget the followed person: the next frame begins a new shot."""
        self._region: Region | None = None
        self._last: Region | None = None
        self._nose: Floats | None = None
        self._steady.reset()
        self._lost_for = 0
        self._unchecked, self._check_after = 0, CHECK_FIRST
        self._longer_side = 1

    def next(self, frame: Frame, frames: int = 1) -> Body | None:
        """The followed person's body ``frames`` after the last look, or None when lost."""
        self._longer_side = max(frame.shape[:2])
        body = None
        if self._region is not None:
            body = self._seen(frame, self._region)
            self._unchecked += 1
            if body is not None and self._unchecked >= self._check_after:
                body = self._checked(frame, body)
        if body is None:
            self._steady.reset()
            self._unchecked, self._check_after = 0, CHECK_FIRST
            body = self._search(frame)
            if body is not None:
                body = self._settled(frame, body)
        if body is None:
            self._region = None
            self._steady.reset()
            self._lost_for += 1
            return None
        self._region = region_about(self._steady(body.alignment, body.region.size / BODY_MARGIN, frames))
        self._last = body.region
        self._nose = body.landmarks[0, :2]
        self._lost_for = 0
        return body

    def bodies(self, frames: Iterable[Shown]) -> Iterator[list[Moment[Body]]]:
        """The body in every frame of a clip, block by block."""
        steps = Steps(self)
        self.restart()
        for block in blocks(frames):
            if block[0].is_cut:
                yield from filter(None, [steps.end()])
                self.restart()
            moments = [Moment[Body](shown) for shown in block]
            stride, seen = steps.stride(len(block)), 0
            for place, moment in enumerate(moments, start=1):
                if place % stride == 0 or place == len(block):
                    moment.see(self.next(moment.shown.frame, place - seen))
                    seen = place
            yield from filter(None, [steps.add(moments)])
        yield from filter(None, [steps.end()])

    def turn(self, before: Body, now: Body, after: Body, first_s: float, second_s: float) -> float:
        one, two, three = before.landmarks, now.landmarks, after.landmarks
        change = (three - two)[JOINTS, :2] / second_s - (two - one)[JOINTS, :2] / first_s
        least = np.minimum(np.minimum(before.visibility, now.visibility), after.visibility)[JOINTS]
        height = float(np.ptp(two[:, :2], axis=0).max())
        sizes = np.hypot(change[:, 0], change[:, 1]) * (least >= SEEN)
        return float(sizes.max()) / (BEND * max(min(height, self._longer_side), 1.0))

    def look(self, at: Moment[Body], before: Body | None, after: Body | None) -> Body | None:
        beside = [body for body in (before, after) if body is not None]
        if len(beside) == 2 and not off(beside[0].region, beside[1].region):
            region = region_about((beside[0].alignment + beside[1].alignment) / 2)
        else:
            region = beside[0].region
        return self._seen(at.shown.frame, region)

    def mixed(self, at: Moment[Body], known: Sequence[Body], weights: Sequence[float]) -> Body:
        return Body(
            landmarks=mixture([b.landmarks for b in known], weights),
            visibility=np.clip(mixture([b.visibility for b in known], weights), 0, 1),
            world=mixture([b.world for b in known], weights),
            presence=min(b.presence for b in known),
            alignment=mixture([b.alignment for b in known], weights),
            mask=None,
        )

    def find(self, picture: Frame, *, mask: bool = False) -> Body | None:
        """The largest body in a single picture, found from scratch with the best effort, or None."""
        for min_score in (0.5, 0.25):
            body = self._largest(picture, self._detector.detect(picture, min_score=min_score))
            if body is not None:
                return self._settled(picture, body, mask=mask)
        return None

    def look_at(self, picture: Frame, square: Region, *, mask: bool = False) -> Body | None:
        """The body that fills a square of a single picture, or None."""
        body = self._seen(picture, square)
        if body is None:
            return None
        again = self._network.look(picture, body.region)
        if again.presence < PRESENT:
            return self._network.look(picture, square, mask=mask)
        return self._settled(picture, again, mask=mask)

    def _search(self, frame: Frame) -> Body | None:
        candidates = self._detector.detect(frame)
        if self._last is None:
            tried = sorted(candidates, key=lambda c: -c.region.size)[:LOOK_AT_MOST]
            return next(filter(None, (self._steadfast(frame, c.region) for c in tried)), None)
        last = self._last
        reach = min(SAME_PLACE + SAME_PLACE_GROWTH * self._lost_for, SAME_PLACE_LIMIT) * last.size
        near = [c for c in candidates if is_same(c.region, last, reach) or self._same_face(c)]
        near.sort(key=lambda c: hypot(c.region.x - last.x, c.region.y - last.y))
        for candidate in near[:LOOK_AT_MOST]:
            body = self._steadfast(frame, candidate.region)
            if body is not None and (is_same(body.region, last, reach) or self._same_face(candidate)):
                return body
        return None

    def _checked(self, frame: Frame, body: Body) -> Body:
        """The same person's body as the detector has it, where that is far from the one followed."""
        self._unchecked = 0
        self._check_after = min(2 * self._check_after, CHECK_EVERY)
        self._nose = body.landmarks[0, :2]
        for candidate in self._detector.detect(frame, min_score=CHECK_SCORE):
            if self._same_face(candidate) and off(candidate.region, body.region):
                better = self._steadfast(frame, candidate.region)
                if better is not None and off(better.region, body.region):
                    self._steady.reset()
                    return better
        return body

    def _same_face(self, candidate: Candidate) -> bool:
        if self._nose is None or self._lost_for > CHECK_EVERY:
            return False
        x, y = (float(v) for v in self._nose)
        return hypot(candidate.face.x - x, candidate.face.y - y) <= SAME_FACE * candidate.face.size

    def _largest(self, frame: Frame, candidates: list[Candidate]) -> Body | None:
        by_size = sorted(candidates, key=lambda c: -c.region.size)
        for candidate in by_size[:LOOK_AT_MOST]:
            body = self._seen(frame, candidate.region)
            if body is not None:
                return body
        return None

    def _steadfast(self, frame: Frame, region: Region) -> Body | None:
        """The body, if a second or third look from its own square sees it where the look before did.

        A pose read into something else (a tent, an animal, folds) moves about with the crop.
        """
        body = self._seen(frame, region)
        for _ in range(2):
            if body is None:
                return None
            again = self._seen(frame, body.region)
            if again is not None and shift(body, again) < STEADFAST:
                return again
            body = again
        return None

    def _settled(self, frame: Frame, body: Body, *, mask: bool = False) -> Body:
        """The median of several looks, each from the square of those before.

        A crop moved by a pixel moves landmarks by several; a picture's joints and a clip's first frame have no
        frames beside them that would even this out.
        """
        seen: list[Body] = []
        region = body.region
        for number in range(LOOKS):
            again = self._network.look(frame, region, mask=mask and number == LOOKS - 1)
            if again.presence < PRESENT:
                break
            seen.append(again)
            region = region_about(np.median([b.alignment for b in seen], axis=0).astype(np.float32))
        if len(seen) < LOOKS:
            return self._network.look(frame, body.region, mask=mask)
        return replace(
            seen[-1],
            landmarks=np.median([b.landmarks for b in seen], axis=0).astype(np.float32),
            visibility=np.median([b.visibility for b in seen], axis=0).astype(np.float32),
            world=np.median([b.world for b in seen], axis=0).astype(np.float32),
            alignment=np.median([b.alignment for b in seen], axis=0).astype(np.float32),
        )

    def _seen(self, frame: Frame, region: Region) -> Body | None:
        body = self._network.look(frame, region)
        return body if body.presence >= PRESENT and body.region.size > 1 else None


def is_same(region: Region, last: Region, reach: float) -> bool:
    """Whether somebody at ``region`` may be the person last seen at ``last``: near and of like size."""
    far = hypot(region.x - last.x, region.y - last.y)
    ratio = region.size / last.size
    return far <= reach and 1 / SAME_SIZE <= ratio <= SAME_SIZE


def off(region: Region, other: Region) -> bool:
    """Whether two squares cannot be of the same pose."""
    return any(d > limit for d, limit in zip(region.differs(other), OFF, strict=True))


def shift(one: Body, other: Body) -> float:
    """Mean distance of the visible landmarks of two looks, in sides of the body's square."""
    apart = np.linalg.norm(one.landmarks[:, :2] - other.landmarks[:, :2], axis=1)
    weight = np.minimum(one.visibility, other.visibility)
    return float((apart * weight).sum() / max(float(weight.sum()), 1e-6)) / other.region.size
