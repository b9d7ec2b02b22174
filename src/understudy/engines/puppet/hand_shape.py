"""A hand's outline, where its landmarks are known: all of its fingers, nothing between them, and a narrow wrist."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.hand_skin import between_fingers, foreign, like_bones, own_colours
from understudy.engines.puppet.warp import smoothstep
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

PALM = (0, 1, 5, 9, 13, 17)
FINGER = 0.125  # half widths of what can be a finger, over the palm's length: a little more than adults have
BETWEEN = 0.17  # ... and of what can lie between two
MIXED_PX = 2  # at a hand's edge
LONG_BY_WIDE = (
    1.2  # a palm's length over its width between the outer knuckles; its fingers are hardly shorter
)
FAR_OFF = 0.75  # of the palm's length between the body's wrist and the hand's: farther, it is another hand
ON_HAND = 0.8  # of the palm's landmarks that have to lie in the arm
WRIST_WIDE = (
    0.62  # half a wrist's width over half the distance from index to little finger's knuckle, with some room
)
WRIST_ENDS = (
    -0.42,
    -0.1,
)  # of the palm's length along it, from the wrist: between them a hand fades into its forearm

ABOUT = (0.22, 0.36)  # of the palm's length from palm and fingers, between which a forearm fades
# Off a wrist's middle, at its edge, it ends so much sooner; and where the ball of the thumb begins.
TAPER, BALL = 0.12, 0.25
BESIDE_WRIST = (
    1.2,
    1.7,
)  # half widths of a wrist off its middle between which a forearm behind the hand fades


def palm_length(points: Floats) -> float:
    """Wrist to knuckles, in pixels, of a hand's ``points`` (21, 2), also of one that is seen shortened."""
    fingers = [float(np.hypot(*np.diff(points[k : k + 4], axis=0).T).sum()) for k in (5, 9, 13, 17)]
    wide = LONG_BY_WIDE * float(np.hypot(*(points[5] - points[17])))
    return max(float(np.hypot(*(points[9] - points[0]))), wide, *fingers)


def lies_in(mask: Mask, points: Floats) -> float:
    """Share of the points (N, 2) that lie in a mask."""
    at = np.rint(points).astype(int)
    h, w = mask.shape
    there = (at >= 0).all(axis=1) & (at[:, 0] < w) & (at[:, 1] < h)
    there[there] = mask[at[there, 1], at[there, 0]]
    return float(there.mean())


