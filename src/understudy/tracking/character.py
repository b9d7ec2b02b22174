"""The character of the reference image: where its joints are, how they were found, what the picture shows of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.found_face import FoundFace
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Person


@dataclass(frozen=True)
class Character:
    """A person, drawing or creature to animate, in pixels of its picture.

    ``found_by`` is a stable word: ``tracker``, ``tracker_padded``, ``tracker_blurred``, ``tracker_flipped``,
    ``silhouette`` or ``joints_file``. ``shown`` tells which of the 33 landmarks lie inside the picture and belong to
    a part that can be seen; what is not shown is not animated.
    """

    person: Person
    found_by: str
    shown: NDArray[np.bool_]  # (33,)
    silhouette: Floats  # (H, W) 0..1, a rough mask of the character
    face: FoundFace | None = None

    def scaled(self, factor: float) -> Character:
        """The same character in a picture resized by ``factor``; the silhouette keeps its own size."""
        p = self.person
        return replace(
            self,
            person=replace(p, body=p.body * factor, hands=p.hands * factor, face=p.face * factor),
            face=None if self.face is None else self.face.scaled(factor),
        )
