"""Filling a hole with the picture's own texture: patches from elsewhere, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]

RADIUS = 2  # of a patch, in pixels of each level
SMALLEST = 64  # short side of the coarsest level
LARGEST = 220  # short side of the finest level at which is searched; above, places are only carried over
MOST = 14000  # hole pixels at the finest level searched: what a level costs grows with them
SIDE_DRIFT = 1000.0  # the same for one whole width
ROUNDS = (6, 4, 3, 2)  # from the coarsest level on; the last for all finer ones
LEVEL_DRIFT = 4000.0  # squared colour that texture from one whole height away costs, so that grounds stay low
LOW = 2.0  # pixels of each level by which the broad colours are blurred
LOW_WEIGHT = 0.5  # how much the broad colour of a place counts, against its patch
CORRECTED = 24.0  # the most by which a place's broad colour is moved to the meant one
SEED = 7


def fill_from_patches(image: Floats, hole: Mask, start: Floats) -> Floats | None:
    """``image`` (H, W, 3) 0..255 with ``hole`` filled; None where there is nothing to take patches from.

    Space-time completion's objective (Wexler, Shechtman and Irani, PAMI 2007: every patch of the fill should lie
    somewhere in the picture) by PatchMatch's search (Barnes et al., SIGGRAPH 2009), with all pixels of a level
    tried at once. ``start`` is a first fill without texture: a patch's place should also match it in broad colour.
    """
    height, width = hole.shape
    generator = np.random.default_rng(SEED)
    sides: list[float] = []
    side = float(min(LARGEST, height, width))
    side = max(SMALLEST, side * min(1.0, (MOST / (1 + hole.sum() * (side / min(height, width)) ** 2)) ** 0.5))
    while side >= SMALLEST or not sides:
        sides.append(side)
        side /= 1.7
    found: _Places | None = None
    filled = start
    for number, side in enumerate(reversed(sides)):
        scale = side / min(height, width)
        size = (max(12, round(width * scale)), max(12, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
        small_hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.02
        if found is None:
            guess = np.asarray(cv2.resize(start, size, interpolation=cv2.INTER_AREA), np.float32)
        else:
            guess = np.asarray(cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR), np.float32)
        meant = np.asarray(cv2.resize(start, size, interpolation=cv2.INTER_AREA), np.float32)
        low = cv2.GaussianBlur(np.where(small_hole[..., None], meant, small), (0, 0), LOW)
        level = _Level(np.where(small_hole[..., None], guess, small), small_hole, low, generator)
        if not level.possible:
            return None
        if found is None:
            level.grow_inwards()
        else:
            level.begin(found)
        for _ in range(ROUNDS[min(number, len(ROUNDS) - 1)]):
            level.search()
            level.vote()
        found, filled = level.places(), level.image
    assert found is not None
    lack = cv2.resize(level.correction(), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(_carry_over(image, hole, found, start) + lack, np.float32)


@dataclass(frozen=True)
class _Places:
    """Where each pixel of a level takes its colour from, as offsets (h, w, 2) in x, y; and the level's hole."""

    offsets: Floats
    hole: Mask


