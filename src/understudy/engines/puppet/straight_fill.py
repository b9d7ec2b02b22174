"""A hole's broad structure from its rim: what runs straight into the hole on one side goes on in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about, nearest
from understudy.engines.puppet.least_squares import LeastSquares
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

SIDE = 128  # short side of the picture the structure is drawn on, in pixels
MOST = 4500  # hole pixels on it: what it costs grows with them
LINES = 14  # directions looked along; each has two ends
BEHIND = (2, 3, 5, 8, 12)  # pixels behind the rim where it is looked whether its colour runs on
ASIDE = (-5, -3, -2, 2, 3, 5)  # pixels beside it, where an edge shows that it has a direction
CHANGING = 15.0  # root of the squared RGB change behind the rim that makes an end doubtful
SLIGHT = 40.0  # squared RGB change that is noise
LEANING = 100.0  # the most that a clear direction counts more than none
AGREEING = 25.0  # RGB distance at which the two ends of a line no longer are the same thing
BRIDGE = 300.0  # how much more a line with two agreeing ends counts than one end
ALIKE = 40.0  # RGB distance at which colours no longer speak for each other
ROUNDS = 6
MARGIN = 20  # pixels about the picture, where nothing is known: no end that is seen is looked at farther out
BORDER = 9.0  # RGB distance of neighbours that makes a border
LEAK = 1e-3  # what still crosses a border: what is shut in on all sides gets some colour
TIDY = 7  # side of the median that straightens the borders between colours, in pixels


def straight_fill(image: Floats, hole: Mask, lines: Floats | None = None) -> Floats:
    """``image`` (H, W, 3) 0..255 with ``hole`` filled by flat colours that meet in sharp borders.

    From every pixel of the hole it is looked along lines to the rim. A line whose two ends agree is most likely one
    wall, horizon or door frame seen on both sides of the figure; an end counts the more, the nearer it is, the less
    the picture changes behind it along the line, and the more it changes across. Each pixel becomes the colour most
    ends speak for, not their mean, so that what meets in the hole meets in a border and not in a blur. Nothing is
    looked at across one of the hidden ``lines`` (n, 4) x, y, x, y. Detail finer than ``SIDE`` shows is not drawn.
    """
    height, width = hole.shape
    scale = min(1.0, SIDE / min(height, width), (MOST / max(1, int(hole.sum()))) ** 0.5)
    size = (max(12, round(width * scale)), max(12, round(height * scale)))
    known = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    gap = np.asarray(known < 0.99, np.bool_)
    if gap.all() or not gap.any():
        return image
    fence = _fence(gap, lines, scale)
    y, x = np.nonzero(gap & ~fence)
    colours, weights = _ends(small, gap, fence, y, x)
    lost = fence.copy()
    lost[y, x] = weights.sum(0) <= 0
    drawn = nearest(_agreed(colours, weights, small, y, x), ~lost)
    drawn = spread(small, gap, drawn)
    large = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC)
    filled = np.array(image, np.float32)
    box = box_about(hole, 0)
    cv2.copyTo(np.clip(large[box], 0, 255), hole[box].astype(np.uint8), filled[box])
    return filled


def spread(values: Floats, hole: Mask, within: Floats) -> Floats:
    """``values`` (H, W, C) with ``hole`` filled by the smoothest surface that may break where ``within`` (H, W, 3)
    changes colour: a wall's shading goes on over the wall and stops at the door."""
    if not hole.any():
        return values
    if hole.sum(axis=1).max() > hole.sum(axis=0).max():  # by columns, which are shorter
        turned = spread(values.transpose(1, 0, 2), hole.T, within.transpose(1, 0, 2))
        return turned.transpose(1, 0, 2)
    y, x = np.nonzero(hole)
    # Numbered row by row: as many in each as the longest has.
    rank = np.cumsum(hole, axis=1)[y, x] - 1
    longest = int(rank.max()) + 1
    number = np.full(hole.shape, -1, np.int64)
    number[y, x] = np.arange(len(y))
    surface = LeastSquares((y - int(y.min())) * longest + rank, longest, values.shape[2])
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        apart = ((within[one] - within[other]) ** 2).sum(2)
        ease = np.exp(-apart / (2 * BORDER**2)) + LEAK
        both = hole[one] & hole[other]
        pairs = np.stack([number[one][both], number[other][both]], axis=1)
        surface.add(pairs, np.array([-1.0, 1.0]), ease[both])
        for here, there in ((one, other), (other, one)):
            rim = hole[here] & ~hole[there]
            surface.add(number[here][rim][:, None], np.ones(1), ease[rim], values[there][rim])
    filled = values.copy()
    filled[hole] = surface.solve()
    return filled


def _fence(gap: Mask, lines: Floats | None, scale: float) -> Mask:
    """(h, w) where nothing is looked across."""
    drawn = np.zeros(gap.shape, np.uint8)
    for x0, y0, x1, y1 in [] if lines is None else lines * scale:
        cv2.line(drawn, (round(x0), round(y0)), (round(x1), round(y1)), 1, 1, cv2.LINE_4)
    return np.asarray((drawn > 0) & gap, np.bool_)


