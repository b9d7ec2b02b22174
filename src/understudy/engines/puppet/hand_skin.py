"""Which pixels of a hand are its own: what shows between two fingers is clothes or background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown, nearest
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

# Pixels beside foreign ones that are mixed of both, and the softness of the new edge
RIM_PX, SOFT_PX = 2, 0.8
COLOURED = 5.0  # Lab units of tone without which skin cannot be told from cloth
LEAST_LIGHT = 0.33  # of the palm's light: the shade between two fingers is lighter and keeps the skin's tone
# Skin has at least so much of the palm's tone, less so many Lab units; fingertips and knuckles have more of it. ...
PALER = (0.5, 2.0)
OTHER_HUE = (0.6, 6.0)  # ... and at most so much of another, for its tone, and Lab units
THIN = 0.012  # of the hand's length: thinner strips are outlines and creases, and the hand's own
# Shares of the palm and of the fingers' bones up to which they may be of other colours: a drawn hand in light and
# shade, a glove with a pattern, or fingers that lie elsewhere.
OFF_PALM, OFF_BONES = 0.15, 0.2
ON_FINGER = 0.12  # of an island of another colour: more on a finger's middle line, and it is the finger's
BRIGHTER, ENCLOSED = 1.1, 0.9  # than the fingers, and the share of hand about it, of a highlight
# How far off a finger's pixel is from its middle line's colour at most, light counted by a share: it is rounder.
UNLIKE, LIGHT = 18.0, 0.5
FREE = 0.4  # of a finger's first bone that lies in the palm, and beside a sleeve
BONE = 0.1  # of the hand's length about the bones that are surely fingers


def unlike_palm(rgb: NDArray[np.uint8], inside: Mask, points: Floats) -> Mask | None:
    """(H, W) what of a hand's area ``inside`` (H, W) has not the colour of its palm; ``points`` (21, 2) are its
    landmarks. None where the palm's colour tells nothing.

    Skin in shade has less light and in proportion less tone: clothes and background have another.
    """
    hull = cv2.convexHull(points[[1, 5, 9, 13, 17]].reshape(-1, 1, 2).astype(np.float32))
    area = np.zeros(inside.shape, np.uint8)
    cv2.fillConvexPoly(area, np.rint(hull).astype(np.int32), 1)
    palm = (area > 0) & inside
    if int(palm.sum()) < 20:
        return None
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    light, *tone = np.median(lab[palm], axis=0).tolist()
    tone = np.array(tone, np.float32) - 128
    strength = float(np.hypot(*tone))
    if strength < COLOURED or light < 1:
        return None
    share = np.clip(lab[..., 0] / light, 0, 1.15)
    a, b = lab[..., 1] - 128, lab[..., 2] - 128
    along = (a * tone[0] + b * tone[1]) / strength
    across = np.abs(a * tone[1] - b * tone[0]) / strength
    other = along < PALER[0] * strength * share - PALER[1]
    other |= across > OTHER_HUE[0] * np.maximum(along, 0) + OTHER_HUE[1]
    other |= share < LEAST_LIGHT
    if float(other[palm].mean()) > OFF_PALM:
        return None
    return np.asarray(other & inside, np.bool_)


def foreign(rgb: NDArray[np.uint8], inside: Mask, points: Floats) -> Mask | None:
    """`unlike_palm` without outlines, creases, nails and highlights."""
    other = unlike_palm(rgb, inside, points)
    if other is None:
        return None
    length = float(np.hypot(*(points[9] - points[0])))
    known = _bones(inside, points)
    if known.any() and float(other[known].mean()) > OFF_BONES:
        return None
    # What lies on a finger is a nail or a highlight, also where it goes on beside it.
    _, islands = cv2.connectedComponents((other & inside).astype(np.uint8))
    on = np.bincount(islands[known], minlength=1 + int(islands.max()))
    own = on > ON_FINGER * np.bincount(islands.ravel())
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    for k in np.flatnonzero(~own[1:]) + 1:
        island = islands == k
        about = grown(island, 2) & ~island
        # Brighter than the skin all about it: a highlight. Clothes and background lie open to one side.
        bright = (
            float(np.median(light[island])) > BRIGHTER * float(np.median(light[known]))
            if known.any()
            else False
        )
        own[k] = bright and float((inside & ~other)[about].mean()) > ENCLOSED
    other &= ~own[islands] & ~known
    half = max(round(THIN * length), 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * half + 1, 2 * half + 1))
    thick = cv2.morphologyEx((other & inside).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return np.asarray((cv2.dilate(thick, kernel) > 0) & other & inside, np.bool_)


def _bones(inside: Mask, points: Floats) -> Mask:
    """(H, W) what lies on the fingers' middle lines."""
    bones = np.zeros(inside.shape, np.uint8)
    for first in (1, 5, 9, 13, 17):
        line = np.rint(points[first : first + 4]).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(
            bones, [line], False, 1, max(round(BONE * float(np.hypot(*(points[9] - points[0])))), 1)
        )
    return (bones > 0) & inside


def like_bones(rgb: NDArray[np.uint8], inside: Mask, points: Floats) -> Mask:
    """(H, W) what has the colour of the finger that it lies beside, thin lines aside."""
    known = _bones(inside, points)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    away = lab - nearest(cv2.GaussianBlur(lab, (0, 0), 2.0), known)
    unlike = np.sqrt((LIGHT * away[..., 0]) ** 2 + away[..., 1] ** 2 + away[..., 2] ** 2) > UNLIKE
    unlike = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return np.asarray(~unlike, np.bool_)


def own_colours(
    rgb: NDArray[np.uint8], inside: Mask, points: Floats, reach: float
) -> tuple[NDArray[np.uint8], Floats] | None:
    """The picture with a hand's own colours out to its edge, and (H, W) what of it is the hand within ``reach`` pixels
    of its fingers, 0..1. None where the hand's colour tells nothing."""
    other = foreign(rgb, inside, points)
    if other is None:
        return None
    strips = other & between_fingers(inside.shape, points, reach)
    if not strips.any():
        return None
    rim = grown(strips, RIM_PX)
    sure = inside & ~rim & ~other
    colours = rgb.copy()
    colours[rim] = nearest(rgb, sure)[rim]
    return colours, 1 - cv2.GaussianBlur(strips.astype(np.float32), (0, 0), SOFT_PX)


def between_fingers(shape: tuple[int, ...], points: Floats, reach: float) -> Mask:
    """(H, W) what lies within ``reach`` pixels of the fingers where they are free."""
    ys, xs = np.indices(shape[:2], np.float32)
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1)
    near = np.zeros(len(pixels), np.bool_)
    for line in (points[5:9], points[9:13], points[13:17], points[17:21], points[2:5]):
        first = line[1] - line[0]
        beyond = (pixels - line[0]) @ first > FREE * float(first @ first)
        near |= beyond & (distance_to_polyline(pixels, line) < reach)
    return np.asarray(near.reshape(shape[:2]), np.bool_)
