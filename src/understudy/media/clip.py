"""The driving video: what it is, and its frames, upright and in order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import SupportsBytes, cast

import av
import av.error
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from understudy.errors import ClipError
from understudy.media.limits import CLIP_PIXELS

# FFmpeg's demuxers and the boxes that their files begin with. Each is named outright when a file is opened:
# guessing would open playlists too, and playlists open other files.
CONTAINERS = {"mov": (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")}
ROUND_RATES = (8, 10, 12, 15, 16, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
STANDARD_RATES = (
    *map(Fraction, ROUND_RATES),
    *(Fraction(n * 1000, 1001) for n in (12, 15, 24, 30, 48, 60, 120, 240)),
)
MOST_FRAMES = 1_000_000
MATRICES = {  # matrix coefficients as ITU-T H.273 numbers them, to swscale's tables
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


@dataclass(frozen=True)
class Clip:
    """A readable driving video. Sides are upright: turned as the file says, with square pixels.

    ``rotation`` is the clockwise turn in degrees (0, 90, 180, 270) that makes stored frames upright, after the
    mirror where ``mirrored``. ``fps`` is exact for constant rates, else the average. ``start_s`` is the first
    frame's time on the file's own clock, which the sound shares; all times elsewhere count from that frame.
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

    @property
    def has_audio(self) -> bool:
        return self.audio_codec is not None


def probe(path: str | os.PathLike[str]) -> Clip:
    """Look at a clip: reads its packets and decodes one frame.

    Raises ClipError with the code clip_unreadable, clip_format, clip_no_video, clip_too_many_pixels or
    clip_damaged.
    """
    file = Path(path).absolute()
    with open_clip(file) as container:
        stream = _video_stream(container)
        times, duration_s = _frame_times(container, stream)
        fps, variable = _rate(times, duration_s)
        first = _first_frame(file)
        turn, mirrored = _turn(first)
        width, height = _upright_size(first, stream.sample_aspect_ratio, turn)
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
        )


def frame_times(clip: Clip) -> list[float]:
    """Seconds since the first frame of each frame that will be shown: from the packets alone, nothing is decoded."""
    with open_clip(clip.path) as container:
        times, _ = _frame_times(container, _video_stream(container))
    return [float(time - times[0]) for time in sorted(set(times))]


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
    if clip.rotation in {90, 270}:
        width, height = height, width
    reformatter = VideoReformatter()
    step = 1 / float(clip.fps)
    seen = 0
    last = -1.0
    with open_clip(clip.path) as container:
        stream = _video_stream(container)
        if start_s > 0 and stream.time_base:
            with suppress(av.error.FFmpegError):  # no index: from the beginning, then
                container.seek(int((start_s + clip.start_s) / stream.time_base), stream=stream)
        for frame in _decoded(container, stream, threads):
            seen += 1
            time_s = last + step if frame.time is None else frame.time - clip.start_s
            if time_s <= last:
                continue
            if stop_s is not None and time_s >= stop_s - 1e-6:
                break
            last = time_s
            if time_s >= start_s - 1e-6:
                yield max(time_s, 0.0), _upright(_rgb(reformatter, frame, width, height), clip)
    if not seen:
        raise _damaged()


def frame_size(clip: Clip, short_side_max: int | None = None) -> tuple[int, int]:
    """Width and height of the frames that ``read_frames`` gives, upright."""
    short = min(clip.width, clip.height)
    if short_side_max is None or short <= short_side_max:
        return clip.width, clip.height
    scale = short_side_max / short
    return max(round(clip.width * scale), 1), max(round(clip.height * scale), 1)


