"""Does the output carry the driving video's sound, and in time?"""

from __future__ import annotations

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from understudy.errors import ClipError
from understudy.media.clip import Clip
from understudy.media.container import open_clip

Samples = NDArray[np.float64]

RATE_HZ = 8000
FURTHEST_S = 1.0
SILENT = 1e-4  # of full scale, root mean square
LIKE = 0.3  # normalised correlation from which two sounds are the same


def read_sound(clip: Clip, start_s: float, duration_s: float) -> NDArray[np.float32] | None:
    """Mono samples at 8 kHz of ``duration_s`` seconds from ``start_s`` of the picture's time; None without sound.

    Time 0 is the first picture's. Where the sound begins later or ends earlier, it is silent.
    Raises ClipError (``clip_unreadable``).
    """
    wanted = np.zeros(max(1, round(duration_s * RATE_HZ)), np.float32)
    try:
        with open_clip(clip.path) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            begin_s = start_s + clip.start_s
            resampler = AudioResampler("flt", "mono", RATE_HZ)
            place: int | None = None
            for frame in container.decode(stream):
                if place is None:
                    place = round(((frame.time or 0.0) - begin_s) * RATE_HZ)
                for part in resampler.resample(frame):
                    place = _put(wanted, np.asarray(part.to_ndarray(), np.float32).reshape(-1), place)
                if place > len(wanted):
                    break
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ClipError(
            "clip_unreadable",
            f"The sound of {clip.path.name!r} cannot be read ({type(error).__name__}).",
            fix="Give a video that a player plays.",
        ) from error
    return wanted


def sound_offset(driving: NDArray[np.float32], shown: NDArray[np.float32]) -> float | None:
    """Seconds by which the output's sound comes late; None where either is silent or the two are not the same."""
    size = min(len(driving), len(shown))
    a, b = driving[:size].astype(np.float64), shown[:size].astype(np.float64)
    if min(np.sqrt(np.mean(a * a)), np.sqrt(np.mean(b * b))) < SILENT:
        return None
    furthest = min(int(FURTHEST_S * RATE_HZ), size - 1)
    match = correlated(b, a, furthest) / (np.linalg.norm(a) * np.linalg.norm(b))
    best = int(np.argmax(match))
    if match[best] < LIKE:
        return None
    return float((best - furthest) / RATE_HZ)


def correlated(late: Samples, early: Samples, furthest: int) -> Samples:
    """(2 * furthest + 1,) sums of products of two series (N,), the first taken -furthest to furthest samples late.

    By Fourier transforms of series that zeros lengthen, so that no such shift wraps round.
    """
    size = 1 << (len(early) + furthest - 1).bit_length()
    both = np.fft.rfft(late, size) * np.fft.rfft(early, size).conj()
    sums = np.fft.irfft(both, size)
    return np.concatenate([sums[size - furthest :], sums[: furthest + 1]])


def _put(wanted: NDArray[np.float32], part: NDArray[np.float32], place: int) -> int:
    """Copy ``part`` to where it belongs in ``wanted``; gives back where the next one goes."""
    first, last = max(0, place), min(len(wanted), place + len(part))
    if first < last:
        wanted[first:last] = part[first - place : last - place]
    return place + len(part)
