"""The body's outline where an arm hides it: as the picture shows it above, below and on the other side.

Rows are taken across the spine. In each row and on each side the body reaches at least as far as it is seen and at
most as far as the arm that may hide it: beyond that it would have been seen. Between these bounds the outline is the
smoothest one near to what is seen (a smoothing spline, Reinsch 1967, with asymmetric weights as in expectile
regression, Newey and Powell 1987), and like the other side's where that one is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import below_hips, grown
from understudy.engines.puppet.parts import HIPS, SHOULDERS, centre, figure_size
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

KNEES = (25, 26)
ABOVE, BELOW = 0.9, 1.1  # rows looked at above the shoulders and below the hips, in lengths of the spine
REACH = 1.8  # columns looked at to each side, in figure sizes
STURDY = 0.02  # half width, in figure sizes, of what is body beside an arm: less is a remainder of the cut
WAVE = 0.35  # wavelength in figure sizes below which a hidden outline is smooth
BEHIND_PX = 4.0  # how far the body goes on behind the soft edge of an arm, at the least
# Weights of a row that is seen, of an outline beyond what is seen, and of the other side's shape.
SEEN, OUTSIDE, OTHER = 20.0, 0.06, 0.2
# The trunk without arms ends at the top inside the shoulders' joints, by this share of their width; from the armpit on,
# this share of the spine below them, the outline is free.
SHOULDER_INSET, ARMPIT = 0.1, 0.35
FAR = 0.03  # of the figure's size: a row that lies farther from the outline than this is an outlier
ROUNDS, SETTLED_PX = 12, 0.02  # of weights by the last outline, until it moves no more


@dataclass(frozen=True)
class BodyOutline:
    """``hidden`` (H, W): where an arm hides the body. ``loose`` (H, W): thin pieces beside an arm that are taken for
    body but stick out of its outline."""

    hidden: Mask
    loose: Mask


def body_outline(core: Mask, arms: Mask, joints: Floats) -> BodyOutline:
    """What the pixels of ``arms`` (H, W) hide of the figure ``core`` (H, W) with ``joints`` (33, 2)."""
    if not (arms & core).any():
        return BodyOutline(np.zeros_like(core), np.zeros_like(core))
    size = figure_size(joints)
    body = core & ~arms
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(round(STURDY * size), 1) + 1,) * 2)
    sturdy = cv2.morphologyEx(body.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    sturdy |= body & ~grown(arms, max(round(2 * STURDY * size), 2))
    inside = _Rows.across(joints, core.shape).inside(core, sturdy, size)
    spine = float(np.hypot(*(centre(joints, HIPS) - centre(joints, SHOULDERS))))
    loose = body & ~sturdy & ~inside & below_hips(joints, core.shape, (1 - ARMPIT) * spine)
    return BodyOutline(inside & arms & core, loose)


@dataclass(frozen=True)
class _Side:
    """One side's rows (N,), measured from where each begins: to where the body is ``seen``, how far it may reach,
    whether it may go on behind an arm, and whether there is anything."""

    start: Floats
    seen: Floats
    limit: Floats
    covered: Mask
    known: Mask


@dataclass(frozen=True)
class _Rows:
    """Rows across the spine: ``frame`` (2, 3) takes a place in them (column, row) to the picture."""

    frame: Floats
    size: tuple[int, int]
    shape: tuple[int, int]
    starts: tuple[Floats, Floats]  # (N,) for each side: a column that surely is the body's
    bounds: tuple[Floats, Floats]  # (N,) for each side: the column in which a hidden shoulder ends
    shoulders: int  # the row of the shoulders

    @classmethod
    def across(cls, joints: Floats, shape: tuple[int, ...]) -> _Rows:
        hips, shoulders = centre(joints, HIPS), centre(joints, SHOULDERS)
        size = figure_size(joints)
        down = hips - shoulders
        spine = float(np.hypot(*down))
        down = down / spine if spine > 0.3 * size else np.array([0, 1], np.float32)
        spine = max(spine, 0.5 * size)
        right = np.array([down[1], -down[0]], np.float32)
        top, bottom, side = round((1 + ABOVE) * spine), round(BELOW * size), round(REACH * size)
        origin = hips - top * down - side * right
        frame = np.stack([right, down, origin], axis=1).astype(np.float32)
        rows = np.arange(top + bottom, dtype=np.float32)
        places = (joints[[*HIPS, *KNEES, *SHOULDERS]] - origin) @ np.stack([right, down], axis=1)
        starts, bounds = [], []
        order = (0, 1) if places[0, 0] < places[1, 0] else (1, 0)
        for number, leg in enumerate(order):  # the side on the left of the rows first
            hip, knee = places[leg], places[2 + leg]
            if knee[1] < hip[1] + 0.25 * spine:  # seated: the knee says nothing of the rows below the hips
                knee = hip + np.array([0, spine], np.float32)
            at = (top - 0.25 * spine, float(hip[1]), float(knee[1]))
            starts.append(np.interp(rows, at, (side, float(hip[0]), float(knee[0]))).astype(np.float32))
            inner = side + (1 - 2 * SHOULDER_INSET) * (2 * number - 1) * abs(places[4, 0] - places[5, 0]) / 2
            outer = 2.0 * side * number
            height = np.array([0.1, ARMPIT], np.float32) * spine + (top - spine)
            bounds.append(np.interp(rows, height, (inner, outer)).astype(np.float32))
        return cls(
            frame,
            (2 * side, top + bottom),
            (shape[0], shape[1]),
            (starts[0], starts[1]),
            (bounds[0], bounds[1]),
            round(top - spine),
        )

    def inside(self, core: Mask, sturdy: Mask, size: float) -> Mask:
        """(H, W) what lies within the outline of both sides."""
        figure, body = (self._taken(m) for m in (core, sturdy))
        last = self.size[0] - 1
        left = self._side(
            figure[:, ::-1], body[:, ::-1], last - self.starts[0], last - self.bounds[0], self.shoulders
        )
        right = self._side(figure, body, self.starts[1], self.bounds[1], self.shoulders)
        reach = [_smooth(one, other, size) for one, other in ((left, right), (right, left))]
        column = np.arange(self.size[0])[None]
        low = np.where(left.known, last - reach[0], self.starts[0])
        high = np.where(right.known, reach[1], self.starts[1])
        any_known = left.known | right.known
        area = (column >= low[:, None]) & (column <= high[:, None]) & any_known[:, None]
        # Above the shoulders nothing but what lies between two pieces of the head is surely hidden.
        area[: self.shoulders] = _between(body[: self.shoulders])
        area = area.astype(np.float32)
        back = cv2.warpAffine(area, self.frame, self.shape[::-1], flags=cv2.INTER_LINEAR)
        return np.asarray(back > 0.5, np.bool_)

    def _taken(self, mask: Mask) -> Mask:
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return np.asarray(
            cv2.warpAffine(mask.astype(np.uint8), self.frame, self.size, flags=flags) > 0, np.bool_
        )

    @staticmethod
    def _side(figure: Mask, body: Mask, start: Floats, bound: Floats, above: int) -> _Side:
        """The side to which the columns rise; nothing is known of the rows ``above``."""
        first = np.clip(np.rint(start), 0, figure.shape[1] - 1).astype(int)
        column = np.arange(figure.shape[1])[None]
        outwards = column >= first[:, None]
        gap = ~figure & outwards
        limit = np.where(gap.any(axis=1), gap.argmax(axis=1), figure.shape[1])
        run = outwards & (column < limit[:, None])
        mine = body & run
        known = limit > first
        known[:above] = False
        seen = np.where(mine.any(axis=1), figure.shape[1] - 1 - mine[:, ::-1].argmax(axis=1), -1)
        covered = known & (limit - 1 - seen > BEHIND_PX)
        limit = np.where(covered, np.minimum(limit - 1, np.maximum(bound, seen + BEHIND_PX)), limit - 1)
        return _Side(start, seen.astype(np.float32), limit.astype(np.float32), covered, known)


def _smooth(side: _Side, other: _Side, size: float) -> Floats:
    """(N,) the column to which the body of one side reaches in each row."""
    count = len(side.seen)
    told = side.known & (side.seen >= 0)
    sure = told & ~side.covered
    if not told.any():
        return np.asarray(side.start, np.float32)
    target = np.where(side.covered, side.seen + BEHIND_PX, side.seen)
    # The other side's shape, moved to where both are seen.
    twin = other.known & (other.seen >= 0) & ~other.covered
    both = twin & sure
    offset = np.zeros(count)
    if both.any():
        apart = cv2.blur((side.seen - other.seen)[both][:, None], (1, 15))[:, 0]
        offset = np.interp(np.arange(count), np.flatnonzero(both), apart)
    alike = other.seen + offset
    stiff = (WAVE * size / (2 * np.pi)) ** 4
    outline: Floats = np.interp(np.arange(count), np.flatnonzero(told), target[told]).astype(np.float32)
    outline[side.known] = np.minimum(outline, side.limit)[side.known]
    for _ in range(ROUNDS):
        away = outline - target
        weight = np.where(sure, SEEN, np.where(away > 0, OUTSIDE, 1.0)) * told
        weight = weight * np.minimum(1.0, (FAR * size / np.maximum(np.abs(away), 1e-3)) ** 2)
        like = np.where(twin & side.covered, OTHER, 0.0)
        bound = np.where(side.known & (outline > side.limit), SEEN, 0.0)
        wanted = weight * target + like * alike + bound * side.limit
        before, outline = outline, smoothing_spline(weight + like + bound, wanted, stiff)
        if float(np.abs(outline - before).max()) < SETTLED_PX:
            break
    return np.asarray(np.where(side.known, np.minimum(outline, side.limit), outline), np.float32)


def _between(body: Mask) -> Mask:
    """(h, w) pixels with the body on both sides in their row."""
    left = np.logical_or.accumulate(body, axis=1)
    return np.asarray(left & np.logical_or.accumulate(body[:, ::-1], axis=1)[:, ::-1], np.bool_)


def smoothing_spline(weight: Floats, wanted: Floats, stiff: float) -> Floats:
    """(N,) x that minimises sum(weight x^2 - 2 wanted x) + stiff sum((second difference of x)^2)."""
    count = len(weight)
    diagonal = weight + 1e-9
    if count < 3:
        return np.asarray(wanted / diagonal, np.float32)
    diagonal[2:-2] += 6 * stiff
    diagonal[[0, -1]] += stiff
    diagonal[[1, -2]] += (5 if count > 3 else 4) * stiff
    beside = np.full(count, -4.0 * stiff)
    beside[[0, -2]] = -2.0 * stiff
    return _solved(diagonal.tolist(), beside.tolist(), stiff, wanted.tolist())


def _solved(diagonal: list[float], beside: list[float], next_but_one: float, right: list[float]) -> Floats:
    """(N,) x with A x = ``right`` for a symmetric positive A of five diagonals, by its factors L D L' (Golub and Van
    Loan, Matrix Computations, 4.3). ``beside`` (N,) are A's entries by the diagonal, the last one is not read."""
    pivots, near, far, made = [], [], [], []
    d1 = d2 = f1 = g1 = g2 = z1 = z2 = 0.0  # of the last row, and of the one before
    for a, b, r in zip(diagonal, beside, right, strict=True):
        d = a - f1 * f1 * d1 - g2 * g2 * d2
        f = (b - f1 * g1 * d1) / d
        z = r - f1 * z1 - g2 * z2
        d1, d2, f1, g1, g2, z1, z2 = d, d1, f, next_but_one / d, g1, z, z1
        pivots.append(d)
        near.append(f)
        far.append(g1)
        made.append(z)
    solved = np.zeros(len(right), np.float32)
    one = two = 0.0
    for i in range(len(right) - 1, -1, -1):
        one, two = made[i] / pivots[i] - near[i] * one - far[i] * two, one
        solved[i] = one
    return solved
