"""How surely each pixel belongs to the person, from many looks of one small network and from the bones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Person

Segment = Callable[[Frame], Floats]  # a crop (h, w, 3) -> (h, w) 0..1
Box = tuple[int, int, int, int]  # x0, y0, x1, y1; may reach over the picture's edge

DOUBT = 0.1  # least belief of the whole body's looks that a near look may raise
TRACKED = 0.5  # of a look: what the tracker's own mask counts, whose crop cuts hats and ears and widens limbs
HEAD = (0, 7, 8)
TRUNK = (11, 12, 23, 24)
ARMS = ((11, 13, 15, 17, 19, 21), (12, 14, 16, 18, 20, 22))
LEGS = ((23, 25, 27, 29, 31), (24, 26, 28, 30, 32))
BONES = (  # pairs of landmarks
    (11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20), (23, 25), (25, 27), (27, 31), (27, 29), (29, 31),
    (24, 26), (26, 28), (28, 32), (28, 30), (30, 32), (11, 12), (23, 24), (11, 23), (12, 24), (11, 24), (12, 23),
)  # fmt: skip


def person_belief(rgb: Frame, person: Person, segment: Segment) -> Floats:
    """(H, W) 0..1, from looks at the whole picture, the body, trunk, head, hands and feet, each mirrored too.

    One look squeezes what it sees to 256 pixels a side and cuts what it takes for unimportant; so several count. A
    look at a hand or a foot may only add, near its bones, where the body's looks leave a doubt: that near, the
    network takes dark things beside a limb for clothes. Square looks at a standing body or its legs do the same.
    """
    height, width = rgb.shape[:2]
    total = np.zeros((height, width), np.float32)
    weight = np.full((height, width), 1e-6, np.float32)
    looks: list[Box] = [(0, 0, width, height)]
    joints = person.body[:, :2]
    found = bool(np.isfinite(joints).all())
    if found:
        unit = torso(joints)
        looks += _body_boxes(joints, unit)
    for box in looks:
        _look(rgb, box, segment, total, weight)
    if person.mask is not None:
        total += TRACKED * cv2.resize(person.mask, (width, height), interpolation=cv2.INTER_LINEAR)
        weight += TRACKED
    belief = total / weight
    if found:
        for limb in (*ARMS, *LEGS):
            end = limb[2:]
            seen = np.zeros_like(belief)
            _look(rgb, _square(joints[list(end)], 1.5, 0.5 * unit), segment, seen, np.ones_like(seen))
            near = capsules(rgb.shape[:2], joints, list(pairwise(end)), 0.22 * unit) & (belief > DOUBT)
            belief = np.where(near, np.maximum(belief, 0.8 * seen), belief)
    return np.asarray(belief, np.float32)


def sees(belief: Floats, person: Person) -> bool:
    """Whether the networks' belief holds the person's trunk: they miss most drawings, creatures and objects."""
    joints = person.body[:, :2]
    if not np.isfinite(joints).all():
        return False
    trunk = capsules(belief.shape, joints, [(11, 24), (12, 23), (11, 12)], 0.03 * torso(joints))
    return bool(trunk.any()) and float(belief[trunk].mean()) > 0.6


def torso(joints: Floats) -> float:
    """The trunk's length in pixels: the unit in which a body is measured here."""
    middle = joints[[11, 12]].mean(0) - joints[[23, 24]].mean(0)
    across = joints[11] - joints[12]
    return float(max(np.hypot(*middle), 1.2 * np.hypot(*across), 8.0))


def capsules(
    shape: tuple[int, ...], joints: Floats, bones: list[tuple[int, int]], radius: float
) -> NDArray[np.bool_]:
    """(H, W) within ``radius`` pixels of the bones."""
    drawn = np.zeros(shape[:2], np.uint8)
    limit = 4 * max(shape)
    for a, b in bones:
        ends = np.clip(np.rint(joints[[a, b]]), -limit, limit).astype(int)
        cv2.line(drawn, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1, max(1, round(2 * radius)))
    return drawn > 0


def _body_boxes(joints: Floats, unit: float) -> list[Box]:
    low, high = joints.min(0) - 0.35 * unit, joints.max(0) + 0.25 * unit
    return [
        (
            round(float(low[0])),
            round(float(low[1] - 0.1 * unit)),
            round(float(high[0])),
            round(float(high[1])),
        ),
        _square(joints[[*HEAD, *TRUNK]], 1.6, unit),
        _square(joints[[*HEAD, 11, 12]], 1.9, 0.8 * unit),
    ]


def _square(points: Floats, margin: float, least: float) -> Box:
    low, high = points.min(0), points.max(0)
    side = max(float((high - low).max()), least) * margin
    x, y = (low + high) / 2 - side / 2
    return round(float(x)), round(float(y)), round(float(x) + side), round(float(y) + side)


def _look(rgb: Frame, box: Box, segment: Segment, total: Floats, weight: Floats) -> None:
    """Add one look to ``total`` and ``weight``, fading towards the crop's own edge inside the picture."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = box
    left, top, right, bottom = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if right - left < 16 or bottom - top < 16:
        return
    inside = rgb[top:bottom, left:right]
    # a crop that reaches far over the edge is cut there: a mirror of half a person is another person
    tall, wide = (bottom - top) // 4, (right - left) // 4
    above, below = min(top - y0, tall), min(y1 - bottom, tall)
    before, behind = min(left - x0, wide), min(x1 - right, wide)
    crop = np.asarray(
        cv2.copyMakeBorder(inside, above, below, before, behind, cv2.BORDER_REPLICATE), np.uint8
    )
    seen = 0.5 * (segment(crop) + segment(np.ascontiguousarray(crop[:, ::-1]))[:, ::-1])
    seen = seen[above : above + bottom - top, before : before + right - left]
    fade = np.outer(
        _fade(bottom - top, top > 0, bottom < height), _fade(right - left, left > 0, right < width)
    )
    total[top:bottom, left:right] += seen * fade
    weight[top:bottom, left:right] += fade


def _fade(length: int, at_start: bool, at_end: bool) -> Floats:
    ramp = np.ones(length, np.float32)
    reach = max(1, length // 6)
    rise = np.linspace(0.02, 1, reach, dtype=np.float32)
    if at_start:
        ramp[:reach] = rise
    if at_end:
        ramp[-reach:] = np.minimum(ramp[-reach:], rise[::-1])
    return ramp
