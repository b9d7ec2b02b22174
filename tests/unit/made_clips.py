"""Clips that the media tests make for themselves: a bright square walks over grey, so time and place can be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44100


def pattern(width: int, height: int, flash: bool = False) -> NDArray[np.uint8]:
    """Red upper left, green upper right, blue lower left, grey lower right; all white in a flash."""
    frame = np.full((height, width, 3), 90, np.uint8)
    frame[: height // 2, : width // 2] = (200, 30, 30)
    frame[: height // 2, width // 2 :] = (30, 200, 30)
    frame[height // 2 :, : width // 2] = (30, 30, 200)
    if flash:
        frame[:] = 255
    return frame


def beep(seconds: float, at: Sequence[float], rate: int = RATE_HZ, channels: int = 2) -> NDArray[np.float32]:
    """Silence with 1 kHz for 0.1 s at each of the times: ``(channels, n)``."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.zeros_like(time)
    for begin in at:
        on = (time >= begin) & (time < begin + 0.1)
        sound[on] = 0.8 * np.sin(2 * np.pi * 1000 * (time[on] - begin))
    return np.repeat(sound[None].astype(np.float32), channels, axis=0)


def make_clip(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: Fraction = Fraction(30),
    ticks: Sequence[int] | None = None,
    base: Fraction | None = None,
    turn_deg: int = 0,
    mirror: bool = False,
    aspect: Fraction | None = None,
    sound: NDArray[np.float32] | None = None,
    sound_codec: str = "aac",
    sound_rate: int = RATE_HZ,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    colorspace: int | None = 1,
    full_range: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write frames (and sound). ``turn_deg`` is counter-clockwise, as PyAV wants it."""
    kind = "mov" if path.suffix == ".mov" else "mp4"
    with av.open(str(path), "w", format=kind, options=options or {}) as output:
        stream = None
        audio = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = output.add_stream(codec, rate=fps, options={"crf": "8", "preset": "ultrafast"})
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = pix_fmt
                stream.codec_context.thread_count = 1
                if base is not None:
                    stream.codec_context.time_base = base
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                if colorspace is not None:
                    stream.codec_context.colorspace = colorspace
                stream.codec_context.color_range = 2 if full_range else 1
                if turn_deg or mirror:
                    stream.set_display_rotation(turn_deg, hflip=mirror)
                if sound is not None:
                    audio = output.add_stream(
                        sound_codec, rate=sound_rate, layout="mono" if len(sound) == 1 else "stereo"
                    )
            made = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(
                format=pix_fmt,
                dst_colorspace=colorspace or 5,
                src_color_range=2,
                dst_color_range=2 if full_range else 1,
            )
            made.pts = index if ticks is None else ticks[index]
            made.time_base = base or 1 / fps
            output.mux(stream.encode(made))
        assert stream is not None
        output.mux(stream.encode(None))
        if sound is not None and audio is not None:
            block = av.AudioFrame.from_ndarray(sound, "fltp", "mono" if len(sound) == 1 else "stereo")
            block.sample_rate, block.pts, block.time_base = sound_rate, 0, Fraction(1, sound_rate)
            if sound_codec != "aac":
                resampler = av.AudioResampler("s16", "mono" if len(sound) == 1 else "stereo", sound_rate)
                for part in resampler.resample(block):
                    output.mux(audio.encode(part))
            else:
                output.mux(audio.encode(block))
            output.mux(audio.encode(None))
    return path


def heard(path: Path) -> tuple[NDArray[np.float32], int]:
    """Mono samples from time 0 of the file on, as a player would play them, and their rate."""
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        rate = stream.rate
        out = np.zeros(round(60 * rate), np.float32)
        end = 0
        resampler = av.AudioResampler("flt", "mono", rate)
        for frame in source.decode(stream):
            place = round(float(frame.pts * frame.time_base) * rate)
            for part in resampler.resample(frame):
                samples = part.to_ndarray().reshape(-1)
                skip = max(-place, 0)
                out[place + skip : place + len(samples)] = samples[skip:]
                place += len(samples)
                end = max(end, place)
        return out[:end], rate


def first_sound_s(path: Path) -> float:
    """When the first beep begins."""
    samples, rate = heard(path)
    return float(np.argmax(np.abs(samples) > 0.2)) / rate
