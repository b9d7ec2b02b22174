"""Arms whole: what their bands missed of them and what they took by mistake, told by colours and by what touches."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown, head_area, trunk_outline
from understudy.engines.puppet.colours import Colours
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.skin import is_bare, skin_tone
from understudy.tracking.motion import Floats

TRUNK = 0
ASTRAY = 3.0  # half widths from its bones where an arm may still lie: joints are found so badly
THICK = 1.6  # half widths of an arm: what has more about it on all sides is a leg or a coat
# Log-odds of a forearm's colours against the trunk's: of any, and of skin, that clothes have more seldom.
SURELY, SURELY_SKIN = 2.0, 1.2
SPECK = 30  # pixels: smaller islands are not worth a ragged border
RIM = 2  # pixels inside a border whose colours are mixed
SHARD = 0.1  # of an arm's pixels: islands that are smaller are no part of it by their place alone


def adopt_strays(
    labels: NDArray[np.uint8],
    core: NDArray[np.bool_],
    corridors: list[Corridor],
    joints: Floats,
    rgb: NDArray[np.uint8],
) -> None:
    """Label what touches an arm, off the trunk, in the colours of forearms and hands alone, as that arm's, in place.

    ``labels`` (H, W) 0 where nothing has claimed the ``core`` (H, W), ``rgb`` (H, W, 3) the picture. A band that
    follows the wrong edge, because the joints lie beside the arm or hair hangs there, leaves a stub on the trunk.
    """
    arms = [(i + 1, c) for i, c in enumerate(corridors) if c.limb.arm]
    outline = trunk_outline(joints, labels.shape)
    ours = np.zeros_like(core)
    for label, corridor in arms:
        ours |= (labels == label) & _beyond_elbow(labels == label, corridor.polyline)
    theirs = outline & core & (labels == TRUNK)
    square = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    ours, theirs = (cv2.erode(side.astype(np.uint8), square) > 0 for side in (ours, theirs))
    if ours.sum() < SPECK or theirs.sum() < SPECK:
        return
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    free = core & (labels == TRUNK) & ~outline & ~head_area(joints, labels.shape)
    asked = free | ours | theirs
    pixels = lab[asked]
    odds = Colours(pixels, np.zeros(len(pixels), np.float32)).odds(
        ours[asked].astype(np.float32), theirs[asked].astype(np.float32)
    )
    tone = skin_tone(lab, joints)
    least = SURELY if tone is None else np.where(is_bare(pixels[None], tone)[0], SURELY_SKIN, SURELY)
    free[asked] &= odds > least
    whole = cv2.morphologyEx(free.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, islands, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=4)
    for label, corridor in arms:
        touched = np.unique(islands[grown(labels == label, RIM)])
        for island in touched[touched > 0]:
            if stats[island, cv2.CC_STAT_AREA] < SPECK:
                continue
            x, y, w, h = stats[island, :4]
            box = (slice(y, y + h), slice(x, x + w))
            mine = islands[box] == island
            deep = cv2.distanceTransform(np.pad(mine, 1).astype(np.uint8), cv2.DIST_L2, 3)
            if float(deep.max()) < THICK * float(corridor.radii.max()):
                ys, xs = np.nonzero(mine)
                near = _beside(np.stack([xs + x, ys + y], axis=1).astype(np.float32), corridor)
                labels[ys[near] + y, xs[near] + x] = label


def _beyond_elbow(mask: NDArray[np.bool_], line: Floats) -> NDArray[np.bool_]:
    """(H, W) the pixels of ``mask`` that are nearer to forearm and hand than to the upper arm."""
    ys, xs = np.nonzero(mask)
    points = np.stack([xs, ys], axis=1).astype(np.float32)
    lower = distance_to_polyline(points, line[1:]) < distance_to_polyline(points, line[:2])
    found = np.zeros_like(mask)
    found[ys[lower], xs[lower]] = True
    return found


def _beside(points: Floats, corridor: Corridor) -> NDArray[np.bool_]:
    """(N,) whether each point may be the arm's by its place; beside a hanging arm's shoulder is the neck."""
    line = corridor.polyline
    near = distance_to_polyline(points, line) < ASTRAY * float(corridor.radii.max())
    return np.asarray(near & ((points - line[0]) @ (line[1] - line[0]) > 0), np.bool_)


def drop_shards(labels: NDArray[np.uint8], core: NDArray[np.bool_], corridors: list[Corridor]) -> None:
    """Give small islands of an arm's label that trunk and legs surround to what they touch most, in place: they have
    the arm's colours by chance, as a skirt's white seam has those of a cuff."""
    for i, corridor in enumerate(corridors):
        if not corridor.limb.arm:
            continue
        mine = labels == i + 1
        # Hair that lies on an arm does not part it.
        one = mine if corridor.covered is None else mine | (corridor.covered & core)
        count, islands, stats, _ = cv2.connectedComponentsWithStats(one.astype(np.uint8), connectivity=8)
        most = float(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
        for island in range(1, count):
            x, y, w, h, area = stats[island]
            if area >= SHARD * most:
                continue
            box = (slice(max(y - RIM, 0), y + h + RIM), slice(max(x - RIM, 0), x + w + RIM))
            shard = islands[box] == island
            ring = grown(shard, RIM) & ~shard & core[box]
            touching = np.bincount(labels[box][ring], minlength=len(corridors) + 1)
            touching[i + 1] = 0
            if touching.any() and not _is_arm(int(touching.argmax()), corridors):
                labels[box][shard & mine[box]] = touching.argmax()


def _is_arm(label: int, corridors: list[Corridor]) -> bool:
    return label > 0 and corridors[label - 1].limb.arm
