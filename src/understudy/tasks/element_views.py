"""The views of a character that a video of it gives: a few sharp frames, each from another side.

Runs in the confined child. Where the tracker finds the person, the sides are told by the shoulders: the angle of the
line between them, seen from above, is 0 degrees from the front, 90 from a side and 180 from the back. Where it finds
nobody, or has no models here, the sharpest frame of each part of the video is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from understudy.errors import ClipError, ModelError
from understudy.media.clip import Clip, probe, read_frames
from understudy.media.limits import API_CLIPS, CLIP_SIDES, MB, PICTURE_ASPECT, SECONDS_TOLERANCE
from understudy.tasks.element_limits import ELEMENT_CLIP_BYTES, ELEMENT_CLIP_SECONDS
from understudy.tracking.tracker import Tracker

LOOKS = 24  # frames that are looked at, the sharpest of as many equal parts of the video
LOOK_SIDE = 480  # their short side in pixels
VIEW_SIDE = 1080  # the most of the views' own
SHARP_SHARE = 0.5  # of the median sharpness: what has less is blurred
APART_DEG = 30.0  # by which two sides differ at least; below it three views are enough
ENOUGH = 3
LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12


@dataclass(frozen=True)
class Look:
    """One frame: seconds since the first one, the variance of its Laplacian, and whence it shows the person (degrees,
    None where nobody was found)."""

    time_s: float
    sharpness: float
    facing_deg: float | None = None


def pick_views(video: Path, places: Sequence[Path], threads: int) -> int:
    """Write views of the video's person to the first of ``places``, as PNG, the one most from the front first. Returns
    how many. Raises ClipError."""
    clip = probe(video, containers=API_CLIPS)
    check_element_clip(clip)
    chosen = choose(_looks(clip, threads, _tracker(threads)), len(places))
    wanted = {look.time_s: place for look, place in zip(chosen, places, strict=False)}
    for time_s, frame in read_frames(clip, short_side_max=VIEW_SIDE, threads=threads):
        if time_s in wanted:
            Image.fromarray(frame).save(wanted[time_s], format="PNG")
    return len(chosen)


def choose(looks: Sequence[Look], most: int) -> list[Look]:
    """The looks to keep as views. Blurred ones are only taken where all are."""
    median = float(np.median([look.sharpness for look in looks]))
    sharp = [look for look in looks if look.sharpness >= SHARP_SHARE * median]
    seen = [look for look in sharp if look.facing_deg is not None]
    return _from_all_sides(seen, most) if len(seen) >= ENOUGH else _through_time(sharp, most)


def _from_all_sides(looks: list[Look], most: int) -> list[Look]:
    """The one most from the front, then each time the one that is furthest from all before."""
    chosen = [min(looks, key=lambda look: _apart(look, Look(0, 0, 0.0)))]
    left = [look for look in looks if look is not chosen[0]]
    while left and len(chosen) < most:
        further = max(left, key=lambda look: min(_apart(look, other) for other in chosen))
        if len(chosen) >= ENOUGH and min(_apart(further, other) for other in chosen) < APART_DEG:
            break
        chosen.append(further)
        left.remove(further)
    return chosen


def _through_time(looks: list[Look], most: int) -> list[Look]:
    """The sharpest of each of as many equal parts."""
    parts = np.array_split(np.arange(len(looks)), min(most, len(looks)))
    return [max((looks[index] for index in part), key=lambda look: look.sharpness) for part in parts]


def _apart(one: Look, other: Look) -> float:
    """Degrees between two sides, 0 to 180."""
    assert one.facing_deg is not None
    assert other.facing_deg is not None
    return abs((one.facing_deg - other.facing_deg + 180) % 360 - 180)


def _looks(clip: Clip, threads: int, tracker: Tracker | None) -> list[Look]:
    """The sharpest frame of each part of the video, in order."""
    best: dict[int, tuple[Look, NDArray[np.uint8]]] = {}
    for time_s, frame in read_frames(clip, short_side_max=LOOK_SIDE, threads=threads):
        part = min(LOOKS - 1, int(LOOKS * time_s / max(clip.duration_s, time_s, 1e-6)))
        look = Look(time_s, _sharpness(frame))
        if part not in best or look.sharpness > best[part][0].sharpness:
            best[part] = look, frame
    return [replace(look, facing_deg=_facing(frame, tracker)) for _, (look, frame) in sorted(best.items())]


def _sharpness(frame: NDArray[np.uint8]) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def _facing(frame: NDArray[np.uint8], tracker: Tracker | None) -> float | None:
    person = None if tracker is None else tracker.find(frame)
    if person is None:
        return None
    across = person.world[LEFT_SHOULDER] - person.world[RIGHT_SHOULDER]
    angle = math.degrees(math.atan2(float(across[2]), float(across[0])))
    return angle if math.isfinite(angle) else None


def _tracker(threads: int) -> Tracker | None:
    """The project's own. None where its models are not here: views are then picked without."""
    from understudy.tracking.mediapipe_tracker import MediaPipeTracker

    try:
        return MediaPipeTracker(threads=threads)
    except ModelError:
        return None


def check_element_clip(clip: Clip) -> None:
    """Raise ClipError where a video of a character is outside the limits that Kling's API gives for it; its sides and
    shape may be any that a driving video and a picture may have."""
    width, height = clip.width, clip.height
    shortest, longest = ELEMENT_CLIP_SECONDS
    low, high = CLIP_SIDES
    most = f"{ELEMENT_CLIP_BYTES // MB} MB"
    seconds, size = f"{clip.duration_s:.2f} s", f"{width}x{height} px"
    faults = (
        (
            clip.size_bytes > ELEMENT_CLIP_BYTES,
            "clip_file_size",
            f"{clip.size_bytes / MB:.1f} MB",
            f"at most {most}",
        ),
        (min(width, height) < low, "clip_too_small", size, f"at least {low} px a side"),
        (max(width, height) > high, "clip_too_large", size, f"at most {high} px a side"),
        (_shape(width, height) > PICTURE_ASPECT, "clip_aspect", size, "sides of 1:2.5 to 2.5:1"),
        (
            clip.duration_s < shortest - SECONDS_TOLERANCE,
            "clip_too_short",
            seconds,
            f"at least {shortest:g} s",
        ),
        (clip.duration_s > longest + SECONDS_TOLERANCE, "clip_too_long", seconds, f"at most {longest:g} s"),
    )
    for broken, code, found, limit in faults:
        if broken:
            raise ClipError(
                code,
                f"The element's video has {found}; {limit} are accepted.",
                value=found,
                limit=limit,
                fix="Use 3 to 8 s of the character, turning, 1080 pixels on the short side.",
            )


def _shape(width: int, height: int) -> Fraction:
    return Fraction(max(width, height), min(width, height))
