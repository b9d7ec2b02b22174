"""The driving video's sound, for the output: packets copied where they are AAC, else encoded anew."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

from understudy.media.clip import Clip
from understudy.media.container import open_clip

AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
BITS_A_SECOND = 160_000
FURTHEST_S = 0.02  # that decoded sound may run from its stamps before silence or a cut puts it right


class Sound:
    """A stretch of a clip's sound on its way into an output file, whose time 0 is the stretch's beginning.

    A clip without sound that can be read has an empty one: ``present`` is False.
    """

    def __init__(
        self, clip: Clip, output: OutputContainer, *, start_s: float = 0.0, stop_s: float | None = None
    ) -> None:
        self.present = False
        self._origin_s = clip.start_s + start_s
        self._limit_s = float("inf") if stop_s is None else stop_s - start_s
        self._waiting: Packet[AudioStream] | None = None
        self._source = open_clip(clip.path)
        stream = next((s for s in self._source.streams.audio if s.codec_context is not None), None)
        if stream is None:
            return
        with suppress(av.error.FFmpegError, ValueError):
            if stream.codec_context.name == "aac":
                self._stream = output.add_stream_from_template(stream)
                self._packets = self._copied(stream)
            else:
                self._packets = self._encoded(stream, output)
            self.present = True

    def mux(self, output: OutputContainer, until_s: float, *, last: bool = False) -> None:
        """Write what ends by ``until_s``; with ``last``, all that begins before it, the rest cut off."""
        until_s = min(until_s, self._limit_s)
        while self.present:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None or packet.pts is None or packet.time_base is None:
                self.present = packet is not None and self.present
                return
            begin_s = float(packet.pts * packet.time_base)
            length_s = float((packet.duration or 0) * packet.time_base)
            if begin_s + length_s > until_s:
                if not last:
                    self._waiting = packet
                    return
                if begin_s >= until_s:
                    return
                packet.duration = max(round((until_s - begin_s) / packet.time_base), 1)
            output.mux(packet)

    def close(self) -> None:
        self._source.close()

    def _copied(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        """AAC packets on the output's clock. The one before the beginning comes too, at a time below 0 that
        players do not show: AAC overlaps its packets, and a decoder needs both."""
        base = stream.time_base
        if base is None:
            return
        origin = round(Fraction(self._origin_s).limit_denominator(10**9) / base)
        last_tick = -math.inf
        for packet in self._demuxed(stream):
            if packet.pts is None:
                continue
            length = packet.duration or 0
            packet.pts -= origin
            if packet.pts + 2 * length <= 0:
                continue
            tick = round(packet.pts * base * stream.codec_context.sample_rate)
            if tick <= last_tick:  # of a damaged clock; no muxer takes it
                continue
            last_tick = tick
            packet.dts = packet.pts
            packet.stream = self._stream
            yield packet

    def _encoded(self, stream: AudioStream, output: OutputContainer) -> Iterator[Packet[AudioStream]]:
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in AAC_RATES_HZ else 48000
        layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        made = output.add_stream("aac", rate=rate, layout=layout)
        made.codec_context.bit_rate = BITS_A_SECOND
        self._stream = made
        return self._encode(stream, made, rate, layout)

    def _encode(
        self, stream: AudioStream, made: AudioStream, rate: int, layout: str
    ) -> Iterator[Packet[AudioStream]]:
        written = 0
        for samples, place in self._samples(stream, rate, layout):
            if place + samples.shape[1] <= written:
                continue
            lead = max(place - written, 0)
            part = np.pad(samples[:, max(written - place, 0) :], ((0, 0), (lead, 0)))
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(part), "fltp", layout)
            frame.sample_rate = rate
            frame.pts, frame.time_base = written, Fraction(1, rate)
            written += part.shape[1]
            yield from made.encode(frame)
        if written:
            yield from made.encode(None)

    def _samples(
        self, stream: AudioStream, rate: int, layout: str
    ) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Decoded sound ``(channels, n)`` and the place of its first sample on the output's clock, from 0 on."""
        resampler = AudioResampler("fltp", layout, rate)
        place: int | None = None
        for packet in self._demuxed(stream):
            frames: list[AudioFrame] = []
            with suppress(av.error.FFmpegError, ValueError):
                frames = stream.decode(packet)
            for frame in frames:
                if frame.time is not None:
                    told = round((frame.time - self._origin_s) * rate)
                    if place is None or abs(told - place) > FURTHEST_S * rate:
                        place = told
                parts: list[AudioFrame] = []
                with suppress(av.error.FFmpegError, ValueError):  # of a rate or a layout that cannot be
                    parts = resampler.resample(frame)
                for part in parts:
                    samples = np.asarray(part.to_ndarray(), np.float32)
                    begin = place or 0
                    place = begin + samples.shape[1]
                    if begin >= self._limit_s * rate:
                        return
                    if place > 0:
                        yield samples, begin

    def _demuxed(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        with suppress(av.error.FFmpegError):  # cut off in the middle: what came before is heard
            for packet in self._source.demux(stream):
                if packet.size:
                    yield packet
