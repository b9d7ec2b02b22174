"""The driving video: what it is, and its frames, upright and in order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import SupportsBytes, cast

import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from understudy.media.boxes import check_boxes
from understudy.media.colour import Viewer
from understudy.media.container import MOV, READABLE, container_of, damaged, open_clip, video_stream
from understudy.media.interlace import deinterlaced
from understudy.media.limits import check_clip_rate

ROUND_RATES = (5, 8, 10, 12, 15, 16, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
STANDARD_RATES = (
    *map(Fraction, ROUND_RATES),
    *(Fraction(n * 1000, 1001) for n in (12, 15, 24, 30, 48, 60, 120, 240)),
)
MOST_FRAMES = 1_000_000
LAST_FRAME_S = 10.0  # at most: a recording may end on a still screen, but a wrong number ends in hours
UNSTAMPED_RATE = Fraction(30)  # of a file that tells neither times nor a rate
QUARTER = Fraction(1, 4)  # of a frame: the most that one may lie off the even grid of a constant rate
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
    clip_too_many_pixels, clip_rate or clip_damaged.
    """
    file = Path(path).absolute()
    if container_of(file) == MOV:
        check_boxes(file)
    with open_clip(file, containers) as container:
        stream = video_stream(container)
        times, duration_s, stamped = _frame_times(container, stream)
        fps, variable = _rate(times, duration_s, stream.guessed_rate, stream.time_base or Fraction(0))
        check_clip_rate(fps)
        first = _first_frame(file)
        turn, mirrored = _turn(first)
        width, height = _upright_size(first, _pixel_aspect(stream), turn)
        return Clip(
            path=file,
            width=width,
            height=height,
            rotation=turn,
            mirrored=mirrored,
            fps=fps,
            variable_rate=variable,
            duration_s=duration_s,
            frame_count=len(times),
            codec=stream.codec_context.name,
            audio_codec=_audio_codec(container),
            start_s=float(times[0]),
            size_bytes=file.stat().st_size,
            stamped=stamped,
            container=container_of(file) or MOV,
        )


def frame_times(clip: Clip) -> list[float]:
    """Seconds since the first frame of each frame that will be shown: from the packets alone, nothing is decoded."""
    with open_clip(clip.path) as container:
        times, _, _ = _frame_times(container, video_stream(container))
    return [float(time - times[0]) for time in times]


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
    last = -1.0
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
                time_s = last + step if frame.time is None else frame.time - clip.start_s
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


def _frame_times(container: InputContainer, stream: VideoStream) -> tuple[list[Fraction], float, bool]:
    """Time stamps of the frames that will be shown, sorted, the stretch in seconds that they fill, and whether they
    are the file's own: frames without any, or that nearly all share one, are spread evenly."""
    base = stream.time_base
    shown: list[tuple[int | None, int]] = []
    with suppress(av.error.FFmpegError):  # cut off in the middle: what came before counts
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                shown.append((packet.pts, packet.duration or 0))
            if len(shown) > MOST_FRAMES:
                break
    if not shown or base is None:
        raise damaged()
    stamps = sorted({(pts, duration) for pts, duration in shown if pts is not None})
    count = len({pts for pts, _ in stamps})
    if 4 * count <= len(shown):  # two fields of a frame may share a stamp, and a damaged clock repeats some
        rate = stream.guessed_rate or UNSTAMPED_RATE
        first = stamps[0][0] * base if stamps else Fraction(0)
        return [first + n / rate for n in range(len(shown))], float(len(shown) / rate), False
    first_tick, (last_tick, duration) = stamps[0][0], stamps[-1]
    if not duration and count > 1:
        duration = round((last_tick - first_tick) / (count - 1))
    times = [pts * base for pts in sorted({pts for pts, _ in stamps})]
    last_s = min(float(duration * base), LAST_FRAME_S)
    return times, float((last_tick - first_tick) * base) + last_s, True


def _rate(
    times: list[Fraction], duration_s: float, told: Fraction | None, tick: Fraction
) -> tuple[Fraction, bool]:
    """Frames a second, and whether the rate varies: whether a frame lies off the even grid by a quarter frame.

    Files round their stamps to ticks, often milliseconds. So a rate that explains every stamp within that rounding is
    taken: the one that the file has ``told``, else one that is usual near the average, so that 29.97 stays
    30000/1001. An edit list shifts what comes after it by a rounding of its own; then the step that most frames keep
    tells the rate.
    """
    count = len(times)
    length = times[-1] - times[0]
    if count < 2 or length <= 0:
        measured = Fraction(count / duration_s) if duration_s > 0 else told or UNSTAMPED_RATE
        close = told is not None and abs(1 / told - 1 / measured) <= 2 * tick
        return _tidy(told) if told and close else measured.limit_denominator(1001), False
    fps = (count - 1) / length
    steps = Counter(b - a for a, b in pairwise(times))
    usual, often = steps.most_common(1)[0]
    slack = (max(steps) - min(steps)) / length
    if slack:
        told = told and _tidy(told)
        nearest = _nearest_standard(fps)
        common = _nearest_standard(1 / usual)
        if told and _furthest_off(times, told) <= tick * told:
            fps = told
        elif (
            abs(nearest - fps) <= fps * min(2 * slack, Fraction(1, 2500))
            or _furthest_off(times, nearest) <= 2 * tick * nearest
        ):
            fps = nearest
        elif 2 * often > count and abs(common * usual - 1) < tick and _furthest_off(times, common) <= QUARTER:
            fps = common
        else:
            fps = fps.limit_denominator(100_000)
    return fps, _furthest_off(times, fps) > QUARTER


def _nearest_standard(fps: Fraction) -> Fraction:
    return min(STANDARD_RATES, key=lambda rate: abs(rate - fps))


def _tidy(fps: Fraction) -> Fraction:
    """A standard rate without the rounding of a frame's duration to nanoseconds, others as they are."""
    nearest = _nearest_standard(fps)
    return nearest if abs(nearest - fps) <= fps * Fraction(1, 10_000) else fps


def _furthest_off(times: list[Fraction], fps: Fraction) -> Fraction:
    """How far a frame lies from its place on the even grid, at most, in frames."""
    return max(abs((time - times[0]) * fps - i) for i, time in enumerate(times))


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
