"""Branches: the limbs of a shape, as paths along its middle from a tip to its centre.

Tips are found one after the other as the point farthest, inside the shape, from all paths found before (the curve
skeleton by farthest points of Golland and Grimson, 2000, in spirit): unlike a thinned skeleton it has no hairs, and
each branch comes with its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.tracking.motion import Floats
from understudy.tracking.silhouette import Mask
from understudy.tracking.template import xy
from understudy.tracking.ways import Lengths, Numbers, Ways

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
    before: (
        Numbers  # (h w,) the next pixel on the way to the centre, -1 there; pixels are numbered row by row
    )

    def depth_at(self, path: Floats) -> Floats:
        at = np.clip(np.round(path).astype(int), 0, np.array(self.mask.shape[::-1]) - 1)
        return np.asarray(self.depth[at[..., 1], at[..., 0]])

    def route(self, start: Floats) -> Floats:
        """The way along the middle from any point of the shape to its centre, (N, 2)."""
        ys, xs = np.nonzero(self.mask)
        best = int(np.argmin((xs - start[0]) ** 2 + (ys - start[1]) ** 2))
        return self.path(self.nodes(int(ys[best] * self.mask.shape[1] + xs[best])))

    def nodes(self, node: int) -> list[int]:
        """The numbers of the pixels on the way from one to the centre."""
        nodes = [node]
        while (node := int(self.before[node])) >= 0:
            nodes.append(node)
        return nodes

    def path(self, nodes: list[int]) -> Floats:
        """(N, 2) the pixels of these numbers."""
        rows, columns = np.divmod(nodes, self.mask.shape[1])
        return np.stack([columns, rows], axis=1).astype(np.float32)


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
    centre = _centre(shape, depth)
    start = np.array([int(centre[1]) * shape.shape[1] + int(centre[0])])
    middle = depth.ravel()

    def off_middle(one: Numbers, other: Numbers) -> Lengths:
        """Dear along the outline, so that ways keep to the middle."""
        return np.asarray(1 + 30 / (0.5 * (middle[one] + middle[other])) ** 1.5, np.float64)

    along_middle = Ways(shape, off_middle)
    before = along_middle.lead(start, along_middle.start())
    tree = Tree(shape, depth, centre, [], 1 / factor, xy(x0, y0) - 2 / factor, before)
    straight = Ways(shape)
    near = straight.start()
    straight.lead(start, near)
    taken = set(start.tolist())
    for _ in range(_MOST):
        far = np.where(np.isfinite(near), near, -1)
        tip = int(np.argmax(far))
        nodes = tree.nodes(tip)
        path = tree.path(nodes)
        own = next((i for i, node in enumerate(nodes) if node in taken), len(nodes) - 1) + 1
        steps = np.linalg.norm(np.diff(path[:own], axis=0), axis=1).sum()
        stands_out = float(steps - tree.depth_at(path[own - 1 : own])[0])
        if far[tip] < _SHORTEST * TALL:
            break
        if own > 2:
            tree.branches.append(Branch(path, own, stands_out))
        taken.update(nodes)
        straight.lead(np.unique(nodes[:own]), near)
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
