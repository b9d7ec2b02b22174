"""The border between us and any way of finding a person in a picture, with its fake."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import BODY, FACE, HAND, Floats

Frame = NDArray[np.uint8]  # (H, W, 3) RGB


class Shown(NamedTuple):
    """One frame of a clip."""

    time_s: float
    frame: Frame
    is_cut: bool  # whether a new shot begins with it


@dataclass(frozen=True)
class Person:
    """One person in one picture, in that picture's pixels; conventions as in `Motion`, without the time axis."""

    body: Floats  # (33, 3)
    visibility: Floats  # (33,)
    world: Floats  # (33, 3)
    hands: Floats  # (2, 21, 3), NaN where lost
    hand_score: Floats  # (2,)
    face: Floats  # (468, 3), NaN where lost
    face_score: float
    irises: Floats | None = None  # (2, 3) as in `Motion`, or None where they were not looked for
    mask: Floats | None = None  # (H, W) 0..1, where asked for
    # Whether the body, the left hand, the right hand and the face were told from the frames beside this one.
    stepped: tuple[bool, bool, bool, bool] = (False, False, False, False)


class Tracker(Protocol):
    """Finds the one person to follow. A tracker of a clip keeps state: one tracker, one clip, frames in order."""

    def track(self, frame: Frame) -> Person | None:
        """The followed person in the next frame of a clip, or None when lost."""

    def follow(self, frames: Iterator[Shown]) -> Generator[Person | None, None, None]:
        """What `track` gives for every frame of a clip, from its start and anew at each cut.

        A tracker may look ahead by some frames, and tell what lies between two looks from both.
        """

    def restart(self) -> None:
        """Forget the followed person: the next frame begins a new shot."""

    def find(self, picture: Frame, *, mask: bool = False) -> Person | None:
        """The largest person in a single picture, found from scratch with the best effort, or None."""


class FakeTracker:
    """Gives back prepared people, one a frame: for tests of a tracker's users."""

    def __init__(self, people: list[Person | None]) -> None:
        self._people = people
        self._next = 0

    def track(self, frame: Frame) -> Person | None:
        person = self._people[self._next % len(self._people)]
        self._next += 1
        return person

    def follow(self, frames: Iterator[Shown]) -> Generator[Person | None, None, None]:
        self.restart()
        for shown in frames:
            if shown.is_cut:
                self.restart()
            yield self.track(shown.frame)

    def restart(self) -> None: ...

    def find(self, picture: Frame, *, mask: bool = False) -> Person | None:
        return self._people[0]


def nobody() -> Person:
    """A person of whom nothing was found: a start to fill in."""
    return Person(
        body=np.full((BODY, 3), np.nan, np.float32),
        visibility=np.zeros(BODY, np.float32),
        world=np.full((BODY, 3), np.nan, np.float32),
        hands=np.full((2, HAND, 3), np.nan, np.float32),
        hand_score=np.zeros(2, np.float32),
        face=np.full((FACE, 3), np.nan, np.float32),
        face_score=0.0,
    )
