"""The figure of a drawing or a creature before a plain backdrop: all that is not backdrop and hangs together."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import BONES, capsules, torso
from understudy.tracking.backdrop import Backdrop
from understudy.tracking.tracker import Person

Mask = NDArray[np.bool_]

OUTLINE = 0.4  # share of paper-coloured pixels inside a figure that makes it an outline drawing
ENCLOSED = 0.008  # of the picture: less backdrop than that at the border is a part cut by the picture's edge


def is_outline(backdrop: Backdrop) -> bool:
    """Whether the figure is drawn in lines on its backdrop and has the paper's colour inside."""
    inside = cv2.erode((~backdrop.mask).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inside.any():
        return False
    return float((backdrop.distance[inside] < max(3 * backdrop.noise, 3.0)).mean()) > OUTLINE


def drawn_figure(backdrop: Backdrop, person: Person) -> Mask | None:
    """(H, W) what stands before the backdrop and belongs to the person found, else the largest thing; or None.

    An outline keeps what its lines enclose, also where the picture's edge closes the line.
    """
    outline = is_outline(backdrop)
    wall = backdrop.mask if outline else backdrop.mask | backdrop.holes
    if outline:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(wall.astype(np.uint8), connectivity=4)
        large = stats[:, cv2.CC_STAT_AREA] >= ENCLOSED * wall.size
        large[0] = False
        wall = large[labels]
    figure = (~wall).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(figure, connectivity=8)
    if count <= 1:
        return None
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    area[0] = 0
    joints = person.body[:, :2]
    wanted = np.zeros(count)
    if np.isfinite(joints).all():
        bones = capsules(figure.shape, joints, list(BONES), 0.05 * torso(joints))
        wanted = np.bincount(labels[bones], minlength=count).astype(float)
        wanted[0] = 0
    if not wanted.any():
        wanted = area
    keep = wanted > 0.1 * wanted.max()
    return np.asarray(keep[labels], np.bool_)
