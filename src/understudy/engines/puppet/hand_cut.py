"""A hand cut into its palm and the fingers that the reference image shows well enough to bend."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import disc, distance_to_polyline, grown, nearest
from understudy.engines.puppet.finger_outline import even_finger
from understudy.engines.puppet.hand_belief import believable, open_fingers
from understudy.engines.puppet.hand_points import CHAINS, THUMB, chain, palm_area, palm_hull
from understudy.engines.puppet.hand_shape import palm_length
from understudy.engines.puppet.hand_skin import foreign, like_bones, unlike_palm
from understudy.engines.puppet.layer import Layer, cropped, soft
from understudy.engines.puppet.warp import smoothstep
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Rgb = NDArray[np.uint8]

LEAST_PX = 60.0  # a smaller hand stays whole: its fingers are a few pixels wide
WIDTH = 0.095  # half a finger's width over the palm's length, wrist to knuckles: adults' hands
THUMB_WIDTH = 1.2  # ... of the thumb, in fingers
WRIST_OFF = 0.7  # of the palm's length: farther from the body's wrist, the hand is somebody else's or wrong
LEAST_FINGERS = 2  # without the thumb
WEB, THUMB_WEB = 0.3, 0.1  # of the first bone, where the skin between two fingers ends
PALM_LABEL, NOBODY = -1, -2
SLIVER = 0.05  # of the palm's length: thinner on each side, it is what a finger has left behind
SCRAPS = (
    3.5  # half widths beside a finger within which what is not its own would be left behind when it moves
)
NEAR = 1.8  # half widths about a finger's bones that may be its own
UNSURE = 0.55  # share of the distances to two fingers up to which the nearer one is sure of a pixel
EDGE_PX = 1  # that a finger takes along beyond its cut
SEAM_LIGHT = 5.0  # Lab units by which the seam between two fingers is darker than they are
SEAM_SHARE = 0.4  # of the seam that has to be, or the two move together


@dataclass(frozen=True)
class Finger:
    """One finger: its layer, which one it is (0 the thumb to 4), half its width at rest and how far off its chain it
    shows, in pixels."""

    layer: Layer
    number: int
    radius: float
    reach: float
    line: Floats  # (4, 2) its chain


@dataclass(frozen=True)
class CutHand:
    """A hand of side 0 (left) or 1 in its parts: ``palm``, ``fingers`` from the thumb on, the rest pose's landmarks
    ``points`` (21, 2), and which neighbours among the fingers move ``together`` because no seam parts them."""

    side: int
    palm: Layer
    fingers: tuple[Finger, ...]
    points: Floats
    together: tuple[tuple[int, int], ...]

    @property
    def shows_palm(self) -> bool:
        """Whether the reference image shows the inside of the hand."""
        return bool((palm_area(self.points) > 0) == (self.side == 0))


def cut_hand(name: str, side: int, rgb: Rgb, alpha: Floats, points: Floats, wrist: Floats) -> CutHand | None:
    """Cut the hand with ``alpha`` (H, W) 0..1 in the picture ``rgb`` along its landmarks ``points`` (21, 2).

    ``wrist`` (2,) is the body's. None where the landmarks cannot be believed or the hand is small: it stays whole.
    """
    if not np.isfinite(points).all():
        return None
    span = float(np.hypot(*(points[:, None] - points[None]).reshape(-1, 2).T).max())
    ys, xs = np.nonzero(alpha > 1 / 255)
    if span < LEAST_PX or not len(xs):
        return None
    x0, y0 = max(int(xs.min()) - 8, 0), max(int(ys.min()) - 8, 0)
    box = np.s_[y0 : int(ys.max()) + 9, x0 : int(xs.max()) + 9]
    own = points - np.array([x0, y0], np.float32)
    inside = alpha[box] > 0.5
    length = palm_length(points)
    if float(np.hypot(*(points[0] - wrist))) > WRIST_OFF * length:
        return None
    radii = [WIDTH * length * (THUMB_WIDTH if f == THUMB else 1.0) for f in range(5)]
    other = foreign(rgb[box], inside, own)
    if not believable(inside, own, radii, other):
        return None
    unlike = unlike_palm(rgb[box], inside, own)
    use = open_fingers(inside, own, radii, unlike)
    if sum(f != THUMB for f in use) < LEAST_FINGERS:
        return None
    colours = rgb[box]
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).astype(np.float32)
    labels = _labels(colours, inside, own, use, radii)
    fingers = []
    alike = inside if other is None else inside & like_bones(colours, inside, own)
    if unlike is not None:
        alike &= ~unlike
    palm = _solid(inside & (labels == PALM_LABEL), SLIVER * length) | alike & palm_hull(inside.shape, own)
    for f in use:
        area = even_finger(alike & (labels == f), chain(own, f), radii[f]) & inside
        if int(area.sum()) < radii[f] ** 2:
            return None
        sure = area & alike & (labels == f)
        layer = _finger_layer(f"{name} {f}", colours, alpha[box], area, sure, own, f, radii[f])
        fingers.append(Finger(_shifted(layer, x0, y0), f, radii[f], _reach(area, own, f), chain(points, f)))
        # The knuckle stays round where the finger bends away from it.
        palm |= alike & disc(inside.shape, chain(own, f)[0], 1.05 * radii[f])
    together = tuple(
        (k, k + 1)
        for k, (f, g) in enumerate(pairwise(use))
        if f != THUMB and g == f + 1 and not _parted(lab, labels, f, g)
    )
    layer = cropped(f"{name} palm", colours, alpha[box] * soft(palm))
    return CutHand(side, _shifted(layer, x0, y0), tuple(fingers), points.astype(np.float32), together)


def _shifted(layer: Layer, x: int, y: int) -> Layer:
    return Layer(layer.name, layer.texture, (layer.origin[0] + x, layer.origin[1] + y))


def _solid(mask: Mask, half: float) -> Mask:
    """(H, W) the largest piece of a mask without what is thinner on each side than ``half``."""
    size = 2 * max(round(half), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    thick = grown(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0, 2) & mask
    _, islands = cv2.connectedComponents(thick.astype(np.uint8), connectivity=4)
    sizes = np.bincount(islands.ravel())
    sizes[0] = 0
    return np.asarray((islands == int(sizes.argmax())) & thick, np.bool_)


def _web(points: Floats, finger: int) -> Floats:
    """(M, 2) a finger's middle line from where it is free of the palm to beyond its tip."""
    line = chain(points, finger)
    line[0] += (THUMB_WEB if finger == THUMB else WEB) * (line[1] - line[0])
    return line


