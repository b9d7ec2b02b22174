"""Which part of a motion is used: the longest shot with a tracked performer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.errors import PerformerError
from understudy.tracking.motion import Motion, Shot

MINIMUM_S = 3.0
ENOUGH = 0.5  # of a shot's frames
SHOW_WHOLE = "Use a clip in which one person can be seen from head to hips in most frames, without cuts."


@dataclass(frozen=True)
class LeftOut:
    """Frames ``start`` to ``stop`` (exclusive) that are not used.

    ``reason`` is a stable word: ``other_shot`` (before or after a cut) or ``untracked`` (nobody to follow).
    """

    start: int
    stop: int
    reason: str


def choose_performance(
    motion: Motion, minimum_s: float = MINIMUM_S, *, gaps: bool = False
) -> tuple[Shot, tuple[LeftOut, ...]]:
    """The longest stretch of one shot in which the performer is tracked in every frame, and what is left out. With
    ``gaps``, for whoever sees the video itself, a shot is taken whole if they are tracked in most of its frames.

    Raises PerformerError: ``performer_not_found`` where nobody is tracked at all, ``performer_too_short`` where
    the stretch is under ``minimum_s`` (by more than one frame, since rates are seldom whole).
    """
    tracked = motion.tracked
    if not tracked.any():
        raise PerformerError(
            "performer_not_found",
            "Nobody who could be followed was found in the driving video.",
            value=f"0 of {len(motion)} frames with a performer",
            limit=f"at least {minimum_s:g} s",
            fix=SHOW_WHOLE,
        )
    best = max(
        (stretch for shot in motion.shots for stretch in _stretches(tracked, shot, gaps)),
        key=lambda stretch: int(tracked[stretch.start : stretch.stop].sum()),
    )
    frame_s = 1 / motion.fps
    found_s = float(motion.times_s[best.stop - 1] - motion.times_s[best.start]) + frame_s
    if found_s < minimum_s - 1.5 * frame_s:
        raise PerformerError(
            "performer_too_short",
            f"The performer can be followed without a cut for {found_s:.2f} s only.",
            value=f"{found_s:.2f} s",
            limit=f"at least {minimum_s:g} s",
            fix=SHOW_WHOLE,
        )
    return best, _left_out(motion, best)


def _stretches(tracked: NDArray[np.bool_], shot: Shot, gaps: bool) -> list[Shot]:
    """The runs of tracked frames inside a shot; with ``gaps`` all of a shot in which there are enough of them."""
    if gaps and tracked[shot.start : shot.stop].mean() >= ENOUGH:
        return [shot]
    inside = np.concatenate([[False], tracked[shot.start : shot.stop], [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + shot.start
    return [Shot(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _left_out(motion: Motion, used: Shot) -> tuple[LeftOut, ...]:
    parts: list[LeftOut] = []
    for shot in motion.shots:
        if shot.start <= used.start < shot.stop:
            sides = ((shot.start, used.start), (used.stop, shot.stop))
            parts += [LeftOut(a, b, "untracked") for a, b in sides if b > a]
        else:
            parts.append(LeftOut(shot.start, shot.stop, "other_shot"))
    return tuple(parts)
