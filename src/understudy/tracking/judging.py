"""Judging a found body: does it hold together, does it lie on the figure, which of its parts can be seen."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats
from understudy.tracking.silhouette import Silhouette
from understudy.tracking.template import BONES
from understudy.tracking.tracker import Person

CORE = (*range(11, 17), *range(23, 29))
SEEN = 0.5
LEGS = 0.55
MARGIN = 0.006  # of the picture's longer side: a joint nearer to the edge is cut by it
_PARENTS = ((13, 11), (14, 12), (15, 13), (16, 14), (25, 23), (26, 24), (27, 25), (28, 26))
_ENDS = {
    15: (17, 19, 21),
    16: (18, 20, 22),
    27: (29, 31),
    28: (30, 32),
}  # what moves with a wrist or an ankle


def judge(person: Person, width: int, height: int, shapes: list[Silhouette]) -> float:
    """How far a found body can be trusted, 0 to 1: presence, place on the figure, proportions, size."""
    at, seen = person.body[:, :2], person.visibility
    if not np.isfinite(at).all():
        return 0.0
    inside = _inside(at, width, height, 0.0)
    head = float(inside[:11].mean())
    face = float(seen[:11][inside[:11]].mean()) if head > 0.5 else 0.0
    present = [i for i in CORE if inside[i]]
    if len(present) < 2:
        presence = 0.9 * face  # a head and hardly more
    else:
        if head < 0.5 and not inside[23:25].all():
            return 0.0
        weight = np.array([2.0 if i in (11, 12) else 1.0 for i in present])
        presence = float((seen[present] * weight).sum() / weight.sum())
        if head > 0.5:
            presence = max(0.6 * presence + 0.4 * face, 0.9 * face if len(present) < 5 else 0.0)
    held = _held_by_masks(person, inside, width, shapes)
    whole = _proportions(person, inside) * _size(at, inside, seen, height, shapes)
    return float(np.clip(presence * (0.3 + 0.7 * held) * whole, 0, 1))


def _inside(at: Floats, width: int, height: int, margin: float) -> NDArray[np.bool_]:
    low, high = margin, np.array([width - margin, height - margin])
    return np.asarray((at >= low).all(axis=1) & (at < high).all(axis=1))


def _held_by_masks(person: Person, inside: NDArray[np.bool_], width: int, shapes: list[Silhouette]) -> float:
    """Share of the points along the seen bones that lie in the body's mask and in the sure silhouettes."""
    points = []
    for a, b in BONES:
        if inside[a] and inside[b] and min(person.visibility[a], person.visibility[b]) > SEEN:
            one, other = person.body[a, :2], person.body[b, :2]
            points += [one + t * (other - one) for t in (0, 0.25, 0.5, 0.75, 1)]
    if not points:
        return 0.7
    at = np.asarray(points, np.float32)
    shares = [0.98]
    if person.mask is not None:
        shares.append(_share(person.mask > 0.3, at, person.mask.shape[1] / width))
    sure = [s for s in shapes if s.sure]
    if sure:
        shares.append(max(_share(s.mask, at, s.scale) for s in sure))
    return min(shares)


def _share(mask: NDArray[np.bool_], at: NDArray[np.float32], scale: float) -> float:
    reach = max(1, round(0.012 * max(mask.shape)))
    small = min(1.0, 400 / max(mask.shape))
    if small < 1:
        mask = (
            cv2.resize(mask.astype(np.uint8), None, fx=small, fy=small, interpolation=cv2.INTER_NEAREST) > 0
        )
        reach = max(1, round(reach * small))
        scale *= small
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    xy = np.clip((at * scale).astype(int), 0, np.array(mask.shape[::-1]) - 1)
    return float(grown[xy[:, 1], xy[:, 0]].mean())


def _proportions(person: Person, inside: NDArray[np.bool_]) -> float:
    """1 for a body that can be one; less for each ratio that no pose explains, and for a body seen from behind."""
    at, seen = person.body[:, :2], person.visibility

    def span(*chain: int) -> float:
        return sum(float(np.linalg.norm(at[a] - at[b])) for a, b in pairwise(chain))

    shoulders, hips = at[11:13].mean(axis=0), at[23:25].mean(axis=0)
    torso = float(np.linalg.norm(shoulders - hips))
    width = max(span(11, 12), 1e-3)
    good = 1.0
    if inside[23:25].any() and (torso < 0.35 * width or torso > 8 * width):
        good *= 0.7
    neck = float(np.linalg.norm(at[0] - shoulders))
    if neck > 2.2 * max(torso, width) or (at[0, 1] > hips[1] and at[0, 1] > shoulders[1]):
        good *= 0.6
    for one, other in (((11, 13, 15), (12, 14, 16)), ((23, 25, 27), (24, 26, 28))):
        both = [*one, *other]
        if inside[both].all() and seen[both].min() > SEEN:
            short, long = sorted((span(*one), span(*other)))
            good *= float(np.clip(0.6 + short / long, 0.7, 1))
    if inside[23:29].all() and seen[23:29].min() > SEEN:
        legs = (span(23, 25, 27) + span(24, 26, 28)) / 2
        if legs < 0.5 * torso or legs > 4 * torso:
            good *= 0.75
    return good * (0.85 if _from_behind(person, inside) else 1.0) * (0.6 if _face_reversed(at, seen) else 1.0)


