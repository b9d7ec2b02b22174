"""The border between two legs: through the gap between them, along picture edges where they touch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

STATION_PX = 3.0  # along the legs
OFFSETS = 41  # places tried at each station
REACH = 0.45  # how far from the middle the border may lie, in distances of the two bones
LEAST_REACH = 0.5  # the same in half widths of a leg, where the bones come together
SLOPE = 1.5  # the border moves aside at most so many pixels for each one down
FAR = 4.0  # half widths: a leg ends somewhere before


def leg_side(
    own: Floats, other: Floats, radii: Floats, inside: NDArray[np.bool_], edges: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """(H, W) twice: what lies between the ``own`` leg's bones and the border to the other, and all that
    lies on the ``own`` leg's side of it. Both legs are lines (4, 2) from hip to toe.

    The border is found by dynamic programming over stations along both legs, like the seams of intelligent scissors
    (Mortensen and Barrett 1995): free in the background, cheap on edges, near the middle otherwise. ``radii`` (3,) are
    half widths, ``inside`` (H, W) the matte, ``edges`` (H, W) 0..1. None where the legs cross or run into each other:
    then nothing lies between them.
    """
    mine, theirs = _stations(own[:3], other[:3])
    across = mine - theirs
    gap = np.hypot(across[:, 0], across[:, 1])
    along = across @ (across[0] / max(float(gap[0]), 1e-3))
    if float(gap[0]) < 2 or float(along.min()) < 0.1 * float(gap[0]):
        return None
    across = across / gap[:, None]
    middle = (mine + theirs) / 2
    limit = np.maximum(REACH * gap, LEAST_REACH * float(radii.mean()))
    steps = np.linspace(-1, 1, OFFSETS, dtype=np.float32)
    walk = middle[:, None, :] + (limit[:, None] * steps)[..., None] * across[:, None, :]
    place = walk.astype(np.float32)
    strength = cv2.remap(edges, place, None, cv2.INTER_LINEAR)
    solid = cv2.remap(inside.astype(np.float32), place, None, cv2.INTER_LINEAR, borderValue=0)
    cost = solid * (0.3 + 0.7 * (1 - strength)) + (0.15 + 0.75 * solid) * steps**2
    border = middle + (limit * steps[_cheapest(cost, limit)])[:, None] * across
    border = cv2.blur(border, (1, 5), borderType=cv2.BORDER_REPLICATE)
    between = _quads(border, mine, inside.shape)
    ahead = border[-1] - border[max(len(border) - 8, 0)]
    ahead = ahead / max(float(np.hypot(*ahead)), 1e-3)
    # Feet lie below the ankles: the border goes straight on.
    far = FAR * float(radii.max())
    border = np.concatenate([border, border[-1:] + far * ahead])
    outer = border + far * np.concatenate([across, across[-1:]])
    return between, _quads(border, outer, inside.shape)


def _stations(own: Floats, other: Floats) -> tuple[Floats, Floats]:
    """(N, 2) points along both legs at the same shares of thigh and shin."""
    lines = []
    counts = [
        max(round(float(max(np.linalg.norm(line[k + 1] - line[k]) for line in (own, other))) / STATION_PX), 2)
        for k in (0, 1)
    ]
    for line in (own, other):
        parts = [
            line[k] + np.linspace(0, 1, counts[k], dtype=np.float32)[:, None] * (line[k + 1] - line[k])
            for k in (0, 1)
        ]
        lines.append(np.concatenate([parts[0], parts[1][1:]]).astype(np.float32))
    return lines[0], lines[1]


def _cheapest(cost: Floats, limit: Floats) -> NDArray[np.intp]:
    """(N,) the column of each station on the cheapest path; ``limit`` (N,) is half the columns' span in pixels."""
    count, width = cost.shape
    total = cost[0]
    back = np.zeros(cost.shape, np.intp)
    shift = np.abs(np.arange(width)[:, None] - np.arange(width)[None, :]).astype(np.float32)
    for i in range(1, count):
        move = shift * (2 * float(limit[i]) / (width - 1)) / STATION_PX
        ways = total[:, None] + np.where(move > SLOPE, 1e3, 0.25 * move)
        back[i] = ways.argmin(axis=0)
        total = ways.min(axis=0) + cost[i]
    path = np.zeros(count, np.intp)
    path[-1] = int(total.argmin())
    for i in range(count - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path


def _quads(one: Floats, other: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) what lies between two lines (N, 2), station by station."""
    area = np.zeros(shape[:2], np.uint8)
    for i in range(len(one) - 1):
        corners = np.stack([one[i], one[i + 1], other[i + 1], other[i]])
        cv2.fillConvexPoly(area, np.rint(corners).astype(np.int32), 1)
    return area.astype(bool)
