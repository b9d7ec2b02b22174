"""Bone lengths: how much of a limb's full length a picture shows, for the performer and for the character."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.skeleton import LEGS, LIMBS, TWINS, Points, Reals, step

# Upper arms, forearms, thighs, shins of an adult over the spine (mid-hip to mid-shoulder), as BlazePose marks them.
_OVER_SPINE = (0.52, 0.52, 0.48, 0.48, 0.80, 0.80, 0.82, 0.82)

# A limb that the reference shows from its end has no texture to be drawn at full length: it is stretched this far.
_MOST_HIDDEN = 0.25
_SHORT_LEGS = 0.85


def full_lengths(bones: Points, trust: Reals, world: Reals) -> Reals:
    """Full length (8,) in metres of the performer's limbs.

    ``bones`` (T, 8) are limbs in the picture in metres, ``trust`` (T, 8), ``world`` (T, 33, 3) the world landmarks.
    A limb's full length is what it shows when it lies in the picture plane: the 92nd percentile over the clip, at
    least 0.9 of its median length by the world landmarks (it may never lie so), the same left and right.
    """
    starts, ends = [b[0] for b in LIMBS], [b[1] for b in LIMBS]
    solid = np.linalg.norm(world[:, ends] - world[:, starts], axis=2)
    lengths = np.zeros(len(LIMBS))
    for i in range(len(LIMBS)):
        seen = trust[:, i] > 0.5
        depth = float(np.median(solid[seen, i])) if seen.any() else float(np.median(solid[:, i]))
        often = 0.8 if i in LEGS else 0.92
        flat = float(np.quantile(np.abs(bones[seen, i]), often)) if seen.sum() >= 5 else 0.0
        lengths[i] = max(min(flat, 1.5 * depth) if depth > 0.05 else flat, 0.9 * depth, 0.05)
    for a, b in TWINS:
        tied = (lengths[a] + lengths[b]) / 2 if a in LEGS else max(lengths[a], lengths[b])
        lengths[a] = lengths[b] = tied
    return lengths


def foreshortening(rest: Points, world: Reals, known: NDArray[np.bool_]) -> Reals:
    """How much (8,) of each limb's full length the reference image shows: 1 unless it is clearly foreshortened.

    Two witnesses must agree: the world landmarks say that the limb points at the camera, and in the picture it is
    short against its twin or against human proportions. A drawing without world landmarks is flat: all 1.
    """
    shares = np.ones(len(LIMBS))
    if not np.isfinite(world).all() or np.abs(world).max() < 1e-6:
        return shares
    spine = abs(0.5 * (rest[11] + rest[12] - rest[23] - rest[24]))
    twin = dict(TWINS) | {b: a for a, b in TWINS}
    flat = np.array([abs(rest[b] - rest[a]) for a, b in LIMBS])
    for i, (a, b) in enumerate(LIMBS):
        bone = world[b] - world[a]
        depth_says = float(np.hypot(bone[0], bone[1]) / max(np.linalg.norm(bone), 1e-6))
        wanted = _OVER_SPINE[i] * spine
        if known[i] and known[twin[i]]:
            wanted = max(wanted * 0.85, min(flat[twin[i]], 1.2 * wanted))
        picture_says = flat[i] / max(wanted, 1e-6)
        doubt = float(step(np.array(max(depth_says, picture_says)), 0.7, 0.9))
        shares[i] = doubt + (1 - doubt) * np.clip(max(depth_says, picture_says), _MOST_HIDDEN, 1.0)
    for thigh, shin in ((4, 6), (5, 7)):
        if max(shares[thigh], shares[shin]) < _SHORT_LEGS:  # nobody sits so: the figure's legs are short
            shares[[4, 5, 6, 7]] = 1.0
    return shares
