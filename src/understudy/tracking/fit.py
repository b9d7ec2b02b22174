"""Fitting the template skeleton to a silhouette, for drawings, creatures and objects that no pose model sees.

The shape's branches (`branches`) are given roles (`limbs`), the roles' paths are cut into bones. What has no branch is
placed by the proportions of the template and counts as not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.tracking.branches import Branch, Tree, tree_of
from understudy.tracking.limbs import Arms, Legs, Trunk, arms_of, extent_of, legs_of, lengths_of, trunk_of
from understudy.tracking.motion import BODY, Floats
from understudy.tracking.silhouette import Mask, Silhouette
from understudy.tracking.template import complete, xy

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
    legs = legs_of(tree)
    trunk = trunk_of(tree, legs)
    arms = arms_of(tree, trunk, legs)
    joints, seen = _joints(tree, trunk, arms, legs)
    head = 2.1 * trunk.head_radius if trunk.head_radius else None
    body = complete(joints, head_height=head)
    score = _score(tree, trunk, arms, legs)
    return Fit(silhouette, body * np.float32(tree.scale) + tree.offset, seen, score)


def _joints(
    tree: Tree,
    trunk: Trunk,
    arms: Arms,
    legs: Legs | None,
) -> tuple[Floats, Floats]:
    """Landmarks (33, 2), NaN where the template is to say, and how far they are seen (33,)."""
    top, tall = extent_of(tree)
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
            at[25 + side] = at[23 + side] + xy(0, 0.47 * reach)
            at[27 + side] = at[23 + side] + xy(0, 0.9 * reach)
            seen[[25 + side, 27 + side, 29 + side, 31 + side]] = GUESSED
        else:
            branch = legs[0] if side == 1 else legs[1]
            _place_leg(tree, at, side, branch, legs[2], hips, wide)
    return at, seen


def _nose(tree: Tree, trunk: Trunk, shoulders: float) -> Floats:
    """In the head a little below its middle; without a head, between the crown and the shoulders."""
    if trunk.head_radius:
        return trunk.head + xy(0, 0.12 * trunk.head_radius)
    crown = float(np.flatnonzero((tree.depth > 0.4 * tree.depth.max()).any(axis=1))[0])
    return xy(trunk.spine[0, 0], crown + 0.55 * max(shoulders - crown, 2.0))


def _place_arm(
    at: Floats, side: int, arm: Floats, neck: Floats, long: float, chest: float, headed: bool
) -> None:
    sign = 1.0 if side == 0 else -1.0
    entry = arm[-1]
    inward = min(0.3 * chest, abs(float(entry[0] - neck[0])) * 0.5)
    shoulder = entry - xy(sign * inward, 0)
    highest = neck[1] + (0.3 if headed else 0.7) * long
    if shoulder[1] > highest:  # an arm that lies along the body leaves it far below the shoulder
        shoulder = xy(shoulder[0], highest)
    whole = np.concatenate([arm, shoulder[None]])[::-1]
    at[11 + side] = shoulder
    at[15 + side] = _along(whole, 0.86)
    at[13 + side] = _bend(whole, 0.33, 0.55)
    tip, wrist = whole[-1], at[15 + side]
    reach = tip - wrist
    across = xy(-reach[1], reach[0])
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
        reach = xy(sign * abs(down[0]), down[1])
    else:
        reach = xy(sign * 0.15 * chest, 0.85 * long)
    at[13 + side] = shoulder + 0.45 * reach
    at[15 + side] = shoulder + 0.86 * reach


def _settle_shoulders(at: Floats, seen: Floats) -> None:
    """Both shoulders at about one height where only one arm was seen, and never crossed."""
    if seen[13] < 1 <= seen[14] or seen[14] < 1 <= seen[13]:
        guessed, known = (11, 12) if seen[13] < 1 else (12, 11)
        move = xy(0, at[known, 1] - at[guessed, 1])
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
    hip = xy(hips[0] + sign * min(across, max(2.2 * wide, 0.5 * abs(enter))), hips[1])
    whole = np.concatenate([path, hip[None]])[::-1]
    at[23 + side] = hip
    length = lengths_of(whole)
    foot = max(0.09 * length[-1], 0.0)
    turn = _foot_turn(whole, length)
    ankle = turn if turn is not None else _along(whole, 1 - foot / max(length[-1], 1e-3))
    cut = int(np.argmin(np.linalg.norm(whole - ankle, axis=1)))
    at[27 + side] = ankle
    at[25 + side] = _bend(whole[: max(cut + 1, 3)], 0.4, 0.6)
    tip = whole[-1]
    low = max(float(tip[1]), float(ankle[1]))
    at[31 + side] = xy(tip[0], low) if turn is not None else ankle + 1.0 * (tip - ankle)
    at[29 + side] = ankle + xy(0.15 * (ankle[0] - tip[0]), 0.5 * (low - ankle[1]))


def _along(path: Floats, share: float) -> Floats:
    """The point at a share of the path's length."""
    length = lengths_of(path)
    want = share * float(length[-1])
    return xy(*(float(np.interp(want, length, path[:, i])) for i in (0, 1)))


def _bend(path: Floats, low: float, high: float) -> Floats:
    """Where a path is bent most between two shares of its length; the middle of them when it is straight."""
    length = lengths_of(path)
    whole = max(float(length[-1]), 1e-3)
    start, end = path[0], path[-1]
    line = (end - start) / max(float(np.linalg.norm(end - start)), 1e-3)
    off = np.abs((path - start) @ xy(-line[1], line[0]))
    between = (length >= low * whole) & (length <= high * whole)
    if between.any() and off[between].max() > 0.06 * whole:
        return np.array(path[int(np.argmax(np.where(between, off, -1)))], np.float32)
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
    trunk: Trunk,
    arms: Arms,
    legs: Legs | None,
) -> float:
    """How much of a figure it is: head, two arms and two legs found, and both sides alike."""
    _, tall = extent_of(tree)
    score = 0.25 if trunk.head_radius > 0.04 * tall else 0.0
    spans = [0.0 if arm is None else float(lengths_of(arm)[-1]) / tall for arm in arms]
    score += sum(0.2 for span in spans if span > 0.09)
    if legs is not None:
        left, right, fork = legs
        deep = (min(left.tip[1], right.tip[1]) - fork) / tall
        feet = (min(left.tip[1], right.tip[1]) - fork) / max(max(left.tip[1], right.tip[1]) - fork, 1.0)
        long = sorted(float(lengths_of(b.path[b.path[:, 1] > fork])[-1]) for b in (left, right))
        alike = float(np.clip(1.6 * long[0] / max(long[1], 1.0) - 0.1, 0.3, 1)) * float(
            np.clip(1.5 * feet, 0.3, 1)
        )
        score += 0.35 * alike * float(np.clip(deep / 0.12, 0.3, 1))
    if min(spans) > 0:
        score *= float(np.clip(min(spans) / max(spans) / 0.5, 0.5, 1))
    lean = trunk.spine[-1] - trunk.spine[0]
    upright = abs(float(lean[1])) / max(float(np.linalg.norm(lean)), 1e-3)
    return score * float(np.clip((upright - 0.5) / 0.3, 0, 1))
