"""Where a layer can be seen: which nodes of a warp field lie so near to what shows that a pixel about them may."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.box import Box, area, around
from understudy.engines.puppet.layer import Layer
from understudy.tracking.motion import Floats

BLOCK = 2  # pixels of a texture that are seen or not seen together
FAR = 48  # pixels from what shows to which distances are told apart
NEVER = 255  # farther
# Pixels from a node: where a field tears, what lies farther between its two sides shows nothing.
FARTHEST = 32.0
CORNERS = np.ones((2, 2), np.uint8)
BAND = 6  # rows of nodes that are boxed at once
WORTH = 6000  # pixels that cost as much to paint as another box does


class Visible:
    """What of a ``layer`` can be seen, as distances from it in the texture: a table with ``FAR`` more about it."""

    def __init__(self, layer: Layer) -> None:
        alpha = layer.texture[..., 3]
        height, width = (-(-length // BLOCK) for length in alpha.shape)
        whole = np.zeros((height * BLOCK, width * BLOCK), bool)
        whole[: alpha.shape[0], : alpha.shape[1]] = alpha > 0
        blocks = whole.reshape(height, BLOCK, width, BLOCK).any(axis=(1, 3))
        clear = np.pad(~blocks, FAR // BLOCK, constant_values=True).astype(np.uint8)
        # From block to block, across, down or aslant: at least so far any two pixels of them lie apart, less a block.
        # Where no block shows anything, the distances are huge.
        away = cv2.distanceTransform(clear, cv2.DIST_C, 3)
        self._away = np.where(away > FAR // BLOCK, NEVER, BLOCK * np.minimum(away, FAR)).astype(np.uint8)

    def near(self, source: Floats, reach: float | None = None) -> NDArray[np.uint8]:
        """(rows, columns) 1 where a pixel between a node and its neighbours may show something, for nodes that come
        from ``source`` (rows, columns, 2) in the texture; or where something lies within ``reach`` pixels of that,
        across and down."""
        # The nearest block, counted from the middle of the first one.
        at = source * np.float32(1 / BLOCK)
        at += np.float32(FAR / BLOCK - 0.5)
        away = cv2.remap(
            self._away, at, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=NEVER
        )
        # A pixel takes its colour from up to one beside it.
        within = BLOCK + 1 + (_half_steps(source) if reach is None else reach)
        return np.asarray((away <= within).view(np.uint8))


def _half_steps(source: Floats) -> Floats:
    """(rows, columns) how far, across or down, the sources of pixels may lie from that of their nearest node."""
    first = source[:-1, :-1]
    steps = [cv2.absdiff(source[1:, :-1], first), cv2.absdiff(source[:-1, 1:], first)]
    for each in steps:  # the longest of the cells about a node
        cv2.dilate(each, CORNERS, dst=each, anchor=(1, 1))
    both = cv2.copyMakeBorder(cv2.add(*steps), 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    return np.asarray(np.minimum(np.maximum(both[..., 0], both[..., 1]) / 2, FARTHEST), np.float32)


def boxed(seen: NDArray[np.uint8], cell: int) -> list[Box]:
    """Boxes of nodes, none over another, about all that are ``seen`` (rows, columns) ``cell`` pixels apart, but for the
    outermost ring; few and tight."""
    inner = seen[1:-1, 1:-1]
    _, first, _, height = cv2.boundingRect(inner)
    boxes: list[Box] = []
    tight = 0  # nodes in the last box as long as it was several
    for top in range(first, first + height, BAND):
        x, y, w, h = cv2.boundingRect(inner[top : min(top + BAND, first + height)])
        if not w:
            continue
        box = x + 1, top + y + 1, x + w + 1, top + y + h + 1
        both = around(boxes[-1] if boxes else None, box)
        tight += area(box)
        if boxes and (area(both) - tight) * cell * cell < WORTH:
            boxes[-1] = both
        else:
            boxes.append(box)
            tight = area(box)
    return boxes
