"""Expression: what the performer's face does over time, relative to a neutral face, and freed of its build."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.face_measures import measure
from understudy.engines.puppet.gaze_signal import eye_width, gaze
from understudy.engines.puppet.lid_signal import lids
from understudy.engines.puppet.look import Expression
from understudy.engines.puppet.relief import smooth
from understudy.engines.puppet.skin_points import SKIN
from understudy.engines.puppet.skin_signal import SkinSignal
from understudy.engines.puppet.turn_signal import held, smoothing_s, turns
from understudy.tracking import series
from understudy.tracking.motion import Floats, Motion

Bools = NDArray[np.bool_]

FACES_AWAY_DEG = 55.0
EASE_S = 0.2
LOST_SCORE = 0.3
# The mesh of a small face trembles: its skin is smoothed over so many seconds (standard deviation), less and less up
# to the larger distance of its outer eye corners, in pixels.
CALM_S, CALM_PX = 0.05, (20.0, 55.0)


def expressions(
    motion: Motion,
    reference: Floats | None = None,
    *,
    human: bool = True,
    facing: bool = True,
    home: Floats | None = None,
) -> Expression:
    """The performer's expression over time, to be drawn on a character.

    ``reference`` is the character's own face mesh ``(468, 3)`` in the reference image. What it shows already is
    subtracted, so that the drawn face reaches the performer's state, and a still clip of the reference gives zeros.
    Where that is not ``human``, a template in a drawing's place, its facing says nothing and is kept as it is.
    ``facing`` tells whether the character faces where the performer does, or as in its picture. ``home`` (T,) weighs
    the frames that the reference image is, if it is any: in them the face is the reference's.
    The neutral face is the clip's own: eyes by a high quantile of their opening, mouth by its calm frames, the rest
    by the median.
    """
    frames = len(motion)
    seen = np.isfinite(motion.face).all(axis=(1, 2)) & (motion.face_score >= LOST_SCORE)
    if seen.any():
        m = measure(motion.face[seen])
        seen[np.flatnonzero(seen)[np.abs(m.yaw) > FACES_AWAY_DEG]] = False
    if not seen.any():
        zero, pair = np.zeros(frames, np.float32), np.zeros((frames, 2), np.float32)
        none = np.zeros((frames, len(SKIN), 2), np.float32)
        return Expression(lids=pair, gaze=pair, yaw_deg=zero, pitch_deg=zero, weight=zero, skin=none)
    m = measure(motion.face[seen])
    own = None
    if reference is not None and np.isfinite(reference).all():
        own = measure(np.asarray(reference, np.float32)[None])

    irises = None if motion.irises is None else np.nan_to_num(motion.irises[seen, :, 2]).clip(0.0, 1.0)
    closing = lids(m, own, motion.fps, irises, float(np.median(eye_width(motion.face[seen]))))

    there = None if home is None or not (home[seen] > 0).any() else home[seen] > 0
    turned = turns(motion.face[seen], reference if own is not None and human else None, facing, there)
    step_s = 1.0 / max(motion.fps, 1.0)
    edges = (0, *motion.cuts, frames)

    def spread(values: Floats, smooth_s: float) -> Floats:
        """From the frames seen to all frames, without noise, never across a cut."""
        out = np.empty(frames, np.float32)
        inside = np.flatnonzero(seen)
        out[:] = np.interp(np.arange(frames), inside, values)
        for a, b in itertools.pairwise(edges):
            if b - a > 2:
                out[a:b] = series.gaussian(out[a:b], smooth_s / step_s)
        return out

    skin = _everywhere(
        SkinSignal.of(motion.face[seen], reference if own is not None else None, there).shifts, seen
    )
    turning, steady_s = held(seen, step_s, edges), smoothing_s(motion.face[seen])
    return Expression(
        lids=np.stack([spread(v, 0.012) for v in closing.T], axis=1),
        gaze=gaze(motion),
        yaw_deg=turning * spread(turned.yaw, steady_s),
        pitch_deg=turning * spread(turned.pitch, steady_s),
        weight=_weight(seen, step_s, edges),
        skin=_calm(skin, _calm_s(motion.face[seen]) / step_s, edges),
    )


def _calm_s(faces: Floats) -> float:
    span = float(np.median(np.linalg.norm(faces[:, 263, :2] - faces[:, 33, :2], axis=1)))
    return CALM_S * float(1.0 - smooth((span - CALM_PX[0]) / (CALM_PX[1] - CALM_PX[0])))


def _calm(values: Floats, frames: float, edges: tuple[int, ...]) -> Floats:
    """Values ``(T, ...)`` smoothed over time, never across a cut."""
    out = values.copy()
    for a, b in itertools.pairwise(edges):
        if frames > 0.1 and b - a > 2:
            out[a:b] = series.gaussian(values[a:b], frames)
    return out


def _everywhere(values: Floats, seen: Bools) -> Floats:
    """Values ``(S, ...)`` of the frames seen, at all frames: in between straight from one to the next."""
    inside = np.flatnonzero(seen)
    at = np.interp(np.arange(len(seen)), inside, np.arange(len(inside)))
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, len(inside) - 1)
    share = (at - before).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[before] + share * (values[after] - values[before]), np.float32)


def _weight(seen: Bools, step_s: float, edges: tuple[int, ...]) -> Floats:
    """1 where the face is seen, easing to 0 towards each lost stretch; gaps shorter than the ease are bridged."""
    ramp = max(EASE_S / step_s, 1.0)
    weight = np.ones(len(seen), np.float32)
    for a, b in itertools.pairwise(edges):
        lost = ~seen[a:b]
        starts = np.flatnonzero(lost & ~np.r_[False, lost[:-1]])
        stops = np.flatnonzero(lost & ~np.r_[lost[1:], False]) + 1
        for start, stop in zip(starts, stops, strict=True):
            inner = start > 0 and stop < b - a
            if inner and stop - start < ramp:
                continue
            at = np.arange(b - a)
            away = np.maximum(np.maximum(start - at, at - (stop - 1)), 0) / ramp
            eased = np.clip(away, 0.0, 1.0)
            weight[a:b] = np.minimum(weight[a:b], eased * eased * (3.0 - 2.0 * eased))
    return weight
