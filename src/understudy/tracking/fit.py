"""Fitting the template skeleton to a silhouette, for drawings, creatures and objects that no pose model sees.

The shape's branches (`branches`) are given roles: the two lowest become legs, the ones that stand out farthest to
either side below the head become arms. The trunk is the union of the discs inscribed along the spine (a medial axis
transform), so a limb's joint lies where its branch enters that union. What has no branch is placed by the
proportions of the template and counts as not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.tracking.branches import Branch, Tree, tree_of
from understudy.tracking.motion import BODY, Floats
from understudy.tracking.silhouette import Mask, Silhouette
from understudy.tracking.template import complete

ENOUGH = {"alpha": 0.5, "backdrop": 0.55, "ink": 0.7, "grabcut": 0.72}
TRUST = {"alpha": 1.0, "backdrop": 1.0, "ink": 0.97, "grabcut": 0.8}
SMALLEST = 0.22  # of the picture's height
GUESSED = 0.2  # visibility of a part that no branch shows
_LOOK_AT = 8


@dataclass(frozen=True)
class Fit:
    """A skeleton in a silhouette: ``body`` (33, 2) in pixels of the silhouette's mask, ``visibility`` (33,)."""

    silhouette: Silhouette
    body: Floats
    visibility: Floats
    score: float


@dataclass(frozen=True)
class _Trunk:
    """Spine from the neck down to the hips. ``head`` is the centre of the head and ``head_radius`` 0 without one."""

    spine: Floats  # (N, 2)
    radius: Floats  # (N,)
    head: Floats  # (2,)
    head_radius: float


def best_fit(shapes: list[Silhouette]) -> Fit | None:
    """The skeleton that fits best into one of the shapes, or None when none of them is like a figure."""
    fits = [fit for shape in shapes[:_LOOK_AT] if (fit := fit_to(shape)) is not None]
    good = [fit for fit in fits if fit.score >= ENOUGH[fit.silhouette.source]]
    return max(good, key=_preference, default=None)


def _preference(fit: Fit) -> float:
    return fit.score * TRUST[fit.silhouette.source] * _whole(fit.silhouette.mask)


def _whole(mask: Mask) -> float:
    """1 for a shape that lies free in its picture, less the more the picture's edge cuts it."""
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).sum()
    return float(np.clip(1 - 0.5 * edge / (mask.any(axis=0).sum() + mask.any(axis=1).sum()), 0.5, 1))


def fit_to(silhouette: Silhouette) -> Fit | None:
    """The template skeleton in one shape, with a score of how much of a figure it is, 0 to 1."""
    mask = silhouette.mask
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) < SMALLEST * mask.shape[0]:
        return None
    tree = tree_of(mask)
    if tree is None:
        return None
    legs = _legs(tree)
    trunk = _trunk(tree, legs)
    arms = _arms(tree, trunk, legs)
    joints, seen = _joints(tree, trunk, arms, legs)
    head = 2.1 * trunk.head_radius if trunk.head_radius else None
    body = complete(joints, head_height=head)
    score = _score(tree, trunk, arms, legs)
    return Fit(silhouette, body * np.float32(tree.scale) + tree.offset, seen, score)


def _extent(tree: Tree) -> tuple[float, float]:
    rows = np.flatnonzero(tree.mask.any(axis=1))
    return float(rows[0]), float(rows[-1] - rows[0] + 1)


def _legs(tree: Tree) -> tuple[Branch, Branch, float] | None:
    """The legs (left in the picture first) and the row of the fork between them."""
    top, tall = _extent(tree)
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


