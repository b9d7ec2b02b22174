"""Calm landmarks without lag: every point is averaged over as long a time as its own movement allows.

The width of the average is chosen by the intersection of confidence intervals (Goldenshluger and Nemirovski 1997,
Katkovnik 1999): from the raw value on, each wider estimate is taken as long as it agrees, within the noise, with
every narrower one. A resting point is averaged over most of a second, a fast one not at all. The windows are
symmetric and carry a local line, so nothing lags, not even at the ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from understudy.tracking import series
from understudy.tracking.motion import Floats, Motion, Shot

HALF_WIDTHS_S = (0.034, 0.067, 0.1, 0.17, 0.27, 0.4)
TRUST = 1.6  # noise deviations by which a wider estimate may differ from a narrower one
CALMER = 0.15  # share of the frames, the calmest, from which the noise is told
# The mean of 1, 2 or 3 squared deviations of white noise below which that share of them lies. The chi-squared
# distributions F at `CALMER`: F(x; 1) = erf(sqrt(x / 2)), F(x; 2) = 1 - exp(-x / 2),
# F(x; 3) = F(x; 1) - sqrt(2 x / pi) exp(-x / 2), and x over the number.
CALM_SQUARES = {1: 0.0357657791558976, 2: 0.1625189294977749, 3: 0.2659238147482407}
GAP_S = 0.3  # the longest gap that is filled
UNSEEN = 0.1  # the least that a measurement weighs, however hidden the landmark
SPIKE = 0.03  # of the person's height: what a landmark may leave and come back within one frame
SPIKE_BACK = 0.35  # of it: how near the frames before and after must be
SPIKE_FPS = 20.0  # below that many frames a second a hand can really be there and back


@dataclass(frozen=True)
class Noise:
    """Bounds of a measurement's standard deviation, in the unit of the points."""

    least: float
    most: float


def smooth(motion: Motion, stepped: NDArray[np.bool_] | None = None) -> Motion:
    """The motion with short gaps filled and its points calmed, shot by shot.

    ``stepped`` (T, 4) tells where the body, the left hand, the right hand and the face were told from the frames
    beside: such a frame has no noise of its own.
    """
    looked = np.ones((len(motion), 4), bool) if stepped is None else ~stepped
    arrays = {
        name: getattr(motion, name).copy()
        for name in ("body", "visibility", "world", "hands", "hand_score", "face", "face_score")
    }
    for shot in motion.shots:
        _smooth_shot(arrays, motion, shot, looked[shot.start : shot.stop])
    return replace(motion, **arrays)


def _smooth_shot(arrays: dict[str, Floats], motion: Motion, shot: Shot, looked: NDArray[np.bool_]) -> None:
    part = slice(shot.start, shot.stop)
    gap = round(GAP_S * motion.fps)
    for name in ("body", "visibility", "world"):
        arrays[name][part] = fill_gaps(arrays[name][part], gap)
    for side in (0, 1):
        _fill_scored(arrays["hands"][part, side], arrays["hand_score"][part, side], gap)
    _fill_scored(arrays["face"][part], arrays["face_score"][part], gap)

    height = person_height(arrays["body"][part])
    if height <= 0:
        return
    if motion.fps >= SPIKE_FPS:
        for frame, joint in spikes(arrays["body"][part], height):
            for name in ("body", "world"):
                points = arrays[name][part]
                points[frame, joint] = (points[frame - 1, joint] + points[frame + 1, joint]) / 2
    weights, body = np.clip(arrays["visibility"][part], UNSEEN, 1.0), looked[:, 0]
    pixels, metres = Noise(0.0003 * height, 0.004 * height), Noise(0.0005, 0.012)
    depth = Noise(0.001 * height, 0.02 * height)
    arrays["body"][part, :, :2] = calm(arrays["body"][part, :, :2], motion.fps, pixels, weights, body)
    arrays["body"][part, :, 2:] = calm(arrays["body"][part, :, 2:], motion.fps, depth, weights, body)
    arrays["world"][part] = calm(arrays["world"][part], motion.fps, metres, weights, body)
    parts = (arrays["hands"][part, 0], arrays["hands"][part, 1], arrays["face"][part])
    for points, its in zip(parts, looked[:, 1:].T, strict=True):
        extent = person_height(points)
        if extent > 0:
            fine = Noise(0.001 * extent, 0.02 * extent)
            points[..., :2] = calm(points[..., :2], motion.fps, fine, looked=its)
            points[..., 2:] = calm(points[..., 2:], motion.fps, Noise(fine.least, 0.04 * extent), looked=its)


def person_height(points: Floats) -> float:
    """Median over frames (T, N, 3) of the larger side of the box about the points, or 0 where there are none."""
    seen = points[np.isfinite(points[:, 0, 0])]
    return float(np.median(np.ptp(seen[:, :, :2], axis=1).max(axis=1))) if len(seen) else 0.0


def spikes(body: Floats, height: float) -> list[tuple[int, int]]:
    """Frames and landmarks of (T, N, 3) that jump away for one frame and come back to where they were."""
    points = body[..., :2]
    away = np.linalg.norm(points[1:-1] - (points[:-2] + points[2:]) / 2, axis=-1)
    between = np.linalg.norm(points[2:] - points[:-2], axis=-1)
    found = np.argwhere((away > SPIKE * height) & (between < SPIKE_BACK * away))
    return [(int(frame) + 1, int(joint)) for frame, joint in found]


