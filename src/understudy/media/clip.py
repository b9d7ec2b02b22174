"""The driving video: probing it, and its frames one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from understudy.errors import ClipError
from understudy.media.limits import (
    CLIP_PIXELS,
    check_clip_duration,
    check_clip_file,
    check_clip_shape,
)
from understudy.request import Orientation

# Demuxers that a stranger's file may meet, and the first bytes that lead to each: nothing that opens other files.
CONTAINERS: Final = {"mov": "mov,mp4,m4a,3gp,3g2,mj2"}
BOXES: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
VARIABLE: Final = 0.25  # of a frame: steps that differ by more make the rate variable


@dataclass(frozen=True)
class Clip:
    """What a probe tells, upright and with square pixels; times in seconds from the video's first frame."""

    path: Path
    width: int
    height: int
    rotation: int  # degrees counter-clockwise that the frames are turned to stand upright: 0, 90, 180, 270
    fps: Fraction
    duration_s: float
    frames: int  # estimate
    codec: str
    audio_codec: str | None
    start_s: float  # the first frame's time stamp in the file

    @property
    def has_audio(self) -> bool:
        return self.audio_codec is not None


def open_clip(path: Path) -> InputContainer:
    """Open a file as the container that its content shows. Raises ClipError."""
    if not path.is_file():
        raise ClipError(
            "clip_missing", f"There is no file {path.name!r}.", fix="Check the path of the driving video."
        )
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[4:8] not in BOXES:
        raise ClipError(
            "clip_format",
            f"{path.name!r} is neither MP4 nor MOV by its content.",
            limit="MP4, MOV",
            fix="Save the driving video as MP4 (H.264).",
        )
    options = {"protocol_whitelist": "file", "enable_drefs": "0", "use_absolute_path": "0"}
    try:
        return av.open(str(path), mode="r", format="mov", container_options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> ClipError:
    return ClipError(
        "clip_broken",
        f"{path.name!r} cannot be decoded ({type(error).__name__}).",
        fix="Play it in a player; if it plays, export it anew as MP4 (H.264).",
    )


def probe(path: Path) -> Clip:
    """Read a clip's facts, with its first frame. Raises ClipError (``clip_missing``, ``clip_format``,
    ``clip_broken``, ``clip_no_video``)."""
    with open_clip(path) as container:
        if not container.streams.video:
            raise ClipError(
                "clip_no_video",
                f"{path.name!r} has no video in it.",
                fix="Use a video in which somebody moves.",
            )
        stream = container.streams.video[0]
        if stream.codec_context is None or stream.width * stream.height > CLIP_PIXELS:
            raise ClipError(
                "clip_side",
                f"The driving video's frames cannot be decoded ({stream.width} x {stream.height} pixels).",
                value=f"{stream.width} x {stream.height}",
                limit=f"{CLIP_PIXELS} pixels, a known codec",
                fix="Export it anew as MP4 (H.264), at 1080p.",
            )
        try:
            first = next(_decoded(container, path, 1))
        except StopIteration:
            raise ClipError(
                "clip_broken",
                f"{path.name!r} holds no frame that can be decoded.",
                fix="Export it anew as MP4 (H.264).",
            ) from None
        fps = stream.average_rate or stream.guessed_rate or stream.base_rate or Fraction(30)
        fps = min(max(Fraction(fps), Fraction(1)), Fraction(240))
        duration = _duration_s(container)
        rotation = int(first.rotation) % 360
        sar = stream.sample_aspect_ratio or Fraction(1)
        width, height = first.width, first.height
        if sar and sar != 1 and Fraction(1, 4) <= sar <= 4:
            width = max(round(width * sar), 1)
        if rotation in (90, 270):
            width, height = height, width
        audio = container.streams.audio[0] if container.streams.audio else None
        name = audio.codec_context.name if audio is not None and audio.codec_context is not None else None
        return Clip(
            path=path,
            width=width,
            height=height,
            rotation=rotation,
            fps=fps,
            duration_s=duration,
            frames=stream.frames or round(duration * float(fps)),
            codec=stream.codec_context.name,
            audio_codec=name,
            start_s=float(first.time or 0.0),
        )


def _duration_s(container: InputContainer) -> float:
    stream = container.streams.video[0]
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / av.time_base


def check_clip(clip: Clip, orientation: Orientation) -> None:
    """The API's limits. Raises ClipError (see `limits`)."""
    check_clip_file(clip.path)
    check_clip_shape(clip.width, clip.height)
    check_clip_duration(clip.duration_s, orientation)


def _decoded(container: InputContainer, path: Path, threads: int) -> Iterator[VideoFrame]:
    """Frames in presentation order; damaged packets are passed over, the frames that are left keep their times."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO" if threads > 1 else "NONE"
    stream.codec_context.thread_count = threads
    failures = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, OSError) as error:
            # The file ends early: what came before is good.
            if isinstance(error, av.error.EOFError):
                return
            raise _broken(path, error) from error
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, OSError):
            failures += 1
            if failures > 500:
                return
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame):
                yield frame


def read_frames(
    clip: Clip, *, short_side_max: int | None = None, threads: int = 1
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The clip's frames in order: time in seconds from the first, upright RGB (H, W, 3), each a new array.

    ``short_side_max`` scales larger frames down while converting them, which is nearly free. A frame whose time does
    not move on is dropped. Raises ClipError where the file breaks.
    """
    width, height = scaled_size(clip, short_side_max)
    before = (height, width) if clip.rotation in (90, 270) else (width, height)
    with open_clip(clip.path) as container:
        last = -1.0
        count = 0
        for frame in _decoded(container, clip.path, threads):
            time_s = float(frame.time) - clip.start_s if frame.time is not None else count / float(clip.fps)
            count += 1
            if time_s <= last and last >= 0:
                continue
            last = time_s
            rgb = _to_rgb(frame, *before)
            if clip.rotation:
                rgb = np.ascontiguousarray(np.rot90(rgb, clip.rotation // 90))
            yield max(time_s, 0.0), rgb


def scaled_size(clip: Clip, short_side_max: int | None) -> tuple[int, int]:
    """(width, height) of upright frames whose short side is at most ``short_side_max``."""
    if short_side_max is None or min(clip.width, clip.height) <= short_side_max:
        return clip.width, clip.height
    scale = short_side_max / min(clip.width, clip.height)
    return max(round(clip.width * scale), 2), max(round(clip.height * scale), 2)


def _to_rgb(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """Convert with the frame's own matrix and range; where it tells none, BT.709 from 720 lines on, as players do."""
    told = int(frame.colorspace)
    known = {int(c) for c in Colorspace}
    if told not in known or told == 0:
        told = int(Colorspace.ITU709) if max(frame.width, frame.height) >= 1280 else int(Colorspace.ITU601)
    source = ColorRange(int(frame.color_range)) if int(frame.color_range) in (1, 2) else ColorRange.MPEG
    if frame.format.name.startswith("yuvj"):
        source = ColorRange.JPEG
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=told,
        src_color_range=source,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA if width < frame.width else Interpolation.BILINEAR,
    )
    return np.asarray(rgb.to_ndarray(), np.uint8)
