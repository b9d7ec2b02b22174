"""Clips of every kind a user may have, made for the tests: each frame tells its number, beside a chart of colours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

BITS = 8
DARK, BRIGHT = 30, 225
CHART = ((200, 40, 40), (40, 180, 60), (50, 60, 200), (210, 170, 140), (90, 90, 90), (190, 190, 190))
QUICK: dict[str, dict[str, str]] = {
    "libx264": {"preset": "ultrafast", "crf": "4"},
    "libx265": {
        "preset": "ultrafast",
        "crf": "4",
        "x265-params": "log-level=none:pools=none:frame-threads=1",
    },
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "8", "b": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "4", "b": "4M"},
    "libsvtav1": {"preset": "8", "crf": "8", "svtav1-params": "lp=1"},
    "prores_ks": {"profile": "standard"},
    "mpeg4": {"qscale": "2", "b": "8M"},
}
"""Small and fast rather than good: a test reads numbers and flat colours."""


def numbered(index: int, width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """Upper third: ``index`` in `BITS` blocks, lowest bit leftmost. Below: the chart, three by two."""
    frame = np.zeros((height, width, 3), np.uint8)
    for bit, (left, right) in enumerate(_columns(width, BITS)):
        frame[: height // 3, left:right] = BRIGHT if index >> bit & 1 else DARK
    for place, colour in enumerate(CHART):
        top, bottom = _columns(height - height // 3, 2)[place // 3]
        left, right = _columns(width, 3)[place % 3]
        frame[height // 3 + top : height // 3 + bottom, left:right] = colour
    return frame


def number_of(frame: NDArray[np.uint8]) -> int:
    """The number that a frame tells; its blocks must be told apart clearly."""
    height, width = frame.shape[:2]
    row = frame[height // 9 : height * 2 // 9].mean(axis=(0, 2))
    number = 0
    for bit, (left, right) in enumerate(_columns(width, BITS)):
        quarter = (right - left) // 4
        level = row[left + quarter : right - quarter].mean()
        assert level < 90 or level > 150, f"block {bit} has {level:.0f}"
        number |= int(level > 128) << bit
    return number


def patches(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean colour ``(6, 3)`` of the middle of each patch of the chart."""
    height, width = frame.shape[:2]
    found = []
    for place in range(len(CHART)):
        top, bottom = _columns(height - height // 3, 2)[place // 3]
        left, right = _columns(width, 3)[place % 3]
        inner = frame[height // 3 + top : height // 3 + bottom, left:right]
        tall, wide = (bottom - top) // 4, (right - left) // 4
        found.append(inner[tall : tall + max(2 * tall, 1), wide : wide + max(2 * wide, 1)].mean(axis=(0, 1)))
    return np.array(found)


def chart_error(frame: NDArray[np.uint8]) -> float:
    """The worst channel of the worst patch, in levels of 255."""
    return float(np.abs(patches(frame) - np.array(CHART)).max())


@contextmanager
def priority_kept() -> Iterator[None]:
    """Undo what SVT-AV1 does where it may: it leaves the thread that opens it, and all that this starts later, at the
    highest real-time priority, where threads that wait for each other in a loop wait for ever."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _columns(length: int, count: int) -> list[tuple[int, int]]:
    edges = [round(length * i / count) for i in range(count + 1)]
    return list(pairwise(edges))


def make_numbered(
    path: Path,
    *,
    frames: int = 24,
    fps: Fraction | int = 24,
    width: int = 128,
    height: int = 96,
    ticks: Sequence[int] | None = None,
    base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    matrix: int | None = 1,
    full_range: bool | None = False,
    tags: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
    container: str | None = None,
    flags: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    turn_deg: int = 0,
    mirror: bool = False,
    draw: Callable[[int], VideoFrame] | None = None,
    sound: Iterable[NDArray[np.float32]] | NDArray[np.float32] | None = None,
    sound_codec: str = "aac",
    sound_rate: int = 48000,
    sound_layout: str = "stereo",
    sound_start_s: float = 0.0,
    first: Callable[[av.container.OutputContainer], Any] | None = None,
) -> Path:
    """Write a numbered clip. ``matrix`` and ``full_range`` None leave the file untagged (and BT.601, limited).

    ``draw`` gives frames of one's own, in ``pix_fmt``. ``sound`` is ``(channels, n)``.
    """
    kind = container or {".mov": "mov", ".mkv": "matroska", ".webm": "webm"}.get(path.suffix, "mp4")
    rate = Fraction(fps)
    with priority_kept(), av.open(str(path), "w", format=kind, options=flags or {}) as output:
        if first is not None:
            first(output)
        stream = output.add_stream(codec, rate=rate, options={**QUICK.get(codec, {}), **(options or {})})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        context = stream.codec_context
        context.thread_count = 1
        if base is not None:
            context.time_base = base
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if matrix is not None:
            context.colorspace = matrix
        if full_range is not None:
            context.color_range = 2 if full_range else 1
        for name, value in (tags or {}).items():
            setattr(context, name, value)
        if turn_deg or mirror:
            stream.set_display_rotation(turn_deg, hflip=mirror)
        audio = None
        if sound is not None:
            trial = {"strict": "experimental"} if sound_codec == "vorbis" else {}
            audio = output.add_stream(sound_codec, rate=sound_rate, layout=sound_layout, options=trial)
        for index in range(frames):
            made = (
                draw(index)
                if draw is not None
                else converted(numbered(index, width, height), pix_fmt, matrix, full_range)
            )
            for name, value in (tags or {}).items():
                setattr(made, name, value)
            made.pts = index if ticks is None else ticks[index]
            made.time_base = base or 1 / rate
            output.mux(stream.encode(made))
        output.mux(stream.encode(None))
        if audio is not None and sound is not None:
            for packet in sound_packets(audio, sound, sound_rate, sound_layout, sound_start_s):
                output.mux(packet)
    return path


def converted(
    rgb: NDArray[Any], pix_fmt: str, matrix: int | None = 1, full_range: bool | None = False
) -> VideoFrame:
    """An RGB frame (uint8, or uint16 of 16 bits) as ``pix_fmt``."""
    source = VideoFrame.from_ndarray(rgb, "rgb24" if rgb.dtype == np.uint8 else "rgb48le")
    return source.reformat(
        format=pix_fmt,
        dst_colorspace=matrix or 5,
        src_color_range=2,
        dst_color_range=2 if full_range else 1,
        interpolation=av.video.reformatter.Interpolation.BICUBIC
        | av.video.reformatter.Interpolation.ACCURATE_RND
        | av.video.reformatter.Interpolation.FULL_CHR_H_INP,
    )


def sound_packets(
    audio: Any, sound: Any, rate: int, layout: str, start_s: float
) -> Iterable[av.packet.Packet[Any]]:
    """Encode ``(channels, n)`` float sound in whatever shape the encoder wants."""
    mixed = np.ascontiguousarray(np.asarray(sound, np.float32).T).reshape(1, -1)
    block = av.AudioFrame.from_ndarray(mixed, "flt", layout)
    block.sample_rate, block.time_base = rate, Fraction(1, rate)
    block.pts = round(start_s * rate)
    resampler = av.AudioResampler(
        audio.codec_context.format.name, layout, rate, frame_size=audio.codec_context.frame_size or 0
    )
    for part in [*resampler.resample(block), *resampler.resample(None)]:
        yield from audio.encode(part)
    yield from audio.encode(None)


def beeps(seconds: float, at_s: Sequence[float], rate: int = 48000, channels: int = 2) -> NDArray[np.float32]:
    """Silence with 0.1 s of 1 kHz, begun at its peak, at each of the times: ``(channels, n)``."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.zeros_like(time)
    for begin in at_s:
        on = (time >= begin - 1e-9) & (time < begin + 0.1)
        sound[on] = 0.8 * np.cos(2 * np.pi * 1000 * (time[on] - begin))
    return np.repeat(sound[None].astype(np.float32), channels, axis=0)


def onsets_s(path: Path) -> tuple[list[float], float]:
    """When each beep begins and when the sound ends, as a player hears the file; what is damaged is passed over."""
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        rate = stream.rate
        mixer = av.AudioResampler("flt", "mono", rate)  # PyAV cannot give eight planes as an array
        heard = np.zeros(20 * rate, np.float32)
        end = 0
        for packet in source.demux(stream):
            try:
                frames = stream.decode(packet)
            except av.error.FFmpegError:
                continue
            for part in (part for frame in frames for part in mixer.resample(frame)):
                place = round(float(part.time) * rate)
                kept = part.to_ndarray().reshape(-1)[max(-place, 0) :]
                begin = max(place, 0)
                heard[begin : begin + len(kept)] = kept
                end = max(end, begin + len(kept))
        length = float(stream.duration * stream.time_base) if stream.duration else end / rate
    loud = np.flatnonzero(np.abs(heard) > 0.3)
    first = [place for before, place in pairwise([-rate, *loud]) if place - before > 0.05 * rate]
    return [place / rate for place in first], length
