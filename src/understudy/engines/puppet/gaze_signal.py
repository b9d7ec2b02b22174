"""Where the performer looks over time, against where the performer usually looks."""

from __future__ import annotations

import itertools

import numpy as np

from understudy.engines.puppet.face_measures import without_noise
from understudy.engines.puppet.relief import smooth
from understudy.tracking import series
from understudy.tracking.iris import CORNERS
from understudy.tracking.motion import Floats, Motion
from understudy.tracking.smoothing import Noise, calm

SURE = 0.35  # score of an iris that counts
USUAL = 0.5  # median score of an eye that is asked at all
LEAST_SHARE = 0.15  # of the clip's frames in which irises must be sure
SMALL_PX = (13.0, 22.0)  # width of the performer's eye: no gaze, the whole gaze
# Of an eye's width, aside and down: lids hide where an iris ends above and below.
NOISE = (Noise(0.004, 0.03), Noise(0.01, 0.05))
RESTING = (0.012, 0.02)  # what is below is the tracker's noise
FARTHEST = (0.26, 0.16)  # of an eye's width, aside and down: where a gaze comes to a stop
BRIDGED_S, EASE_S = 0.4, 0.1  # the longest gap over which a gaze is carried on; how it eases out beyond


def gaze(motion: Motion) -> Floats:
    """(T, 2) how far the irises are aside (above 0 to the picture's right) and down, over the eye's width."""
    none = np.zeros((len(motion), 2), np.float32)
    if motion.irises is None:
        return none
    offsets, width = _offsets(motion)
    score = np.where(np.isfinite(offsets).all(axis=-1), motion.irises[..., 2], 0.0)
    asked = [side for side in (0, 1) if _usual(score[:, side]) >= USUAL]
    if not asked:
        return none
    # Both eyes look the same way: a moment in which one is lost is a blink's beginning or end, or hair.
    sure = score[:, asked].min(axis=1) >= SURE
    sure &= np.r_[True, sure[:-1]] & np.r_[sure[1:], True]
    if sure.sum() < max(LEAST_SHARE * len(motion), 3):
        return none
    ways = offsets[:, asked] - np.median(offsets[sure][:, asked], axis=0)
    way = np.where(sure[:, None], ways.mean(axis=1), np.nan).astype(np.float32)
    out = none
    for start, stop in itertools.pairwise((0, *motion.cuts, len(motion))):
        out[start:stop] = _carried(way[start:stop], motion.fps)
    large = float(smooth((width - SMALL_PX[0]) / (SMALL_PX[1] - SMALL_PX[0])))
    most = np.array(FARTHEST, np.float32)
    quiet = np.stack([without_noise(out[:, axis], RESTING[axis]) for axis in (0, 1)], axis=1)
    return np.asarray(large * most * np.tanh(quiet / most), np.float32)


def _offsets(motion: Motion) -> tuple[Floats, float]:
    """(T, 2, 2) of each iris from its eye's middle, along the eyes and down, over its width; and that in pixels."""
    assert motion.irises is not None
    ends = motion.face[:, CORNERS]
    width = eye_width(motion.face)
    along = ends[:, 0, :, :2].mean(axis=1) - ends[:, 1, :, :2].mean(axis=1)
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    off = (motion.irises[..., :2] - ends[..., :2].mean(axis=2)) / np.maximum(width, 1e-3)[:, None, None]
    aside = off[..., 0] * along[:, None, 0] + off[..., 1] * along[:, None, 1]
    down = off[..., 1] * along[:, None, 0] - off[..., 0] * along[:, None, 1]
    known = width[np.isfinite(width)]
    return np.stack([aside, down], axis=-1), float(np.median(known)) if len(known) else 0.0


def eye_width(face: Floats) -> Floats:
    """(T,) the mean width of both eyes of meshes (T, 468, 3), in space, in pixels."""
    ends = face[:, CORNERS]
    return np.asarray(np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1).mean(axis=1), np.float32)


def _usual(score: Floats) -> float:
    """The median score of an eye over the frames in which it was looked at at all."""
    looked = score[score > 0]
    return float(np.median(looked)) if len(looked) >= LEAST_SHARE * len(score) else 0.0


def _carried(way: Floats, fps: float) -> Floats:
    """A shot's gaze (T, 2), calm between its jumps; carried over blinks, and eased to none where it stays unknown."""
    known = np.isfinite(way[:, 0])
    if not known.any():
        return np.zeros_like(way)
    steady = np.stack(
        [calm(way[:, None, axis : axis + 1], fps, NOISE[axis])[:, 0, 0] for axis in (0, 1)], axis=1
    )
    inside, at = np.flatnonzero(known), np.arange(len(way))
    filled = np.stack([np.interp(at, inside, steady[inside, axis]) for axis in (0, 1)], axis=1)
    near = series.maximum(known.astype(np.float32), 2 * round(BRIDGED_S / 2 * fps) + 1)
    return np.asarray(filled * series.gaussian(near, EASE_S * fps)[:, None], np.float32)