def _trunk(tree: Tree, legs: tuple[Branch, Branch, float] | None) -> _Trunk:
    top, tall = _extent(tree)
    if legs is None:
        end = np.float32([tree.centre[0], top + 0.58 * tall])
    else:
        left, right, fork = legs
        rise = min(0.05 * tall, 0.3 * (top + tall - fork))
        end = np.float32([(_at_row(left, fork) + _at_row(right, fork)) / 2, fork - rise])
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
        upper = np.float32([end[0], top + 0.3 * tall])
        straight = np.stack([upper + t * (end - upper) for t in np.linspace(0, 1, 40, dtype=np.float32)])
        return _Trunk(straight, tree.depth_at(straight), upper, 0.0)
    size, path, peak, neck = best
    spine = path[neck:] if len(path) - neck > 2 else path[-3:]
    return _Trunk(spine, tree.depth_at(spine), path[peak], size)


def _at_row(branch: Branch, y: float) -> float:
    return float(branch.path[int(np.argmin(np.abs(branch.path[:, 1] - y))), 0])


def _under_skirt(tree: Tree, neck: float, end: Floats, fork: float) -> Floats:
    """Where a skirt or coat hides the fork, the hips are higher: a little below the waist."""
    rows = np.arange(int(neck), max(int(fork) - 2, int(neck) + 1))
    widths = np.array([_run(tree, y, end[0]) for y in rows], np.float32)
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
        return np.float32([end[0], rows[waist] + 0.35 * (fork - rows[waist])])
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


def _arms(
    tree: Tree, trunk: _Trunk, legs: tuple[Branch, Branch, float] | None
) -> tuple[Floats | None, Floats | None]:
    """The arms at the picture's left and right: paths (N, 2) from the tip to where they enter the trunk."""
    top, tall = _extent(tree)
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
        long = float(_lengths(path)[-1])
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


def _meets_head(path: Floats, trunk: _Trunk) -> bool:
    return bool(np.linalg.norm(path - trunk.head, axis=1).min() < 0.9 * trunk.head_radius)


def _outside(path: Floats, trunk: _Trunk) -> Floats:
    """The path up to where it enters the trunk's discs."""
    away = np.linalg.norm(path[:, None] - trunk.spine[None], axis=2) - trunk.radius[None]
    inside = np.flatnonzero(away.min(axis=1) <= 0.5)
    return path[: max(2, int(inside[0]) + 1)] if len(inside) else path


