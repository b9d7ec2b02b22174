"""The driving video's sound, for the output: packets copied where they are AAC, else encoded anew."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from understudy.media.clip import Clip
from understudy.media.container import open_clip

AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
OTHER_RATE_HZ = 48000  # of sound at a rate that AAC lacks
BITS_A_SECOND = 160_000
FURTHEST_S = 0.02  # that decoded sound may run from its stamps before silence or a cut puts it right
TRIED_PACKETS = 8  # of AAC, one of which must be decodable for all of it to be copied


class Sound:
    """A stretch of a clip's sound on its way into an output file, whose time 0 is the stretch's beginning.

    ``present`` is False where the stretch has none, ``unreadable`` True where there is sound that cannot be decoded:
    neither keeps the picture from being written.
    """

    def __init__(
        self, clip: Clip, output: OutputContainer, *, start_s: float = 0.0, stop_s: float | None = None
    ) -> None:
        self.present = False
        self.unreadable = False
        self._origin_s = clip.start_s + start_s
        self._limit_s = math.inf if stop_s is None else stop_s - start_s
        self._waiting: Packet[AudioStream] | None = None
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._source = open_clip(clip.path)
        stream = _sound_stream(self._source)
        if stream is None:
            self.unreadable = bool(self._source.streams.audio)
            return
        with suppress(av.error.FFmpegError, ValueError):
            begin = self._copying if _can_be_copied(stream) else self._encoding
            self.present = begin(stream, output)

    def mux(self, output: OutputContainer, until_s: float, *, last: bool = False) -> None:
        """Write what ends by ``until_s``; with ``last``, all that begins before it, the rest cut off."""
        until_s = min(until_s, self._limit_s)
        while packet := self._waiting or self._next():
            self._waiting = None
            if packet.pts is None or packet.time_base is None:
                continue
            begin_s = float(packet.pts * packet.time_base)
            length_s = float((packet.duration or 0) * packet.time_base)
            if begin_s + length_s > until_s:
                if not last:
                    self._waiting = packet
                    return
                if begin_s >= until_s:
                    return
                packet.duration = max(round((until_s - begin_s) / packet.time_base), 1)
            packet.stream = self._stream
            output.mux(packet)

    def close(self) -> None:
        self._source.close()

    def _next(self) -> Packet[AudioStream] | None:
        try:
            return next(self._packets, None)
        except (av.error.FFmpegError, ValueError):
            return None  # the sound ends here, the picture goes on

    def _copying(self, stream: AudioStream, output: OutputContainer) -> bool:
        """Begin to copy packets, if one of the first can be decoded; says whether there are any."""
        samples = heard = 0
        tried = []
        for packet in self._demuxed(stream):
            tried.append(packet)
            heard += not packet.is_discard
            with suppress(av.error.FFmpegError, ValueError):
                samples = max([samples, *(frame.samples for frame in stream.decode(packet))])
            if samples or heard == TRIED_PACKETS:
                break
        self.unreadable = bool(tried) and not samples
        packets = self._copied(stream, chain(tried, self._demuxed(stream)), samples)
        first = next(packets, None)
        if not samples or first is None:
            return False
        self._stream = output.add_stream_from_template(stream)
        self._packets = chain([first], packets)
        return True

    def _copied(
        self, stream: AudioStream, packets: Iterator[Packet[AudioStream]], samples: int
    ) -> Iterator[Packet[AudioStream]]:
        """AAC packets of ``samples`` each on the output's clock. The one before the beginning comes too, at a time
        below 0 that players do not show: AAC overlaps its packets, and a decoder needs both.

        Matroska rounds stamps to milliseconds: there packets follow each other exactly, until the stamps say more
        than rounding.
        """
        base, rate = stream.time_base, stream.codec_context.sample_rate
        if base is None:
            return
        origin = Fraction(self._origin_s).limit_denominator(10**9)
        rounding = math.ceil(2 * base * rate) if base * rate > 1 else 0
        last: float = -math.inf
        follows: int | None = None
        for packet in packets:
            if packet.pts is None:
                continue
            begin = round((packet.pts * base - origin) * rate)
            length = samples if rounding else round((packet.duration or 0) * base * rate)
            if follows is not None and abs(begin - follows) <= rounding:
                begin = follows
            if begin + 2 * length <= 0 or (packet.is_discard and begin + length > 0):
                continue
            if begin >= self._limit_s * rate:
                return
            if begin <= last:  # of a damaged clock; no muxer takes it
                continue
            last, follows = begin, begin + length
            packet.pts = packet.dts = begin
            packet.duration = length
            packet.time_base = Fraction(1, rate)
            yield packet

    def _encoding(self, stream: AudioStream, output: OutputContainer) -> bool:
        """Begin to encode the sound anew; says whether the stretch has any."""
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in AAC_RATES_HZ else OTHER_RATE_HZ
        layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        self.unreadable = True  # until something is decoded
        sound = self._samples(stream, rate, layout)
        first = next(sound, None)
        if first is None:
            return False
        made = output.add_stream("aac", rate=rate, layout=layout)
        made.codec_context.bit_rate = BITS_A_SECOND
        self._stream = made
        self._packets = self._encoded(chain([first], sound), made, rate, layout)
        return True

    def _encoded(
        self,
        sound: Iterator[tuple[NDArray[np.float32], int]],
        made: AudioStream,
        rate: int,
        layout: str,
    ) -> Iterator[Packet[AudioStream]]:
        written = 0
        for samples, place in sound:
            if place + samples.shape[1] <= written:
                continue
            while written < place:  # a gap may last hours: silence a second at a time
                length = min(place - written, rate)
                silence = np.zeros((samples.shape[0], length), np.float32)
                yield from made.encode(_block(silence, written, rate, layout))
                written += length
            # Damaged or odd files hold what is no number; the encoder would give up.
            part = np.clip(np.nan_to_num(samples[:, written - place :]), -1, 1)
            yield from made.encode(_block(part, written, rate, layout))
            written += part.shape[1]
        if written:
            yield from made.encode(None)

    def _samples(
        self, stream: AudioStream, rate: int, layout: str
    ) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Decoded sound ``(channels, n)`` and the place of its first sample on the output's clock, from 0 on."""
        place: int | None = None
        for part in self._resampled(stream, rate, layout):
            if part.time is not None:
                told = round((part.time - self._origin_s) * rate)
                if place is None or abs(told - place) > FURTHEST_S * rate:
                    place = told
            samples = np.asarray(part.to_ndarray(), np.float32)
            begin = place or 0
            place = begin + samples.shape[1]
            if begin >= self._limit_s * rate:
                return
            if place > 0:
                yield samples, begin

    def _resampled(self, stream: AudioStream, rate: int, layout: str) -> Iterator[AudioFrame]:
        """Sound of one rate and layout, with the times that the file tells."""
        resampler: AudioResampler | None = None
        kind: tuple[str, str, int] | None = None
        for packet in self._demuxed(stream):
            frames: list[AudioFrame] = []
            with suppress(av.error.FFmpegError, ValueError):
                frames = stream.decode(packet)
            for frame in frames:
                self.unreadable = False
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                parts: list[AudioFrame] = []
                with suppress(av.error.FFmpegError, ValueError):  # of a rate or a layout that cannot be
                    if resampler is None or now != kind:  # a stream may change on the way
                        resampler, kind = AudioResampler("fltp", layout, rate), now
                    parts = resampler.resample(frame)
                yield from parts
        if resampler is not None:
            with suppress(av.error.FFmpegError, ValueError):
                yield from resampler.resample(None)

    def _demuxed(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        with suppress(av.error.FFmpegError):  # cut off in the middle: what came before is heard
            for packet in self._source.demux(stream):
                if packet.size:
                    yield packet


def _block(samples: NDArray[np.float32], place: int, rate: int, layout: str) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
    frame.sample_rate = rate
    frame.pts, frame.time_base = place, Fraction(1, rate)
    return frame


def _sound_stream(source: InputContainer) -> AudioStream | None:
    """What the file plays by default; of several, one that can be decoded."""
    known = [stream for stream in source.streams.audio if stream.codec_context is not None]
    return max(known, key=lambda s: (bool(s.disposition & Disposition.default), -s.index), default=None)


def _can_be_copied(stream: AudioStream) -> bool:
    """AAC with its description, which an MP4 file must have."""
    context = stream.codec_context
    return context.name == "aac" and bool(context.extradata) and context.sample_rate > 0
