"""Straight edges that are seen on both sides of a hole: door frames, skirting boards, horizons."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

SIDE = 360  # short side of the picture the edges are looked for in, in pixels
SHORTEST = 10.0  # pixels of edge that must be seen
NEAR = 14.0  # pixels from an edge's end to the hole, at most
TURN_DEG = 4.0  # by which the two parts of one edge may differ in direction
ASIDE = (2.5, 0.012)  # pixels, and share of the distance between them, by which they may lie apart
BESIDE = 4.0  # pixels beside an edge where its two colours are taken
ALIKE = 45.0  # RGB distance of the colours on the same side of both parts; on one side more,
SAME_KIND = 110.0  # since a wall may be lit, or something else begin before it
HIDDEN = 0.8  # share of the way between them that must be hole


def hidden_lines(image: Floats, hole: Mask) -> Floats:
    """(n, 4) x, y, x, y of the hidden parts of straight edges of ``image`` (H, W, 3) that go through ``hole``.

    Two edges in one line, of the same two colours, whose ends look at each other across the hole, are one.
    """
    scale = min(1.0, SIDE / min(hole.shape))
    size = (max(2, round(hole.shape[1] * scale)), max(2, round(hole.shape[0] * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    gap = np.asarray(cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.01, np.bool_)
    ends, ways = _ends(small, gap)
    if len(ends) < 2:
        return np.zeros((0, 4), np.float32)
    apart = ends[None] - ends[:, None]
    far = np.hypot(apart[..., 0], apart[..., 1])
    toward = apart / np.maximum(far, 1e-3)[..., None]
    straight = np.cos(np.radians(TURN_DEG))
    across = np.abs(apart[..., 0] * ways[:, None, 1] - apart[..., 1] * ways[:, None, 0])
    allowed = ASIDE[0] + ASIDE[1] * far
    good = (np.maximum(across, across.T) < allowed) & ((ways[:, None] * ways[None]).sum(2) < -straight)
    good &= (toward * ways[:, None]).sum(2) > 0.9
    good &= far > 4
    left, right = _colour(small, gap, ends, ways, 1), _colour(small, gap, ends, ways, -1)
    one, other = _distance(left, right), _distance(right, left)
    good &= (np.minimum(one, other) < ALIKE) & (np.maximum(one, other) < SAME_KIND)
    cost = np.where(good, (across + across.T) / allowed + (one + other) / ALIKE, np.inf)
    found = []
    while np.isfinite(cost).any():
        i, j = np.unravel_index(int(np.argmin(cost)), cost.shape)
        between = ends[i] + np.linspace(0, 1, 60, dtype=np.float32)[:, None] * (ends[j] - ends[i])
        x, y = np.rint(between.T).astype(int)
        if gap[np.clip(y, 0, size[1] - 1), np.clip(x, 0, size[0] - 1)].mean() >= HIDDEN:
            found.append(np.concatenate([ends[i], ends[j]]))
            cost[[i, j]] = np.inf
            cost[:, [i, j]] = np.inf
        else:
            cost[i, j] = cost[j, i] = np.inf
    ratio = np.array([hole.shape[1] / size[0], hole.shape[0] / size[1]] * 2, np.float32)
    return np.asarray((np.array(found, np.float32).reshape(-1, 4) + 0.5) * ratio - 0.5, np.float32)


def _ends(small: Floats, gap: Mask) -> tuple[Floats, Floats]:
    """(n, 2) where seen edges end before the hole, and (n, 2) the directions in which they run into it."""
    light = cv2.cvtColor(np.clip(np.rint(small), 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    lines = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(light)[0]
    height, width = gap.shape
    points, ways = [], []
    for x0, y0, x1, y1 in np.zeros((0, 4)) if lines is None else _near(lines.reshape(-1, 4), gap):
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length < SHORTEST:
            continue
        way = np.array([x1 - x0, y1 - y0]) / length
        at = np.array([x0, y0]) + np.arange(0, length)[:, None] * way
        x, y = (
            np.clip(np.rint(at[:, 0]).astype(int), 0, width - 1),
            np.clip(np.rint(at[:, 1]).astype(int), 0, height - 1),
        )
        inside = gap[y, x]
        for seen, start, forth in ((inside, at, way), (inside[::-1], at[::-1], -way)):
            free = np.flatnonzero(~seen)
            if not len(free):
                continue
            # the part seen first, from its beginning to where the hole hides it or it ends
            stop = int(np.argmax(seen[free[0] :])) + int(free[0]) if seen[free[0] :].any() else len(seen)
            if stop - free[0] < SHORTEST:
                continue
            end = start[stop - 1]
            ahead = end + np.arange(1, NEAR)[:, None] * forth
            ax, ay = np.rint(ahead.T).astype(int)
            within = (ax >= 0) & (ax < width) & (ay >= 0) & (ay < height)
            hits = np.flatnonzero(within & gap[np.clip(ay, 0, height - 1), np.clip(ax, 0, width - 1)])
            if len(hits):
                points.append(ahead[hits[0]] - forth)
                ways.append(forth)
    return np.array(points, np.float32).reshape(-1, 2), np.array(ways, np.float32).reshape(-1, 2)


def _near(lines: Floats, gap: Mask) -> Floats:
    """Those of ``lines`` (n, 4) that come near the hole."""
    height, width = gap.shape
    side = 2 * round(2 * NEAR) + 1
    about = cv2.dilate(gap.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    share = np.linspace(0, 1, 2 + int(max(height, width) / NEAR))[:, None]
    x, y = (lines[:, k] + share * (lines[:, k + 2] - lines[:, k]) for k in (0, 1))
    x, y = np.rint(x.clip(0, width - 1)).astype(int), np.rint(y.clip(0, height - 1)).astype(int)
    return np.asarray(lines[about[y, x].any(axis=0)], np.float32)


def _colour(small: Floats, gap: Mask, ends: Floats, ways: Floats, side: int) -> Floats:
    """(n, 3) the mean colour beside the last seen pixels of each edge."""
    aside = side * BESIDE * np.stack([-ways[:, 1], ways[:, 0]], 1)
    total, count = np.zeros((len(ends), 3), np.float32), np.zeros((len(ends), 1), np.float32)
    for back in (2, 4, 6, 8):
        x, y = np.rint((ends - back * ways + aside).T).astype(int)
        x, y = np.clip(x, 0, gap.shape[1] - 1), np.clip(y, 0, gap.shape[0] - 1)
        known = ~gap[y, x][:, None]
        total += known * small[y, x]
        count += known
    return np.asarray(total / np.maximum(count, 1), np.float32)


def _distance(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.sqrt(((a[:, None] - b[None]) ** 2).sum(2)), np.float32)
