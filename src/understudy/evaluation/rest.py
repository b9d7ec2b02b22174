"""The figure at rest: a driving video that is a still clip of the reference image should give that image back."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import av
import numpy as np

from understudy.evaluation.joints import person_height
from understudy.evaluation.masks import box_about
from understudy.evaluation.pixels import mean_square, psnr
from understudy.evaluation.samples import sample_times, sampled, scaled
from understudy.evaluation.watched import Watcher
from understudy.media.clip import probe
from understudy.media.picture import load_picture
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Tracker

DURATION_S = 3.2  # just over the least that a driving video may last
FPS = 15
SHORTEST_SIDE, LONGEST_SIDE = 360, 1920

FACE_MARGIN = 0.15  # of the mesh's extent: lids, lips and jaw move inside it, and it has no forehead
SMALLEST_FACE_PX = 16

Box = tuple[slice, slice]
Render = Callable[[Path, Path, Path], object]
"""``render(image, video, output)`` makes the output file from a reference image and a driving video."""


class RestFigures(NamedTuple):
    """Decibels inside the person's box, grown by 8 % of the height, and inside the face's; None where either is not
    seen in the reference image."""

    rest_psnr: float | None
    rest_face_psnr: float | None


def still_clip(reference: Path, path: Path) -> None:
    """Write a clip in which the reference image stands still. Raises PictureError."""
    picture = load_picture(reference, limits=False).on_white()
    height, width = picture.shape[:2]
    factor = min(LONGEST_SIDE / max(height, width), max(1.0, SHORTEST_SIDE / min(height, width)))
    size = (round(width * factor / 2) * 2, round(height * factor / 2) * 2)
    frame = av.VideoFrame.from_ndarray(scaled(picture, size), format="rgb24")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(FPS), options={"crf": "12", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(round(DURATION_S * FPS)):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def rest_figures(
    reference: Path, rest: Path | Render, *, tracker: Callable[[], Tracker] = MediaPipeTracker
) -> RestFigures:
    """How like the reference image a result is in which nothing may have moved.

    ``rest`` is the video made from `still_clip`, or what makes it. Raises PictureError, ClipError.
    """
    if not isinstance(rest, Path):
        with TemporaryDirectory(prefix="understudy-rest-") as folder:
            clip, output = Path(folder, "still.mp4"), Path(folder, "rest.mp4")
            still_clip(reference, clip)
            rest(reference, clip, output)
            return rest_figures(reference, output, tracker=tracker)
    wanted: Frame | None = None
    boxes: list[Box | None] = []
    squares: list[list[float]] = [[], []]
    clip_made = probe(rest)
    for made in sampled(clip_made, sample_times(clip_made.duration_s)):
        if wanted is None:
            wanted = scaled(load_picture(reference, limits=False).on_white(), (made.shape[1], made.shape[0]))
            boxes = _boxes(wanted, tracker())
        for box, found in zip(boxes, squares, strict=True):
            if box is not None:
                found.append(mean_square(made[box], wanted[box]))
    return RestFigures(*(psnr(float(np.mean(found))) if found else None for found in squares))


def _boxes(picture: Frame, tracker: Tracker) -> list[Box | None]:
    """The person's box and the face's."""
    watcher = Watcher(tracker)
    person = watcher.find(picture)
    height = person_height(watcher.watched().motion)
    if person is None or height is None:
        return [None, None]
    return [box_about(person, height, picture), face_box(person.face, picture)]


def face_box(face: Floats, picture: Frame) -> Box | None:
    """Rows and columns of the box about the mesh (468, 3), grown on each side, inside the picture."""
    if not np.isfinite(face).all():
        return None
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    margin = FACE_MARGIN * (high - low)
    limits = np.array([picture.shape[1], picture.shape[0]])
    (left, top), (right, bottom) = (
        np.clip(np.rint(edge), 0, limits).astype(int) for edge in (low - margin, high + margin)
    )
    if right - left < SMALLEST_FACE_PX or bottom - top < SMALLEST_FACE_PX:
        return None
    return slice(top, bottom), slice(left, right)
