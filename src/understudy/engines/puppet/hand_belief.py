"""Whether a hand's landmarks can be believed, and which of its fingers lie open in the reference image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown, grown_round
from understudy.engines.puppet.hand_points import CHAINS, KNUCKLES, PALM, chain, palm_hull
from understudy.engines.puppet.hand_shape import palm_length
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

LEAST_SEEN = 0.5  # of the palm's length that a finger shows at least, or it points at the camera
MOST_BENT = np.radians(70)  # at a joint: more, and its end lies over its root
NARROW = 0.8  # half widths between the middle lines of two fingers: nearer, and they lie over each other
BESIDE = 2.2  # half widths about the bones within which all of a hand lies
HEEL = 0.25  # of the palm's length by which the palm reaches beyond its landmarks
EXPLAINED = 0.9  # of the hand beyond the wrist that has to lie there
INSIDE_PX = 4  # pixels that a fingertip may lie beside the hand
# Of a finger's middle line that may have another colour than the palm, and twice that of its end.
UNLIKE_PALM = 0.2


def open_fingers(inside: Mask, points: Floats, radii: list[float], unlike: Mask | None) -> list[int]:
    """The fingers (0 the thumb to 4) of a hand ``inside`` (H, W) that lie open in the picture; ``unlike`` (H, W) has
    another colour than the palm."""
    length = palm_length(points)
    use = [f for f in range(5) if _bends(inside, points, f, length) and not _hidden(points, f, radii)]
    if unlike is None:
        return use
    lines = {f: chain(points, f) for f in use}
    return [f for f in use if max(_on(unlike, lines[f]), _on(unlike, lines[f][2:]) / 2) < UNLIKE_PALM]


def _at(mask: Mask, points: Floats) -> Mask:
    """(N,) whether points lie in the mask; beside the picture they do not."""
    at = np.rint(points).astype(int)
    h, w = mask.shape
    there = (at >= 0).all(axis=1) & (at[:, 0] < w) & (at[:, 1] < h)
    there[there] = mask[at[there, 1], at[there, 0]]
    return np.asarray(there, np.bool_)


def believable(inside: Mask, points: Floats, radii: list[float], other: Mask | None) -> bool:
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
    for numbers, radius in zip(CHAINS, radii, strict=True):
        explained |= distance_to_polyline(pixels, points[[0, *numbers]]) < BESIDE * radius
    return float(explained.mean()) > EXPLAINED


def _bends(inside: Mask, points: Floats, finger: int, length: float) -> bool:
    """Whether a finger lies open in the picture: long enough, hardly bent, and on the hand."""
    bones = np.diff(points[[*CHAINS[finger]]], axis=0)
    lengths = np.hypot(bones[:, 0], bones[:, 1])
    if float(lengths.sum()) < LEAST_SEEN * length or float(lengths.min()) < 0.06 * length:
        return False
    turns = np.diff(np.unwrap(np.arctan2(bones[:, 1], bones[:, 0])))
    if float(np.abs(turns).max()) > MOST_BENT:
        return False
    line = chain(points, finger)
    bones = np.diff(line, axis=0)
    along = np.concatenate([line[:-1] + s * bones for s in (0.0, 0.5)] + [line[-1:]])
    return bool(_at(grown(inside, INSIDE_PX), along).all())


def _hidden(points: Floats, finger: int, radii: list[float]) -> bool:
    """Whether a finger lies over another one or over the palm, or under it."""
    line = chain(points, finger)
    for other in range(5):
        if other != finger:
            away = distance_to_polyline(line[1:], chain(points, other)[1:])
            if float(away.min()) < NARROW * radii[finger]:
                return True
    hull = cv2.convexHull(points[[*PALM]].reshape(-1, 1, 2).astype(np.float32))
    tip = line[-1].tolist()
    return cv2.pointPolygonTest(hull, (float(tip[0]), float(tip[1])), False) > 0


def _on(mask: Mask, line: Floats) -> float:
    """Share of a line (M, 2) that lies in a mask."""
    places = np.concatenate([line[:-1] + s * np.diff(line, axis=0) for s in np.linspace(0, 1, 6)])
    return float(_at(mask, places).mean())
