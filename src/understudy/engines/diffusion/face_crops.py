"""Face pictures: what Wan2.2-Animate reads the expression from.

After the face boxes in Wan2.2's own preprocessing (github.com/Wan-Video/Wan2.2,
wan/modules/animate/preprocess/utils.py, ``get_face_bboxes`` with a scale of 1.3): the box about the 68 points of a
face from the brows to the chin and from ear to ear, its area 1.3 times as large with the same aspect, three quarters of
what its height gains lying above, cut off at the picture's edges and stretched to 512 x 512. The model was trained on
faces stretched so; they are therefore not padded to a square here. Black is what the model is given where it is to
know of no face (guidance without the face in diffusers' WanAnimatePipeline), so a frame without one is black.

The box there comes anew from each frame's points; here it is calm over time. It is cut from the driving video's own
frame, which has more pixels of the face than the model's.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.diffusion.spec import FACE_SIDE
from understudy.tracking import series
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.smoothing import fill_gaps
from understudy.tracking.tracker import Frame

# Landmarks of Face Mesh where the 68 points have the jaw, from ear to ear, and the brows' upper edges.
OUTLINE = (
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
)  # fmt: skip
AREA = 1.3
ABOVE = 0.75  # of what the height gains
FACE_SEEN = 0.3
# Without a mesh, from BlazePose's head: how far the brows lie above the eyes and the chin below the mouth, in distances
# from the eyes to the mouth.
NOSE, EYES, EARS, MOUTH = 0, (2, 5), (7, 8), (9, 10)  # own left first
BROWS_OVER, CHIN_UNDER = 0.4, 0.65
HEAD_SEEN = 0.6
CALM_PLACE_S, CALM_SIZE_S = 0.05, 0.2  # deviations of the averages
GAP_S = 0.3  # without a face that is bridged
SLIMMEST = 0.55  # width over height, and height over width: of a head in profile more is shown
LEAST_INSIDE = 0.4  # of the box's area: a face that is less in the picture is none
LEAST_PX = 8.0  # of the box's shorter side in the frame: less tells no expression


class FaceCrops:
    """The face pictures of a motion. ``boxes`` (T, 4) left, top, right, bottom in the driving video's pixels, NaN
    without a face; they may reach over its edges."""

    def __init__(self, motion: Motion) -> None:
        self._size = (motion.width, motion.height)
        self.boxes = _boxes(motion)

    def picture(self, frame: Frame, t: int) -> NDArray[np.uint8]:
        """(512, 512, 3) RGB. ``frame`` is number ``t`` of the driving video, of any size."""
        black = np.zeros((FACE_SIDE, FACE_SIDE, 3), np.uint8)
        box = self.boxes[t] * (frame.shape[1] / self._size[0])
        if not np.isfinite(box).all():
            return black
        left, top, right, bottom = (float(side) for side in box)
        area = (right - left) * (bottom - top)
        left, top = max(left, 0.0), max(top, 0.0)
        right, bottom = min(right, float(frame.shape[1])), min(bottom, float(frame.shape[0]))
        width, height = max(right - left, 0.0), max(bottom - top, 0.0)
        if width * height < LEAST_INSIDE * area or min(width, height) < LEAST_PX:
            return black
        return _stretched(frame, left, top, width, height)


def _stretched(frame: Frame, left: float, top: float, width: float, height: float) -> NDArray[np.uint8]:
    """A box of the frame on the whole of a face picture, to a fraction of a pixel, so that it does not jitter."""
    # Pixels that would be skipped are averaged first.
    shrink = max(int(min(width, height) / FACE_SIDE), 1)
    x, y = int(left), int(top)
    cut = frame[y : int(np.ceil(top + height)), x : int(np.ceil(left + width))]
    if shrink > 1:
        cut = cv2.resize(cut, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    across, down = width / shrink / FACE_SIDE, height / shrink / FACE_SIDE
    # Pixel centres lie at halves.
    matrix = np.array(
        [
            [across, 0, (left - x) / shrink + across / 2 - 0.5],
            [0, down, (top - y) / shrink + down / 2 - 0.5],
        ]
    )
    picture = cv2.warpAffine(
        cut,
        matrix,
        (FACE_SIDE, FACE_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(picture, np.uint8)


def _boxes(motion: Motion) -> Floats:
    boxes = np.full((len(motion), 4), np.nan, np.float32)
    for t in np.flatnonzero(motion.tracked):
        points = _points(motion, int(t))
        if points is not None:
            boxes[t] = _box(points)
    for shot in motion.shots:
        part = slice(shot.start, shot.stop)
        boxes[part] = _calm(fill_gaps(boxes[part], round(GAP_S * motion.fps)), motion.fps)
    return boxes


def _points(motion: Motion, t: int) -> Floats | None:
    """What the box goes about, (N, 2), or None where no face is seen."""
    if motion.face_score[t] >= FACE_SEEN:
        return np.asarray(motion.face[t][list(OUTLINE), :2])
    if motion.visibility[t, [NOSE, *EYES, *MOUTH]].min() < HEAD_SEEN:
        return None
    head = motion.body[t, :, :2]
    eyes, mouth = head[list(EYES)], head[list(MOUTH)]
    down = mouth.mean(axis=0) - eyes.mean(axis=0)
    across = eyes[0] - eyes[1]
    if (
        across[0] * down[1] - across[1] * down[0] < 0
    ):  # the own left eye lies on the wrong side: seen from behind
        return None
    seen = [ear for ear in EARS if motion.visibility[t, ear] >= HEAD_SEEN]
    return np.concatenate([head[[NOSE, *seen]], eyes - BROWS_OVER * down, mouth + CHIN_UNDER * down])


def _box(points: Floats) -> Floats:
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, 1e-3)
    wanted = np.maximum(size, SLIMMEST * size[::-1])
    middle = (low + high) / 2
    low, high = middle - wanted / 2, middle + wanted / 2
    gain = (np.sqrt(AREA) - 1) * wanted
    low -= gain * np.array([0.5, ABOVE])
    high += gain * np.array([0.5, 1 - ABOVE])
    return np.asarray([*low, *high], np.float32)


def _calm(boxes: Floats, fps: float) -> Floats:
    """Boxes (T, 4), NaN without a face, averaged over time in each run of frames with one."""
    calm = boxes.copy()
    known = np.concatenate([[False], np.isfinite(boxes[:, 0]), [False]])
    for start, stop in np.flatnonzero(known[1:] != known[:-1]).reshape(-1, 2):
        run = boxes[start:stop]
        middle = series.gaussian((run[:, :2] + run[:, 2:]) / 2, CALM_PLACE_S * fps)
        size = np.exp(series.gaussian(np.log(run[:, 2:] - run[:, :2]), CALM_SIZE_S * fps))
        calm[start:stop] = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    return calm
