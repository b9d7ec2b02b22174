"""Feet on the floor: which foot stands still, and the small shifts that keep the character's there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.performer import Performer
from understudy.engines.puppet.skeleton import ANKLES, HEELS, TOES, Points, Reals, blur, smooth, step
from understudy.tracking import series

_STILL_M_S = 0.16  # a foot slower than this may stand
_HIGH_M = 0.10  # a foot this much above the lower one does not stand
_EASE_S = 0.10
# Of the largest shift: a standing foot that goes farther in the picture is carried by the camera.
_CARRIED = (0.7, 1.4)
_SLOW_S = 0.6
_FADE_S = 0.3  # after a stance in which its shift is gone
_HOP_M = 0.04  # lower than this is a step
_STEP_S = 0.4  # before and after which a lifted foot is on the floor
# Metres above the floor between which a foot counts as lifted: by its own floor, and by the other foot
_OFF_M = (0.04, 0.10)
_OFF_OTHER_M = (0.12, 0.22)


def planted(performer: Performer) -> Reals:
    """How far (T, 2) the left and the right foot stand on the floor, 0..1, eased in and out."""
    fps = performer.fps
    feet = _feet(performer.pixels) / performer.px_per_m[:, None]
    # Relative to the body size, so that a walk towards the camera is not a slide.
    speed = np.abs(np.gradient(smooth(feet, fps, 0.04), axis=0)) * fps if len(feet) > 1 else feet * 0
    trust = np.stack(
        [performer.trust[:, (a, t)].min(axis=1) for a, t in zip(ANKLES, TOES, strict=True)], axis=1
    )
    low = feet.imag > feet.imag.max(axis=1, keepdims=True) - _HIGH_M
    stands = (np.abs(speed) < _STILL_M_S) & low & (trust > 0.7)
    share = blur(stands.astype(np.float64), fps, _EASE_S / 2)
    return np.asarray(np.clip((share - 0.5) * 2, 0, 1))


def _feet(points: Points) -> Points:
    """(T, 2) middle of ankle, heel and toe."""
    return np.stack(
        [
            (points[:, a] + points[:, h] + points[:, t]) / 3
            for a, h, t in zip(ANKLES, HEELS, TOES, strict=True)
        ],
        axis=1,
    )


def corrections(
    feet: Points, wanted: Points, standing: Reals, limit: float, fps: float, home: Reals, *, own: bool = False
) -> tuple[Points, Points]:
    """Shifts of the root (T,) and of each foot (T, 2) that stop the slide of standing feet.

    ``feet`` (T, 2) are the character's as posed, ``wanted`` (T, 2, N) points of the performer's in the character's
    size, ``standing`` (T, 2) as from `planted`. The result's floor is the reference image's, which never moves: while
    a foot stands, it is held at its mean place of that stance, or of those of its frames that ``home`` (T,) weighs:
    the reference's own pose, in a single frame of which the tracker errs by pixels. Only where the performer's own
    standing foot goes far in the picture, because the camera moves, it goes along. Between stances the shift goes over
    into the next one's. ``limit`` is the largest shift in pixels: more would show more than the slide.
    With ``own`` the reference is a frame of the clip, and the performer's own places are right: slow drifts are kept.
    """
    push = np.zeros_like(feet)
    stands = standing > 0.5
    for foot in (0, 1):
        for start, stop in _stances(stands[:, foot]):
            part = slice(start, stop)
            ways = wanted[part, foot] - wanted[part, foot].mean(axis=0)
            far = np.hypot(np.ptp(ways.real, axis=0), np.ptp(ways.imag, axis=0)) / limit
            way, far = ways[:, far.argmin()], far.min()  # a foot turns on its heel or on its toe
            # A drift this slow is not seen.
            drift = smooth(way, fps, _SLOW_S) if own else 0 * way
            way = drift + (way - drift) * step(far, *_CARRIED)
            slide = feet[part, foot] - way
            at_home = home[part].sum()
            held = home[part] @ slide / at_home if at_home > 0 else slide.mean()
            push[part, foot] = held - slide
    push *= limit / np.maximum(np.abs(push), limit)
    # In the reference's own frame, if it is a single one, nothing is shifted.
    pin = int(np.argmax(home))
    single = home[pin] > 0.5 * home.sum()
    if single:
        stands[pin] = True
        push[pin] = 0.0
    count = stands.sum(axis=1)
    # The mean of two disagreeing feet moves the root, smoothly, or a foot's trembling would be the body's; what is
    # left is the leg's.
    root = _bridged(np.where(count > 0, push.sum(axis=1) / np.maximum(count, 1), 0.0), count > 0, fps)
    root = smooth(root, fps, _EASE_S)
    if single:
        away = (np.arange(len(root)) - pin) / max(_EASE_S * fps, 1.0)
        root = root * (1 - np.exp(-0.5 * away**2))
    rest = np.stack([_bridged(push[:, f] - root, stands[:, f], fps) for f in (0, 1)], axis=1)
    return root, rest


def _bridged(values: Points, known: NDArray[np.bool_], fps: float) -> Points:
    """``values`` (T,) where known; between, a smooth way from the last to the next, by way of 0 where that is far."""
    index = np.flatnonzero(known)
    if len(index) == 0:
        return np.zeros_like(values)
    at = np.arange(len(values))
    after = np.searchsorted(index, at)
    right = index[np.minimum(after, len(index) - 1)]
    left = index[np.maximum(after - 1, 0)]
    left = np.where(known, at, left)
    since, until = np.abs(at - left), np.abs(right - at)
    share = step(since / np.maximum(since + until, 1), 0.0, 1.0)
    ease = _FADE_S * fps
    before = values[left] * (1 - step(since / ease, 0.0, 1.0)) * (1 - share)
    then = values[right] * (1 - step(until / ease, 0.0, 1.0)) * share
    inside = (at > index[0]) & (at < index[-1])
    alone = np.where(at < index[0], values[index[0]] * (1 - step(until / ease, 0.0, 1.0)), 0.0)
    alone = np.where(at > index[-1], values[index[-1]] * (1 - step(since / ease, 0.0, 1.0)), alone)
    return np.asarray(np.where(known, values, np.where(inside, before + then, alone)))


def _stances(standing: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], standing.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def lifted(performer: Performer) -> Reals:
    """How far (T, 2) the left and the right foot are off the floor, 0..1; a foot that slides or turns on it is not.

    The floor under a foot is where that foot's lowest point was shortly before and will be shortly after. A foot that
    is held up for longer is told by the other one, with more allowance: a step back raises a foot in the picture, too.
    """
    fps = performer.fps
    low = np.stack(
        [
            performer.pixels[:, [a, h, t]].imag.max(axis=1)
            for a, h, t in zip(ANKLES, HEELS, TOES, strict=True)
        ],
        axis=1,
    )
    low = blur(low / performer.px_per_m[:, None], fps, 0.03)
    window = 2 * round(_STEP_S * fps) + 1
    floor = blur(series.maximum(low, window), fps, _EASE_S)
    own = step(floor - low, *_OFF_M)
    other = step(low.max(axis=1, keepdims=True) - low, *_OFF_OTHER_M)
    return blur(np.maximum(own, other), fps, 0.04)


def floor_gap(performer: Performer, standing: Reals) -> Reals:
    """How high (T,) in metres the lower foot is above the floor: 0 unless the performer jumps.

    The floor under a jump is taken from the feet that stood before and after it: a step towards the camera, which
    moves a foot down the picture, is no jump. ``standing`` (T, 2) as from `planted`.
    """
    fps = performer.fps
    low = (performer.pixels[:, [*ANKLES, *HEELS, *TOES]].imag).max(axis=1) / performer.px_per_m
    grounded = standing.max(axis=1) > 0.5
    if grounded.sum() < 2:
        return np.zeros(len(low))
    at = np.arange(len(low))
    floor = np.interp(at, at[grounded], low[grounded])
    trust = performer.trust[:, [*ANKLES, *TOES]].min(axis=1)
    gap = np.maximum(floor - low - _HOP_M, 0.0) * trust * ~grounded
    return blur(gap, fps, 0.03)
