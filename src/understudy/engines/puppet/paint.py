"""Layers onto a canvas: through an inverse warp field on a coarse grid, only where the layer can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.box import Box, area, around, common, empty
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.visible import Visible, boxed
from understudy.tracking.motion import Floats

CELL = 8  # pixels between two nodes of a warp field
FINE_CELL = 4  # for small layers, whose joints are small
FINE_AREA = 80 * 80  # pixels of a texture up to which the nodes lie fine
LOOSE = 4  # nodes: of a large and mostly empty box every fourth tells first how little of it is worth a field
LOOSE_REACH = 44.0  # pixels in the texture about the source of such a node
LARGE, EMPTY = 320 * 320, 3.5  # pixels of such a box; times the texture's

# Of nodes (rows, columns, 2): asks for blends of joints, and gives what tells the nodes' sources once they have run.
Field = Callable[[Floats, Blends], Callable[[], Floats]]


@dataclass(frozen=True)
class Begun:
    """A layer on its way to being placed: ``source`` tells where its nodes come from, once its blends have run."""

    layer: Layer
    source: Callable[[], Floats]
    box: Box
    cell: int
    opacity: float


@dataclass(frozen=True)
class Placed:
    """A layer in one frame: where in its texture the nodes about ``box`` come from (rows, columns, 2), and the boxes of
    nodes that show something of it. Of the layer's ``opacity`` so much is left."""

    layer: Layer
    source: Floats
    parts: list[Box]
    box: Box
    cell: int
    opacity: float

    @cached_property
    def shown(self) -> Box:
        """What of the box shows anything, in pixels."""
        (x0, y0, x1, y1), cell, parts = self.box, self.cell, self.parts
        return (
            x0 + (min(part[0] for part in parts) - 1) * cell,
            y0 + (parts[0][1] - 1) * cell,
            min(x0 + (max(part[2] for part in parts) - 1) * cell, x1),
            min(y0 + (parts[-1][3] - 1) * cell, y1),
        )


