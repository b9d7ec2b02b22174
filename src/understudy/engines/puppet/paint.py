"""Layers onto a canvas: through an inverse warp field on a coarse grid, only where the layer can be seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
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
BAND = 14  # rows of nodes that are searched for what is seen in them, and painted, at once
WORTH = 64 * 64  # a smaller box is not searched for what is seen in it

Field = Callable[[Floats], Floats]
Box = tuple[int, int, int, int]  # x0, y0, x1, y1


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
        self._blocks: dict[str, NDArray[np.bool_]] = {}

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

    def paint(self, layer: Layer, field: Field, box: Box) -> None:
        """Draw a layer through its inverse field, inside ``box``."""
        height, width = self._pixels.shape[:2]
        x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
        area = (x1 - x0) * (y1 - y0)
        if x1 <= x0 or y1 <= y0:
            return
        small = layer.texture.shape[0] * layer.texture.shape[1] <= FINE_AREA
        cell = FINE_CELL if small else CELL
        # Nodes lie so that a bilinear enlargement by the cell puts each at its own pixel; one ring more than needed.
        columns, rows = -(-(x1 - x0) // cell) + 2, -(-(y1 - y0) // cell) + 2
        grid = _nodes(columns, rows, cell) + np.array((x0, y0), np.float32)
        source = field(grid) - np.array(layer.origin, np.float32)
        if area <= WORTH:
            self._fill(layer, source, cell, (x0, y0, x1, y1), (1, 1, columns - 1, rows - 1))
            return
        seen = self._seen(layer, source)
        for top in range(1, rows - 1, BAND):
            bottom = min(top + BAND, rows - 1)
            part = seen[top:bottom, 1:-1]
            down, across = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
            if len(down):
                nodes = int(across[0]) + 1, top + int(down[0]), int(across[-1]) + 2, top + int(down[-1]) + 1
                self._fill(layer, source, cell, (x0, y0, x1, y1), nodes)

    def _fill(self, layer: Layer, source: Floats, cell: int, box: Box, nodes: Box) -> None:
        """Paint the pixels of ``box`` whose nearest node is among ``nodes`` of ``source`` (rows, columns, 2)."""
        left, top, right, bottom = nodes
        near = source[top - 1 : bottom + 1, left - 1 : right + 1]
        rows, columns = near.shape[0] * cell, near.shape[1] * cell
        dense = self._room("source", (rows, columns, 2), np.float32)
        cv2.resize(near, (columns, rows), dst=dense, interpolation=cv2.INTER_LINEAR)
        x, y = box[0] + (left - 1) * cell, box[1] + (top - 1) * cell
        width, height = min((right - left) * cell, box[2] - x), min((bottom - top) * cell, box[3] - y)
        dense = dense[cell : cell + height, cell : cell + width]
        patch = self._room("patch", (height, width, 4))
        cv2.remap(layer.texture, dense, None, cv2.INTER_LINEAR, dst=patch, borderMode=cv2.BORDER_CONSTANT)
        under = self._pixels[y : y + height, x : x + width]
        through = self._room("through", (height, width))
        cv2.extractChannel(patch, 3, dst=through)
        cv2.bitwise_not(through, dst=through)
        four = self._room("four", (height, width, 4))
        cv2.merge([through] * 4, dst=four)
        cv2.multiply(under, four, dst=under, scale=1 / 255)
        cv2.add(under, patch, dst=under)
        old = self._touched or (x, y, x, y)
        self._touched = min(old[0], x), min(old[1], y), max(old[2], x + width), max(old[3], y + height)

    def _room(self, name: str, shape: tuple[int, ...], kind: type[np.generic] = np.uint8) -> NDArray[Any]:
        """Memory that is used again and again: fresh pages for every layer cost as much as painting it."""
        size = math.prod(shape) * np.dtype(kind).itemsize
        if name not in self._rooms or len(self._rooms[name]) < size:
            self._rooms[name] = np.empty(2 * size, np.uint8)
        return self._rooms[name][:size].view(kind).reshape(shape)

    def _seen(self, layer: Layer, source: Floats) -> NDArray[np.bool_]:
        """(rows, columns) whether the layer can be seen about a node with this source in its texture."""
        if layer.name not in self._blocks:
            self._blocks[layer.name] = _seen_blocks(layer)
        blocks = self._blocks[layer.name]
        at = (source * np.float32(1 / BLOCK) + np.float32(MARGIN + 1)).astype(np.int32)
        x, y = at[..., 0].clip(0, blocks.shape[1] - 1), at[..., 1].clip(0, blocks.shape[0] - 1)
        return np.asarray(blocks[y, x], bool)


@lru_cache(maxsize=64)
def _nodes(columns: int, rows: int, cell: int) -> Floats:
    """(rows, columns, 2) nodes of a grid about a box whose first pixel is at (0, 0)."""
    first = (cell - 1) / 2 - cell
    grid = np.empty((rows, columns, 2), np.float32)
    grid[..., 0] = np.arange(columns, dtype=np.float32) * cell + first
    grid[..., 1] = (np.arange(rows, dtype=np.float32) * cell + first)[:, None]
    return grid


def _seen_blocks(layer: Layer) -> NDArray[np.bool_]:
    """Blocks of the texture with ``MARGIN`` more about it that show something, or lie near one that does; a last ring
    is never seen and stands for everything beyond."""
    alpha = layer.texture[..., 3]
    height, width = (-(-length // BLOCK) * BLOCK for length in alpha.shape)
    whole = np.zeros((height, width), bool)
    whole[: alpha.shape[0], : alpha.shape[1]] = alpha > 0
    blocks = whole.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).any(axis=(1, 3))
    spread = cv2.dilate(
        np.pad(blocks, MARGIN).astype(np.uint8), np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
    )
    return np.pad(spread, 1).astype(bool)