def with_hand(corridor: Corridor, rgb: NDArray[np.uint8], alpha: Floats, points: Floats) -> Corridor:
    """An arm's corridor with all fingers of its hand, whose landmarks are ``points`` (21, 2); as it was where the
    landmarks are another hand's."""
    inside = alpha > 0.5
    if not is_its_hand(corridor.mask & inside, corridor.polyline[2], points):
        return corridor
    length = palm_length(points)
    low = np.floor(points.min(axis=0) - 0.5 * length).astype(int)
    high = np.ceil(points.max(axis=0) + 0.5 * length).astype(int) + 1
    x0, y0, x1, y1 = max(low[0], 0), max(low[1], 0), max(high[0], 0), max(high[1], 0)
    box = np.s_[y0:y1, x0:x1]
    own = points - np.array([x0, y0], np.float32)
    figure = inside[box]
    other = foreign(rgb[box], figure, own)
    if other is None:
        return corridor
    mask = corridor.mask.copy()
    ys, xs = np.nonzero(figure & ~mask[box] & ~other)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    near = np.zeros(len(pixels), np.bool_)
    for first in (1, 5, 9, 13, 17):
        near |= distance_to_polyline(pixels, own[first : first + 4]) < FINGER * length
    missing = np.zeros_like(figure)
    missing[ys[near], xs[near]] = True
    missing &= like_bones(rgb[box], figure, own)
    missing = cv2.morphologyEx(missing.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    # What is mixed of hand and cloth is not the cloth's, or the hand's outline stays on it.
    about = between_fingers(figure.shape, own, BETWEEN * length)
    missing |= grown((mask[box] | missing) & ~other & about, MIXED_PX) & figure & about
    mask[box] |= missing
    refused = corridor.refused
    if refused is not None:
        refused = refused.copy()
        refused[box] &= ~missing
    return replace(corridor, mask=mask, refused=refused)


def clean_edge(
    rgb: NDArray[np.uint8], inside: Mask, points: Floats
) -> tuple[NDArray[np.uint8], Floats] | None:
    """`own_colours` about a hand's ``points`` (21, 2) in the whole picture."""
    length = palm_length(points)
    low = np.floor(points.min(axis=0) - 0.5 * length).astype(int)
    high = np.ceil(points.max(axis=0) + 0.5 * length).astype(int) + 1
    x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
    box = np.s_[y0 : max(int(high[1]), 0), x0 : max(int(high[0]), 0)]
    made = own_colours(rgb[box], inside[box], points - np.array([x0, y0], np.float32), BETWEEN * length)
    if made is None:
        return None
    colours, share = rgb.copy(), np.ones(inside.shape, np.float32)
    colours[box], share[box] = made
    return colours, share


def is_its_hand(arm: Mask, wrist: Floats, points: Floats) -> bool:
    """Whether landmarks (21, 2) are those of the ``arm`` (H, W) that ends at ``wrist`` (2,)."""
    if not np.isfinite(points).all():
        return False
    near = float(np.hypot(*(points[0] - wrist))) < FAR_OFF * palm_length(points)
    return near and lies_in(grown(arm, 2), points[[*PALM]]) > ON_HAND


def wrist_half(points: Floats) -> float:
    """Half a wrist's width in pixels, with some room."""
    wide = 0.5 * float(np.hypot(*(points[5] - points[17])))
    return WRIST_WIDE * max(wide, 0.25 * palm_length(points))


def wrist_ends(points: Floats) -> Floats:
    """(2, 2) a wrist's two sides."""
    axis = points[[5, 9, 13, 17]].mean(axis=0) - points[0]
    side = np.array([-axis[1], axis[0]], np.float32) * wrist_half(points) / max(float(np.hypot(*axis)), 1e-3)
    return np.stack([points[0] - side, points[0] + side]).astype(np.float32)


def at_wrist(shape: tuple[int, ...], points: Floats) -> Floats:
    """(H, W) 1 in the hand and 0 in the forearm behind it, with a rounded, soft end as wide as a wrist between them."""
    knuckles = points[[5, 9, 13, 17]].mean(axis=0)
    axis = knuckles - points[0]
    length = palm_length(points)
    axis = axis / max(float(np.hypot(*axis)), 1e-3)
    half = wrist_half(points)
    ys, xs = np.indices(shape[:2], np.float32)
    along = ((xs - points[0][0]) * axis[0] + (ys - points[0][1]) * axis[1]) / length
    across = np.abs((ys - points[0][1]) * axis[0] - (xs - points[0][0]) * axis[1]) / half
    start, stop = WRIST_ENDS
    # Off the middle the end comes sooner: a taper instead of a step. The ball of the thumb is the hand's.
    behind = np.clip(1 - along / BALL, 0, 1)
    ahead = smoothstep((along - TAPER * np.minimum(across, 2.0) ** 2 * behind - start) / (stop - start))
    beside = smoothstep((BESIDE_WRIST[1] - across) / (BESIDE_WRIST[1] - BESIDE_WRIST[0]))
    return np.asarray(ahead * (1 - behind * (1 - beside)) * _about(shape, points, length), np.float32)


def _about(shape: tuple[int, ...], points: Floats, length: float) -> Floats:
    """(H, W) 1 near the palm and the fingers, 0 beyond: a forearm may leave a bent hand to any side."""
    skeleton = np.ones(shape[:2], np.uint8)
    hull = cv2.convexHull(points[[*PALM]].reshape(-1, 1, 2).astype(np.float32))
    cv2.fillConvexPoly(skeleton, np.rint(hull).astype(np.int32), 0)
    for first in (1, 5, 9, 13, 17):
        line = np.rint(points[first : first + 4]).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(skeleton, [line], False, 0, 1)
    away = cv2.distanceTransform(skeleton, cv2.DIST_L2, 5) / length
    return smoothstep((ABOUT[1] - away) / (ABOUT[1] - ABOUT[0]))
