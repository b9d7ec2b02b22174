"""A driving video's file: opened without letting it point anywhere else, and the stream that is watched."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from understudy.errors import ClipError
from understudy.media.limits import CLIP_PIXELS
from understudy.media.ordinary_file import why_not_ordinary

# FFmpeg's demuxers and how their files begin: the first box of MP4 and MOV, the EBML mark of Matroska and WebM. Each
# is named outright when a file is opened: guessing would open playlists too, and playlists open other files.
MOV, MATROSKA = "mov", "matroska"
READABLE = {MOV: ("MP4", "MOV"), MATROSKA: ("MKV", "WebM")}
FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
EBML = b"\x1aE\xdf\xa3"
SHORTEST_SIDE = 16  # pixels, under which nobody can be seen and filters have no neighbours; never lifted
THUMBNAILS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def open_clip(path: Path, containers: Collection[str] = tuple(READABLE)) -> InputContainer:
    """Open a file of ``containers``, keys of `READABLE`, and nothing else: no playlist, no address, no device.

    Raises ClipError: clip_unreadable, clip_format or clip_damaged.
    """
    demuxer = container_of(path)
    if demuxer is None or demuxer not in containers:
        names = [name for container in containers for name in READABLE[container]]
        raise ClipError(
            "clip_format",
            f"The video is not an {', '.join(names[:-1])} or {names[-1]} file, whatever its name says.",
            limit=", ".join(names),
            fix="Convert it to MP4.",
        )
    try:
        # FFmpeg takes no absolute path for a protocol; the white list keeps the file from pointing elsewhere.
        return av.open(
            str(path.absolute()),
            "r",
            format=demuxer,
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise damaged() from error


def container_of(path: Path) -> str | None:
    """`MOV` or `MATROSKA` by the file's first bytes, None for anything else. Raises ClipError (clip_unreadable)."""
    why_not = why_not_ordinary(path)
    if why_not is not None:
        raise _unreadable(why_not)
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError) as error:
        raise _unreadable(getattr(error, "strerror", None) or str(error)) from error
    if head[4:8] in FIRST_BOXES:
        return MOV
    return MATROSKA if head.startswith(EBML) else None


def _unreadable(why: str) -> ClipError:
    return ClipError(
        "clip_unreadable",
        f"The video cannot be opened: {why}.",
        fix="Check its path and that it may be read.",
    )


def damaged() -> ClipError:
    return ClipError(
        "clip_damaged",
        "The video's file is damaged or incomplete: nothing in it can be decoded.",
        fix="Download or export it again.",
    )


def video_stream(container: InputContainer) -> VideoStream:
    """The stream to watch: what the file shows by default, no cover picture; of several, one that can be decoded.

    Raises ClipError: clip_damaged, clip_no_video, clip_codec, clip_too_small or clip_too_many_pixels.
    """
    if not container.streams.video and not container.streams.audio:
        raise damaged()
    shown = [stream for stream in container.streams.video if not stream.disposition & THUMBNAILS]
    if not shown:
        raise ClipError(
            "clip_no_video",
            "The file holds no video.",
            fix="Use a file that shows somebody moving.",
        )
    # Phones store what belongs to a picture (depth, a second lens) as tracks that are switched off.
    stream = max(
        shown,
        key=lambda s: (s.codec_context is not None, bool(s.disposition & Disposition.default), -s.index),
    )
    context = stream.codec_context
    if context is None:
        raise ClipError(
            "clip_codec",
            "The video is encoded in a way that cannot be read here.",
            fix="Convert it to H.264.",
        )
    size = f"{context.width}x{context.height}"
    if context.width * context.height > CLIP_PIXELS:
        raise ClipError(
            "clip_too_many_pixels",
            f"The video has {size} pixels; that cannot be decoded.",
            value=f"{size} px",
            limit=f"{CLIP_PIXELS} px in all",
            fix="Scale it down; 1080 pixels on the short side are plenty.",
        )
    if 0 < min(context.width, context.height) < SHORTEST_SIDE:
        raise ClipError(
            "clip_too_small",
            f"The video has {size} pixels; nobody can be seen in that.",
            value=f"{size} px",
            limit=f"{SHORTEST_SIDE} px",
            fix="Use the video in a larger size.",
        )
    context.options = {"max_pixels": str(CLIP_PIXELS)}  # a stream can change its size on the way
    return stream