class _Level:
    def __init__(self, image: Floats, hole: Mask, low: Floats, generator: np.random.Generator) -> None:
        self.image = image
        self._hole = hole
        self._generator = generator
        self._height, self._width = hole.shape
        kernel = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
        spoilt = cv2.dilate(hole.astype(np.uint8), kernel) > 0
        self._source = ~spoilt
        self._source[:RADIUS] = self._source[-RADIUS:] = False
        self._source[:, :RADIUS] = self._source[:, -RADIUS:] = False
        self.possible = int(self._source.sum()) > 50
        self._y, self._x = np.nonzero(spoilt)
        self._number = np.full(hole.shape, -1, np.int64)
        self._number[self._y, self._x] = np.arange(len(self._y))
        step = np.arange(-RADIUS, RADIUS + 1)
        taps = [(dy, dx) for dy in step for dx in step if (dy + dx) % 2 == 0]
        self._stride = self._width + 2 * RADIUS
        self._taps = np.array([dy * self._stride + dx for dy, dx in taps])
        inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
        weight = np.pad(np.where(hole, np.maximum(1.25**-inside, 0.15), 1.5).astype(np.float32), RADIUS)
        self._weight = weight.ravel()[self._flat(self._y, self._x)[:, None] + self._taps]
        self._weight /= np.maximum(self._weight.sum(1, keepdims=True), 1e-6)
        self._low = np.rint(low).reshape(-1, 3)
        self._meant = np.rint(low)[self._y, self._x]

    def begin(self, coarser: _Places) -> None:
        """Take the coarser level's places, and random ones where these are not allowed."""
        sources_y, sources_x = np.nonzero(self._source)
        drawn = self._generator.integers(0, len(sources_y), len(self._y))
        self._sy, self._sx = sources_y[drawn], sources_x[drawn]
        ratio = np.array(
            [self._width / coarser.hole.shape[1], self._height / coarser.hole.shape[0]], np.float32
        )
        size = (self._width, self._height)
        offsets = cv2.resize(coarser.offsets, size, interpolation=cv2.INTER_NEAREST) * ratio
        y = self._y + np.rint(offsets[self._y, self._x, 1]).astype(int)
        x = self._x + np.rint(offsets[self._y, self._x, 0]).astype(int)
        good = self._allowed(y, x)
        self._sy, self._sx = np.where(good, y, self._sy), np.where(good, x, self._sx)

    def grow_inwards(self) -> None:
        """A first fill, layer by layer from the rim, each pixel by the best of all sources.

        Only what is known or filled already counts: a smooth guess would draw in its likes, as a blot.
        """
        sources = np.flatnonzero(self._source.ravel())
        sources = sources[:: max(1, len(sources) // 4000)]
        sources_y, sources_x = np.divmod(sources, self._width)
        # whole numbers make the products below exact, so that the threads of a machine change nothing
        taps = np.rint(
            self._colours_padded().reshape(-1, 3)[self._flat(sources_y, sources_x)[:, None] + self._taps]
        )
        flat = taps.reshape(len(sources), -1)
        squares = (taps**2).sum(2)
        low = self._low[sources]
        low_squares = (low**2).sum(1)
        known = ~self._hole
        self._sy, self._sx = np.zeros_like(self._y), np.zeros_like(self._x)
        rim_only = ~self._hole[self._y, self._x]
        waiting = np.flatnonzero(~rim_only)
        layers = [np.flatnonzero(rim_only)]
        while len(waiting) or layers:
            if layers:
                layer = layers.pop()
            else:
                near = cv2.dilate(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
                ready = near[self._y[waiting], self._x[waiting]]
                layer, waiting = waiting[ready], waiting[~ready]
            at = self._flat(self._y[layer], self._x[layer])[:, None] + self._taps
            seen = np.pad(known, RADIUS).ravel()[at].astype(np.float32)
            target = np.rint(self._colours_padded().reshape(-1, 3)[at]) * seen[..., None]
            cost = seen @ squares.T - 2 * target.reshape(len(layer), -1) @ flat.T
            cost /= np.maximum(seen.sum(1, keepdims=True), 1)
            cost += LEVEL_DRIFT * ((sources_y[None] - self._y[layer, None]) / self._height) ** 2
            cost += SIDE_DRIFT * ((sources_x[None] - self._x[layer, None]) / self._width) ** 2
            cost += LOW_WEIGHT * (
                low_squares[None]
                - 2 * self._meant[layer] @ low.T
                + (self._meant[layer] ** 2).sum(1, keepdims=True)
            )
            best = np.argmin(cost, axis=1)
            self._sy[layer], self._sx[layer] = sources_y[best], sources_x[best]
            new = layer[self._hole[self._y[layer], self._x[layer]]]
            self.image[self._y[new], self._x[new]] = self.image[self._sy[new], self._sx[new]]
            known[self._y[new], self._x[new]] = True

    def _colours_padded(self) -> Floats:
        return np.pad(self.image, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), mode="edge")

    def search(self) -> None:
        """One round: each pixel tries its neighbours' places and random ones about its own."""
        self._colours = self._colours_padded().reshape(-1, 3)
        self._target = self._colours[self._flat(self._y, self._x)[:, None] + self._taps]
        self._cost = self._measure(self._y, self._x, self._sy, self._sx, np.arange(len(self._y)))
        for jump in (4, 1):
            for dy, dx in ((0, jump), (0, -jump), (jump, 0), (-jump, 0)):
                y, x = self._y + dy, self._x + dx
                inside = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
                other = np.where(inside, self._number[np.where(inside, y, 0), np.where(inside, x, 0)], -1)
                self._try(self._sy[other] - dy, self._sx[other] - dx, other >= 0)
        reach = max(self._height, self._width) / 2.0
        while reach >= 2:
            shift = self._generator.uniform(-reach, reach, (2, len(self._y)))
            self._try(self._sy + np.rint(shift[0]).astype(int), self._sx + np.rint(shift[1]).astype(int))
            reach /= 3

    def vote(self) -> None:
        """Each hole pixel becomes the mean of what the patches over it say, good patches loudest."""
        spread = np.median(self._cost) + 1e-3
        trust = np.exp(-self._cost / (2 * spread)).astype(np.float32)
        total = np.zeros((*self._hole.shape, 3), np.float32)
        weight = np.zeros(self._hole.shape, np.float32)
        reach = 2
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                y, x = self._y + dy, self._x + dx
                inside = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
                y, x, say = y[inside], x[inside], trust[inside]
                # one patch speaks once of each place, so plain indexing adds up without collisions
                total[y, x] += self.image[self._sy[inside] + dy, self._sx[inside] + dx] * say[:, None]
                weight[y, x] += say
        told = self._hole & (weight > 0)
        self.image = self.image.copy()
        self.image[told] = total[told] / weight[told][:, None]

    def places(self) -> _Places:
        offsets = np.zeros((*self._hole.shape, 2), np.float32)
        offsets[self._y, self._x, 0] = self._sx - self._x
        offsets[self._y, self._x, 1] = self._sy - self._y
        return _Places(offsets, self._hole)

    def _flat(self, y: Indices, x: Indices) -> Indices:
        return np.asarray((y + RADIUS) * self._stride + x + RADIUS, np.int64)

    def _allowed(self, y: Indices, x: Indices) -> Mask:
        inside = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
        return np.asarray(inside & self._source[np.where(inside, y, 0), np.where(inside, x, 0)], np.bool_)

    def _try(self, y: Indices, x: Indices, also: Mask | None = None) -> None:
        good = self._allowed(y, x)
        if also is not None:
            good &= also
        good &= (y != self._sy) | (x != self._sx)
        which = np.flatnonzero(good)
        if not len(which):
            return
        y, x = y[which], x[which]
        cost = self._measure(self._y[which], self._x[which], y, x, which)
        better = cost < self._cost[which]
        which, y, x = which[better], y[better], x[better]
        self._sy[which], self._sx[which], self._cost[which] = y, x, cost[better]

    def _measure(self, ty: Indices, tx: Indices, y: Indices, x: Indices, which: Indices) -> Floats:
        patch = self._colours[self._flat(y, x)[:, None] + self._taps]
        patch -= self._target[which]
        error = np.einsum("nkc,nkc,nk->n", patch, patch, self._weight[which])
        away = LEVEL_DRIFT * ((y - ty) / self._height) ** 2 + SIDE_DRIFT * ((x - tx) / self._width) ** 2
        low = self._low[y * self._width + x] - self._meant[which]
        return np.asarray(error + away + LOW_WEIGHT * np.einsum("nc,nc->n", low, low), np.float32)

    def correction(self) -> Floats:
        """(h, w, 3) what the places' broad colour lacks of the meant one, softly limited."""
        lack = np.zeros((*self._hole.shape, 3), np.float32)
        lack[self._y, self._x] = self._meant - self._low[self._sy * self._width + self._sx]
        lack *= CORRECTED / (CORRECTED + np.sqrt((lack**2).sum(2, keepdims=True)))
        told = np.zeros(self._hole.shape, np.float32)
        told[self._y, self._x] = 1
        soft = (
            cv2.GaussianBlur(lack, (0, 0), LOW)
            / np.maximum(cv2.GaussianBlur(told, (0, 0), LOW), 1e-3)[..., None]
        )
        return np.asarray(soft, np.float32)


def _carry_over(image: Floats, hole: Mask, found: _Places, start: Floats) -> Floats:
    """Copy the full picture's own pixels from the places found on a smaller one."""
    height, width = hole.shape
    ratio = np.array([width / found.hole.shape[1], height / found.hole.shape[0]], np.float32)
    offsets = cv2.resize(found.offsets, (width, height), interpolation=cv2.INTER_NEAREST) * ratio
    y, x = np.nonzero(hole)
    total = np.zeros((len(y), 3), np.float32)
    weight = np.zeros(len(y), np.float32)
    step = max(1, round(float(ratio.mean()) / 2))
    # neighbours mostly agree and copy sharp; where they differ is a seam, which the mean softens
    for dy, dx in ((0, 0), (step, 0), (-step, 0), (0, step), (0, -step)):
        ny, nx = np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)
        near = hole[ny, nx] | ((dy, dx) == (0, 0))
        sy = np.clip(y + np.rint(offsets[ny, nx, 1]).astype(int), 0, height - 1)
        sx = np.clip(x + np.rint(offsets[ny, nx, 0]).astype(int), 0, width - 1)
        good = (near & ~hole[sy, sx]).astype(np.float32)
        total += image[sy, sx] * good[:, None]
        weight += good
    filled = start.copy()
    told = weight > 0
    filled[y[told], x[told]] = total[told] / weight[told][:, None]
    return filled
