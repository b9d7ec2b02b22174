"""The limits of Kling's Motion Control API on its two inputs, and our own on what can be decoded safely.

Source: the API's published input requirements. MB is 2**20 bytes. A duration is the video stream's, with a tolerance,
since containers round.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from understudy.errors import ClipError, PictureError
from understudy.request import Orientation

MB: Final = 2**20
PICTURE_BYTES: Final = 10 * MB
PICTURE_SIDES: Final = (300, 65536)
PICTURE_ASPECT: Final = Fraction(5, 2)  # longer over shorter side
PICTURE_PIXELS: Final = 100_000_000  # our own: more is a decompression bomb
CLIP_BYTES: Final = 100 * MB
CLIP_SIDES: Final = (340, 3850)
CLIP_PIXELS: Final = 8192 * 8192  # our own, without the API's limits
CLIP_SECONDS: Final = {Orientation.VIDEO: (3.0, 30.0), Orientation.IMAGE: (3.0, 10.0)}
TOLERANCE_S: Final = 0.1


def check_picture_file(path: Path) -> None:
    """Size of the file. Raises PictureError (``picture_too_heavy``)."""
    size = path.stat().st_size
    if size > PICTURE_BYTES:
        raise PictureError(
            "picture_too_heavy",
            f"The reference image has {size / MB:.1f} MB, more than 10 MB.",
            value=f"{size / MB:.1f} MB",
            limit="10 MB",
            fix="Save it as JPEG, or smaller.",
        )


def check_picture_pixels(width: int, height: int) -> None:
    """What may be decoded at all. Raises PictureError (``picture_too_large``)."""
    if width * height > PICTURE_PIXELS:
        raise PictureError(
            "picture_too_large",
            f"The reference image has {width} x {height} pixels, more than 100 million in all.",
            value=f"{width} x {height}",
            limit="100 million pixels",
            fix="Scale it down; the output's short side is 720 or 1080 pixels.",
        )


def check_picture_shape(width: int, height: int) -> None:
    """Sides and aspect. Raises PictureError (``picture_side``, ``picture_aspect``)."""
    low, high = PICTURE_SIDES
    if min(width, height) < low or max(width, height) > high:
        small = min(width, height) < low
        raise PictureError(
            "picture_side",
            f"The reference image is {width} x {height} pixels; each side must have {low} to {high}.",
            value=f"{width} x {height}",
            limit=f"{low} to {high} pixels a side",
            fix="Use a larger picture, best 720 pixels or more on the short side."
            if small
            else "Scale it down.",
        )
    if Fraction(max(width, height), min(width, height)) > PICTURE_ASPECT:
        raise PictureError(
            "picture_aspect",
            f"The reference image's aspect is 1:{max(width, height) / min(width, height):.2f}; "
            "it must lie between 1:2.5 and 2.5:1.",
            value=f"{width} x {height}",
            limit="1:2.5 to 2.5:1",
            fix="Crop its long side, or add background to its short side.",
        )


def check_clip_file(path: Path) -> None:
    """Size of the file. Raises ClipError (``clip_too_heavy``)."""
    size = path.stat().st_size
    if size > CLIP_BYTES:
        raise ClipError(
            "clip_too_heavy",
            f"The driving video has {size / MB:.1f} MB, more than 100 MB.",
            value=f"{size / MB:.1f} MB",
            limit="100 MB",
            fix="Cut it shorter, or encode it with a lower bit rate.",
        )


def check_clip_shape(width: int, height: int) -> None:
    """Sides. Raises ClipError (``clip_side``)."""
    low, high = CLIP_SIDES
    if min(width, height) < low or max(width, height) > high:
        small = min(width, height) < low
        raise ClipError(
            "clip_side",
            f"The driving video is {width} x {height} pixels; each side must have {low} to {high}.",
            value=f"{width} x {height}",
            limit=f"{low} to {high} pixels a side",
            fix="Use a larger original." if small else "Scale it down to 1080p.",
        )


def check_clip_duration(duration_s: float, orientation: Orientation) -> None:
    """Raises ClipError (``clip_too_short``, ``clip_too_long``)."""
    low, high = CLIP_SECONDS[orientation]
    span = f"{low:g} to {high:g} s for orientation {orientation.value!r}"
    if duration_s < low - TOLERANCE_S:
        raise ClipError(
            "clip_too_short",
            f"The driving video lasts {duration_s:.2f} s, less than {low:g} s.",
            value=f"{duration_s:.2f} s",
            limit=span,
            fix="Use a longer clip.",
        )
    if duration_s > high + TOLERANCE_S:
        other = (
            " or use --orientation video, which takes up to 30 s" if orientation is Orientation.IMAGE else ""
        )
        raise ClipError(
            "clip_too_long",
            f"The driving video lasts {duration_s:.2f} s, more than {high:g} s for orientation {orientation.value!r}.",
            value=f"{duration_s:.2f} s",
            limit=span,
            fix=f"Cut it to {high:g} s{other}; on your own machine --no-limits lifts this.",
        )
