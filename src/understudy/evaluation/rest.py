"""The figure at rest: a driving video that is a still clip of the reference image should give that image back."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from understudy.evaluation.joints import person_height
from understudy.evaluation.masks import box_about
from understudy.evaluation.pixels import mean_square, psnr
from understudy.evaluation.reference import on_white
from understudy.evaluation.samples import sample_times, sampled, scaled
from understudy.evaluation.watched import Watcher
from understudy.media.clip import probe
from understudy.media.picture import load_picture
from understudy.tracking.mediapipe_tracker import MediaPipeTracker
from understudy.tracking.tracker import Tracker

DURATION_S = 3.2  # just over the least that a driving video may last
FPS = 15
SHORTEST_SIDE, LONGEST_SIDE = 360, 1920

Render = Callable[[Path, Path, Path], object]
"""``render(image, video, output)`` makes the output file from a reference image and a driving video."""


def still_clip(reference: Path, path: Path) -> None:
    """Write a clip in which the reference image stands still. Raises PictureError."""
    picture = on_white(load_picture(reference, limits=False))
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


def rest_psnr(
    reference: Path, rest: Path | Render, *, tracker: Callable[[], Tracker] = MediaPipeTracker
) -> float | None:
    """Decibels inside the person's box, grown by 8 % of the height; None where nobody is seen in the reference.

    ``rest`` is the video made from `still_clip`, or what makes it. Raises PictureError, ClipError.
    """
    if not isinstance(rest, Path):
        with TemporaryDirectory(prefix="understudy-rest-") as folder:
            clip, output = Path(folder, "still.mp4"), Path(folder, "rest.mp4")
            still_clip(reference, clip)
            rest(reference, clip, output)
            return rest_psnr(reference, output, tracker=tracker)
    squares = []
    wanted = box = None
    clip_made = probe(rest)
    for made in sampled(clip_made, sample_times(clip_made.duration_s)):
        if wanted is None:
            wanted = scaled(on_white(load_picture(reference, limits=False)), (made.shape[1], made.shape[0]))
            watcher = Watcher(tracker())
            person = watcher.find(wanted)
            height = person_height(watcher.watched().motion)
            box = None if person is None or height is None else box_about(person, height, wanted)
        if box is None:
            return None
        squares.append(mean_square(made[box], wanted[box]))
    return psnr(float(np.mean(squares))) if squares else None
