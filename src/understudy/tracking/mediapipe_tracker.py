"""The tracker that runs MediaPipe's published networks: body first, then face and hands from it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from understudy.media.ahead import ahead
from understudy.tracking.body import Body
from understudy.tracking.extremities import Extremities
from understudy.tracking.followed_body import FollowedBody
from understudy.tracking.motion import Floats
from understudy.tracking.region import Region
from understudy.tracking.tracker import Frame, Person, Shown, nobody

WAITING = 1  # blocks of frames between the body's thread and the hands'
PEOPLE_WAITING = 8


class MediaPipeTracker:
    """Follows one person through a clip, or finds the largest in a picture (`tracker.Tracker`).

    ``threads`` is the number of CPU threads that are used at once: from two on, the body of later frames is followed
    beside the hands and the face of earlier ones, and each network splits its work among half of the threads. The
    networks load at once and stay; a tracker belongs to one thread. Raises ModelError when the model files are
    missing or wrong.
    """

    def __init__(self, *, threads: int = 1) -> None:
        each = max(1, threads // 2)
        self._beside = threads > 1
        self._body = FollowedBody(threads=each)
        self._extremities = Extremities(threads=each)

    def restart(self) -> None:
        """Forget the followed person: the next frame begins a new shot."""
        self._body.restart()
        self._extremities.restart()

    def track(self, frame: Frame) -> Person | None:
        """The followed person in the next frame of a clip, or None when lost."""
        body = self._body.next(frame)
        return None if body is None else self._extremities.person(frame, body)

    def follow(self, frames: Iterator[Shown]) -> Generator[Person | None, None, None]:
        """The followed person in every frame of a clip, whose times rise, or None where lost.

        Looks some frames ahead: where a part moves evenly, every second frame is told from those beside it, and more
        of them at 48 frames a second and above.
        """
        bodies = self._body.bodies(frames)
        if not self._beside:
            yield from self._extremities.people(bodies)
            return
        with (
            closing(ahead(bodies, WAITING)) as blocks,
            closing(ahead(self._extremities.people(blocks), PEOPLE_WAITING)) as people,
        ):
            yield from people

    def find(self, picture: Frame, *, mask: bool = False, details: bool = True) -> Person | None:
        """The largest person in a single picture, found from scratch with the best effort, or None.

        Without ``details`` hands and face are left out, for `detailed` to add.
        """
        return self._found(picture, self._body.find(picture, mask=mask), details)

    def look_at(
        self, picture: Frame, x: float, y: float, side: float, *, mask: bool = False, details: bool = True
    ) -> Person | None:
        """The person who fills a square of a single picture (centre and side in pixels), or None; ``details`` as in
        `find`.

        No detector is asked: this sees figures that are too unlike a photograph for it.
        """
        return self._found(picture, self._body.look_at(picture, Region(x, y, side, 0.0), mask=mask), details)

    def detailed(self, picture: Frame, person: Person) -> Person:
        """The person whose body was found in a single picture, with hands and face."""
        nowhere = np.zeros((2, 2), np.float32)  # where to look next is no matter in a single picture
        body = Body(person.body, person.visibility, person.world, 1.0, nowhere, person.mask)
        self.restart()
        whole = self._extremities.person(picture, body)
        self.restart()
        return replace(whole, irises=None)

    def face_at(self, picture: Frame, region: Region) -> tuple[Floats, float]:
        """The face (468, 3) that the network sees in a square of a single picture, and its score, however low."""
        return self._extremities.face_at(picture, region)

    def _found(self, picture: Frame, body: Body | None, details: bool) -> Person | None:
        if body is None:
            return None
        person = replace(
            nobody(),
            body=body.landmarks,
            visibility=body.visibility,
            world=body.world,
            mask=body.mask,
        )
        return self.detailed(picture, person) if details else person
