"""Feet side by side: whose shoe a pixel is, by the edges between them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, nearest
from understudy.engines.puppet.cut import Corridor
from understudy.tracking.motion import Floats

# In lengths from ankle to toe's tip
SEED = 0.14  # about a foot's bone: surely this foot
CLOSER = 0.7  # and by so much nearer to it than to the other
REACH = 0.9  # from a foot's bone: there lies the rest of it
START, STOP = 0.15, 0.9  # of the bone that counts as a seed: the tip may lie before the other foot


def part_feet(
    labels: NDArray[np.uint8], core: NDArray[np.bool_], rgb: NDArray[np.uint8], cut: list[Corridor]
) -> NDArray[np.uint8]:
    """``labels`` (H, W) with feet that touch parted where the picture ``rgb`` shows their border.

    The border between the legs follows their bones and knows no shoes; a shoe that reaches over it would be cut
    through. From both bones the feet are flooded up to the strongest edges between them (Meyer's watershed).
    """
    legs = [(i + 1, c) for i, c in enumerate(cut) if not c.limb.arm]
    if len(legs) != 2:
        return labels
    bones = [c.polyline[2:4] for _, c in legs]
    lengths = [float(np.hypot(*(bone[1] - bone[0]))) for bone in bones]
    length = max(lengths)
    if min(lengths) < 8 or not np.isfinite(bones).all():
        return labels
    points = np.concatenate(bones)
    height, width = labels.shape
    x0, y0 = np.maximum(np.floor(points.min(axis=0) - length), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(points.max(axis=0) + length) + 1, [width, height]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return labels
    box = (slice(y0, y1), slice(x0, x1))
    mine = labels[box]
    ys, xs = np.indices(mine.shape)
    pixels = np.stack([xs.ravel() + x0, ys.ravel() + y0], axis=1).astype(np.float32)
    away = np.stack([distance_to_polyline(pixels, bone).reshape(mine.shape) for bone in bones])
    below = np.stack([_beyond(c, pixels).reshape(mine.shape) for _, c in legs])
    numbers = [number for number, _ in legs]
    zone = core[box] & np.isin(mine, numbers) & (away < REACH * length).any(axis=0)
    # Above an ankle the legs' own border holds: a foot may reach up beside the other's shin, but not past it.
    zone &= np.where(mine == numbers[0], below[0], below[1])
    if not _touch(zone, mine, numbers):
        return labels
    seeds = np.zeros(mine.shape, np.int32)
    for k, bone in enumerate(bones):
        middle = np.stack([bone[0] + t * (bone[1] - bone[0]) for t in (START, STOP)]).astype(np.float32)
        sure = distance_to_polyline(pixels, middle).reshape(mine.shape) < SEED * length
        seeds[zone & sure & (away[k] < CLOSER * away[1 - k])] = numbers[k]
    if not all((seeds == number).any() for number in numbers):
        return labels
    legs_above = ~zone & core[box] & np.isin(mine, numbers)
    seeds[legs_above] = mine[legs_above]
    outside = ~zone & ~legs_above
    seeds[outside] = int(max(numbers)) + 1
    calm = np.ascontiguousarray(cv2.GaussianBlur(rgb[box], (0, 0), 0.8))
    cv2.watershed(calm, seeds)
    found = np.where(np.isin(seeds, numbers), seeds, 0).astype(np.uint8)
    found = nearest(found, found > 0)
    result = labels.copy()
    result[box] = np.where(zone, _solid(found, zone, numbers), mine)
    return result


def _beyond(corridor: Corridor, pixels: Floats) -> NDArray[np.bool_]:
    """(N,) what lies beyond a leg's ankle."""
    _, knee, ankle, toe = corridor.polyline
    shin, foot = ankle - knee, toe - ankle
    onwards = shin / max(float(np.hypot(*shin)), 1e-6) + foot / max(float(np.hypot(*foot)), 1e-6)
    beyond: NDArray[np.bool_] = (pixels - ankle) @ onwards > 0
    return beyond


def _touch(zone: NDArray[np.bool_], labels: NDArray[np.uint8], numbers: list[int]) -> bool:
    one, other = ((zone & (labels == number)).astype(np.uint8) for number in numbers)
    return bool((cv2.dilate(one, np.ones((3, 3), np.uint8)) & other).any())


def _solid(found: NDArray[np.uint8], zone: NDArray[np.bool_], numbers: list[int]) -> NDArray[np.uint8]:
    """Without ragged bits: each pixel has the label that prevails about it."""
    one = cv2.GaussianBlur((zone & (found == numbers[0])).astype(np.float32), (0, 0), 1.5)
    other = cv2.GaussianBlur((zone & (found == numbers[1])).astype(np.float32), (0, 0), 1.5)
    return np.where(one >= other, numbers[0], numbers[1]).astype(np.uint8)