def _from_behind(person: Person, inside: NDArray[np.bool_]) -> bool:
    """Whether the body shows its back: rare in a reference image, and how the model misreads many a cartoon."""
    at = person.body
    return bool(inside[11:13].all() and at[11, 0] < at[12, 0] and at[0, 2] > at[7:9, 2].mean())


def _face_reversed(at: Floats, seen: Floats) -> bool:
    """Whether eyes and shoulders tell opposite sides: a face towards us on a body seen from behind."""
    axis = at[11] - at[12]
    if seen[[2, 5, 11, 12]].min() < SEEN:
        return False
    wide = max(float(np.linalg.norm(axis)), 1e-3)
    return float(np.dot(at[2] - at[5], axis)) / wide < -0.06 * wide


def _size(
    at: Floats, inside: NDArray[np.bool_], seen: Floats, height: int, shapes: list[Silhouette]
) -> float:
    """Little for a body much smaller than the picture or than the figure that its backdrop lays bare."""
    there = inside & (seen > 0.3)
    tall = float(np.ptp(at[there][:, 1])) if there.sum() > 1 else 0.0
    good = float(np.clip((tall / height - 0.06) / 0.10, 0, 1))
    sure = [s for s in shapes if s.sure]
    if not sure or not there.any():
        return good
    ys = np.flatnonzero(sure[0].mask.any(axis=1)) / sure[0].scale
    whole = float(ys[-1] - ys[0] + 1)
    good *= float(np.clip((tall / whole - 0.3) / 0.2, 0.2, 1)) if there[11:].sum() > 6 else 1.0
    cut = ys[-1] > height - 2 - 1 / sure[0].scale
    if there[27:29].any() and not cut:  # feet well above the figure's lowest point
        good *= float(np.clip(1.15 - 2 * (ys[-1] - at[there][:, 1].max()) / whole, 0.6, 1))
    return good


def shown_parts(person: Person, rough: Floats) -> NDArray[np.bool_]:
    """(33,) which landmarks the picture shows: seen, inside with a margin, on the figure, and their parents too."""
    height, width = rough.shape
    at = person.body[:, :2]
    inside = _inside(at, width, height, MARGIN * max(width, height))
    inside[:11] = _inside(at[:11], width, height, 0.0)
    shown = inside & (person.visibility > 0.3)
    # Below a half figure's edge the model makes legs up, both of them at once.
    shown[25:27] &= person.visibility[25:27].mean() > LEGS
    shown[27:29] &= person.visibility[27:29].mean() > 0.8 * LEGS
    figure = float(np.ptp(at[inside], axis=0).max()) if inside.sum() > 1 else 1.0
    reach = max(2, round(0.04 * figure))
    factor = min(1.0, 400 / max(rough.shape))
    small = cv2.resize(rough, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) > 0.3
    side = 2 * max(1, round(reach * factor)) + 1
    grown = cv2.dilate(small.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    xy = np.clip(np.nan_to_num(at) * factor, 0, np.array(small.shape[::-1]) - 1).astype(int)
    shown &= grown[xy[:, 1], xy[:, 0]]
    for child, parent in _PARENTS:
        shown[child] &= shown[parent]
    for end, parts in _ENDS.items():
        for part in parts:
            shown[part] &= shown[end]
    return shown


def pull_inside(person: Person, rough: Floats) -> Floats:
    """The body (33, 3) with limb joints that lie just beside the figure moved a little way into it."""
    body = person.body.copy()
    factor = min(1.0, 500 / max(rough.shape))
    mask = cv2.resize(rough, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) > 0.4
    if not mask.any():
        return body
    height, width = mask.shape
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    at = body[:, :2] * factor
    inside = _inside(at, width, height, 0.0)
    figure = float(np.ptp(at[inside], axis=0).max()) if inside.sum() > 1 else 1.0
    reach = 0.05 * figure  # farther off it is the mask that is wrong: it likes to lose hands and shoes
    ys, xs = np.nonzero(mask)
    for joint in (13, 14, 15, 16, 25, 26, 27, 28):
        if not inside[joint] or person.visibility[joint] < 0.3:
            continue
        x, y = at[joint]
        if depth[int(y), int(x)] > 0.012 * figure:
            continue
        off = np.hypot(xs - x, ys - y)
        near = off < reach
        if not near.any():
            continue
        worth = np.minimum(depth[ys[near], xs[near]], 0.015 * figure) - off[near]
        best = int(np.argmax(worth))
        move = (np.array([xs[near][best], ys[near][best]]) - at[joint]) / factor
        for part in (joint, *_ENDS.get(joint, ())):
            body[part, :2] += move
    return body
