"""Hands, face and irises of a body that is followed through a clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from understudy.tracking.body import Body
from understudy.tracking.face import PRESENT, FaceLandmarks, region_from_face
from understudy.tracking.hand_check import palm_span
from understudy.tracking.hands import Hand, HandLandmarks, gathered
from understudy.tracking.iris import find_irises, lost_irises
from understudy.tracking.motion import FACE, Floats
from understudy.tracking.region import Region
from understudy.tracking.steps import LATE_S, Moment, Steps, mixture
from understudy.tracking.tracker import Frame, Person

WRISTS = (15, 16)
# What a landmark of a hand may be off where frames are stepped over, against the wrist and in palm spans. The
# landmarks of a clip and of its copy at 0.96 of the size differ by 0.1 to 0.6 in a twentieth of all.
BEND = 0.1
# Mouths and lids are fast: a face is looked at so often at least, which is every frame up to 30 a second.
FACE_S = 1 / 24


@dataclass(frozen=True)
class Face:
    """A face that was found: mesh (468, 3) in pixels, score 0..1, irises (2, 3) as in `Motion`."""

    mesh: Floats
    score: float
    irises: Floats


class Extremities:
    """Keeps what it saw last: for one clip, frames in order."""

    def __init__(self, *, threads: int = 1) -> None:
        self._face = FaceLandmarks(threads=threads)
        self._hands = HandLandmarks(threads=threads)
        self._begin()

    def restart(self) -> None:
        self._face.restart()
        self._hands.restart()
        self._face_s = -inf

    def person(self, frame: Frame, body: Body) -> Person:
        """The whole person in the next frame."""
        hands = self._hands.look(frame, body.landmarks, body.visibility)
        return _person(body, hands, self._face_in(frame, body))

    def people(self, blocks: Iterable[list[Moment[Body]]]) -> Iterator[Person | None]:
        """The whole person in every frame of a clip, of which the body is known, in blocks as of `steps.blocks`."""
        self._begin()
        for block in blocks:
            if block[0].shown.is_cut:
                yield from self._end()
                self.restart()
            yield from self._add(block)
        yield from self._end()

    def face_at(self, picture: Frame, region: Region) -> tuple[Floats, float]:
        """The face (468, 3) that the network sees in a square of a single picture, and its score, however low."""
        return self._face.at(picture, region)

    def _begin(self) -> None:
        """Start a clip; of one before whose reader stopped early nothing is left."""
        self.restart()
        self._hand_steps = [Steps(_SteppedHand(side, self._hands)) for side in (0, 1)]
        self._face_steps = Steps(_SteppedFace(self._face))
        self._bodies: list[Moment[Body]] = []  # of the block whose hands and face are not yet known

    def _add(self, block: list[Moment[Body]]) -> list[Person | None]:
        hands = [[Moment[Hand](body.shown, body.found) for body in block] for _ in self._hand_steps]
        faces = [Moment[Face](body.shown, body.found) for body in block]
        strides = [steps.stride(len(block)) for steps in self._hand_steps]
        passed = [0, 0]
        for place, (body, face) in enumerate(zip(block, faces, strict=True)):
            is_last = place == len(block) - 1
            passed = [frames + 1 for frames in passed]
            wanted = [side for side in (0, 1) if is_last or (place + 1) % strides[side] == 0]
            seen: list[Hand | None] = [None, None]
            if wanted and body.found is not None:
                first, second = (passed[side] if side in wanted else 0 for side in (0, 1))
                seen = self._hands.look(
                    body.shown.frame, body.found.landmarks, body.found.visibility, (first, second)
                )
            for side in wanted:
                hands[side][place].see(seen[side])
                passed[side] = 0
            if is_last or block[place + 1].shown.time_s - self._face_s > FACE_S + LATE_S:
                face.see(None if body.found is None else self._face_in(body.shown.frame, body.found))
                self._face_s = face.shown.time_s
        closed, self._bodies = self._bodies, block
        left, right = (steps.add(moments) for steps, moments in zip(self._hand_steps, hands, strict=True))
        return _people(closed, left, right, self._face_steps.add(faces))

    def _end(self) -> list[Person | None]:
        closed, self._bodies = self._bodies, []
        left, right = (steps.end() for steps in self._hand_steps)
        return _people(closed, left, right, self._face_steps.end())

    def _face_in(self, frame: Frame, body: Body) -> Face | None:
        mesh, score = self._face.look(frame, body.landmarks)
        return Face(mesh, score, find_irises(frame, mesh)) if score > 0 else None


class _SteppedHand:
    """The hand of one side as a part that is stepped (`steps.Part`): what moves against the body's wrist."""

    def __init__(self, side: int, network: HandLandmarks) -> None:
        self._side, self._network = side, network

    def turn(self, before: Hand, now: Hand, after: Hand, first_s: float, second_s: float) -> float:
        one, two, three = (hand.landmarks[:, :2] - hand.wrist for hand in (before, now, after))
        change = (three - two) / second_s - (two - one) / first_s
        span = max(palm_span(hand.landmarks) for hand in (before, now, after))
        return float(np.hypot(change[:, 0], change[:, 1]).max()) / (BEND * max(span, 1.0))

    def look(self, at: Moment[Hand], before: Hand | None, after: Hand | None) -> Hand | None:
        body = at.body
        if body is None:
            return None
        looks = (
            self._network.between(at.shown.frame, body.landmarks, body.visibility, self._side, near)
            for near in (before, after)
            if near is not None
        )
        return next((hand for hand in looks if hand is not None), None)

    def mixed(self, at: Moment[Hand], known: Sequence[Hand], weights: Sequence[float]) -> Hand | None:
        if at.body is None:
            return None
        wrist = at.body.landmarks[WRISTS[self._side], :2]
        landmarks = mixture([hand.landmarks for hand in known], weights)
        landmarks[:, :2] += wrist - mixture([hand.wrist for hand in known], weights)
        score = mixture([np.float32(hand.score) for hand in known], weights)
        return replace(known[0], landmarks=landmarks, wrist=wrist, score=float(np.clip(score, 0, 1)))


