"""The driving video: what it is, and its frames, upright and in order."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import SupportsBytes, cast

import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from understudy.media.boxes import check_boxes
from understudy.media.clock import read_clock
from understudy.media.colour import Viewer
from understudy.media.container import MOV, READABLE, container_of, damaged, open_clip, video_stream
from understudy.media.interlace import deinterlaced
from understudy.media.limits import check_clip_rate

NO_DECODER = "unknown"  # what `Clip.audio_codec` says of a sound that cannot be decoded here


@dataclass(frozen=True)
class Clip:
    """A readable driving video. Sides are upright: turned as the file says, with square pixels.

    ``rotation`` is the clockwise turn in degrees (0, 90, 180, 270) that makes stored frames upright, after the
    mirror where ``mirrored``. ``fps`` is exact for constant rates, else the average. ``start_s`` is the first
    frame's time on the file's own clock, which the sound shares; all times elsewhere count from that frame.
    ``stamped`` is False where the file gives its frames no times of their own: they then follow each other evenly.
    ``container`` is `container.MOV` (MP4 too) or `container.MATROSKA` (WebM too).
    """

    path: Path
    width: int
    height: int
    rotation: int
    mirrored: bool
    fps: Fraction
    variable_rate: bool
    duration_s: float
    frame_count: int
    codec: str
    audio_codec: str | None
    start_s: float
    size_bytes: int
    stamped: bool = True
    container: str = MOV

    @property
    def has_audio(self) -> bool:
        return self.audio_codec is not None


def probe(path: str | os.PathLike[str], *, containers: Collection[str] = tuple(READABLE)) -> Clip:
    """Look at a clip: reads its packets and decodes one frame. ``containers`` are those to take.

    Raises ClipError with the code clip_unreadable, clip_format, clip_no_video, clip_codec, clip_too_small,
    clip_too_many_pixels, clip_too_long, clip_rate or clip_damaged.
    """
    file = Path(path).absolute()
    if container_of(file) == MOV:
        check_boxes(file)
    with open_clip(file, containers) as container:
        stream = video_stream(container)
        clock = read_clock(container, stream)
        check_clip_rate(clock.fps)
        first = _first_frame(file)
        turn, mirrored = _turn(first)
        width, height = _upright_size(first, _pixel_aspect(stream), turn)
        return Clip(
            path=file,
            width=width,
            height=height,
            rotation=turn,
            mirrored=mirrored,
            fps=clock.fps,
            variable_rate=clock.variable_rate,
            duration_s=clock.length_s,
            frame_count=len(clock.ticks),
            codec=stream.codec_context.name,
            audio_codec=_audio_codec(container),
            start_s=float(clock.start_s),
            size_bytes=file.stat().st_size,
            stamped=clock.stamped,
            container=container_of(file) or MOV,
        )


def frame_times(clip: Clip) -> list[float]:
    """Seconds since the first frame of each frame that will be shown: from the packets alone, nothing is decoded."""
    with open_clip(clip.path) as container:
        return read_clock(container, video_stream(container)).times_s


def read_frames(
    clip: Clip,
    *,
    start_s: float = 0.0,
    stop_s: float | None = None,
    threads: int | None = None,
    short_side_max: int | None = None,
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Stream a clip's frames: seconds since its first frame, and RGB ``(H, W, 3)``, each array its own.

    Frames of ``start_s <= time < stop_s`` come, with their own time stamps. ``short_side_max`` has larger frames
    scaled down. ``threads`` None leaves the number to the decoder. A frame that cannot be decoded is left out.
    Raises ClipError where the file cannot be opened or no frame at all can be decoded.
    """
    width, height = frame_size(clip, short_side_max)
    step = 1 / float(clip.fps)
    last = -step  # so that a first frame without a time of its own comes at 0
    seen = False
    with open_clip(clip.path) as container:
        stream = video_stream(container)
        viewer = Viewer(
            width,
            height,
            rotation=clip.rotation,
            mirrored=clip.mirrored,
            pixel_aspect=float(_pixel_aspect(stream)),
        )
        if start_s > 0 and stream.time_base and clip.stamped:
            with suppress(av.error.FFmpegError):  # no index: from the beginning, then
                container.seek(int((start_s + clip.start_s) / stream.time_base), stream=stream)
        for number, frame in enumerate(deinterlaced(_decoded(container, stream, threads))):
            if not clip.stamped:
                time_s = number * step
            else:
                told_s = frame.time  # no number where a damaged file's unit of time is none
                time_s = last + step if told_s is None or not isfinite(told_s) else told_s - clip.start_s
            if time_s <= last:
                continue
            if stop_s is not None and time_s >= stop_s - 1e-6:
                seen = True
                break
            last = time_s
            if time_s < start_s - 1e-6:
                seen = True
                continue
            try:
                rgb = viewer.rgb(frame)
            except (av.error.FFmpegError, ValueError):
                continue  # pixels of a kind that nothing here can read
            seen = True
            yield max(time_s, 0.0), rgb
    if not seen:
        raise damaged()