def _ends(small: Floats, gap: Mask, fence: Mask, y: Indices, x: Indices) -> tuple[Floats, Floats]:
    """(3, 2 LINES, n) the colour at both ends of each line through the pixels at ``y``, ``x``, and their weights."""
    height, width = gap.shape
    stride = width + 2 * MARGIN
    around = ((MARGIN, MARGIN), (MARGIN, MARGIN))
    room = np.pad(cv2.distanceTransform((gap & ~fence).astype(np.uint8), cv2.DIST_L2, 3), around).ravel()
    known = np.pad(~gap, around).ravel()
    closed = np.pad(fence, around).ravel()
    planes = [np.pad(small[..., c], around, mode="edge").ravel() for c in range(3)]
    angle = np.arange(2 * LINES) * np.pi / LINES
    turn = (2 * LINES, len(y))
    dy, dx = (np.repeat(way.astype(np.float32), len(y)) for way in (np.sin(angle), np.cos(angle)))
    from_y, from_x = (np.broadcast_to(at.astype(np.float32) + MARGIN, turn).ravel() for at in (y, x))

    def look(which: Indices, along: Floats, aside: float = 0.0) -> Indices:
        ay, ax = dy[which], dx[which]
        row = np.rint(from_y[which] + (along * ay + aside * ax)).clip(0, height + 2 * MARGIN - 1)
        column = np.rint(from_x[which] + (along * ax - aside * ay)).clip(0, stride - 1)
        return np.asarray(row * stride + column, np.int64)

    far = np.zeros(dy.size, np.float32)
    on_way = np.arange(dy.size)
    for _ in range(40):  # a step never leaves the disc that is known to be hole
        step = room[look(on_way, far[on_way])]
        on_way, step = on_way[step > 0], step[step > 0]
        if not len(on_way):
            break
        far[on_way] += np.maximum(step - 0.5, 0.7)

    every = np.arange(dy.size)
    there = look(every, far + 1)
    seen = np.flatnonzero(known[there] & ~closed[look(every, far)])
    colour = np.stack([plane[there] for plane in planes])
    ends, own = far[seen], colour[:, seen]

    def change(along: float, aside: float) -> tuple[Floats, Mask]:
        at = look(seen, ends + np.float32(along), aside)
        return sum((plane[at] - mine) ** 2 for plane, mine in zip(planes, own, strict=True)), known[at]

    on, across = np.zeros_like(ends), np.zeros_like(ends)
    for behind in BEHIND:
        much, valid = change(behind, 0)
        on += np.where(valid, much, np.float32(3 * CHANGING**2)) / np.float32(behind)
    on /= sum(1 / behind for behind in BEHIND)
    count = np.full(ends.shape, 1e-3, np.float32)
    for aside in ASIDE:
        much, valid = change(2, aside)
        across += much * valid
        count += valid
    leaning, weight = np.zeros_like(far), np.zeros_like(far)
    leaning[seen] = np.clip((across / count + SLIGHT) / (on + SLIGHT), 1 / LEANING, LEANING)
    weight[seen] = leaning[seen] / (1 + on / CHANGING**2) ** 2 / (ends + 2) ** 2

    other = np.roll(np.arange(dy.size), LINES * len(y))[seen]
    agree = np.exp(((own - colour[:, other]) ** 2).sum(0) * np.float32(-0.5 / AGREEING**2))
    length = ends + far[other]
    near = far[other] / np.maximum(length, 1) / (length / 2 + 2) ** 2
    # ``leaning`` is 0 where the other end is not seen
    weight[seen] += BRIDGE * agree * np.sqrt(leaning[seen] * leaning[other]) * near
    return colour.reshape(3, *turn), weight.reshape(turn)


def _agreed(colours: Floats, weights: Floats, small: Floats, y: Indices, x: Indices) -> Floats:
    """``small`` with each pixel at ``y``, ``x`` set to the weighted mode of its colours, by mean shift."""
    share = weights / np.maximum(weights.sum(0), 1e-12)
    fall = np.float32(-0.5 / ALIKE**2)
    score = share.copy()
    for one in range(len(share) - 1):
        apart = ((colours[:, one + 1 :] - colours[:, one, None]) ** 2).sum(0)
        alike = np.exp(apart * fall)
        score[one] += (alike * share[one + 1 :]).sum(0)
        score[one + 1 :] += alike * share[one]
    best = np.where(share > 0, score, -1).argmax(0)
    at = np.take_along_axis(colours, best[None, None], 1)[:, 0]
    drawn = small.copy()
    for _ in range(ROUNDS):
        for _ in range(2):
            apart = ((colours - at[:, None]) ** 2).sum(0)
            near = share * (np.exp(apart * fall) + np.float32(1e-9)) + np.float32(1e-15)
            at = (near * colours).sum(1) / near.sum(0)
        drawn[y, x] = at.T
        tidy = cv2.medianBlur(cv2.convertScaleAbs(drawn), TIDY)
        at = tidy[y, x].T.astype(np.float32)
    drawn[y, x] = at.T
    return drawn
