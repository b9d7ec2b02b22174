"""The performer's hand over time: its places about the wrist, how far to believe them, and when it is seen at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.skeleton import Points, Reals, blur, plane, smooth, step, unit
from understudy.engines.puppet.stage import Stage

KNUCKLES = (5, 9, 13, 17)
_RAMP_S = 0.25  # a hand that is found or lost comes and goes within this
_GAP_S, _GLIMPSE_S = 0.3, 0.15
# Pixels of the driving video from wrist to knuckles: below the first fingers are noise, from the second on they are
# seen well.
_SMALL_PX = (8.0, 22.0)
# Palm lengths that a hand moves or changes its shape within 1/30 s: from the second on it is a blur.
_FAST = (0.5, 1.5)
_BLURRED = 0.15  # what a blurred frame counts beside a sharp one
_SAME = 0.06  # palm lengths within which a hand that is held still stays
_ALIKE = (0.05, 0.5)  # palm lengths from the anchor's shape
_SHARP_S, _BLURRED_S = 0.022, 0.09  # sigma over which a sharp and a blurred frame are averaged


@dataclass(frozen=True)
class PerformerHand:
    """T frames of one hand. ``points`` (T, 21) about the wrist in metres, facing as wanted, interpolated where lost;
    ``seen`` (T,); ``weight`` (T,) 0..1 how far to follow it, easing in and out; ``trust`` (T,) each frame's sharpness.
    """

    points: Points
    seen: NDArray[np.bool_]
    weight: Reals
    trust: Reals
    fps: float

    @property
    def along(self) -> Points:
        """(T,) the wrist to the knuckles' middle."""
        return np.asarray(self.points[:, KNUCKLES].mean(axis=1))

    def likeness(self, anchor: Anchor) -> Reals:
        """(T,) 1 where the hand is as at the ``anchor``, 0 where it has moved by half a palm."""
        there = anchor.weights @ self.points
        return 1.0 - step(np.abs(self.points - there).mean(axis=1) / self.palm_m, *_ALIKE)

    @property
    def palm_m(self) -> float:
        """The palm's full length in metres: the longest that is seen for long."""
        seen = np.abs(self.along[self.seen])
        return max(float(np.quantile(seen, 0.85)), 0.02) if len(seen) else 0.08


def hand_anchor(hand: PerformerHand, anchor: Anchor | None) -> Anchor | None:
    """The anchor with those of its frames alone in which this hand is as in the best one, or None where it is not
    seen there: a body that stands still may talk with its hands."""
    if anchor is None or not hand.seen[anchor.frame]:
        return None
    away = np.abs(hand.points - hand.points[anchor.frame]).mean(axis=1)
    weights = anchor.weights * (away < _SAME * hand.palm_m) * hand.seen
    weights[anchor.frame] = max(weights[anchor.frame], 1e-6)
    return replace(anchor, weights=weights / weights.sum())


def performer_hand(stage: Stage, side: int) -> PerformerHand:
    """The hand of ``side`` (0 left, 1 right) as the performance has it; weight 0 all along if it is never seen."""
    fps, px_per_m = stage.fps, stage.performer.px_per_m
    raw = stage.hands[:, side]
    seen = _lasting(stage.hands_seen[:, side] & np.isfinite(raw).all(axis=(1, 2)), fps)
    frames = len(raw)
    if not seen.any():
        nothing = np.zeros(frames)
        return PerformerHand(np.zeros((frames, 21), np.complex128), seen, nothing, nothing, fps)
    wrist = plane(np.nan_to_num(raw[:, :1]))[:, 0]
    shape = _interpolated((raw - raw[:, :1]) / px_per_m[:, None, None], seen)
    if stage.angle is None:
        points = plane(shape)
    else:
        c, s = np.cos(stage.angle)[:, None], np.sin(stage.angle)[:, None]
        points = np.asarray(shape[..., 0] * c - shape[..., 2] * s + 1j * shape[..., 1])
    hand = PerformerHand(points, seen, np.zeros(frames), np.ones(frames), fps)
    moved = np.abs(np.gradient(wrist / px_per_m)) if frames > 1 else np.zeros(frames)
    changed = np.abs(np.gradient(points, axis=0)).mean(axis=1) if frames > 1 else np.zeros(frames)
    speed = (moved + changed) * fps / 30 / hand.palm_m
    trust = np.maximum(1.0 - step(speed, *_FAST), _BLURRED) * seen
    small = step(blur(hand.palm_m * px_per_m, fps, 0.3), *_SMALL_PX)
    # The mean of a hand that turns quickly would be a small one: distances from the wrist are averaged apart.
    far = sharpened(np.abs(points).astype(np.complex128), trust, fps).real
    points = unit(sharpened(points, trust, fps), points) * far
    return PerformerHand(points, seen, _ramped(seen, fps) * small, trust, fps)


def sharpened(values: Points, trust: Reals, fps: float) -> Points:
    """``values`` (T, N): sharp frames hardly changed, blurred ones taken from their neighbours (no lag)."""
    weight = (trust + 1e-3)[:, None]
    near, wide = (
        smooth(values * weight, fps, sigma) / blur(weight, fps, sigma) for sigma in (_SHARP_S, _BLURRED_S)
    )
    sharp = blur(trust, fps, _SHARP_S)[:, None]
    return np.asarray(near * sharp + wide * (1 - sharp))


def _lasting(seen: NDArray[np.bool_], fps: float) -> NDArray[np.bool_]:
    """``seen`` (T,) with short gaps bridged and short glimpses dropped."""
    kept = _without_short(seen, False, round(_GAP_S * fps))
    return _without_short(kept, True, round(_GLIMPSE_S * fps))


def _without_short(seen: NDArray[np.bool_], kind: bool, longest: int) -> NDArray[np.bool_]:
    """``seen`` without runs of ``kind`` of fewer than ``longest`` frames between two of the other kind."""
    result = seen.copy()
    edges = (np.flatnonzero(np.diff(seen)) + 1).tolist()
    for start, stop in pairwise(edges):
        if seen[start] == kind and stop - start < longest:
            result[start:stop] = not kind
    return result


def _interpolated(values: Reals, known: NDArray[np.bool_]) -> Reals:
    """(T, 21, 3) with frames that are not ``known``, or not finite, taken from their neighbours."""
    good = known & np.isfinite(values).all(axis=(1, 2))
    at = np.arange(len(values))
    flat = values.reshape(len(values), -1)
    return np.stack([np.interp(at, at[good], c[good]) for c in flat.T], axis=1).reshape(values.shape)


def _ramped(seen: NDArray[np.bool_], fps: float) -> Reals:
    """Weight (T,) that rises over 0.25 s after a hand is found, and falls as long before it is lost."""
    if seen.all():
        return np.ones(len(seen))
    lost = np.flatnonzero(~seen)
    at = np.arange(len(seen))
    right = np.clip(np.searchsorted(lost, at), 0, len(lost) - 1)
    near = np.minimum(np.abs(at - lost[right]), np.abs(at - lost[np.maximum(right - 1, 0)]))
    return step(near / fps, 0.0, _RAMP_S)
