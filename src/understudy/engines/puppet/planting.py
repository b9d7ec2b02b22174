"""Feet on the floor: which foot stands still, and the small shifts that keep the character's there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.performer import Performer
from understudy.engines.puppet.skeleton import ANKLES, HEELS, TOES, Points, Reals, blur, smooth

_STILL_M_S = 0.16  # a foot slower than this may stand
_HIGH_M = 0.10  # a foot this much above the lower one does not stand
_EASE_S = 0.10
_HOP_M = 0.04  # lower than this is a step


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
    feet: Points, wanted: Points, standing: Reals, limit: float, fps: float, pin: int
) -> tuple[Points, Points]:
    """Shifts of the root (T,) and of each foot (T, 2) that stop the slide of standing feet.

    ``feet`` (T, 2) are the character's as posed, ``wanted`` (T, 2) move as standing feet should, from anywhere;
    ``standing`` (T, 2) as from `planted`. While a foot stands, its distance to ``wanted`` is held at its mean of that
    stance, or at what it is in frame ``pin``; between stances the shift is eased. ``limit`` is
    the largest shift in pixels: more would show more than the slide does.
    """
    slide = feet - wanted
    push = np.zeros_like(slide)
    weight = np.zeros_like(standing)
    for foot in (0, 1):
        for start, stop in _stances(standing[:, foot] > 0.5):
            part = slice(start, stop)
            held = slide[pin, foot] if start <= pin < stop else slide[part, foot].mean()
            push[part, foot] = held - slide[part, foot]
            weight[part, foot] = 1.0
    push *= limit / np.maximum(np.abs(push), limit)
    total = weight.sum(axis=1)
    root = np.where(total > 0, (push * weight).sum(1) / np.maximum(total, 1e-9), 0.0)
    # The mean of two disagreeing feet moves the root; what is left is the leg's.
    root = _eased(root, (total > 0).astype(np.float64), fps)
    rest = np.stack([_eased((push[:, f] - root) * weight[:, f], weight[:, f], fps) for f in (0, 1)], axis=1)
    return root, rest


def _eased(values: Points, weight: Reals, fps: float) -> Points:
    """``values`` where ``weight`` is 1, fading to 0 beside it."""
    near = smooth(values * weight, fps, _EASE_S)
    mass = blur(weight, fps, _EASE_S)
    return np.asarray(near / np.maximum(mass, 0.25) * np.clip(mass * 2, 0, 1))


def _stances(standing: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], standing.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


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
