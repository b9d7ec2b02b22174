"""Layers onto a canvas: through an inverse warp field on a coarse grid, only where the layer can be seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.layer import Layer
from understudy.tracking.motion import Floats

CELL = 8  # pixels between two nodes of a warp field
FINE_CELL = 4  # for small layers, whose joints are small
FINE_AREA = 80 * 80  # pixels of a texture up to which the nodes lie fine
BLOCK = 8  # pixels of a texture that are seen or not seen together
MARGIN = 2  # blocks about what is seen that count as seen: so far a pixel's source may lie from its node's
BAND = 14  # rows of usual nodes that are searched for what is seen in them, and painted, at once
WORTH = 64 * 64  # a smaller box is not searched for what is seen in it
LOOSE = 4  # nodes: of a large box every fourth tells first how little of it is worth a field
LOOSE_MARGIN = 6  # blocks, for these
LARGE = 320 * 320  # pixels of such a box

Field = Callable[[Floats], Floats]
Box = tuple[int, int, int, int]  # x0, y0, x1, y1


@dataclass(frozen=True)
class Placed:
    """A layer in one frame: where in its texture the nodes about ``box`` come from (rows, columns, 2), and which of
    them show anything (rows, columns)."""

    layer: Layer
    source: Floats
    seen: NDArray[np.bool_]
    box: Box
    cell: int

    @cached_property
    def shown(self) -> Box:
        """What of the box shows anything; nodes at its rim stand beside it."""
        inner = self.seen[1:-1, 1:-1]
        down, across = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
        if not len(down):
            return self.box[0], self.box[1], self.box[0], self.box[1]
        (x0, y0, x1, y1), cell = self.box, self.cell
        return (
            x0 + int(across[0]) * cell,
            y0 + int(down[0]) * cell,
            min(x0 + int(across[-1] + 1) * cell, x1),
            min(y0 + int(down[-1] + 1) * cell, y1),
        )


def common(one: Box, other: Box) -> Box:
    """What two boxes share; empty where its end is not beyond its start."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def around(one: Box | None, other: Box) -> Box:
    """The smallest box about both."""
    if one is None:
        return other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def empty(box: Box) -> bool:
    return box[2] <= box[0] or box[3] <= box[1]


