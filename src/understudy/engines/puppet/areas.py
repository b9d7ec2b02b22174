"""Rough areas of a figure, from its joints alone: trunk, head, what lies below the hips, distances to bones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.parts import HIPS, SHOULDERS, centre
from understudy.tracking.motion import Floats


def distance_to_polyline(pixels: Floats, line: Floats) -> Floats:
    """(N,) distance in pixels of (N, 2) points to a polyline (M, 2)."""
    x, y = np.ascontiguousarray(pixels.T, np.float32)
    best = np.full(len(pixels), np.inf, np.float32)
    for start, stop in pairwise(np.asarray(line, np.float32)):
        along = stop - start
        right, down = x - start[0], y - start[1]
        unit = along / max(float(along @ along), 1e-6)
        t = np.clip(right * unit[0] + down * unit[1], 0, 1)
        right -= t * along[0]
        down -= t * along[1]
        np.minimum(best, right * right + down * down, out=best)
    return np.asarray(np.sqrt(best), np.float32)


def head_area(joints: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) the head, whose skin a hand beside it must not take along."""
    face = joints[:11]
    middle = face.mean(axis=0)
    reach = 1.3 * float(np.linalg.norm(face - middle, axis=1).max())
    area = np.zeros(shape[:2], np.uint8)
    cv2.circle(area, pixel_of(middle), max(int(reach), 1), 1, -1)
    return area.astype(bool)


def trunk_outline(joints: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) roughly the trunk: shoulders to hips, a little wider than the joints, and on down from the hips."""
    left, right = joints[SHOULDERS[0]], joints[SHOULDERS[1]]
    hip_left, hip_right = joints[HIPS[0]], joints[HIPS[1]]
    down = (hip_left + hip_right - left - right) / 4
    across = hip_left - hip_right
    corners = [right, left, hip_left + 0.25 * across, hip_left + 0.35 * across + down]
    corners += [hip_right - 0.35 * across + down, hip_right - 0.25 * across]
    outline = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(outline, [np.rint(np.array(corners)).astype(np.int32)], 1)
    return outline.astype(bool)


def below_hips(joints: Floats, shape: tuple[int, ...], above: float) -> NDArray[np.bool_]:
    """(H, W) what lies below the line through the hips across the spine, and ``above`` pixels more."""
    hips = centre(joints, HIPS)
    down = hips - centre(joints, SHOULDERS)
    down = down / max(float(np.hypot(*down)), 1.0)
    ys, xs = np.ogrid[: shape[0], : shape[1]]
    below: NDArray[np.bool_] = (xs - hips[0]) * down[0] + (ys - hips[1]) * down[1] > -above
    return below


def falls_in(area: NDArray[np.bool_], points: Floats) -> NDArray[np.bool_]:
    """(N,) whether each point lies in the area."""
    x = np.clip(np.rint(points[:, 0]).astype(int), 0, area.shape[1] - 1)
    y = np.clip(np.rint(points[:, 1]).astype(int), 0, area.shape[0] - 1)
    inside: NDArray[np.bool_] = area[y, x]
    return inside


def pixel_of(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def disc(shape: tuple[int, ...], point: Floats, radius: float) -> NDArray[np.bool_]:
    """(H, W) within ``radius`` pixels of a point."""
    area = np.zeros(shape[:2], np.uint8)
    cv2.circle(area, (round(float(point[0])), round(float(point[1]))), max(round(radius), 1), 1, -1)
    return area.astype(bool)


def grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """(H, W) a mask grown by ``by`` pixels to all sides."""
    if not mask.any():
        return mask
    square = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), square), np.bool_)


def grown_round(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """(H, W) a mask grown by a disc of ``radius`` pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, np.bool_)


def box_about(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """The rows and columns that ``mask`` (H, W) takes, with a ``margin`` of pixels about it; of an empty one none."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if width == 0:
        return slice(0, 0), slice(0, 0)
    return slice(max(y - margin, 0), y + height + margin), slice(max(x - margin, 0), x + width + margin)


def nearest(values: NDArray[Any], among: NDArray[np.bool_]) -> NDArray[Any]:
    """(H, W[, C]) the value of the nearest pixel of ``among`` (H, W); ``values`` themselves where there is none."""
    if not among.any():
        return values
    _, place = cv2.distanceTransformWithLabels(
        (~among).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((int(place.max()) + 1, *values.shape[2:]), values.dtype)
    table[place[among]] = values[among]
    return np.asarray(table[place], values.dtype)
