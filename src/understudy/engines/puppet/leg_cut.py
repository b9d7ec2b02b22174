"""Cutting a leg: from the other leg by their bones, from the background by the matte, from a hand on it by what the
leg shows beside the hand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import below_hips, distance_to_polyline
from understudy.engines.puppet.inseam import leg_side
from understudy.engines.puppet.parts import Limb
from understudy.engines.puppet.seam import (
    disc_into,
    expected_widths,
    extent,
    fill_between,
    normal_outwards,
    seam,
    smooth,
    stations,
)
from understudy.tracking.motion import Floats

FINGERS = 9  # stations below a hand that its fingertips may hide


def leg_mask(
    limb: Limb,
    line: Floats,
    radii: Floats,
    inside: NDArray[np.bool_],
    edges: Floats,
    joints: Floats,
    others: list[Floats],
    arms: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(H, W) the pixels of a leg along ``line`` (4, 2) with half widths ``radii`` (3,).

    ``others`` are the other legs' lines, ``arms`` (H, W) what may lie on the leg and hide its outer side.
    """
    area = np.zeros(inside.shape, np.uint8)
    for k in range(3):
        start, stop = line[k], line[k + 1]
        if float(np.linalg.norm(stop - start)) < 2:
            continue
        outwards = normal_outwards(limb, start, stop, joints)
        points, share = stations(start, stop)
        target = expected_widths(share, radii, k)
        limit = 2.6 * float(target.max())
        reach = extent(inside, points, outwards, limit)
        outer = behind(reach, extent(inside & ~arms, points, outwards, limit), target)
        reach = extent(inside, points, -outwards, limit)
        found = seam(edges, points, -outwards, target)
        inner = smooth(np.where(reach < 1.25 * target, reach + 1, found))
        fill_between(
            area,
            points + (np.maximum(outer, 2.0) + 2.0)[:, None] * outwards,
            points - np.maximum(inner, 2.0)[:, None] * outwards,
        )
        if k < 2:
            disc_into(area, stop, max(min(radii[k], radii[k + 1]), 2))
    disc_into(area, line[3], max(radii[2] * 0.9, 3))
    disc_into(area, line[2], max(radii[2] * 1.3, 3))  # heel and sole
    mask = area.astype(bool)
    sides = leg_side(line, others[0], radii, inside, edges) if others else None
    if sides is not None:
        between, side = sides
        mask = (mask | between) & side
    elif others:
        mask &= nearer(line, others, mask)
    return mask & below_hips(joints, inside.shape, 0.25 * float(radii[0]))


def behind(reach: Floats, seen: Floats, target: Floats) -> Floats:
    """(N,) a leg's outer offset: where a hand hides it, what the stations beside show, else the expected width."""
    clear = seen >= reach
    if clear.all():
        return reach
    # Beside the hand's own pixels its fingertips may have been missed: they would stay on the leg.
    clear = cv2.erode(clear.astype(np.uint8)[:, None], np.ones((2 * FINGERS + 1, 1), np.uint8))[:, 0] > 0
    stations = np.arange(len(reach))
    guess = np.interp(stations, stations[clear], reach[clear]) if clear.sum() >= 3 else target
    cut: Floats = np.where(
        clear, reach, np.minimum(np.maximum(np.where(seen < reach, seen, 0.0), guess), reach)
    ).astype(np.float32)
    return cut


def nearer(line: Floats, others: list[Floats], where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) True where the pixel is nearer to this limb's bones than to the others'."""
    ys, xs = np.nonzero(where)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    own = distance_to_polyline(pixels, line)
    rest = np.min([distance_to_polyline(pixels, other) for other in others], axis=0)
    near = np.zeros(where.shape, bool)
    near[ys, xs] = own <= rest + 0.5
    return near
