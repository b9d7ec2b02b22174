"""The limbs of a shape: which of its branches are legs and arms, where its trunk and its head are.

The trunk is the union of the discs inscribed along the spine (a medial axis transform): a limb begins where its
branch enters that union.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.tracking.branches import Branch, Tree
from understudy.tracking.motion import Floats
from understudy.tracking.template import xy

Legs = tuple[Branch, Branch, float]
"""The legs, the one at the picture's left first, and the row of the fork between them."""

Arms = tuple[Floats | None, Floats | None]
"""The arms at the picture's left and right: paths (N, 2) from the tip to the trunk, None where none stands out."""


@dataclass(frozen=True)
class Trunk:
    """Spine from the neck down to the hips. ``head`` is the centre of the head and ``head_radius`` 0 without one."""

    spine: Floats  # (N, 2)
    radius: Floats  # (N,)
    head: Floats  # (2,)
    head_radius: float


def extent_of(tree: Tree) -> tuple[float, float]:
    rows = np.flatnonzero(tree.mask.any(axis=1))
    return float(rows[0]), float(rows[-1] - rows[0] + 1)


def legs_of(tree: Tree) -> Legs | None:
    """The legs (left in the picture first) and the row of the fork between them."""
    top, tall = extent_of(tree)
    low = [b for b in tree.branches if b.tip[1] > top + 0.72 * tall and b.stands_out > 0.04 * tall]
    best, worth = None, 0.0
    for i, one in enumerate(low):
        for other in low[i + 1 :]:
            left, right = (one, other) if one.tip[0] < other.tip[0] else (other, one)
            fork = _fork(tree, left, right)
            if fork is None:
                continue
            lower, upper = max(left.tip[1], right.tip[1]), min(left.tip[1], right.tip[1])
            deep = upper - fork
            value = deep - 0.8 * (lower - upper) - 1.2 * (top + tall - lower)
            if deep > 0.04 * tall and value > worth:
                best, worth = (left, right, fork), value
    return best


def _fork(tree: Tree, left: Branch, right: Branch) -> float | None:
    """The highest row, going up without a break, that shows ground between the two branches."""
    bottom = int(min(left.tip[1], right.tip[1]))
    fork = None
    edges = [{int(y): x for x, y in b.path[: b.own]} for b in (left, right)]
    for y in range(bottom, -1, -1):
        if y not in edges[0] or y not in edges[1]:
            if fork is not None:
                break
            continue
        a, b = int(edges[0][y]), int(edges[1][y])
        if a >= b or tree.mask[y, a : b + 1].all():
            if fork is not None or y < bottom - 0.12 * len(tree.mask):
                break
            continue
        fork = float(y)
    return fork


def trunk_of(tree: Tree, legs: Legs | None) -> Trunk:
    top, tall = extent_of(tree)
    if legs is None:
        end = xy(tree.centre[0], top + 0.58 * tall)
    else:
        left, right, fork = legs
        rise = min(0.05 * tall, 0.3 * (top + tall - fork))
        end = xy((_at_row(left, fork) + _at_row(right, fork)) / 2, fork - rise)
        end = _under_skirt(tree, top + 0.2 * tall, end, fork)
    tail = tree.route(end)[::-1]
    best: tuple[float, Floats, int, int] | None = None
    for branch in tree.branches:
        if branch.tip[1] > top + 0.4 * tall or (legs is not None and branch in legs[:2]):
            continue
        path = np.concatenate([branch.path[branch.path[:, 1] <= end[1]], tail[tail[:, 1] > tree.centre[1]]])
        found = _head_and_neck(path, tree.depth_at(path), 0.04 * tall)
        if found is None or path[found[0], 1] > top + 0.45 * tall:
            continue
        size = float(tree.depth_at(path[found[0] : found[0] + 1])[0])
        if best is None or size > best[0]:
            best = (size, path, *found)
    if best is None:
        upper = xy(end[0], top + 0.3 * tall)
        straight = np.stack([upper + t * (end - upper) for t in np.linspace(0, 1, 40, dtype=np.float32)])
        return Trunk(straight, tree.depth_at(straight), upper, 0.0)
    size, path, peak, neck = best
    spine = path[neck:] if len(path) - neck > 2 else path[-3:]
    return Trunk(spine, tree.depth_at(spine), path[peak], size)


def _at_row(branch: Branch, y: float) -> float:
    return float(branch.path[int(np.argmin(np.abs(branch.path[:, 1] - y))), 0])