def _labels(rgb: Rgb, inside: Mask, points: Floats, use: list[int], radii: list[float]) -> NDArray[np.int8]:
    """(H, W) the finger of every pixel, or the palm, or nobody beside a finger. Between two fingers the picture's own
    edges decide."""
    ys, xs = np.nonzero(inside)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    away = np.full((len(pixels), 5), np.inf, np.float32)
    for f in range(5):
        line = _web(points, f)
        first = line[1] - line[0]
        beyond = (pixels - line[0]) @ first > 0
        away[:, f] = np.where(beyond, distance_to_polyline(pixels, line) / radii[f], np.inf)
    order = np.argsort(away, axis=1)
    rows = np.arange(len(pixels))
    near, second = away[rows, order[:, 0]], away[rows, order[:, 1]]
    labels = np.full(inside.shape, PALM_LABEL, np.int8)
    beside = NOBODY if len(use) == len(CHAINS) else PALM_LABEL  # other fingers are the palm's
    labels[ys, xs] = np.where(near < NEAR, order[:, 0], np.where(near < SCRAPS, beside, PALM_LABEL))
    unsure = np.zeros_like(inside)
    unsure[ys, xs] = (near < NEAR) & (near > UNSURE * second) & (second < 2 * NEAR)
    if unsure.any():
        marks = labels.astype(np.int32) + 3
        marks[unsure | ~inside] = 0
        marks[~grown(inside, 1)] = 9  # what is not the hand
        cv2.watershed(np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), 0.8)), marks)
        told = (marks > 0) & (marks < 9)
        told_labels = nearest(marks, told)
        labels[unsure] = (told_labels[unsure] - 3).astype(np.int8)
    for f in range(5):
        if f not in use:
            labels[labels == f] = PALM_LABEL
            continue
        # What does not hang together with the finger is none of it.
        _, islands = cv2.connectedComponents((labels == f).astype(np.uint8), connectivity=4)
        sizes = np.bincount(islands.ravel())
        sizes[0] = 0
        labels[(labels == f) & (islands != int(sizes.argmax()))] = NOBODY
    return labels


def _finger_layer(
    name: str, rgb: Rgb, alpha: Floats, area: Mask, sure: Mask, points: Floats, finger: int, radius: float
) -> Layer:
    """A finger with soft edges and a root that fades into the palm below it; what of its ``area`` (H, W) is not
    ``sure`` takes its colours from what is."""
    inside = alpha > 0.5
    line = chain(points, finger)
    root, first = line[0], line[1] - line[0]
    length = max(float(np.hypot(*first)), 1e-3)
    first = first / length
    ys, xs = np.indices(inside.shape, np.float32)
    along = (xs - root[0]) * first[0] + (ys - root[1]) * first[1]
    across = np.abs((ys - root[1]) * first[0] - (xs - root[0]) * first[1])
    web = (THUMB_WEB if finger == THUMB else WEB) * length + EDGE_PX
    about = inside & (along > -1.2 * radius) & (along < max(web, radius)) & (across < 1.15 * radius)
    fade = smoothstep((along / radius + 0.9) / 1.0)
    sure = cv2.erode(sure.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    beside = grown(area, EDGE_PX) & inside & ~area & ~about
    taken = (area | beside) & ~sure & ~about
    colours = rgb.copy()
    colours[taken] = nearest(rgb, sure if sure.any() else area)[taken]
    shape = soft(area | about | beside, 1.5) * np.where(area & (along > 0), 1.0, fade)
    return cropped(name, colours, (alpha * shape).astype(np.float32))


def _reach(area: Mask, points: Floats, finger: int) -> float:
    """How far off its chain a finger shows, in pixels."""
    ys, xs = np.nonzero(area)
    away = distance_to_polyline(np.stack([xs, ys], axis=1).astype(np.float32), chain(points, finger))
    return float(np.quantile(away, 0.97)) + EDGE_PX + 1


def _parted(lab: Floats, labels: NDArray[np.int8], one: int, other: int) -> bool:
    """Whether something shows between two neighbours: a gap, or the dark seam where they touch."""
    both = [(labels == f) for f in (one, other)]
    seam = grown(both[0], 1) & grown(both[1], 1)
    if not seam.any():
        return True
    inner = [cv2.erode(area.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for area in both]
    if not all(area.any() for area in inner):
        return False
    light = min(float(np.median(lab[area][:, 0])) for area in inner)
    darkest = cv2.erode(lab[..., 0], np.ones((3, 3), np.uint8))
    return float((darkest[seam] < light - SEAM_LIGHT).mean()) > SEAM_SHARE