def open_clip(path: Path) -> InputContainer:
    """Open a file of the allowed containers, and nothing else: no playlist, no address, no device."""
    try:
        if not path.is_file():
            raise FileNotFoundError("no such file")
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError) as error:
        raise ClipError(
            "clip_unreadable",
            f"The video cannot be opened: {getattr(error, 'strerror', None) or error}.",
            fix="Check its path and that it may be read.",
        ) from error
    demuxer = next((name for name, boxes in CONTAINERS.items() if head[4:8] in boxes), None)
    if demuxer is None:
        raise ClipError(
            "clip_format",
            "The video is not an MP4 or MOV file, whatever its name says.",
            limit="MP4, MOV",
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
        raise _damaged() from error


def _damaged() -> ClipError:
    return ClipError(
        "clip_damaged",
        "The video's file is damaged or incomplete: nothing in it can be decoded.",
        fix="Download or export it again.",
    )


def _video_stream(container: InputContainer) -> VideoStream:
    if not container.streams.video and not container.streams.audio:
        raise _damaged()
    covers = Disposition.attached_pic
    stream = next((s for s in container.streams.video if not s.disposition & covers), None)
    if stream is None:
        raise ClipError(
            "clip_no_video",
            "The file holds no video.",
            fix="Use a file that shows somebody moving.",
        )
    context = stream.codec_context
    if context is None:
        raise ClipError(
            "clip_codec",
            "The video is encoded in a way that cannot be read here.",
            fix="Convert it to H.264.",
        )
    if context.width * context.height > CLIP_PIXELS:
        raise ClipError(
            "clip_too_many_pixels",
            f"The video has {context.width}x{context.height} pixels; that cannot be decoded.",
            value=f"{context.width}x{context.height} px",
            limit=f"{CLIP_PIXELS} px in all",
            fix="Scale it down; 1080 pixels on the short side are plenty.",
        )
    context.options = {"max_pixels": str(CLIP_PIXELS)}  # a stream can change its size on the way
    return stream


def _audio_codec(container: InputContainer) -> str | None:
    contexts = (stream.codec_context for stream in container.streams.audio)
    return next((context.name for context in contexts if context is not None), None)


def _frame_times(container: InputContainer, stream: VideoStream) -> tuple[list[Fraction], float]:
    """Time stamps of the frames that will be shown, sorted, and the stretch in seconds that they fill."""
    base = stream.time_base
    shown: list[tuple[int, int]] = []
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and not packet.is_discard:
                shown.append((packet.pts, packet.duration or 0))
            if len(shown) > MOST_FRAMES:
                break
    except av.error.FFmpegError:
        pass  # cut off in the middle: what came before counts
    if not shown or base is None:
        raise _damaged()
    shown.sort()
    first, (last, duration) = shown[0][0], shown[-1]
    if not duration and len(shown) > 1:
        duration = round((last - first) / (len(shown) - 1))
    return [pts * base for pts, _ in shown], float((last + duration - first) * base)


def _rate(times: list[Fraction], duration_s: float) -> tuple[Fraction, bool]:
    """Frames a second, and whether the rate varies: whether a frame lies off the even grid by a quarter frame.

    Files round their stamps to ticks, often milliseconds, so an average that a standard rate explains within that
    rounding becomes that rate: 29.97 stays 30000/1001.
    """
    count = len(times)
    length = times[-1] - times[0]
    if count < 2 or length <= 0:
        return (
            Fraction(count / duration_s).limit_denominator(1001) if duration_s > 0 else Fraction(30)
        ), False
    fps = (count - 1) / length
    steps = [b - a for a, b in pairwise(times)]
    slack = (max(steps) - min(steps)) / length
    if slack:
        nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - fps))
        close = abs(nearest - fps) <= fps * min(2 * slack, Fraction(1, 2500))
        fps = nearest if close else fps.limit_denominator(100_000)
    off = max(abs((time - times[0]) * fps - i) for i, time in enumerate(times))
    return fps, off > Fraction(1, 4)


def _first_frame(path: Path) -> VideoFrame:
    with open_clip(path) as container:
        for frame in _decoded(container, _video_stream(container), 1):
            return frame
    raise _damaged()


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
    matrix = cast("Mapping[str, SupportsBytes]", frame.side_data).get("DISPLAYMATRIX")  # PyAV's stub is wrong
    if matrix is None:
        return 0, False
    a, b, _, c, d = (float(x) for x in np.frombuffer(bytes(matrix), np.int32)[:5])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(np.degrees(np.arctan2(b, a)) / 90) % 4 * 90, mirrored


def _upright_size(frame: VideoFrame, aspect: Fraction | None, turn: int) -> tuple[int, int]:
    """Square pixels by stretching the side that is too short, so that no detail is lost."""
    width, height = frame.width, frame.height
    if aspect and Fraction(1, 8) <= aspect <= 8:
        if aspect > 1:
            width = round(width * aspect)
        else:
            height = round(height / aspect)
    return (height, width) if turn in {90, 270} else (width, height)


def _rgb(reformatter: VideoReformatter, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    # Untagged frames are BT.709 from high definition up, as players take them.
    guess = Colorspace.ITU709 if frame.width >= 1280 or frame.height > 576 else Colorspace.ITU601
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj") or frame.format.is_rgb
    converted = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=None if frame.format.is_rgb else MATRICES.get(frame.colorspace, guess),
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BILINEAR,
        threads=1,
    )
    rgb = np.asarray(converted.to_ndarray(), np.uint8)
    if (frame.width, frame.height) == (width, height):
        return rgb
    # Half the time of swscale's own scaling, and nearer to exact areas up to about this factor.
    how = cv2.INTER_LINEAR if frame.height <= 2.5 * height else cv2.INTER_AREA
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=how), np.uint8)


def _upright(rgb: NDArray[np.uint8], clip: Clip) -> NDArray[np.uint8]:
    if clip.mirrored:
        rgb = np.asarray(cv2.flip(rgb, 1), np.uint8)
    turns = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
    if clip.rotation:
        rgb = np.asarray(cv2.rotate(rgb, turns[clip.rotation]), np.uint8)
    return rgb
