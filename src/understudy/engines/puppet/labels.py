"""Whose pixel it is: one label for every pixel of the picture, from the limbs' corridors."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, falls_in, nearest, trunk_outline
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.leg_labels import share_between_legs
from understudy.engines.puppet.parts import HIPS, NOSE, SHOULDERS, centre, figure_size
from understudy.engines.puppet.stray import TRUNK, adopt_strays, drop_shards
from understudy.tracking.motion import Floats

SLIVER = 0.045  # half width of a strip, in figure sizes
LINES = 1.0  # half widths beside an arm in which lines are its own
INKED = 0.4  # of an arm's border that lines make up, if they are its outline
OUTLINE = 0.3  # of a limb's half width: islands that are thinner on each side have no colours of their own
LONG = 20.0  # of a line's area over the square of half its width: five times as long as it is wide
LARGEST_ORPHAN = 0.8  # of the limb's own area
SPECK = 12  # pixels: an island below that has no edge to be told by
HELD = 1.6  # the segments of an arm up to where a thing that only touches beyond is held by the hand
AT_HAND = 0.8  # of what an island touches of an arm that lies at the hand, if the hand holds it


def label_pixels(
    alpha: Floats,
    corridors: list[Corridor],
    joints: Floats,
    hair: NDArray[np.bool_] | None = None,
    rgb: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """(H, W) 0 for the trunk, i + 1 for the i-th corridor's limb, over the whole picture.

    Inside the matte arms come before legs (a hand on a thigh is the hand), and what hangs together with no part but
    a limb (an outer sleeve, a shoe's tip) is that limb's; ``hair`` (H, W) is the trunk's. With the picture ``rgb``
    (H, W, 3) what has a forearm's colours beside an arm is the arm's. Outside it every pixel has
    the label of the nearest inside, so that a part's soft outer edge is never cut.
    """
    core = alpha > 0.5
    labels = np.zeros(core.shape, np.uint8)
    for arm in (False, True):
        for i, corridor in enumerate(corridors):
            if corridor.limb.arm == arm:
                labels[corridor.mask & core] = i + 1
    share_between_legs(labels, core, corridors, joints)
    if rgb is not None:
        adopt_strays(labels, core if hair is None else core & ~hair, corridors, joints, rgb)
    _adopt_lines(labels, core, corridors, joints)
    _adopt_slivers(labels, core, corridors, joints)
    _adopt_orphans(labels, core, corridors, joints)
    drop_shards(labels, core, corridors)
    if hair is not None:
        labels[hair & core] = TRUNK
    return nearest(labels, core)


def _adopt_lines(
    labels: NDArray[np.uint8], core: NDArray[np.bool_], corridors: list[Corridor], joints: Floats
) -> None:
    """A drawing's lines about an arm, off the trunk and nearer to the arm, are the arm's."""
    outline = trunk_outline(joints, labels.shape)
    off = cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, 3)
    unclaimed = (core & (labels == TRUNK)).astype(np.uint8)
    for i, corridor in enumerate(corridors):
        if not corridor.limb.arm:
            continue
        radius = float(corridor.radii.max())
        size = 2 * max(round(OUTLINE * radius), 1) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        thin = (unclaimed > 0) & (cv2.morphologyEx(unclaimed, cv2.MORPH_OPEN, kernel) == 0)
        away = cv2.distanceTransform((labels != i + 1).astype(np.uint8), cv2.DIST_L2, 3)
        near = thin & (away < np.minimum(LINES * radius, off))
        bone = corridor.polyline[1] - corridor.polyline[0]
        ys, xs = np.nonzero(near)
        below = (xs - corridor.polyline[0][0]) * bone[0] + (ys - corridor.polyline[0][1]) * bone[1] > 0
        ys, xs = ys[below], xs[below]
        lines = np.zeros_like(core)
        lines[ys, xs] = True
        rim = (away > 0) & (away < 2)
        if float(lines[rim].mean() if rim.any() else 0.0) > INKED:
            labels[ys, xs] = i + 1


def _adopt_slivers(
    labels: NDArray[np.uint8], core: NDArray[np.bool_], corridors: list[Corridor], joints: Floats
) -> None:
    """Thin strips along an arm, outside the trunk's outline, are the arm's other edge."""
    arms = [i + 1 for i, c in enumerate(corridors) if c.limb.arm]
    if not arms:
        return
    unclaimed = core & (labels == TRUNK)
    width = 2 * max(round(SLIVER * figure_size(joints)), 3) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    thick = cv2.morphologyEx(unclaimed.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
    strips = (unclaimed & ~thick & ~trunk_outline(joints, labels.shape)).astype(np.uint8)
    _, islands, stats, _ = cv2.connectedComponentsWithStats(strips, connectivity=4)
    for island in (np.flatnonzero(stats[1:, 4] >= 30) + 1).tolist():
        x, y, w, h = stats[island, :4]
        box = (slice(max(y - 2, 0), y + h + 2), slice(max(x - 2, 0), x + w + 2))
        mine = islands[box] == island
        ring = cv2.dilate(mine.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mine
        touching = np.bincount(labels[box][ring & core[box]], minlength=len(corridors) + 1)
        limb = int(touching[1:].argmax()) + 1
        if (
            limb in arms
            and touching[limb] > 2 * touching[TRUNK]
            and not _refused(mine, box, corridors[limb - 1])
        ):
            labels[box][mine] = limb


def _adopt_orphans(
    labels: NDArray[np.uint8], core: NDArray[np.bool_], corridors: list[Corridor], joints: Floats
) -> None:
    """Unclaimed islands that do not hold the trunk's middle go to the limb that they touch most."""
    if not corridors:
        return
    unclaimed = (core & (labels == TRUNK)).astype(np.uint8)
    _, islands, stats, _ = cv2.connectedComponentsWithStats(unclaimed, connectivity=4)
    trunk = trunk_outline(joints, labels.shape)
    keep = _trunk_islands(islands, stats, joints)
    sizes = np.bincount(labels.ravel(), minlength=len(corridors) + 1)
    # Specks go with what lies nearest, all at once: a dithered alpha has tens of thousands of them.
    specks = stats[:, 4] < SPECK
    specks[[0, *keep]] = False
    if specks.any():
        speckled = specks[islands]
        labels[speckled] = nearest(labels, core & ~speckled)[speckled]
    for island in np.flatnonzero(~specks)[1:].tolist():
        if island in keep:
            continue
        x, y, w, h = stats[island, :4]
        box = (slice(max(y - 3, 0), y + h + 3), slice(max(x - 3, 0), x + w + 3))
        mine = islands[box] == island
        ring = cv2.dilate(mine.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~mine
        touching = np.bincount(labels[box][ring & core[box]], minlength=len(corridors) + 1)
        refused = np.array([_refused(mine, box, c) for c in corridors])
        # A print on a sleeve or a toy in a hand is the arm's, whatever its colours: it has nowhere else to go.
        edge = x == 0 or y == 0 or x + w == labels.shape[1] or y + h == labels.shape[0]
        refused &= edge or touching[1:] < 0.95 * touching[1:].sum()
        if touching[1:].sum() == 0 or refused[touching[1:].argmax()]:
            continue
        touching[1:][refused] = 0
        arms = np.array([c.limb.arm for c in corridors])
        fingers = np.where(arms, touching[1:], 0)
        # Between a hand and a leg lie fingertips.
        limb = int((fingers if fingers.max() > 0.2 * touching[1:].sum() else touching[1:]).argmax())
        on_trunk = float(trunk[box][mine].mean())
        legs = falls_in(islands == island, joints[HIPS[0] :]).any()
        if (
            arms[limb]
            and not legs
            and on_trunk < 0.5
            and _held(labels[box] == limb + 1, ring, box, corridors[limb])
        ):
            labels[box][mine] = limb + 1
            continue
        # A skirt below clasped hands is an island too: large, and on the trunk's place. It does not swing with them.
        share = float(stats[island, 4]) / max(int(sizes[limb + 1]), 1)
        if share < LARGEST_ORPHAN and (on_trunk < 0.5 or share < 0.1):
            labels[box][mine] = limb + 1


def _held(
    arm: NDArray[np.bool_], ring: NDArray[np.bool_], box: tuple[slice, slice], corridor: Corridor
) -> bool:
    """Whether an island touches the arm at the hand alone, so that the hand holds it; ``ring`` (h, w) is about it."""
    ys, xs = np.nonzero(arm & ring)
    if not len(xs):
        return False
    points = np.stack([xs + box[1].start, ys + box[0].start], axis=1).astype(np.float32)
    line = corridor.polyline
    wrist = line[1] + (HELD - 1.0) * (line[2] - line[1])
    hand = distance_to_polyline(points, np.stack([wrist, line[2], line[3]]))
    rest = distance_to_polyline(points, np.stack([line[0], line[1], wrist]))
    return float((hand < rest).mean()) > AT_HAND


def _refused(island: NDArray[np.bool_], box: tuple[slice, slice], corridor: Corridor) -> bool:
    """Whether an island (h, w) of the picture's ``box`` has colours that the limb beside it has not."""
    if corridor.refused is None:
        return False
    thick = cv2.distanceTransform(np.pad(island, 1).astype(np.uint8), cv2.DIST_L2, 3)
    deep = float(thick.max())
    long = float(island.sum()) > LONG * deep**2
    if long and deep < OUTLINE * float(corridor.radii.max()):  # a drawing's line about the limb
        return False
    return float(corridor.refused[box][island].mean()) > 0.5


def _trunk_islands(islands: NDArray[np.int32], stats: NDArray[np.int32], joints: Floats) -> set[int]:
    """The islands on the spine and the head, and the largest of all."""
    top, bottom = centre(joints, SHOULDERS), centre(joints, HIPS)
    spine = [bottom + t * (top - bottom) for t in np.linspace(0.2, 1.0, 9)]
    head = [top + t * (joints[NOSE] - top) for t in np.linspace(0.3, 1.0, 6)]
    keep = {int(stats[1:, 4].argmax()) + 1} if len(stats) > 1 else set()
    for point in (*spine, *head):
        x, y = round(float(point[0])), round(float(point[1]))
        if 0 <= y < islands.shape[0] and 0 <= x < islands.shape[1] and islands[y, x]:
            keep.add(int(islands[y, x]))
    return keep
