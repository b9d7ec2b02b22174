"""Frames to an H.264 file that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream
from numpy.typing import NDArray

from understudy.errors import EngineError
from understudy.media.clip import Clip
from understudy.media.sound import Sound
from understudy.media.whole_file import part_beside, unwritable

# Measured by benchmarks/presets.py. Looking ten frames ahead gives "superfast" the size of "veryfast" and a tenth, at
# the same fidelity, for a quarter to a third less time; nothing here fades, so no frame needs its weights. Without
# B-frames every stamp is exact in players that ignore edit lists, for a fifth more bits.
X264 = {
    "preset": "superfast",
    "crf": "16",
    "bf": "0",
    "x264-params": "rc-lookahead=10:mbtree=1:weightp=0",
}
# swscale's faster paths darken by a level on average.
EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
TICKS = 90_000  # a second, for rates that vary


class VideoWriter:
    """Writes RGB frames as H.264 (yuv420p, BT.709, limited range) into an mp4 whose index comes first.

    A context manager. The file is built under a hidden name beside ``path``; at the end ``finish``, if given, is
    called with that name (to sign it), and only then does it take its place; after an exception nothing is left.
    ``fps`` is exact: frames lie on its grid, unless ``variable_rate`` keeps every frame's own time; then the last
    one lasts until ``length_s``. The sound of ``sound_from`` between ``sound_start_s`` and ``sound_stop_s``, counted
    from that clip's first frame, begins with the first frame and ends with the last; ``sound_unreadable`` says that
    it cannot be decoded. Raises RequestError (output_unwritable) and EngineError (encode_failed).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        fps: Fraction,
        *,
        variable_rate: bool = False,
        length_s: float | None = None,
        sound_from: Clip | None = None,
        sound_start_s: float = 0.0,
        sound_stop_s: float | None = None,
        threads: int | None = None,
        finish: Callable[[Path], None] | None = None,
    ) -> None:
        if width % 2 or height % 2 or fps <= 0:
            raise ValueError(f"{width}x{height} at {fps}: sides must be even, the rate above 0")
        self.path = Path(path)
        self.frames = 0
        self.has_sound = False
        self.sound_unreadable = False
        self._fps = fps
        self._length_s = length_s if variable_rate else None
        self._finish = finish
        self._size = (height, width, 3)
        self._base = Fraction(1, TICKS) if variable_rate else 1 / fps
        self._frame_ticks = max(round(1 / fps / self._base), 1)
        self._last_tick = -1
        self._reformatter = VideoReformatter()
        self._part = part_beside(self.path)
        self._sound: Sound | None = None
        try:
            self._part.touch(exist_ok=False)  # PyAV opens late; a wrong place is told at once
            self._output: OutputContainer = av.open(
                str(self._part.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
        except (OSError, av.error.FFmpegError) as error:
            raise unwritable(self.path, error) from error
        try:
            self._stream = self._video(width, height, threads)
            if sound_from is not None:
                self._sound = Sound(sound_from, self._output, start_s=sound_start_s, stop_s=sound_stop_s)
                self.has_sound = self._sound.present
                self.sound_unreadable = self._sound.unreadable
        except BaseException:
            self._abandon()
            raise

    @property
    def duration_s(self) -> float:
        """From the beginning to the end of the last frame written."""
        return float((self._last_tick + self._frame_ticks) * self._base) if self.frames else 0.0

    def write(self, frame: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Add an RGB frame ``(height, width, 3)``, shown from ``time_s`` on (None: one frame after the last).

        The array is free again on return. A time that is not after the last frame's is moved just after it.
        """
        if frame.shape != self._size or frame.dtype != np.uint8:
            raise ValueError(f"frame of {frame.shape} {frame.dtype}, not {self._size} uint8")
        tick = self._last_tick + self._frame_ticks if self.frames else 0
        if time_s is not None:
            tick = max(round(Fraction(time_s) / self._base), self._last_tick + 1)
        try:
            made = self._yuv(frame)
            made.pts, made.time_base = tick, self._base
            if self._sound is not None:
                self._sound.mux(self._output, float(tick * self._base))
            self._mux(self._stream.encode(made))
        except (OSError, av.error.FFmpegError) as error:
            raise _failed(error) from error
        self._last_tick = tick
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._complete()
        except BaseException:
            self._abandon()
            raise

    def _video(self, width: int, height: int, threads: int | None) -> VideoStream:
        stream = self._output.add_stream("libx264", rate=self._fps, options=dict(X264))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._base
        context.thread_count = threads or 0
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        return stream

    def _yuv(self, frame: NDArray[np.uint8]) -> VideoFrame:
        return self._reformatter.reformat(
            VideoFrame.from_numpy_buffer(np.ascontiguousarray(frame), "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=EXACT,
            threads=1,
        )

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            packet.duration = (
                self._frame_ticks
            )  # counts for the last alone: the muxer sees how long others last
            self._output.mux(packet)

    def _complete(self) -> None:
        if not self.frames:
            raise EngineError(
                "encode_failed",
                "There are no frames to write.",
                fix="Use a longer piece of the driving video.",
            )
        if self._length_s is not None:
            self._frame_ticks = max(round(Fraction(self._length_s) / self._base) - self._last_tick, 1)
        try:
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.mux(self._output, self.duration_s, last=True)
                self._sound.close()
            self._output.close()
        except (OSError, av.error.FFmpegError) as error:
            raise _failed(error) from error
        if self._finish is not None:
            self._finish(self._part)
        try:
            self._part.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _abandon(self) -> None:
        with suppress(Exception):
            self._output.close()
        if self._sound is not None:
            self._sound.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)


def _failed(error: Exception) -> EngineError:
    return EngineError(
        "encode_failed",
        f"The video could not be written: {getattr(error, 'strerror', None) or error}.",
        fix="Check that the disk has room.",
    )