class Canvas:
    """One frame in the making, over a clean background (H, W, 3) uint8.

    Four channels throughout, the last without a meaning: OpenCV is twice as fast with them as with three. What a frame
    needs in between lies in memory that the next one uses again: fresh pages cost as much as painting them.
    """

    def __init__(self, background: NDArray[np.uint8]) -> None:
        height, width = background.shape[:2]
        self._clean = cv2.cvtColor(background, cv2.COLOR_RGB2RGBA)
        self._pixels = self._clean.copy()
        self._touched: Box | None = None  # what has been painted on
        self._visible: dict[str, Visible] = {}
        # A box of nodes has one more to each side, and its last pixel a cell to itself.
        self._dense = np.empty((height + 3 * CELL) * (width + 3 * CELL) * 2, np.float32)
        self._patch, self._product = (
            np.empty(height * width * 4, np.uint8),
            np.empty(height * width * 4, np.uint8),
        )

    def clear(self) -> None:
        if self._touched is not None:
            self.clear_box(self._touched)
        self._touched = None

    def picture(self) -> NDArray[np.uint8]:
        """(H, W, 3) what has been painted, a new array."""
        return np.asarray(cv2.cvtColor(self._pixels, cv2.COLOR_RGBA2RGB), np.uint8)

    def clear_box(self, box: Box) -> None:
        """Only what lies in ``box`` anew: the rest stays painted."""
        x0, y0, x1, y1 = box
        self._pixels[y0:y1, x0:x1] = self._clean[y0:y1, x0:x1]

    def blend(self, picture: NDArray[np.uint8], share: float, box: Box) -> None:
        """Let what has been painted in ``box`` count by ``share`` in a ``picture`` (H, W, 3), in place."""
        x0, y0, x1, y1 = box
        painted = cv2.cvtColor(self._pixels[y0:y1, x0:x1], cv2.COLOR_RGBA2RGB)
        within = picture[y0:y1, x0:x1]
        cv2.addWeighted(within, 1 - share, painted, share, 0, dst=within)

    def begin(
        self,
        blends: Blends,
        layer: Layer,
        field: Field,
        box: Box,
        cell: int | None = None,
        opacity: float = 1.0,
    ) -> Begun | None:
        """A layer that is to lie by its inverse field, inside ``box``; None if it shows nowhere. `place` goes on with
        it once the ``blends`` have run.

        ``cell`` is the distance of the field's nodes if not the usual one.
        """
        height, width = self._pixels.shape[:2]
        box = common(box, (0, 0, width, height))
        if empty(box):
            return None
        size = layer.texture.shape[0] * layer.texture.shape[1]
        cell = cell or (FINE_CELL if size <= FINE_AREA else CELL)
        if area(box) > max(LARGE, EMPTY * size):
            box = _tightened(layer, self._seen_of(layer), field, box)
            if empty(box):
                return None
        return Begun(layer, _source(layer, field, box, cell, blends), box, cell, opacity)

    def place(self, begun: Begun) -> Placed | None:
        """A layer as it lies by its field; None if it shows nowhere."""
        source = begun.source()
        parts = boxed(self._seen_of(begun.layer).near(source), begun.cell)
        return Placed(begun.layer, source, parts, begun.box, begun.cell, begun.opacity) if parts else None

    def _seen_of(self, layer: Layer) -> Visible:
        if layer.name not in self._visible:
            self._visible[layer.name] = Visible(layer)
        return self._visible[layer.name]

    def paint(self, placed: Placed, within: Box | None = None) -> None:
        """Draw a layer over what there is, all of it or only what lies ``within`` a box."""
        clip = placed.box if within is None else common(placed.box, within)
        for part in placed.parts:
            self._fill(placed, part, clip)

    def _fill(self, placed: Placed, nodes: Box, clip: Box) -> None:
        """Paint the pixels of ``clip`` whose nearest node is among ``nodes`` of the grid."""
        (left, top, right, bottom), cell, box = nodes, placed.cell, placed.box
        # The first pixel of the first node beside them.
        x, y = box[0] + (left - 2) * cell, box[1] + (top - 2) * cell
        columns, rows = (right - left + 2) * cell, (bottom - top + 2) * cell
        shown = common((x + cell, y + cell, x + columns - cell, y + rows - cell), clip)
        if empty(shown):
            return
        x0, y0, x1, y1 = shown
        near = placed.source[top - 1 : bottom + 1, left - 1 : right + 1]
        dense = np.ndarray((rows, columns, 2), np.float32, self._dense)
        cv2.resize(near, (columns, rows), dst=dense, interpolation=cv2.INTER_LINEAR)
        patch, product = (
            np.ndarray((y1 - y0, x1 - x0, 4), np.uint8, room) for room in (self._patch, self._product)
        )
        cv2.remap(
            placed.layer.texture,
            dense[y0 - y : y1 - y, x0 - x : x1 - x],
            None,
            cv2.INTER_LINEAR,
            dst=patch,
            borderMode=cv2.BORDER_CONSTANT,
        )
        if placed.opacity < 1:
            cv2.convertScaleAbs(patch, dst=patch, alpha=placed.opacity)
        # under - under * opacity + patch: the product of the first three channels and the last one is what OpenCV has
        # for colours that are to be premultiplied.
        under = self._pixels[y0:y1, x0:x1]
        cv2.mixChannels([patch], [under], (3, 3))
        cv2.cvtColor(under, cv2.COLOR_RGBA2mRGBA, dst=product)
        cv2.subtract(under, product, dst=under)
        cv2.add(under, patch, dst=under)
        self._touched = around(self._touched, shown)


def _tightened(layer: Layer, visible: Visible, field: Field, box: Box) -> Box:
    """A large box without what every ``LOOSE``-th node tells to be empty."""
    cell = CELL * LOOSE
    blends = Blends()
    source = _source(layer, field, box, cell, blends)
    blends.run()
    seen = visible.near(source(), LOOSE_REACH)
    x, y, w, h = cv2.boundingRect(seen)
    x0, y0 = box[:2]
    if not w:
        return x0, y0, x0, y0
    # A node more to each side; the first one lies beside the box.
    tight = x0 + (x - 2) * cell, y0 + (y - 2) * cell, x0 + (x + w) * cell, y0 + (y + h) * cell
    return common(box, tight)


def _source(layer: Layer, field: Field, box: Box, cell: int, blends: Blends) -> Callable[[], Floats]:
    """What tells (rows, columns, 2) where in the layer's texture the nodes about a box come from.

    Nodes lie so that a bilinear enlargement by the cell puts each at its own pixel; one ring more than needed.
    """
    x0, y0, x1, y1 = box
    columns, rows = -(-(x1 - x0) // cell) + 2, -(-(y1 - y0) // cell) + 2
    grid = _nodes(columns, rows, cell) + np.array((x0, y0), np.float32)
    source = field(grid, blends)
    return lambda: np.asarray(source() - np.array(layer.origin, np.float32), np.float32)


@lru_cache(maxsize=64)
def _nodes(columns: int, rows: int, cell: int) -> Floats:
    """(rows, columns, 2) nodes of a grid about a box whose first pixel is at (0, 0)."""
    first = (cell - 1) / 2 - cell
    grid = np.empty((rows, columns, 2), np.float32)
    grid[..., 0] = np.arange(columns, dtype=np.float32) * cell + first
    grid[..., 1] = (np.arange(rows, dtype=np.float32) * cell + first)[:, None]
    return grid
