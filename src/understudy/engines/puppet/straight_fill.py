"""A hole's broad structure from its rim: what runs straight into the hole on one side goes on in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import nearest
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
    return np.where(hole[..., None], np.clip(large, 0, 255), image).astype(np.float32)


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
    """(2 LINES, n, 3) the colour at both ends of each line through the pixels at ``y``, ``x``, and their weights."""
    height, width = gap.shape
    room = cv2.distanceTransform((gap & ~fence).astype(np.uint8), cv2.DIST_L2, 3)
    angle = np.arange(2 * LINES) * np.pi / LINES
    dy, dx = np.sin(angle).astype(np.float32)[:, None], np.cos(angle).astype(np.float32)[:, None]

    def look(along: Floats, aside: float = 0.0) -> tuple[Indices, Indices, Mask]:
        at_y = np.rint(y + along * dy + aside * dx).astype(np.int64)
        at_x = np.rint(x + along * dx - aside * dy).astype(np.int64)
        inside = (at_y >= 0) & (at_y < height) & (at_x >= 0) & (at_x < width)
        return np.clip(at_y, 0, height - 1), np.clip(at_x, 0, width - 1), inside

    far = np.zeros((2 * LINES, len(y)), np.float32)
    for _ in range(40):  # a step never leaves the disc that is known to be hole
        at_y, at_x, inside = look(far)
        step = np.where(inside, room[at_y, at_x], 0)
        if not (step > 0).any():
            break
        far += np.where(step > 0, np.maximum(step - 0.5, 0.7), 0)

    at_y, at_x, _ = look(far)
    fenced = fence[at_y, at_x]
    at_y, at_x, inside = look(far + 1)
    colour, seen = small[at_y, at_x], inside & ~gap[at_y, at_x] & ~fenced

    def change(along: float, aside: float) -> tuple[Floats, Mask]:
        at_y, at_x, inside = look(far + np.float32(along), aside)
        return ((small[at_y, at_x] - colour) ** 2).sum(2), inside & ~gap[at_y, at_x]

    on, across = np.zeros_like(far), np.zeros_like(far)
    for behind in BEHIND:
        much, valid = change(behind, 0)
        on += np.where(valid, much, 3 * CHANGING**2) / behind
    on /= sum(1 / behind for behind in BEHIND)
    count = np.full(far.shape, 1e-3, np.float32)
    for aside in ASIDE:
        much, valid = change(2, aside)
        across += np.where(valid, much, 0)
        count += valid
    leaning = np.clip((across / count + SLIGHT) / (on + SLIGHT), 1 / LEANING, LEANING)

    other = np.roll(np.arange(2 * LINES), LINES)
    length = far + far[other]
    alone = leaning / (1 + on / CHANGING**2) ** 2 / (far + 2) ** 2
    agree = np.exp(-((colour - colour[other]) ** 2).sum(2) / (2 * AGREEING**2)) * seen[other]
    nearer = far[other] / np.maximum(length, 1)
    paired = BRIDGE * agree * np.sqrt(leaning * leaning[other]) * nearer / (length / 2 + 2) ** 2
    return np.asarray(colour, np.float32), np.asarray(np.where(seen, alone + paired, 0), np.float32)


def _agreed(colours: Floats, weights: Floats, small: Floats, y: Indices, x: Indices) -> Floats:
    """``small`` with each pixel at ``y``, ``x`` set to the weighted mode of its colours, by mean shift."""
    share = weights / np.maximum(weights.sum(0), 1e-12)
    best = np.full(len(y), -1.0, np.float32)
    at = np.zeros((len(y), 3), np.float32)
    for colour, own in zip(colours, share, strict=True):
        score = (np.exp(-((colours - colour) ** 2).sum(2) / (2 * ALIKE**2)) * share).sum(0)
        better = (score > best) & (own > 0)
        best = np.where(better, score, best)
        at[better] = colour[better]
    drawn = small.copy()
    for _ in range(ROUNDS):
        for _ in range(2):
            near = share * (np.exp(-((colours - at) ** 2).sum(2) / (2 * ALIKE**2)) + 1e-9) + 1e-15
            at = np.einsum("kn,knc->nc", near, colours) / near.sum(0)[:, None]
        drawn[y, x] = at
        tidy = cv2.medianBlur(np.clip(np.rint(drawn), 0, 255).astype(np.uint8), TIDY)
        at = tidy[y, x].astype(np.float32)
    drawn[y, x] = at
    return drawn
