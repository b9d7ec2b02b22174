"""Filling a hole with pieces of the picture itself: which piece goes where is decided for all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.pieces import BLOCKS, STEP, means, packed, softened, unpacked
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Bytes = NDArray[np.uint8]

MOST = 6000  # hole samples: what the search costs grows with them
SIDE = 160  # the most samples along the picture's short side
ALIKE = 12  # pieces each place may choose from that look like what is meant there
COMMON = 8  # ... that lie at one of the shifts most places like
BEYOND = (1.6, 2.2, 3.2, 4.5)  # half pieces beyond a hidden line's end from where it may be continued
TILE = 6  # samples: of all pieces that begin in a tile only the best is a candidate
CLOSE = (1.5, 0.5)  # samples by which each further round moves a place's piece about
BEST = 8  # candidates of its own that a place keeps for the next round
MESSAGES = 6
MEANT = 0.5  # how much the meant colour counts against the picture's own, in the first choice
GUIDE = 0.3  # ... in the final choice
JOIN = 600.0  # squared colour that a seam costs, however well the pieces agree
DRIFT = np.array(
    [1000.0, 6000.0], np.float32
)  # squared colour that one whole side away costs: grounds stay low


@dataclass(frozen=True)
class Quilt:
    """Pieces on a grid of places ``step`` pixels apart: the place in row i and column j, whose middle is at
    (j, i) · ``step``, takes the piece that lies ``shift`` (rows, columns, 2) x, y pixels away."""

    shift: Indices
    step: int
    spacing: int  # pixels between two samples
    soft: Bytes  # (H, W, 3) the picture, softened to what the samples show


def choose(image: Floats, hole: Mask, meant: Floats, lines: Floats | None = None) -> Quilt | None:
    """The pieces for ``hole`` (H, W) of ``image`` (H, W, 3) 0..255; None where there is nothing to take them from.

    Pieces on a grid, twice as wide as its step, are labelled by belief propagation (Komodakis and Tziritas, TIP
    2007): each should agree with the picture at the rim, with its neighbours where they overlap, and in broad
    colour with ``meant`` (H, W, 3), a fill without detail. Candidates come from all of the picture by mean colours,
    from the shifts that most places like (He and Sun, ECCV 2012), from where hidden ``lines`` (n, 4) x, y, x, y are
    seen, and, round by round, from the neighbours (Barnes et al., SIGGRAPH 2009). Pieces are compared by samples of
    the softened picture, but placed to the pixel.
    """
    scale = min(1.0, SIDE / min(hole.shape), (MOST / max(1, int(hole.sum()))) ** 0.5)
    search = _Search(image, hole, meant, max(1, round(1 / scale)))
    if not search.possible:
        return None
    search.look_around(np.zeros((0, 4), np.float32) if lines is None else lines)
    search.agree()
    for reach in CLOSE:
        search.ask_neighbours(reach)
        search.agree()
    return search.quilt()


class _Search:
    def __init__(self, image: Floats, hole: Mask, meant: Floats, spacing: int) -> None:
        self._height, self._width = hole.shape
        self._side = np.array([self._width, self._height], np.float32)
        self._spacing = spacing
        self._reach = STEP * spacing  # half a piece
        self._pad = 2 * self._reach
        self._stride = self._width + 2 * self._pad
        inner = np.s_[self._pad : -self._pad, self._pad : -self._pad]
        wide = self._padded(hole.astype(np.uint8), cv2.BORDER_CONSTANT)
        size = 2 * self._reach + spacing
        touched = cv2.dilate(wide, np.ones((size, size), np.uint8)) > 0
        self._allowed = ~touched[inner]
        self._allowed[: self._reach] = self._allowed[-self._reach :] = False
        self._allowed[:, : self._reach] = self._allowed[:, -self._reach :] = False
        self.possible = int(self._allowed.sum()) > 60 * spacing**2
        rows = np.arange(0, self._height + self._reach, self._reach)
        columns = np.arange(0, self._width + self._reach, self._reach)
        grid = touched[np.ix_(rows + self._pad, columns + self._pad)]
        self._grid = np.full((len(rows) + 2, len(columns) + 2), -1, np.int64)
        y, x = np.nonzero(grid)
        self._grid[y + 1, x + 1] = np.arange(len(y))
        self._cell = np.stack([x, y], 1)
        self._at = np.stack([columns[x], rows[y]], 1)
        span = np.arange(-STEP, STEP) * spacing + spacing // 2
        self._taps = (span[:, None] * self._stride + span).ravel()
        # whole numbers make the products below exact, so that the threads of a machine change nothing
        self._soft = softened(image, hole, spacing)
        flat = self._flat(self._at)
        seen = self._padded(self._soft, cv2.BORDER_REPLICATE)
        self._pixels = packed(seen)
        cv2.copyTo(cv2.convertScaleAbs(meant), hole.astype(np.uint8), seen[inner])
        self._target = unpacked(packed(seen)[flat])
        inside = self._padded(np.ones(hole.shape, np.uint8), cv2.BORDER_CONSTANT).ravel()[flat] > 0
        self._known = inside & (wide.ravel()[flat] == 0)
        self._inside = inside
        self._meant = means(self._target)

    def _padded(self, values: Bytes, border: int) -> Bytes:
        pad = self._pad
        return np.asarray(cv2.copyMakeBorder(values, pad, pad, pad, pad, border), np.uint8)

    def _flat(self, at: Indices) -> Indices:
        middle = (at[..., 1] + self._pad) * self._stride + at[..., 0] + self._pad
        return np.asarray(middle[..., None] + self._taps, np.int64)

    def look_around(self, lines: Floats) -> None:
        """Candidates from the whole picture, at the shifts that most places like, and along lines."""
        every = 2 * self._spacing
        y, x = np.nonzero(self._allowed[::every, ::every])
        tile = (y // (TILE // 2)) * (self._width // every + 1) + x // (TILE // 2)
        order = np.argsort(tile, kind="stable")
        starts = np.flatnonzero(np.diff(tile[order], prepend=-1))
        ends = np.append(starts[1:], len(order))
        # (the most in a tile, tiles): tiles that hold fewer name some twice
        longest = np.arange(int((ends - starts).max()))[:, None]
        order = order[np.minimum(starts + longest, ends - 1)]
        y, x = y[order].ravel(), x[order].ravel()
        sources = np.stack([every * x, every * y], 1)
        theirs = self._parts(x, y).reshape(len(sources), -1)
        share = means(np.stack([self._known, self._inside], 2) * np.float32(8))
        weight = np.rint(MEANT * share[..., 1:] + (1 - MEANT) * share[..., :1])
        ours = (weight * self._meant).reshape(len(self._at), -1)
        squares = (theirs**2).reshape(len(sources), -1, 3).sum(2)
        left = np.concatenate([weight[..., 0], -2 * ours], 1)
        cost = left @ np.concatenate([squares, theirs], 1).T
        weigh = DRIFT / self._side**2
        there, here = sources.astype(np.float32), self._at.astype(np.float32)
        cost *= 1 / np.maximum(weight.sum((1, 2)), 1e-3)[:, None]
        far = np.concatenate([there, (weigh * there**2).sum(1, keepdims=True)], 1)
        cost += np.concatenate([-2 * weigh * here, np.ones_like(here[:, :1])], 1) @ far.T
        cost = cost.reshape(-1, *order.shape)
        tiles = _least(cost.min(1), ALIKE)
        within = np.take_along_axis(cost, tiles[:, None], 2).argmin(1)
        chosen = sources.reshape(*order.shape, 2)[within, tiles]
        common = self._at[:, None] + self._common(chosen)[None]
        self._consider(np.concatenate([chosen, common, self._straight_on(), self._along(lines)], 1))

    def _parts(self, x: Indices, y: Indices) -> Floats:
        """(n, BLOCKS², 3) the mean values of the parts of the pieces about every second sample (``x``, ``y``)."""
        first = self._pad - self._reach + self._spacing // 2
        seen = self._pixels.reshape(-1, self._stride)[first :: self._spacing, first :: self._spacing]
        samples = unpacked(seen[: len(seen) // 2 * 2, : seen.shape[1] // 2 * 2])
        sums = samples[::2, ::2] + samples[1::2, ::2] + samples[::2, 1::2] + samples[1::2, 1::2]
        parts = np.rint(sums / np.float32(4))
        side = np.arange(BLOCKS)
        at = y[:, None, None] + side[:, None], x[:, None, None] + side
        return np.asarray(parts[at].reshape(len(x), -1, 3), np.float32)

    def _straight_on(self) -> Indices:
        """(n, 4, 2) the nearest pieces straight left, right, above and below, where there are any: folds, boards and
        bars go on upright or level."""
        width, height = self._width, self._height
        x = np.clip(self._at[:, 0], self._reach, width - 1)
        y = np.clip(self._at[:, 1], self._reach, height - 1)
        level, row = np.unique(y, return_inverse=True)
        upright, column = np.unique(x, return_inverse=True)
        left, right = _ends(self._allowed[level])
        above, below = _ends(self._allowed[:, upright].T)
        left, right, above, below = left[row, x], right[row, x], above[column, y], below[column, y]
        here_x, here_y = self._at.T
        sides = [(left, here_y), (right, here_y), (here_x, above), (here_x, below)]
        return np.stack([np.stack(side, 1) for side in sides], 1)

    def _along(self, lines: Floats) -> Indices:
        """(n, 2 BEYOND, 2) for places on a hidden line the same line a little beyond its ends; else the place."""
        found = np.repeat(self._at[:, None], 2 * len(BEYOND), 1)
        near = np.full(len(self._at), float(self._reach))
        for x0, y0, x1, y1 in lines:
            start, way = np.array([x0, y0]), np.array([x1 - x0, y1 - y0])
            length = float(np.hypot(*way))
            way = way / length
            away = self._at - start
            along, across = away @ way, np.abs(away @ np.array([-way[1], way[0]]))
            which = np.flatnonzero((across < near) & (along > -self._reach) & (along < length + self._reach))
            near[which] = across[which]
            ahead = self._reach * np.array(BEYOND)
            steps = np.concatenate([-along[which, None] - ahead, length - along[which, None] + ahead], 1)
            found[which] = self._at[which, None] + np.rint(steps[..., None] * way).astype(np.int64)
        return found

    def _common(self, candidates: Indices) -> Indices:
        """(COMMON, 2) the shifts found most often."""
        every = 2 * self._spacing
        shift = (candidates[:, :4] - self._at[:, None]).reshape(-1, 2) // every
        reach = self._side.astype(int) // every + 1
        table = np.zeros((2 * reach[1] + 1, 2 * reach[0] + 1), np.float32)
        np.add.at(table, (shift[:, 1] + reach[1], shift[:, 0] + reach[0]), 1)
        table = np.asarray(cv2.GaussianBlur(table, (0, 0), 1.5), np.float32)
        peak = table * (cv2.dilate(table, np.ones((7, 7), np.uint8)) == table)
        order = np.argsort(-peak.ravel(), kind="stable")[:COMMON]
        y, x = np.divmod(order, table.shape[1])
        return np.stack([x - reach[0], y - reach[1]], 1) * every

    def _consider(self, candidates: Indices) -> None:
        """Take these (n, k, 2) candidates, and what each of them costs by itself."""
        x = np.clip(candidates[..., 0], 0, self._width - 1)
        y = np.clip(candidates[..., 1], 0, self._height - 1)
        good = (x == candidates[..., 0]) & (y == candidates[..., 1]) & self._allowed[y, x]
        code = np.where(good, y * self._width + x, -1)
        code.sort(axis=1)
        code[:, 1:][code[:, 1:] == code[:, :-1]] = -1
        # Places have fewer different candidates than were named: the good ones last, and no more than any has
        most = max(int((code >= 0).sum(1).max()), 1)
        code = np.sort(code, axis=1)[:, -most:]
        good = code >= 0
        y, x = np.divmod(np.where(good, code, np.flatnonzero(self._allowed)[0]), self._width)
        self._candidates = np.stack([x, y], 2)
        self._pieces = unpacked(self._pixels[self._flat(self._candidates)])
        off = self._pieces - self._target[:, None]
        off *= self._known[:, None, :, None]
        off = off.reshape(*good.shape, -1)
        own = np.einsum("nkp,nkp->nk", off, off)
        away = (means(self._pieces) - self._meant[:, None]).reshape(off.shape[0], off.shape[1], -1)
        guide = GUIDE / BLOCKS**2 * np.einsum("nkp,nkp->nk", away, away)
        drift = 0.3 * (((self._candidates - self._at[:, None]) / self._side) ** 2 * DRIFT).sum(2)
        self._unary = np.where(good, own + (guide + drift) * STEP**2, 1e9).astype(np.float32)

    def agree(self) -> None:
        """Messages between neighbours about which pieces fit together."""
        count, most = self._unary.shape
        square = self._pieces.reshape(count, most, 2 * STEP, 2 * STEP, 3)
        edges = []
        for dx, dy in ((1, 0), (0, 1)):
            other = self._grid[self._cell[:, 1] + 1 + dy, self._cell[:, 0] + 1 + dx]
            here = np.flatnonzero(other >= 0)
            there = other[here]
            first = square[here][..., STEP:, :] if dx else square[here][:, :, STEP:]
            second = square[there][..., :STEP, :] if dx else square[there][:, :, :STEP]
            a, b = first.reshape(len(here), most, -1), second.reshape(len(here), most, -1)
            both = a @ b.transpose(0, 2, 1)
            # (most, most, edges): the sums and minima below run along the edges
            cost = np.ascontiguousarray(both.transpose(1, 2, 0))
            cost *= -2
            cost += np.einsum("mkp,mkp->km", a, a)[:, None] + JOIN * STEP**2
            cost += np.einsum("mkp,mkp->km", b, b)
            mine, his = self._codes(here).T, self._codes(there).T
            np.subtract(cost, JOIN * STEP**2, out=cost, where=mine[:, None] == his)
            edges.append((here, there, cost, np.empty_like(cost)))
        incoming = np.zeros((4, most, count), np.float32)
        unary = np.ascontiguousarray(self._unary.T)
        for _ in range(MESSAGES):
            for axis, (here, there, cost, buffer) in enumerate(edges):
                total = unary + incoming.sum(0)
                np.add(cost, (total - incoming[2 * axis + 1])[:, None, here], out=buffer)
                forth = buffer.min(0)
                np.add(cost, (total - incoming[2 * axis])[None, :, there], out=buffer)
                back = buffer.min(1)
                forth -= forth.min(0)
                back -= back.min(0)
                incoming[2 * axis][:, there] = 0.5 * incoming[2 * axis][:, there] + 0.5 * forth
                incoming[2 * axis + 1][:, here] = 0.5 * incoming[2 * axis + 1][:, here] + 0.5 * back
        self._belief = (unary + incoming.sum(0)).T

    def _codes(self, which: Indices) -> Indices:
        """(m, k) the candidates' shifts as single numbers."""
        shift = self._candidates[which] - self._at[which, None]
        return np.asarray(shift[..., 1] * 4 * self._width + shift[..., 0], np.int64)

    def ask_neighbours(self, reach: float) -> None:
        """New candidates: the best own ones, the neighbours' best carried on, and places close by."""
        ranked = np.take_along_axis(self._candidates, _least(self._belief, BEST)[..., None], 1)
        new = [ranked]
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                other = self._grid[self._cell[:, 1] + 1 + dy, self._cell[:, 0] + 1 + dx]
                best = ranked[other, : 2 if 0 in (dx, dy) else 1] - self._reach * np.array([dx, dy])
                new.append(np.where((other >= 0)[:, None, None], best, ranked[:, :1]))
        move = max(1, round(reach * self._spacing))
        for dy in (-move, 0, move):
            for dx in (-move, 0, move):
                new.append(ranked[:, :1] + np.array([dx, dy]))
        self._consider(np.concatenate(new, 1))

    def quilt(self) -> Quilt:
        best = self._belief.argmin(1)
        shift = np.zeros((*(n - 2 for n in self._grid.shape), 2), np.int64)
        shift[self._cell[:, 1], self._cell[:, 0]] = self._candidates[np.arange(len(best)), best] - self._at
        return Quilt(shift, self._reach, self._spacing, self._soft)


def _ends(allowed: Mask) -> tuple[Indices, Indices]:
    """(r, w) the column of the last allowed place up to each, and of the first from it on, in rows of ``allowed``; -1
    and w where there is none."""
    width = allowed.shape[1]
    columns = np.arange(width)
    last = np.maximum.accumulate(np.where(allowed, columns, -1), axis=1)
    first = np.minimum.accumulate(np.where(allowed, columns, width)[:, ::-1], axis=1)[:, ::-1]
    return last, first


def _least(values: Floats, count: int) -> Indices:
    """(n, count) where the least of ``values`` (n, m) stand, the least first."""
    if count < values.shape[1]:
        among = np.sort(np.argpartition(values, count, axis=1)[:, :count], axis=1)
    else:
        among = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    rank = np.argsort(np.take_along_axis(values, among, 1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(among, rank, 1), np.int64)
