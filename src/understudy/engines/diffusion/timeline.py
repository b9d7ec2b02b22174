"""Between two clocks: a driving video's frames at the model's times, and the model's frames at the video's.

All times are seconds since the part's first frame. A model counts evenly and is shown at each of its times the nearest
frame of the video; so what it makes performs the moment of *that* frame, up to half a frame off its own even clock
(`shown_times`). Brought back by those moments, most frames of a 30 fps video are frames of the model as they are.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.engines.diffusion.assignment import MOST_FRAMES
from understudy.engines.diffusion.interpolation import Between
from understudy.errors import EngineError

SAME_S = 1e-4  # within which two times are one: they come in single precision; frames are further apart

Frame = NDArray[np.uint8]
Seconds = NDArray[np.float64]


def model_times(times_s: ArrayLike, fps: float) -> Seconds:
    """The model's frame times (N,) from 0 on, at ``fps``: as few as have none of ``times_s`` after the last.

    ``times_s`` are the output's, (T,), rising from 0. Raises EngineError (``too_many_frames``) above MOST_FRAMES.
    """
    asked = _rising(times_s)
    frames = max(int(np.ceil((asked[-1] - SAME_S) * fps)), 0) + 1
    if frames > MOST_FRAMES:
        raise EngineError(
            "too_many_frames",
            f"{asked[-1]:.1f} s are {frames} of the model's frames, and it makes at most {MOST_FRAMES}.",
            value=f"{frames} frames",
            limit=f"{MOST_FRAMES} frames",
            fix=f"Cut the driving video to at most {(MOST_FRAMES - 1) / fps:.0f} s.",
        )
    return np.arange(frames) / fps


def shown_times(times_s: ArrayLike, times: ArrayLike) -> Seconds:
    """The time (N,) of the frame that `sampled` gives for each of ``times``, of a clip with frames at ``times_s``."""
    held = _rising(times_s)
    shown, at = [], 0
    for time_s in np.asarray(times, np.float64).tolist():
        while at + 1 < len(held) and _later(held[at], held[at + 1], time_s):
            at += 1
        shown.append(held[at])
    return np.asarray(shown)


def sampled(frames: Iterator[tuple[float, Frame]], times: ArrayLike) -> Generator[Frame]:
    """For each of ``times`` (N,), which never fall, the frame nearest to it; of two equally near ones the earlier.

    ``frames`` come in order, (seconds, (H, W, 3)). One may be given several times or not at all; two are held. Raises
    EngineError (``frames_missing``) where there is none.
    """
    with _closing(frames):
        now = next(frames, None)
        following = None if now is None else next(frames, None)
        for time_s in np.asarray(times, np.float64).tolist():
            if now is None:
                raise _missing(0, 1)
            while following is not None and _later(now[0], following[0], time_s):
                now, following = following, next(frames, None)
            yield now[1]


def retimed(made: Iterator[Frame], made_s: ArrayLike, times_s: ArrayLike) -> Generator[Frame]:
    """One frame for each of ``times_s`` (T,), rising from 0, out of ``made``, the frames (H, W, 3) at ``made_s`` (N,),
    from 0 on and never falling.

    A frame of ``made`` whose time is asked for comes as it is (of several of one time the last), the others are made of
    the two about them. Two are held, and what is known of the movement between them; none is taken before it is needed,
    and those after the last time are not taken. Past the last of ``made_s`` the last frame stays. Raises EngineError
    (``frames_missing``) where ``made`` ends too early.
    """
    known, asked = np.asarray(made_s, np.float64).tolist(), _rising(times_s).tolist()
    with _closing(made):
        at = 0  # where `after` lies in `known`
        before = after = _next(made, at, len(known))
        between: Between | None = None
        for time_s in asked:
            # On to the first frame that is not before this time, and past others of the same time.
            while at + 1 < len(known) and (known[at] < time_s - SAME_S or known[at + 1] <= time_s + SAME_S):
                at += 1
                before, after, between = after, _next(made, at, len(known)), None
            if known[at] <= time_s + SAME_S:
                yield after
                continue
            between = between or Between(before, after)
            yield between.at((time_s - known[at - 1]) / (known[at] - known[at - 1]))


def _next(made: Iterator[Frame], at: int, asked: int) -> Frame:
    frame = next(made, None)
    if frame is None:
        raise _missing(at, asked)
    return frame


def _later(now_s: float, following_s: float, time_s: float) -> bool:
    """Whether the following frame is nearer: clearly, so that rounding never decides between equally near ones."""
    return abs(following_s - time_s) < abs(now_s - time_s) - SAME_S


def _rising(times_s: ArrayLike) -> Seconds:
    times = np.asarray(times_s, np.float64)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or abs(times[0]) > SAME_S:
        raise ValueError("times begin at 0")
    if (np.diff(times) <= 0).any():
        raise ValueError("times rise")
    return times


def _closing(items: Iterator[Any]) -> AbstractContextManager[Any]:
    """Closes a generator on the way out, also when its consumer stops early."""
    return closing(items) if isinstance(items, Generator) else nullcontext()


def _missing(found: int, asked: int) -> EngineError:
    return EngineError(
        "frames_missing",
        f"Only {found} of {asked} frames came.",
        value=f"{found} frames",
        limit=f"{asked} frames",
        fix="Try again; if it stays, tell us what you asked for.",
    )
