"""Whether a hand's landmarks can be believed, and how freely each of its fingers may move."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown, grown_round
from understudy.engines.puppet.hand_points import CHAINS, KNUCKLES, PALM, THUMB, chain, palm_hull
from understudy.engines.puppet.hand_shape import palm_length
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

# Of adults' length of a finger over the palm's (knuckle to tip, thumb to little finger) that the picture shows: up to
# the first share of it points at the camera and stays where it is in the palm, from the second on it may move.
USUAL = (0.55, 0.85, 0.95, 0.88, 0.68)
SHOWN = (0.5, 0.8)
BENT = (
    np.radians(45),
    np.radians(85),
)  # at a joint: the more it is bent, the more its end lies over its root
# Half widths between the middle lines of two fingers, at their outer joints: nearer, and they lie over each other.
APART = (0.7, 1.2)
BESIDE = 2.2  # half widths about the bones within which all of a hand lies
HEEL = 0.25  # of the palm's length by which the palm reaches beyond its landmarks
EXPLAINED = 0.9  # of the hand beyond the wrist that has to lie there
INSIDE_PX = 4  # pixels that a fingertip may lie beside the hand


def freedom(inside: Mask, points: Floats, radii: Floats) -> Floats:
    """(5,) how freely each finger, from the thumb on, may move: 1 where the picture shows it well, 0 where it points at
    the camera, lies over another finger or the palm, or its landmarks (21, 2) lie beside the hand ``inside`` (H, W)."""
    length = palm_length(points)
    near = grown(inside, INSIDE_PX)
    return np.array([_free(near, points, f, radii, length) for f in range(5)], np.float32)


def _free(near: Mask, points: Floats, finger: int, radii: Floats, length: float) -> float:
    line = chain(points, finger)
    bones = np.diff(line, axis=0)
    lengths = np.hypot(bones[:, 0], bones[:, 1])
    if not _at(near, np.concatenate([line, (line[1:] + line[:-1]) / 2])).all():
        return 0.0
    hull = cv2.convexHull(points[[*PALM]].reshape(-1, 1, 2).astype(np.float32))
    x, y = line[-1].tolist()
    if finger != THUMB and cv2.pointPolygonTest(hull, (x, y), False) > 0:
        return 0.0
    seen = _step(float(lengths.sum()) / (USUAL[finger] * length), *SHOWN)
    turns = np.abs(np.diff(np.unwrap(np.arctan2(bones[:, 1], bones[:, 0]))))
    straight = 1 - _step(float(turns.max()), *BENT)
    away = min(
        float(distance_to_polyline(line[2:], chain(points, other)[1:]).min())
        for other in range(5)
        if other != finger
    )
    return seen * straight * _step(away / float(radii[finger]), *APART)


def _step(x: float, low: float, high: float) -> float:
    x = min(max((x - low) / (high - low), 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _at(mask: Mask, points: Floats) -> Mask:
    """(N,) whether points lie in the mask; beside the picture they do not."""
    at = np.rint(points).astype(int)
    h, w = mask.shape
    there = (at >= 0).all(axis=1) & (at[:, 0] < w) & (at[:, 1] < h)
    there[there] = mask[at[there, 1], at[there, 0]]
    return np.asarray(there, np.bool_)


def believable(inside: Mask, points: Floats, radii: Floats, other: Mask | None) -> bool:
    """Whether the landmarks lie in the hand ``inside`` (H, W) and the hand about them, but for ``other`` things."""
    near = grown(inside, INSIDE_PX)
    if _at(near, points).mean() < 0.95 or not _at(near, points[[4, 8, 12, 16, 20]]).all():
        return False
    axis = points[[*KNUCKLES]].mean(axis=0) - points[0]
    ys, xs = np.nonzero(inside if other is None else inside & ~other)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    pixels = pixels[(pixels - points[0]) @ axis > 0.15 * float(axis @ axis)]
    if not len(pixels):
        return False
    palm = grown_round(palm_hull(inside.shape, points), max(round(HEEL * palm_length(points)), 1))
    explained = palm[pixels[:, 1].astype(int), pixels[:, 0].astype(int)]
    for numbers, radius in zip(CHAINS, radii.tolist(), strict=True):
        explained |= distance_to_polyline(pixels, points[[0, *numbers]]) < BESIDE * radius
    return float(explained.mean()) > EXPLAINED