def frame_size(clip: Clip, short_side_max: int | None = None) -> tuple[int, int]:
    """Width and height of the frames that ``read_frames`` gives, upright."""
    short = min(clip.width, clip.height)
    if short_side_max is None or short <= short_side_max:
        return clip.width, clip.height
    scale = short_side_max / short
    return max(round(clip.width * scale), 1), max(round(clip.height * scale), 1)


def _audio_codec(container: InputContainer) -> str | None:
    """The sound's codec, `NO_DECODER` where there is sound that cannot be decoded here, None without any."""
    names = [s.codec_context.name for s in container.streams.audio if s.codec_context is not None]
    return names[0] if names else NO_DECODER if container.streams.audio else None


def _first_frame(path: Path) -> VideoFrame:
    with open_clip(path) as container:
        for frame in _decoded(container, video_stream(container), 1):
            return frame
    raise damaged()


def _decoded(container: InputContainer, stream: VideoStream, threads: int | None) -> Iterator[VideoFrame]:
    """Frames in display order. A packet that cannot be decoded is passed over, and the next is tried."""
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = threads or 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None  # cut off in the middle
        frames: list[VideoFrame] = []
        with suppress(av.error.FFmpegError, ValueError):
            frames = stream.decode(packet)
        yield from (frame for frame in frames if not frame.is_corrupt)
        if packet is None or packet.size == 0:
            return


def _turn(frame: VideoFrame) -> tuple[int, bool]:
    """Clockwise turn in degrees, and whether a mirror comes before it, from the file's display matrix."""
    # None too where there is side data of a kind that PyAV does not know yet, such as EXIF; a mirror is missed then.
    matrix = None
    with suppress(ValueError):
        matrix = cast("Mapping[str, SupportsBytes]", frame.side_data).get(
            "DISPLAYMATRIX"
        )  # PyAV's stub is wrong
    if matrix is None:
        return round(-frame.rotation / 90) % 4 * 90, False
    a, b, _, c, d = (float(x) for x in np.frombuffer(bytes(matrix), np.int32)[:5])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(np.degrees(np.arctan2(b, a)) / 90) % 4 * 90, mirrored


def _pixel_aspect(stream: VideoStream) -> Fraction:
    """A stored pixel's width in its heights; 1 where the file says nothing or nothing sensible."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect and Fraction(1, 8) <= aspect <= 8 else Fraction(1)


def _upright_size(frame: VideoFrame, aspect: Fraction, turn: int) -> tuple[int, int]:
    """Square pixels by stretching the side that is too short, so that no detail is lost."""
    width, height = frame.width, frame.height
    if aspect > 1:
        width = round(width * aspect)
    else:
        height = round(height / aspect)
    return (height, width) if turn in {90, 270} else (width, height)
