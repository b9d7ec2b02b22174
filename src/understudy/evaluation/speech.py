"""Is the mouth in step? At the clip's own frame rate, since a frame is less than half a sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.evaluation.faces import FEWEST, HARDLY, HARDLY_PX, components, eye_distance
from understudy.evaluation.samples import RATE_HZ, scaled
from understudy.media.clip import Clip, read_frames
from understudy.tracking.face import FaceLandmarks
from understudy.tracking.motion import Floats, Motion

LOOKED_AT_S = 4.0  # the liveliest part of what is compared; a mouth moves several times in it
FURTHEST_S = 0.3  # past this a sound and a mouth are not taken for the same speech
SLOW_S = 1.0  # changes slower than this tell nothing of being in step
ALIKE = 0.6  # correlation at the best shift, under which the output's mouth follows nothing
LEAST_SHARE = 0.5  # of the part's frames in which both mouths must be seen


class Openings(NamedTuple):
    """The mouth's opening over time: seconds (N,) and eye distances (N,), NaN where the face is lost."""

    times_s: NDArray[np.float64]
    opening: NDArray[np.float64]


def lip_lag(
    driving: Clip, output: Clip, performer: Motion, shown: Motion, *, driving_start_s: float
) -> int | None:
    """Frames of the driving video by which the output's mouth comes late; see docs/quality.md.

    The motions hold the samples of the compared part. None where a mouth hardly moves or is hardly seen, or where no
    shift makes the two alike. Both videos are read once more, in the part in which the performer's mouth moves most.
    Raises ClipError.
    """
    part = liveliest(performer, shown)
    if part is None:
        return None
    begin_s, end_s = part
    reach_s = FURTHEST_S + 1 / RATE_HZ
    theirs = mouth_over_time(driving, performer, begin_s, end_s, offset_s=driving_start_s)
    ours = mouth_over_time(output, shown, begin_s - reach_s, end_s + reach_s)
    return best_shift(theirs, ours, float(driving.fps))


def liveliest(performer: Motion, shown: Motion) -> tuple[float, float] | None:
    """Seconds from and to which the performer's mouth moves most; None where one of the mouths hardly moves."""
    theirs, ours = components(performer.face)[:, 0], components(shown.face)[:, 0]
    both = np.isfinite(theirs) & np.isfinite(ours)
    length = min(len(theirs), round(LOOKED_AT_S * RATE_HZ))
    found: tuple[float, int] | None = None
    for first in range(0, len(theirs) - length + 1, max(1, length // 8)):
        part = slice(first, first + length)
        seen = both[part]
        if seen.sum() < max(FEWEST, LEAST_SHARE * length):
            continue
        unit = float(np.median(eye_distance(performer.face[part][seen])))
        hardly = max(HARDLY[0], HARDLY_PX[0] / unit)
        if theirs[part][seen].std() <= hardly or ours[part][seen].std() <= HARDLY[0] / 2:
            continue
        moves = float(np.abs(np.diff(theirs[part][seen])).sum())
        if found is None or moves > found[0]:
            found = moves, first
    if found is None:
        return None
    return found[1] / RATE_HZ, (found[1] + length) / RATE_HZ


def mouth_over_time(
    clip: Clip, motion: Motion, begin_s: float, end_s: float, *, offset_s: float = 0.0
) -> Openings:
    """The opening in every frame of the part; times count from ``offset_s`` of the clip.

    Only the face is tracked, about the head as it lies between the samples of ``motion``.
    """
    follower = FaceLandmarks()
    times: list[float] = []
    faces: list[Floats] = []
    size = (motion.width, motion.height)
    frames = read_frames(
        clip, start_s=max(0.0, begin_s + offset_s), stop_s=end_s + offset_s, short_side_max=min(size)
    )
    for time_s, frame in frames:
        times.append(time_s - offset_s)
        body = _between(motion.body, times[-1] * RATE_HZ)
        if np.isfinite(body).all():
            faces.append(follower.look(scaled(frame, size), body)[0])
        else:
            follower.restart()
            faces.append(np.full(motion.face.shape[1:], np.nan, np.float32))
    if not faces:
        return Openings(np.zeros(0), np.zeros(0))
    return Openings(np.array(times), components(np.stack(faces))[:, 0])


def best_shift(theirs: Openings, ours: Openings, fps: float) -> int | None:
    """Frames by which ``ours`` comes late: where the two correlate best, slow changes taken away."""
    seen = np.isfinite(theirs.opening)
    known = np.isfinite(ours.opening)
    if seen.sum() < max(FEWEST, LEAST_SHARE * len(seen)) or known.sum() < FEWEST:
        return None
    times_s, wanted = theirs.times_s[seen], theirs.opening[seen]
    wanted = wanted - _slow(times_s, wanted)
    scores = {}
    for shift in sorted(_shifts(fps), key=abs):
        got = np.interp(times_s + shift / fps, ours.times_s[known], ours.opening[known])
        got = got - _slow(times_s, got)
        spread = float(wanted.std() * got.std())
        scores[shift] = float(np.mean(wanted * got)) / spread if spread > 0 else 0.0
    best = max(scores, key=lambda shift: scores[shift])
    return best if scores[best] >= ALIKE else None


def _shifts(fps: float) -> Iterator[int]:
    reach = max(1, round(FURTHEST_S * fps))
    yield from range(-reach, reach + 1)


def _slow(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of ``values`` within half of `SLOW_S` of each time."""
    near = np.abs(times_s[:, None] - times_s) <= SLOW_S / 2
    return np.asarray((near @ values) / near.sum(axis=1))


def _between(body: Floats, place: float) -> Floats:
    """Landmarks (33, 3) at ``place`` in samples, straight between the two samples about it."""
    before = int(np.clip(np.floor(place), 0, len(body) - 1))
    after = min(before + 1, len(body) - 1)
    share = np.float32(np.clip(place - before, 0.0, 1.0))
    return np.asarray(body[before] * (1 - share) + body[after] * share)
