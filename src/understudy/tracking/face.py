"""The face's landmarks, looked for where the body's eyes, ears and mouth are."""

from __future__ import annotations

from math import atan2

import numpy as np

from understudy.tracking.body import sigmoid
from understudy.tracking.motion import FACE, Floats
from understudy.tracking.network import Network
from understudy.tracking.region import Region, upright
from understudy.tracking.tracker import Frame

# Of the body's landmarks: eyes, ears and mouth corners, the performer's left first.
EYES, EARS, MOUTH = (2, 5), (7, 8), (9, 10)
HEAD = tuple(range(11))
# Of the face's: outer corners of the performer's right and left eye.
EYE_CORNERS = (33, 263)
MARGIN = 1.5  # side of the crop over the face's own extent, as the model was trained
PRESENT = 0.5
EYES_TO_CHIN = 2.7  # extent of the face over the distance from eyes to mouth
EARS_TO_WIDTH = 1.05
SMALLEST_PX = 14.0
LOOKS = 3  # looks at most until the crop fits the face
FITS = (0.06, 1.12, 0.12)
DRIFT = (0.35, 1.8, 0.8)  # of the carried square from the one that the body gives


class FaceLandmarks:
    """Follows the face of one body; the last frame's face is kept between calls."""

    def __init__(self, *, threads: int = 1) -> None:
        self._network = Network("face_landmark", threads=threads)
        self._last: Region | None = None
        self._head = np.zeros(2, np.float32)

    def restart(self) -> None:
        self._last = None

    def look(self, frame: Frame, body: Floats) -> tuple[Floats, float]:
        """Landmarks (468, 3) in pixels and the score; NaN and 0 where no face is seen."""
        rough = region_from_body(body)
        head = body[list(EYES + MOUTH), :2].mean(axis=0)
        carried = self._last.moved(head - self._head) if self._last is not None else None
        self._head = head
        self._last = None
        if rough.size < SMALLEST_PX or not rough.inside(frame):
            return lost()
        if carried is not None and all(
            f <= limit for f, limit in zip(rough.differs(carried), DRIFT, strict=True)
        ):
            landmarks, score = self._seen(frame, carried)
            if score >= PRESENT:
                self._last = region_from_face(landmarks)
                return landmarks, score
        return self._search(frame, rough)

    def at(self, frame: Frame, region: Region) -> tuple[Floats, float]:
        """Landmarks (468, 3) in pixels and the score, whatever it is, in one square of a frame; nothing is kept."""
        return self._seen(frame, region)

    def _search(self, frame: Frame, region: Region) -> tuple[Floats, float]:
        """Look, cut anew about what was seen, and look again until the crop fits."""
        landmarks, score = lost()
        for _ in range(LOOKS):
            landmarks, score = self._seen(frame, region)
            if score < PRESENT:
                return lost()
            own = region_from_face(landmarks)
            fits = all(f <= limit for f, limit in zip(own.differs(region), FITS, strict=True))
            region = own
            if fits:
                break
        self._last = region
        return landmarks, score

    def _seen(self, frame: Frame, region: Region) -> tuple[Floats, float]:
        region.crop(frame, self._network)
        flat, flag = self._network.run()
        landmarks = region.to_picture(flat.reshape(FACE, 3) / np.float32(self._network.width))
        return landmarks, float(sigmoid(flag.reshape(-1))[0])


def region_from_body(body: Floats) -> Region:
    """The square about the face as the body's landmarks (33, 3) have it."""
    right, left = body[EYES[1], :2], body[EYES[0], :2]
    dx, dy = (float(x) for x in left - right)
    eyes, mouth = (left + right) / 2, body[list(MOUTH), :2].mean(axis=0)
    ears = float(np.linalg.norm(body[EARS[0], :2] - body[EARS[1], :2]))
    size = max(EYES_TO_CHIN * float(np.linalg.norm(eyes - mouth)), EARS_TO_WIDTH * ears)
    x, y = (float(v) for v in eyes * 0.45 + mouth * 0.55)
    # A face in profile has no eye line to speak of; then the line from eyes to mouth tells what is upright.
    down = mouth - eyes
    angle = (
        atan2(dy, dx)
        if np.hypot(dx, dy) > 0.35 * ears and ears > 0
        else -atan2(float(down[0]), float(down[1]))
    )
    return Region(x, y, size * MARGIN, upright(angle))


def region_from_face(landmarks: Floats) -> Region:
    """The square about the face's own landmarks (468, 3), eyes level."""
    right, left = landmarks[EYE_CORNERS[0], :2], landmarks[EYE_CORNERS[1], :2]
    dx, dy = (float(x) for x in left - right)
    return Region.enclosing(landmarks, atan2(dy, dx)).scaled(MARGIN)


def lost() -> tuple[Floats, float]:
    return np.full((FACE, 3), np.nan, np.float32), 0.0