class _SteppedFace:
    """The face as a part that is stepped: never for long, so that its movement is not asked about."""

    def __init__(self, network: FaceLandmarks) -> None:
        self._network = network

    def turn(self, before: Face, now: Face, after: Face, first_s: float, second_s: float) -> float:
        return 0.0

    def look(self, at: Moment[Face], before: Face | None, after: Face | None) -> Face | None:
        near = before or after
        if near is None:
            return None
        mesh, score = self._network.at(at.shown.frame, region_from_face(near.mesh))
        return Face(mesh, score, find_irises(at.shown.frame, mesh)) if score >= PRESENT else None

    def mixed(self, at: Moment[Face], known: Sequence[Face], weights: Sequence[float]) -> Face:
        # Irises come and go with the lids: only those of the two frames beside count.
        beside = [(face.irises, weight) for face, weight in zip(known, weights, strict=True) if weight > 0]
        whole = sum(weight for _, weight in beside)
        irises = mixture([i for i, _ in beside], [weight / whole for _, weight in beside])
        irises[~np.isfinite(irises[:, 0])] = lost_irises()[0]
        score = mixture([np.float32(face.score) for face in known], weights)
        return Face(mixture([face.mesh for face in known], weights), float(np.clip(score, 0, 1)), irises)


def _people(
    bodies: list[Moment[Body]],
    left: list[Moment[Hand]],
    right: list[Moment[Hand]],
    faces: list[Moment[Face]],
) -> list[Person | None]:
    """The persons of one block of frames."""
    people: list[Person | None] = []
    for body, one, two, face in zip(bodies, left, right, faces, strict=True):
        if body.found is None:
            people.append(None)
            continue
        person = _person(body.found, [one.found, two.found], face.found)
        stepped = (not body.looked, not one.looked, not two.looked, not face.looked)
        people.append(replace(person, stepped=stepped))
    return people


def _person(body: Body, hands: Sequence[Hand | None], face: Face | None) -> Person:
    landmarks, scores = gathered(hands)
    return Person(
        body=body.landmarks,
        visibility=body.visibility,
        world=body.world,
        hands=landmarks,
        hand_score=scores,
        face=np.full((FACE, 3), np.nan, np.float32) if face is None else face.mesh,
        face_score=0.0 if face is None else face.score,
        irises=lost_irises() if face is None else face.irises,
        mask=body.mask,
    )
