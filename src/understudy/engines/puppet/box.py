"""Upright boxes of pixels."""

from __future__ import annotations

Box = tuple[int, int, int, int]  # x0, y0, x1, y1; empty where an end is not beyond its start


def common(one: Box, other: Box) -> Box:
    """What two boxes share."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def around(one: Box | None, other: Box) -> Box:
    """The smallest box about both."""
    if one is None:
        return other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def empty(box: Box) -> bool:
    return box[2] <= box[0] or box[3] <= box[1]


def area(box: Box) -> int:
    """Pixels of a box that is not empty."""
    return (box[2] - box[0]) * (box[3] - box[1])
