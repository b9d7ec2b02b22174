"""From a performance to its files: frames drawn ahead, encoded, marked and signed in one pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from understudy.engines.engine import Performance
from understudy.engines.registry import capabilities_of
from understudy.media.ahead import ahead
from understudy.media.clip import Clip
from understudy.media.encode import VideoWriter
from understudy.media.watermark import Watermark
from understudy.progress import Progress
from understudy.request import MotionRequest
from understudy.tracking.motion import Motion

SAME_S = 1e-4  # within which two times of single precision are one; frames are further apart


@dataclass(frozen=True)
class Recorded:
    """What lies in the file."""

    fps: Fraction
    frames: int
    duration_s: float
    sound: bool
    sound_unreadable: bool  # the driving video has sound that cannot be decoded


def record(
    request: MotionRequest,
    engine: str,
    performance: Performance,
    clip: Clip | None,
    whole: Motion,
    part: Motion,
    threads: int,
    progress: Progress,
) -> Recorded:
    """Draw and encode ``part`` of the ``whole`` motion frame by frame; the marked file is made in the same pass."""
    times = part.times_s
    sound = clip if clip is not None and request.sound and clip.has_audio else None
    # A motion file's times are its own: the video beside it gives the sound alone.
    if clip is not None and request.motion is None:
        fps, variable = clip.fps, clip.variable_rate
    else:
        fps, variable = _rate(whole)
    length_s = _length_s(clip if request.motion is None else None, whole, part)
    marked = marked_path(request)
    with ExitStack() as stack:
        writers = []
        for path in (request.output, marked):
            if path is not None:
                writer = VideoWriter(
                    path,
                    performance.width,
                    performance.height,
                    fps,
                    variable_rate=variable,
                    length_s=length_s,
                    sound_from=sound,
                    sound_start_s=part.start_s,
                    sound_stop_s=part.start_s + length_s,
                    threads=threads,
                    finish=_signer(request, engine) if request.provenance else None,
                )
                writers.append(stack.enter_context(writer))
        stamp = Watermark(performance.width, performance.height) if marked else None
        drawn = stack.enter_context(closing(ahead(performance.frames, stop=performance.stop)))
        for index, frame in enumerate(drawn):
            writers[0].write(frame, float(times[index]))
            if stamp is not None:
                writers[1].write(stamp.mark(frame), float(times[index]))
            if not performance.tells_progress:
                progress("drawing", index + 1, len(times))
    first = writers[0]
    return Recorded(fps, first.frames, first.duration_s, first.has_sound, first.sound_unreadable)


def _length_s(clip: Clip | None, whole: Motion, part: Motion) -> float:
    """From the part's first frame to the end of its last: to the next frame, or to the end of the clip. A frame of a
    variable rate may last longer than most."""
    last_s = part.start_s + float(part.times_s[-1])
    later = whole.start_s + whole.times_s[whole.start_s + whole.times_s > last_s + SAME_S]
    if len(later):
        return float(later[0]) - part.start_s
    if clip is not None and clip.duration_s > last_s:
        return clip.duration_s - part.start_s
    return part.duration_s


def marked_path(request: MotionRequest) -> Path | None:
    """Where the marked file goes, if one is wanted."""
    return request.output.with_stem(request.output.stem + "-watermarked") if request.watermark else None


def _signer(request: MotionRequest, engine: str) -> Callable[[Path], None]:
    from understudy.media import provenance

    known = capabilities_of(engine)
    model = known.model(request.scene) if known else ""

    def sign(path: Path) -> None:
        provenance.sign(path, title=request.output.name, engine=engine, scene=request.scene, model=model)

    return sign


def _rate(motion: Motion) -> tuple[Fraction, bool]:
    """Frames a second of a motion without its clip, and whether the rate varies: whether a frame lies off the even
    grid by a quarter frame. Broadcast rates are told from whole ones."""
    times = motion.times_s.astype(np.float64)
    steps = max(len(motion) - 1, 1)
    mean = steps / float(times[-1] - times[0]) if len(motion) > 1 else motion.fps
    whole = max(round(motion.fps), 1)
    rates = (Fraction(whole), Fraction(whole * 1000, 1001), Fraction(mean).limit_denominator(1001))
    off = [float(np.abs(times * float(rate) - np.rint(times * float(rate))).max()) for rate in rates]
    best = int(np.argmin(off[:2]))
    if off[best] > 0.1:  # neither a whole rate nor a broadcast one
        best = 2
    return rates[best], off[best] > 0.25
