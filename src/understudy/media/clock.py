"""When a clip's frames are shown: their times, read from the packets, and the rate that they make."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from understudy.errors import ClipError
from understudy.media.container import damaged

ROUND_RATES = (5, 8, 10, 12, 15, 16, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
STANDARD_RATES = (
    *map(Fraction, ROUND_RATES),
    *(Fraction(n * 1000, 1001) for n in (12, 15, 24, 30, 48, 60, 120, 240)),
)
MOST_FRAMES = 1_000_000  # nine hours at 30 frames a second; never lifted: each is held in memory as a time
MOST_TICKS = 2**62  # from the first to the last: more fit into no array, and into no life
LAST_FRAME_S = 10.0  # at most: a recording may end on a still screen, but a wrong number ends in hours
UNSTAMPED_RATE = Fraction(30)  # of a file that tells neither times nor a rate
QUARTER = 0.25  # of a frame: the most that one may lie off the even grid of a constant rate
ROUNDED = 1e-6  # of a frame: what arithmetic on doubles may add to that


@dataclass(frozen=True)
class Clock:
    """Times of the frames that will be shown.

    Frame ``n`` begins ``ticks[n] * tick_s`` seconds after the first, which begins at ``start_s`` of the file's own
    clock; the last one ends after ``length_s``. ``stamped`` is False where the file gives no times, or nearly all
    frames the same: they are then spread evenly.
    """

    ticks: NDArray[np.int64]
    tick_s: Fraction
    start_s: Fraction
    length_s: float
    stamped: bool
    fps: Fraction
    variable_rate: bool

    @property
    def times_s(self) -> list[float]:
        return [float(int(tick) * self.tick_s) for tick in self.ticks]


def read_clock(container: InputContainer, stream: VideoStream) -> Clock:
    """Read all of the stream's packets; nothing is decoded.

    Raises ClipError: clip_damaged where there are none, clip_too_long where there are more than `MOST_FRAMES`.
    """
    base = stream.time_base
    told = stream.guessed_rate or None
    stamps: set[tuple[int, int]] = set()
    packets = 0
    with suppress(av.error.FFmpegError):  # cut off in the middle: what came before counts
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                packets += 1
                if packet.pts is not None:
                    stamps.add((packet.pts, packet.duration or 0))
            if packets > MOST_FRAMES:
                raise ClipError(
                    "clip_too_long",
                    f"The video has more than {MOST_FRAMES} frames; that many cannot be read at once.",
                    value=f"over {MOST_FRAMES} frames",
                    limit=f"{MOST_FRAMES} frames, also without the limits",
                    fix="Cut it to the piece that matters.",
                )
    if not packets or base is None:
        raise damaged()
    shown = sorted({pts for pts, _ in stamps})
    start_s = shown[0] * base if shown else Fraction(0)
    if 4 * len(shown) <= packets:  # two fields of a frame may share a stamp, and a damaged clock repeats some
        rate = told or UNSTAMPED_RATE
        return Clock(np.arange(packets), 1 / rate, start_s, float(packets / rate), False, rate, False)
    if shown[-1] - shown[0] > MOST_TICKS:
        raise damaged()
    last, duration = max(stamps)
    if not duration and len(shown) > 1:
        duration = round((last - shown[0]) / (len(shown) - 1))
    length_s = float((last - shown[0]) * base) + min(float(duration * base), LAST_FRAME_S)
    ticks = np.array([pts - shown[0] for pts in shown], np.int64)
    fps, variable = _rate(ticks, base, length_s, told)
    return Clock(ticks, base, start_s, length_s, True, fps, variable)


def _rate(
    ticks: NDArray[np.int64], tick_s: Fraction, length_s: float, told: Fraction | None
) -> tuple[Fraction, bool]:
    """Frames a second, and whether the rate varies: whether a frame lies off the even grid by a quarter frame.

    Files round their stamps to ticks, often milliseconds. So a rate that explains every stamp within that rounding is
    taken: the one that the file has ``told``, else one that is usual near the average, so that 29.97 stays
    30000/1001. An edit list shifts what comes after it by a rounding of its own; then the step that most frames keep
    tells the rate.
    """
    count, span_s = len(ticks), int(ticks[-1]) * tick_s
    if count < 2:
        measured = Fraction(1 / length_s) if length_s > 0 else told or UNSTAMPED_RATE
        close = told is not None and abs(1 / told - 1 / measured) <= 2 * tick_s
        return _tidy(told) if told and close else measured.limit_denominator(1001), False
    fps = (count - 1) / span_s
    steps, often = np.unique(np.diff(ticks), return_counts=True)
    if len(steps) > 1:
        told = told and _tidy(told)
        nearest = _nearest_standard(fps)
        common = _nearest_standard(1 / (int(steps[often.argmax()]) * tick_s))
        slack = int(steps[-1] - steps[0]) / int(ticks[-1])
        if told and _furthest_off(ticks, told * tick_s) <= tick_s * told:
            fps = told
        elif (
            abs(nearest - fps) <= fps * min(2 * slack, 1 / 2500)
            or _furthest_off(ticks, nearest * tick_s) <= 2 * tick_s * nearest
        ):
            fps = nearest
        elif (
            2 * often.max() > count
            and abs(common * int(steps[often.argmax()]) * tick_s - 1) < tick_s
            and _furthest_off(ticks, common * tick_s) <= QUARTER
        ):
            fps = common
        else:
            fps = fps.limit_denominator(100_000)
    return fps, _furthest_off(ticks, fps * tick_s) > QUARTER + ROUNDED


def _furthest_off(ticks: NDArray[np.int64], frames_a_tick: Fraction) -> float:
    """How far a frame lies from its place on the even grid, at most, in frames."""
    return float(np.abs(ticks * float(frames_a_tick) - np.arange(len(ticks))).max())


def _nearest_standard(fps: Fraction) -> Fraction:
    return min(STANDARD_RATES, key=lambda rate: abs(rate - fps))


def _tidy(fps: Fraction) -> Fraction:
    """A standard rate without the rounding of a frame's duration to nanoseconds, others as they are."""
    nearest = _nearest_standard(fps)
    return nearest if abs(nearest - fps) <= fps * Fraction(1, 10_000) else fps
