"""Branches: the limbs of a shape, as paths along its middle from a tip to its centre.

Tips are found one after the other as the point farthest, inside the shape, from all paths found before (the curve
skeleton by farthest points of Golland and Grimson, 2000, in spirit): unlike a thinned skeleton it has no hairs, and
each branch comes with its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from understudy.tracking.motion import Floats
from understudy.tracking.silhouette import Mask
from understudy.tracking.template import xy

TALL = 230  # pixels, the longer side of the shape in the working copy
_MOST = 12
_SHORTEST = 0.05  # of the shape's longer side


@dataclass(frozen=True, eq=False)
class Branch:
    """``path`` (N, 2) goes from the tip to the shape's centre; its first ``own`` points are no other branch's.

    ``stands_out`` is the length of the part outside the body that it joins, in pixels.
    """

    path: Floats
    own: int
    stands_out: float

    @property
    def tip(self) -> Floats:
        return np.asarray(self.path[0])

    @property
    def root(self) -> Floats:
        return np.asarray(self.path[self.own - 1])


@dataclass(frozen=True)
class Tree:
    """A shape's branches. All in pixels of the working copy: ``xy * scale + offset`` are those of the shape's mask."""

    mask: Mask
    depth: Floats  # (h, w) distance to the outline
    centre: Floats  # (2,)
    branches: list[Branch]
    scale: float
    offset: Floats  # (2,)
    index: NDArray[np.int64]  # (h, w) number of each of the shape's pixels, -1 outside
    before: NDArray[np.int32]  # (N,) the next pixel on the way to the centre, -1 there
    places: NDArray[np.int64]  # (N, 2)

    def depth_at(self, path: Floats) -> Floats:
        at = np.clip(np.round(path).astype(int), 0, np.array(self.mask.shape[::-1]) - 1)
        return np.asarray(self.depth[at[..., 1], at[..., 0]])

    def route(self, start: Floats) -> Floats:
        """The way along the middle from any point of the shape to its centre, (N, 2)."""
        return self.walk(_nearest(self.index, start))

    def walk(self, node: int) -> Floats:
        nodes = [node]
        while (node := int(self.before[node])) >= 0:
            nodes.append(node)
        return self.places[nodes].astype(np.float32)


def tree_of(mask: Mask) -> Tree | None:
    """The branches of a connected shape; None for a shape too small to have any."""
    ys, xs = np.nonzero(mask)
    if len(ys) < 60:
        return None
    x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    factor = TALL / max(x1 - x0, y1 - y0)
    part = mask[y0:y1, x0:x1].astype(np.float32)
    size = (max(3, round((x1 - x0) * factor)), max(3, round((y1 - y0) * factor)))
    resized = cv2.resize(part, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    shape = np.pad(resized > 0.4, 2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(shape.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    shape = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    depth = cv2.distanceTransform(shape.astype(np.uint8), cv2.DIST_L2, 5).astype(np.float32)
    places, index, graph, lengths = _grid(shape, depth)
    centre = _centre(shape, depth)
    start = int(index[int(centre[1]), int(centre[0])])
    onward = dijkstra(graph, indices=np.array([start]), return_predecessors=True)[1][0]
    before = np.where(onward < 0, -1, onward).astype(np.int32)
    tree = Tree(shape, depth, centre, [], 1 / factor, xy(x0, y0) - 2 / factor, index, before, places)
    near = dijkstra(lengths, indices=np.array([start]), min_only=True)
    taken = {start}
    for _ in range(_MOST):
        far = np.where(np.isfinite(near), near, -1)
        tip = int(np.argmax(far))
        path = tree.walk(tip)
        nodes = index[path[:, 1].astype(int), path[:, 0].astype(int)].tolist()
        own = next((i for i, node in enumerate(nodes) if node in taken), len(nodes) - 1) + 1
        steps = np.linalg.norm(np.diff(path[:own], axis=0), axis=1).sum()
        stands_out = float(steps - tree.depth_at(path[own - 1 : own])[0])
        if far[tip] < _SHORTEST * TALL:
            break
        if own > 2:
            tree.branches.append(Branch(path, own, stands_out))
        taken.update(nodes)
        near = np.minimum(near, dijkstra(lengths, indices=np.unique(nodes[:own]), min_only=True))
    return tree


def _centre(shape: Mask, depth: Floats) -> Floats:
    """The middle of the trunk: thick, near half height, near the middle of the mass."""
    height, width = shape.shape
    y, x = np.mgrid[0:height, 0:width]
    mass = depth * shape
    middle = float((mass * x).sum() / mass.sum())
    worth = (
        (depth + 2)
        * np.exp(-(((y / height - 0.52) / 0.17) ** 2))
        * np.exp(-(((x - middle) / (0.2 * width)) ** 2))
    )
    worth[~shape] = -1
    row, column = np.unravel_index(int(np.argmax(worth)), worth.shape)
    return xy(float(column), float(row))


def _grid(shape: Mask, depth: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], csr_array, csr_array]:
    """The shape's pixels as a graph of eight neighbours, once weighted to keep to the middle, once by length."""
    index = np.full(shape.shape, -1, np.int64)
    ys, xs = np.nonzero(shape)
    index[ys, xs] = np.arange(len(ys))
    rows, columns, steps = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        inside = (ys + dy < shape.shape[0]) & (xs + dx < shape.shape[1]) & (xs + dx >= 0)
        a = np.flatnonzero(inside)
        b = index[ys[a] + dy, xs[a] + dx]
        a, b = a[b >= 0], b[b >= 0]
        rows.append(a)
        columns.append(b)
        steps.append(np.full(len(a), np.hypot(dx, dy)))
    a, b, step = np.concatenate(rows), np.concatenate(columns), np.concatenate(steps)
    inner = depth[ys, xs]
    weight = step * (1 + 30 / (0.5 * (inner[a] + inner[b])) ** 1.5)
    size = (len(ys), len(ys))
    both = (np.concatenate([a, b]), np.concatenate([b, a]))
    graph = csr_array((np.concatenate([weight, weight]), both), shape=size)
    lengths = csr_array((np.concatenate([step, step]), both), shape=size)
    return np.stack([xs, ys], axis=1), index, graph, lengths


def _nearest(index: NDArray[np.int64], at: Floats) -> int:
    ys, xs = np.nonzero(index >= 0)
    best = int(np.argmin((xs - at[0]) ** 2 + (ys - at[1]) ** 2))
    return int(index[ys[best], xs[best]])