def fill_gaps(values: Floats, longest: int) -> Floats:
    """Linear across gaps of at most ``longest`` frames between two known ones; (T, ...) with NaN where unknown."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat[:, 0])
    filled = flat.copy()
    places = np.flatnonzero(known)
    for before, after in pairwise(places):
        if 1 < after - before <= longest + 1:
            share = np.arange(1, after - before, dtype=np.float32)[:, None] / np.float32(after - before)
            filled[before + 1 : after] = flat[before] + share * (flat[after] - flat[before])
    return filled.reshape(values.shape)


def _fill_scored(points: Floats, score: Floats, gap: int) -> None:
    points[:] = fill_gaps(points, gap)
    lost = np.where(score > 0, score, np.float32(np.nan))
    score[:] = np.nan_to_num(fill_gaps(lost, gap))


def calm(
    points: Floats,
    fps: float,
    noise: Noise,
    weights: Floats | None = None,
    looked: NDArray[np.bool_] | None = None,
) -> Floats:
    """Points (T, N, D) smoothed over time, each by its own widths; NaN frames stay and do not spread.

    ``weights`` (T, N) up to 1 say how far a measurement is to be trusted: its noise is the usual over its weight.
    The usual noise is told from the frames ``looked`` at (T,), or from all.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
    agrees = known.copy()
    if weights is None and bool((known == known[:, :1]).all()):
        known = known[:, :1]  # they are found and lost together: what follows from that is told once
    trust = np.asarray(known if weights is None else np.where(known, weights, 0), np.float32)
    clean = np.asarray(np.where(known[..., None], points, 0), np.float32)
    halves = sorted({round(s * fps) for s in HALF_WIDTHS_S} - {0})
    if len(points) < 3 or not halves:
        return points
    sigma = _deviation(points if looked is None else points[looked], noise)
    room = _room(known)
    estimates, deviations = [clean], [np.asarray(sigma / np.maximum(trust, UNSEEN), np.float32)]
    level = np.zeros(agrees.shape, np.float32)
    for step, half in enumerate(halves, start=1):
        estimate, spread = _local_line(clean, trust, known, half)
        deviation = np.asarray(sigma * spread, np.float32)
        agrees &= room >= half
        for narrower, its in zip(estimates, deviations, strict=True):
            agrees &= _length(estimate - narrower) <= TRUST * (its + deviation)
        level[agrees] = step
        estimates.append(estimate)
        deviations.append(deviation)
    # A width that jumps would make a step of its own.
    level = series.uniform(series.minimum(level, 3), 3)
    result = _between(np.stack(estimates), level)
    return np.asarray(np.where(known[..., None], result, np.nan), np.float32)


def _deviation(points: Floats, noise: Noise) -> Floats:
    """(1, N) the noise of each point, from the calmer part of its second differences."""
    bend = points[2:] - 2 * points[1:-1] + points[:-2]
    size = np.sqrt(np.square(bend).mean(axis=-1))
    size = np.where(np.isfinite(size), size, np.float32(np.inf))
    if not len(size):
        return np.full((1, points.shape[1]), noise.least, np.float32)
    rank = int(CALMER * len(size))
    lower = np.partition(size, rank, axis=0)[rank]
    # White noise of deviation 1 has second differences of deviation sqrt(6).
    usual = np.sqrt(CALM_SQUARES[points.shape[-1]] * 6)
    sigma = np.where(np.isfinite(lower), lower, 0) / usual
    return np.asarray(np.clip(sigma, noise.least, noise.most), np.float32)[None]


def _room(known: NDArray[np.bool_]) -> Floats:
    """(T, N) how many known frames there are on the shorter side of each, without a break; -1 where it is unknown."""
    frames = np.arange(len(known))[:, None]
    last = np.maximum.accumulate(np.where(known, -1, frames))
    following = np.minimum.accumulate(np.where(known, len(known), frames)[::-1])[::-1]
    return np.asarray(np.minimum(frames - last, following - frames) - 1, np.float32)


def _length(steps: Floats) -> Floats:
    """(T, N) the lengths of (T, N, D): NumPy's own norm sums a short last axis slowly."""
    squares = steps[..., 0] * steps[..., 0]
    for axis in range(1, steps.shape[-1]):
        squares += steps[..., axis] * steps[..., axis]
    return np.asarray(np.sqrt(squares))


def _local_line(
    points: Floats, weights: Floats, known: NDArray[np.bool_], half: int
) -> tuple[Floats, Floats]:
    """The weighted line through each window, read at its middle, and its deviation for a usual noise of 1."""
    offsets = np.arange(-half, half + 1, dtype=np.float32)
    hann = (np.cos(np.pi * offsets / (half + 1)) + 1) / 2
    s0, s1, s2 = (series.correlate(weights, hann * offsets**n, zeros=True) for n in (0, 1, 2))
    weighted = points * weights[..., None]
    p0, p1 = (series.correlate(weighted, hann * offsets**n, zeros=True) for n in (0, 1))
    determinant = np.maximum(s0 * s2 - s1 * s1, np.float32(1e-9))
    line = (p0 * s2[..., None] - p1 * s1[..., None]) / determinant[..., None]
    squares = series.correlate(known.astype(np.float32), hann * hann, zeros=True)
    spread = np.sqrt(squares) / np.maximum(s0, np.float32(1e-6))
    return line.astype(np.float32), spread.astype(np.float32)


def _between(estimates: Floats, level: Floats) -> Floats:
    """Each point at its own level; between two estimates where the level is no whole number."""
    below = np.minimum(np.floor(level), len(estimates) - 2).astype(np.intp)
    share = (level - below)[..., None]
    picked = np.take_along_axis(estimates, below[None, ..., None], axis=0)[0]
    above = np.take_along_axis(estimates, below[None, ..., None] + 1, axis=0)[0]
    return np.asarray(picked + share * (above - picked), np.float32)