def _under_skirt(tree: Tree, neck: float, end: Floats, fork: float) -> Floats:
    """Where a skirt or coat hides the fork, the hips are higher: a little below the waist."""
    rows = np.arange(int(neck), max(int(fork) - 2, int(neck) + 1))
    widths = np.array([_run(tree, int(y), float(end[0])) for y in rows], np.float32)
    if len(rows) < 12 or not widths.any():
        return end
    lower = rows > neck + 0.45 * (fork - neck)
    if not lower.any():
        return end
    hem = float(widths[lower].max())
    waist = int(np.flatnonzero(lower)[0] + np.argmin(widths[lower]))
    flare = widths[waist:]
    if (
        widths[waist] > 0
        and hem > 1.45 * widths[waist]
        and float(flare.max()) >= 0.95 * hem
        and len(flare) > 6
    ):
        return xy(end[0], rows[waist] + 0.35 * (fork - rows[waist]))
    return end


def _run(tree: Tree, y: int, x: float) -> float:
    """Width of the shape's run at a row through the given column."""
    row = tree.mask[int(y)]
    column = int(np.clip(x, 0, len(row) - 1))
    if not row[column]:
        return 0.0
    gaps = np.flatnonzero(~row)
    left = gaps[gaps < column]
    right = gaps[gaps > column]
    return float((right[0] if len(right) else len(row)) - (left[-1] if len(left) else -1) - 1)


def _head_and_neck(path: Floats, radius: Floats, smallest: float) -> tuple[int, int] | None:
    """Indices of the first bulge of a path that is at least ``smallest`` thick, and of the narrow place after it."""
    peak, neck = 0, 0
    for i in range(1, len(radius)):
        if radius[i] >= radius[peak] and neck == peak:
            peak = neck = i
        elif radius[i] < radius[neck]:
            neck = i
        elif radius[i] > 1.1 * radius[neck] + 0.4:
            if radius[peak] >= smallest and radius[neck] < 0.94 * radius[peak]:
                return peak, neck
            peak = neck = i
        if (
            radius[peak] >= smallest
            and radius[neck] < 0.35 * radius[peak]
            and np.linalg.norm(path[i] - path[peak]) > 1.2 * radius[peak]
        ):
            return peak, neck  # a stick figure: the neck need not widen again
    return None


def arms_of(tree: Tree, trunk: Trunk, legs: Legs | None) -> Arms:
    """The arms at the picture's left and right: paths (N, 2) from the tip to where they enter the trunk."""
    top, tall = extent_of(tree)
    used = [] if legs is None else [legs[0], legs[1]]
    upper, lower = float(trunk.spine[0, 1]), float(trunk.spine[-1, 1])
    found: tuple[list[_Arm], list[_Arm]] = ([], [])
    for branch in tree.branches:
        if branch in used or branch.stands_out < 0.05 * tall:
            continue
        path = _outside(branch.path, trunk)
        entry = path[-1]
        if trunk.head_radius and (_meets_head(path, trunk) or entry[1] < upper - 0.03 * tall):
            continue
        long = float(lengths_of(path)[-1])
        spine_x = float(np.interp(entry[1], trunk.spine[:, 1], trunk.spine[:, 0]))
        reach = float(branch.tip[0] - spine_x)
        hangs = (float(entry[1]) - upper) / max(lower - upper, 1.0)
        if long < 0.07 * tall or hangs > 0.85 or entry[1] < upper - 0.12 * tall:
            continue
        slender = long / (2 * max(float(np.median(tree.depth_at(path))), 1.0))
        if slender < 1.1:
            continue
        if abs(reach) < 0.04 * tall or branch.tip[1] > top + 0.92 * tall:
            continue
        worth = (min(long, 0.45 * tall) + 0.5 * abs(reach)) / tall - 0.5 * max(0.0, hangs - 0.35)
        found[0 if reach < 0 else 1].append(_Arm(path, worth, float(entry[1]), long))
    pairs = [(a, b, a.worth + b.worth - _unlike(a, b, tall)) for a in found[0] for b in found[1]]
    if pairs:
        left, right, _ = max(pairs, key=lambda pair: pair[2])
        return left.path, right.path
    one = max([*found[0], *found[1]], key=lambda arm: arm.worth, default=None)
    if one is None:
        return None, None
    return (one.path, None) if one in found[0] else (None, one.path)


@dataclass(frozen=True, eq=False)
class _Arm:
    path: Floats
    worth: float
    entry: float  # row
    long: float


def _unlike(left: _Arm, right: _Arm, tall: float) -> float:
    """What an uneven pair of arms costs: entries at different heights, different lengths."""
    return 1.5 * abs(left.entry - right.entry) / tall + 0.8 * abs(left.long - right.long) / tall


def _meets_head(path: Floats, trunk: Trunk) -> bool:
    return bool(np.linalg.norm(path - trunk.head, axis=1).min() < 0.9 * trunk.head_radius)


def _outside(path: Floats, trunk: Trunk) -> Floats:
    """The path up to where it enters the trunk's discs."""
    away = np.linalg.norm(path[:, None] - trunk.spine[None], axis=2) - trunk.radius[None]
    inside = np.flatnonzero(away.min(axis=1) <= 0.5)
    return path[: max(2, int(inside[0]) + 1)] if len(inside) else path


def lengths_of(path: Floats) -> Floats:
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]).astype(np.float32)
