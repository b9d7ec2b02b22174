"""What the tracker sees in one video at the sampling rate: joints, faces and small pictures of the face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from understudy.evaluation.faces import PATCH_SHAPE, face_patch
from understudy.evaluation.samples import RATE_HZ
from understudy.tracking.motion import Motion
from understudy.tracking.tracker import Frame, Person, Tracker, nobody


@dataclass(frozen=True)
class Watched:
    """T samples of one video. ``faces`` (T, 90, 80, 3) uint8 Lab, the face upright; 0 where it is lost."""

    motion: Motion
    faces: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.motion)

    def repeated(self, times: int) -> Watched:
        """The first sample shown ``times`` times: what a still picture looks like to the tracker."""
        motion = self.motion
        return Watched(
            replace(
                motion,
                times_s=(np.arange(times) / RATE_HZ).astype(np.float32),
                body=np.repeat(motion.body[:1], times, axis=0),
                visibility=np.repeat(motion.visibility[:1], times, axis=0),
                world=np.repeat(motion.world[:1], times, axis=0),
                hands=np.repeat(motion.hands[:1], times, axis=0),
                hand_score=np.repeat(motion.hand_score[:1], times, axis=0),
                face=np.repeat(motion.face[:1], times, axis=0),
                face_score=np.repeat(motion.face_score[:1], times, axis=0),
            ),
            np.repeat(self.faces[:1], times, axis=0),
        )


class Watcher:
    """Feeds one video's samples to a tracker, in order, and keeps what it saw."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._people: list[Person] = []
        self._faces: list[NDArray[np.uint8]] = []
        self._size = (1, 1)

    def see(self, frame: Frame) -> Person | None:
        """The next sample."""
        return self._keep(frame, self._tracker.track(frame))

    def find(self, picture: Frame) -> Person | None:
        """A single picture, looked at with the tracker's best effort."""
        return self._keep(picture, self._tracker.find(picture))

    def watched(self) -> Watched:
        people = self._people
        width, height = self._size
        motion = Motion(
            width=width,
            height=height,
            times_s=(np.arange(len(people)) / RATE_HZ).astype(np.float32),
            body=np.stack([p.body for p in people]),
            visibility=np.stack([p.visibility for p in people]),
            world=np.stack([p.world for p in people]),
            hands=np.stack([p.hands for p in people]),
            hand_score=np.stack([p.hand_score for p in people]),
            face=np.stack([p.face for p in people]),
            face_score=np.array([p.face_score for p in people], np.float32),
        )
        return Watched(motion, np.stack(self._faces))

    def _keep(self, frame: Frame, person: Person | None) -> Person | None:
        self._size = (int(frame.shape[1]), int(frame.shape[0]))
        kept = nobody() if person is None else replace(person, mask=None)
        patch = face_patch(frame, kept.face) if kept.face_score >= 0.5 else None
        self._people.append(kept)
        self._faces.append(np.zeros(PATCH_SHAPE, np.uint8) if patch is None else patch)
        return person