def _joints(
    tree: Tree,
    trunk: _Trunk,
    arms: tuple[Floats | None, Floats | None],
    legs: tuple[Branch, Branch, float] | None,
) -> tuple[Floats, Floats]:
    """Landmarks (33, 2), NaN where the template is to say, and how far they are seen (33,)."""
    top, tall = _extent(tree)
    at: Floats = np.full((BODY, 2), np.nan, np.float32)
    seen = np.ones(BODY, np.float32)
    neck, hips = trunk.spine[0], trunk.spine[-1]
    long = max(float(hips[1] - neck[1]), 0.1 * tall)
    chest = float(np.median(trunk.radius[: max(2, len(trunk.radius) // 2)]))
    for side, arm in ((1, arms[0]), (0, arms[1])):  # the character's right is at the picture's left
        sign = 1.0 if side == 0 else -1.0
        high = neck[1] + (0.12 if trunk.head_radius else 0.3) * long
        if arm is None:
            at[11 + side] = (neck[0] + sign * 0.75 * chest, high)
            other = arms[0] if side == 0 else arms[1]
            _mirror_arm(at, side, neck, long, chest, other)
            seen[[13 + side, 15 + side, 17 + side, 19 + side, 21 + side]] = GUESSED
        else:
            _place_arm(at, side, arm, neck, long, chest, trunk.head_radius > 0)
    _settle_shoulders(at, seen)
    at[0] = _nose(tree, trunk, float(at[11:13, 1].mean()))
    wide = max(0.55 * float(trunk.radius[-1]), 0.02 * tall)
    for side in (1, 0):
        sign = 1.0 if side == 0 else -1.0
        if legs is None:
            at[23 + side] = (hips[0] + sign * wide, hips[1])
            reach = top + tall - hips[1]
            at[25 + side] = at[23 + side] + np.float32([0, 0.47 * reach])
            at[27 + side] = at[23 + side] + np.float32([0, 0.9 * reach])
            seen[[25 + side, 27 + side, 29 + side, 31 + side]] = GUESSED
        else:
            branch = legs[0] if side == 1 else legs[1]
            _place_leg(tree, at, side, branch, legs[2], hips, wide)
    return at, seen


def _nose(tree: Tree, trunk: _Trunk, shoulders: float) -> Floats:
    """In the head a little below its middle; without a head, between the crown and the shoulders."""
    if trunk.head_radius:
        return trunk.head + np.float32([0, 0.12 * trunk.head_radius])
    crown = float(np.flatnonzero((tree.depth > 0.4 * tree.depth.max()).any(axis=1))[0])
    return np.float32([trunk.spine[0, 0], crown + 0.55 * max(shoulders - crown, 2.0)])


def _place_arm(
    at: Floats, side: int, arm: Floats, neck: Floats, long: float, chest: float, headed: bool
) -> None:
    sign = 1.0 if side == 0 else -1.0
    entry = arm[-1]
    inward = min(0.3 * chest, abs(float(entry[0] - neck[0])) * 0.5)
    shoulder = entry - np.float32([sign * inward, 0])
    highest = neck[1] + (0.3 if headed else 0.7) * long
    if shoulder[1] > highest:  # an arm that lies along the body leaves it far below the shoulder
        shoulder = np.float32([shoulder[0], highest])
    whole = np.concatenate([arm, shoulder[None]])[::-1]
    at[11 + side] = shoulder
    at[15 + side] = _along(whole, 0.86)
    at[13 + side] = _bend(whole, 0.33, 0.55)
    tip, wrist = whole[-1], at[15 + side]
    reach = tip - wrist
    across = np.float32([-reach[1], reach[0]])
    if across[1] > 0:
        across = -across
    at[19 + side] = wrist + 0.9 * reach
    at[17 + side] = wrist + 0.75 * reach - 0.2 * across
    at[21 + side] = wrist + 0.5 * reach + 0.35 * across


def _mirror_arm(at: Floats, side: int, neck: Floats, long: float, chest: float, other: Floats | None) -> None:
    shoulder = at[11 + side]
    sign = 1.0 if side == 0 else -1.0
    if other is not None:
        down = other[0] - other[-1]
        reach = np.float32([sign * abs(down[0]), down[1]])
    else:
        reach = np.float32([sign * 0.15 * chest, 0.85 * long])
    at[13 + side] = shoulder + 0.45 * reach
    at[15 + side] = shoulder + 0.86 * reach


def _settle_shoulders(at: Floats, seen: Floats) -> None:
    """Both shoulders at about one height where only one arm was seen, and never crossed."""
    if seen[13] < 1 <= seen[14] or seen[14] < 1 <= seen[13]:
        guessed, known = (11, 12) if seen[13] < 1 else (12, 11)
        move = np.float32([0, at[known, 1] - at[guessed, 1]])
        for joint in (guessed, guessed + 2, guessed + 4):
            at[joint] += move
    if at[11, 0] < at[12, 0]:
        middle = (at[11, 0] + at[12, 0]) / 2
        at[11, 0], at[12, 0] = middle + 1, middle - 1


def _place_leg(
    tree: Tree, at: Floats, side: int, leg: Branch, fork: float, hips: Floats, wide: float
) -> None:
    sign = 1.0 if side == 0 else -1.0
    above = np.flatnonzero(leg.path[:, 1] <= fork)
    cut = int(above[0]) if len(above) else leg.own - 1
    path = leg.path[: max(cut, 2)]
    enter = float(path[-1, 0] - hips[0])
    across = max(wide, 0.8 * abs(enter)) if abs(enter) > 1 else wide
    hip = np.float32([hips[0] + sign * min(across, max(2.2 * wide, 0.5 * abs(enter))), hips[1]])
    whole = np.concatenate([path, hip[None]])[::-1]
    at[23 + side] = hip
    length = _lengths(whole)
    foot = max(0.09 * length[-1], 0.0)
    turn = _foot_turn(whole, length)
    ankle = turn if turn is not None else _along(whole, 1 - foot / max(length[-1], 1e-3))
    cut = int(np.argmin(np.linalg.norm(whole - ankle, axis=1)))
    at[27 + side] = ankle
    at[25 + side] = _bend(whole[: max(cut + 1, 3)], 0.4, 0.6)
    tip = whole[-1]
    low = max(float(tip[1]), float(ankle[1]))
    at[31 + side] = np.float32([tip[0], low]) if turn is not None else ankle + 1.0 * (tip - ankle)
    at[29 + side] = ankle + np.float32([0.15 * (ankle[0] - tip[0]), 0.5 * (low - ankle[1])])


def _lengths(path: Floats) -> Floats:
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]).astype(np.float32)


def _along(path: Floats, share: float) -> Floats:
    """The point at a share of the path's length."""
    length = _lengths(path)
    want = share * float(length[-1])
    return np.float32([np.interp(want, length, path[:, i]) for i in (0, 1)])


def _bend(path: Floats, low: float, high: float) -> Floats:
    """Where a path is bent most between two shares of its length; the middle of them when it is straight."""
    length = _lengths(path)
    whole = max(float(length[-1]), 1e-3)
    start, end = path[0], path[-1]
    line = (end - start) / max(float(np.linalg.norm(end - start)), 1e-3)
    off = np.abs((path - start) @ np.float32([-line[1], line[0]]))
    between = (length >= low * whole) & (length <= high * whole)
    if between.any() and off[between].max() > 0.06 * whole:
        return path[int(np.argmax(np.where(between, off, -1)))].copy()
    return _along(path, (low + high) / 2)


def _foot_turn(whole: Floats, length: Floats) -> Floats | None:
    """The ankle of a foot that points sideways: where the leg's last quarter turns by more than 40 degrees."""
    total = float(length[-1])
    best, where = 40.0, None
    for share in np.linspace(0.72, 0.92, 9):
        a, b, c = _along(whole, share - 0.2), _along(whole, share), whole[-1]
        u, v = b - a, c - b
        norm = float(np.linalg.norm(u) * np.linalg.norm(v))
        if norm < 1e-3 or total < 8:
            continue
        angle = float(np.degrees(np.arccos(np.clip(np.dot(u, v) / norm, -1, 1))))
        if angle > best:
            best, where = angle, b
    return where


def _score(
    tree: Tree,
    trunk: _Trunk,
    arms: tuple[Floats | None, Floats | None],
    legs: tuple[Branch, Branch, float] | None,
) -> float:
    """How much of a figure it is: head, two arms and two legs found, and both sides alike."""
    _, tall = _extent(tree)
    score = 0.25 if trunk.head_radius > 0.04 * tall else 0.0
    spans = [0.0 if arm is None else float(_lengths(arm)[-1]) / tall for arm in arms]
    score += sum(0.2 for span in spans if span > 0.09)
    if legs is not None:
        left, right, fork = legs
        deep = (min(left.tip[1], right.tip[1]) - fork) / tall
        feet = (min(left.tip[1], right.tip[1]) - fork) / max(max(left.tip[1], right.tip[1]) - fork, 1.0)
        long = sorted(float(_lengths(b.path[b.path[:, 1] > fork])[-1]) for b in (left, right))
        alike = float(np.clip(1.6 * long[0] / max(long[1], 1.0) - 0.1, 0.3, 1)) * float(
            np.clip(1.5 * feet, 0.3, 1)
        )
        score += 0.35 * alike * float(np.clip(deep / 0.12, 0.3, 1))
    if min(spans) > 0:
        score *= float(np.clip(min(spans) / max(spans) / 0.5, 0.5, 1))
    lean = trunk.spine[-1] - trunk.spine[0]
    upright = abs(float(lean[1])) / max(float(np.linalg.norm(lean)), 1e-3)
    return score * float(np.clip((upright - 0.5) / 0.3, 0, 1))