class Canvas:
    """One frame in the making, over a clean background (H, W, 3) uint8.

    Four channels throughout, the last without a meaning: OpenCV is twice as fast with them as with three.
    """

    def __init__(self, background: NDArray[np.uint8]) -> None:
        self._background = background
        self._clean = cv2.cvtColor(background, cv2.COLOR_RGB2RGBA)
        self._pixels = self._clean.copy()
        self._touched: Box | None = None  # what has been painted on
        self._rooms: dict[str, NDArray[np.uint8]] = {}
        self._blocks: dict[tuple[str, int], NDArray[np.uint8]] = {}

    def clear(self) -> None:
        if self._touched is not None:
            x0, y0, x1, y1 = self._touched
            self._pixels[y0:y1, x0:x1] = self._clean[y0:y1, x0:x1]
        self._touched = None

    def picture(self) -> NDArray[np.uint8]:
        """(H, W, 3) what has been painted, a new array."""
        made = self._background.copy()
        if self._touched is not None:
            x0, y0, x1, y1 = self._touched
            cv2.cvtColor(self._pixels[y0:y1, x0:x1], cv2.COLOR_RGBA2RGB, dst=made[y0:y1, x0:x1])
        return made

    def clear_box(self, box: Box) -> None:
        """Only what lies in ``box`` anew: the rest stays painted."""
        x0, y0, x1, y1 = box
        self._pixels[y0:y1, x0:x1] = self._clean[y0:y1, x0:x1]

    def blend(self, picture: NDArray[np.uint8], share: float, box: Box) -> None:
        """Let what has been painted in ``box`` count by ``share`` in a ``picture`` (H, W, 3), in place."""
        x0, y0, x1, y1 = box
        painted = cv2.cvtColor(self._pixels[y0:y1, x0:x1], cv2.COLOR_RGBA2RGB)
        picture[y0:y1, x0:x1] = cv2.addWeighted(picture[y0:y1, x0:x1], 1 - share, painted, share, 0)

    def place(self, layer: Layer, field: Field, box: Box, cell: int | None = None) -> Placed | None:
        """A layer as it lies by its inverse field, inside ``box``; None if it shows nowhere.

        ``cell`` is the distance of the field's nodes if not the usual one.
        """
        height, width = self._pixels.shape[:2]
        box = common(box, (0, 0, width, height))
        if empty(box):
            return None
        small = layer.texture.shape[0] * layer.texture.shape[1] <= FINE_AREA
        cell = cell or (FINE_CELL if small else CELL)
        if (box[2] - box[0]) * (box[3] - box[1]) > LARGE:
            box = self._tightened(layer, field, box)
            if empty(box):
                return None
        x0, y0, x1, y1 = box
        # Nodes lie so that a bilinear enlargement by the cell puts each at its own pixel; one ring more than needed.
        columns, rows = -(-(x1 - x0) // cell) + 2, -(-(y1 - y0) // cell) + 2
        source = self._source(layer, field, (x0, y0), (columns, rows), cell)
        if (x1 - x0) * (y1 - y0) <= WORTH:
            return Placed(layer, source, np.ones((rows, columns), bool), box, cell)
        placed = Placed(layer, source, self._seen(layer, source, MARGIN), box, cell)
        return None if empty(placed.shown) else placed

    def paint(self, placed: Placed, within: Box | None = None) -> None:
        """Draw a layer over what there is, all of it or only what lies ``within`` a box."""
        clip = placed.shown if within is None else common(placed.shown, within)
        if empty(clip):
            return
        (x0, y0, *_), cell = placed.box, placed.cell
        left, right = 1 + (clip[0] - x0) // cell, 1 - (-(clip[2] - x0) // cell)
        end = 1 - (-(clip[3] - y0) // cell)
        band = BAND * CELL // cell
        for top in range(1 + (clip[1] - y0) // cell, end, band):
            bottom = min(top + band, end)
            part = placed.seen[top:bottom, left:right]
            down, across = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
            if len(down):
                first, last = left + int(across[0]), left + int(across[-1]) + 1
                self._fill(placed, (first, top + int(down[0]), last, top + int(down[-1]) + 1), clip)

    def _tightened(self, layer: Layer, field: Field, box: Box) -> Box:
        """A large box without what every ``LOOSE``-th node tells to be empty."""
        cell = CELL * LOOSE
        x0, y0, x1, y1 = box
        columns, rows = -(-(x1 - x0) // cell) + 2, -(-(y1 - y0) // cell) + 2
        source = self._source(layer, field, (x0, y0), (columns, rows), cell)
        seen = self._seen(layer, source, LOOSE_MARGIN)
        down, across = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        if not len(down):
            return x0, y0, x0, y0
        # A node more to each side; the first one lies beside the box.
        tight = (
            x0 + (int(across[0]) - 2) * cell,
            y0 + (int(down[0]) - 2) * cell,
            x0 + (int(across[-1]) + 1) * cell,
            y0 + (int(down[-1]) + 1) * cell,
        )
        return common(box, tight)

    @staticmethod
    def _source(
        layer: Layer, field: Field, first: tuple[int, int], size: tuple[int, int], cell: int
    ) -> Floats:
        """(rows, columns, 2) where in the layer's texture the nodes about a box from ``first`` on come from."""
        grid = _nodes(*size, cell) + np.array(first, np.float32)
        source: Floats = field(grid) - np.array(layer.origin, np.float32)
        return source

    def _fill(self, placed: Placed, nodes: Box, clip: Box) -> None:
        """Paint the pixels of ``clip`` whose nearest node is among ``nodes`` of the grid."""
        left, top, right, bottom = nodes
        cell, box = placed.cell, placed.box
        near = placed.source[top - 1 : bottom + 1, left - 1 : right + 1]
        rows, columns = near.shape[0] * cell, near.shape[1] * cell
        dense = self._room("source", (rows, columns, 2), np.float32)
        cv2.resize(near, (columns, rows), dst=dense, interpolation=cv2.INTER_LINEAR)
        # The first pixel of the enlarged nodes, and what of them is wanted.
        first_x, first_y = box[0] + (left - 2) * cell, box[1] + (top - 2) * cell
        inner = (
            first_x + cell,
            first_y + cell,
            first_x + columns - cell,
            first_y + rows - cell,
        )
        x0, y0, x1, y1 = common(inner, clip)
        height, width = y1 - y0, x1 - x0
        dense = dense[y0 - first_y : y1 - first_y, x0 - first_x : x1 - first_x]
        patch = self._room("patch", (height, width, 4))
        texture = placed.layer.texture
        cv2.remap(texture, dense, None, cv2.INTER_LINEAR, dst=patch, borderMode=cv2.BORDER_CONSTANT)
        under = self._pixels[y0:y1, x0:x1]
        through = self._room("through", (height, width))
        cv2.extractChannel(patch, 3, dst=through)
        cv2.bitwise_not(through, dst=through)
        four = self._room("four", (height, width, 4))
        cv2.merge([through] * 4, dst=four)
        cv2.multiply(under, four, dst=under, scale=1 / 255)
        cv2.add(under, patch, dst=under)
        self._touched = around(self._touched, (x0, y0, x1, y1))

    def _room(self, name: str, shape: tuple[int, ...], kind: type[np.generic] = np.uint8) -> NDArray[Any]:
        """Memory that is used again and again: fresh pages for every layer cost as much as painting it."""
        size = math.prod(shape) * np.dtype(kind).itemsize
        if name not in self._rooms or len(self._rooms[name]) < size:
            self._rooms[name] = np.empty(2 * size, np.uint8)
        return self._rooms[name][:size].view(kind).reshape(shape)

    def _seen(self, layer: Layer, source: Floats, margin: int) -> NDArray[np.bool_]:
        """(rows, columns) whether the layer can be seen within ``margin`` blocks of a node's source in its texture."""
        key = layer.name, margin
        if key not in self._blocks:
            self._blocks[key] = _seen_blocks(layer, margin)
        # The nearest block, counted from the middle of the first one.
        at = source * np.float32(1 / BLOCK) + np.float32(margin - 0.5)
        seen = cv2.remap(
            self._blocks[key], at, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
        return np.asarray(seen, bool)


@lru_cache(maxsize=64)
def _nodes(columns: int, rows: int, cell: int) -> Floats:
    """(rows, columns, 2) nodes of a grid about a box whose first pixel is at (0, 0)."""
    first = (cell - 1) / 2 - cell
    grid = np.empty((rows, columns, 2), np.float32)
    grid[..., 0] = np.arange(columns, dtype=np.float32) * cell + first
    grid[..., 1] = (np.arange(rows, dtype=np.float32) * cell + first)[:, None]
    return grid


def _seen_blocks(layer: Layer, margin: int) -> NDArray[np.uint8]:
    """1 for blocks of the texture, with ``margin`` more about it, that show something or lie so near one that does."""
    alpha = layer.texture[..., 3]
    height, width = (-(-length // BLOCK) * BLOCK for length in alpha.shape)
    whole = np.zeros((height, width), bool)
    whole[: alpha.shape[0], : alpha.shape[1]] = alpha > 0
    blocks = whole.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).any(axis=(1, 3))
    spread = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    return np.asarray(cv2.dilate(np.pad(blocks, margin).astype(np.uint8), spread), np.uint8)
