"""What the API accepts: the limits on both inputs, each refusal one error that says what to do."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from understudy.errors import ClipError, PictureError
from understudy.request import Orientation

if TYPE_CHECKING:
    from understudy.media.clip import Clip

MB = 2**20

PICTURE_BYTES = 10 * MB
PICTURE_SIDES = (300, 65536)
PICTURE_ASPECT = 2.5
PICTURE_PIXELS = 100_000_000  # never lifted: a small file can hold more pixels than memory
PICTURE_PIXELS_COPIED = 40_000_000  # never lifted: of decoders that hold several whole copies (WebP, AVIF)
PICTURE_WEIGHT = 512 * MB  # never lifted: 100 million plain pixels, and room for what goes with them
API_PICTURES = ("JPEG", "PNG")  # the formats that Kling's API takes; the command line takes more

API_CLIPS = ("mov",)  # the containers that Kling's API takes, MP4 and MOV; the command line takes more
CLIP_BYTES = 100 * MB
CLIP_SIDES = (340, 3850)
CLIP_SECONDS = {Orientation.VIDEO: (3.0, 30.0), Orientation.IMAGE: (3.0, 10.0)}
SECONDS_TOLERANCE = 0.1  # encoders round up to whole frames and sound packets
CLIP_RATES = (Fraction(1, 3600), 1000)  # frames a second; never lifted: beyond them a file's clock is damaged
CLIP_PIXELS = 8192 * 4320  # never lifted: the largest that cameras film; FFmpeg holds 16 such frames and more


def api_clips(*, matroska: bool) -> tuple[str, ...]:
    """The containers that a task's driving video may have: Kling's, and Matroska where its protocol takes that."""
    return (*API_CLIPS, "matroska") if matroska else API_CLIPS


def check_picture_file(size_bytes: int) -> None:
    """Raise PictureError where the file is larger than 10 MB."""
    if size_bytes > PICTURE_BYTES:
        size = _megabytes(size_bytes)
        raise PictureError(
            "picture_file_size",
            f"The picture's file has {size}; at most {_megabytes(PICTURE_BYTES)} are accepted.",
            value=size,
            limit=_megabytes(PICTURE_BYTES),
            fix="Save it as JPEG, or smaller.",
        )


def check_picture_weight(size_bytes: int) -> None:
    """Raise PictureError for a file that no picture fills. Holds with ``limits=False`` too."""
    if size_bytes > PICTURE_WEIGHT:
        size = _megabytes(size_bytes)
        raise PictureError(
            "picture_file_size",
            f"The picture's file has {size}; at most {_megabytes(PICTURE_WEIGHT)} are read.",
            value=size,
            limit=f"{_megabytes(PICTURE_WEIGHT)}, also without the limits",
            fix="Save it as JPEG, or smaller.",
        )


def check_picture_pixels(width: int, height: int, *, copies: bool = False) -> None:
    """Raise PictureError where decoding would fill the memory. Holds with ``limits=False`` too.

    ``copies``: the decoder holds several of the whole picture.
    """
    most = PICTURE_PIXELS_COPIED if copies else PICTURE_PIXELS
    if width * height > most:
        raise too_many_pixels(f"{width}x{height} ", most)


def too_many_pixels(size: str = "", most: int = PICTURE_PIXELS) -> PictureError:
    """The error of a picture with more than ``most`` pixels; ``size`` is how many, where that is known."""
    return PictureError(
        "picture_too_many_pixels",
        f"The picture has {size or 'too many '}pixels; at most {most // 10**6} million can be read.",
        value=f"{size}px" if size else None,
        limit=f"{most} px in all",
        fix="Scale it down.",
    )


def check_picture(width: int, height: int) -> None:
    """Raise PictureError where a picture's sides or shape are outside the limits."""
    size = f"{width}x{height} px"
    low, high = PICTURE_SIDES
    if min(width, height) < low:
        raise PictureError(
            "picture_too_small",
            f"The picture has {width}x{height} pixels; each side needs at least {low}.",
            value=size,
            limit=f"{low} px",
            fix="Use a larger picture; scaling this one up adds no detail.",
        )
    if max(width, height) > high:
        raise PictureError(
            "picture_too_large",
            f"The picture has {width}x{height} pixels; no side may be over {high}.",
            value=size,
            limit=f"{high} px",
            fix="Scale it down.",
        )
    aspect = width / height
    if not 1 / PICTURE_ASPECT <= aspect <= PICTURE_ASPECT:
        shape = f"1:{1 / aspect:.2f}" if aspect < 1 else f"{aspect:.2f}:1"
        raise PictureError(
            "picture_aspect",
            f"The picture's sides are {shape} ({width}x{height} pixels); 1:2.5 to 2.5:1 is accepted.",
            value=shape,
            limit="1:2.5 to 2.5:1",
            fix="Crop the long side, or add background at the long edges.",
        )


def check_clip_rate(fps: Fraction) -> None:
    """Raise ClipError for frames that follow each other as no camera takes them. Holds with ``limits=False`` too."""
    low, high = CLIP_RATES
    if not low <= fps <= high:
        told = f"{float(fps):.3g} frames a second"
        raise ClipError(
            "clip_rate",
            f"The video's times make {told}: its clock is damaged.",
            value=told,
            limit=f"{high} frames a second",
            fix="Download or export it again.",
        )


def check_clip(clip: Clip, orientation: Orientation, *, limits: bool = True) -> None:
    """Raise ClipError where a clip's file, sides or duration are outside the orientation's limits.

    The sides are the upright ones, the duration the video stream's own. ``limits`` False lifts all of it.
    """
    if not limits:
        return
    if clip.size_bytes > CLIP_BYTES:
        weight = _megabytes(clip.size_bytes)
        raise ClipError(
            "clip_file_size",
            f"The video's file has {weight}; at most {_megabytes(CLIP_BYTES)} are accepted.",
            value=weight,
            limit=_megabytes(CLIP_BYTES),
            fix="Cut it shorter, or encode it smaller.",
        )
    size = f"{clip.width}x{clip.height} px"
    low, high = CLIP_SIDES
    if min(clip.width, clip.height) < low:
        raise ClipError(
            "clip_too_small",
            f"The video has {clip.width}x{clip.height} pixels; each side needs at least {low}.",
            value=size,
            limit=f"{low} px",
            fix="Use the video in a larger size.",
        )
    if max(clip.width, clip.height) > high:
        raise ClipError(
            "clip_too_large",
            f"The video has {clip.width}x{clip.height} pixels; no side may be over {high}.",
            value=size,
            limit=f"{high} px",
            fix="Scale it down; 1080 pixels on the short side are plenty.",
        )
    shortest, longest = CLIP_SECONDS[orientation]
    seconds = f"{clip.duration_s:.2f} s"
    if clip.duration_s < shortest - SECONDS_TOLERANCE:
        raise ClipError(
            "clip_too_short",
            f"The video lasts {seconds}; at least {shortest:g} s are needed.",
            value=seconds,
            limit=f"{shortest:g} s",
            fix="Use a longer piece of the movement.",
        )
    if clip.duration_s > longest + SECONDS_TOLERANCE:
        other = ""
        if orientation is Orientation.IMAGE:
            other = f" With orientation 'video' it may last {CLIP_SECONDS[Orientation.VIDEO][1]:g} s."
        raise ClipError(
            "clip_too_long",
            f"The video lasts {seconds}; with orientation '{orientation.value}' {longest:g} s are the most.",
            value=seconds,
            limit=f"{longest:g} s",
            fix=f"Cut it to the piece that matters.{other}",
        )


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / MB:.1f} MB"
