"""Cutting an arm: its corridor from what the picture shows on its free side and along its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import falls_in, trunk_outline
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

# At the armpit an arm is narrower on its inner side, and so up to this share of the upper arm: what is cut wider there
# sticks out below a raised arm.
ARMPIT = (0.7, 0.5)


def arm_mask(
    limb: Limb, line: Floats, radii: Floats, inside: NDArray[np.bool_], edges: Floats, joints: Floats
) -> NDArray[np.bool_]:
    """(H, W) the pixels of an arm along ``line`` (4, 2) with half widths ``radii`` (3,)."""
    area = np.zeros(inside.shape, np.uint8)
    trunk = trunk_outline(joints, inside.shape)
    for k in range(3):
        start, stop = line[k], line[k + 1]
        if float(np.linalg.norm(stop - start)) < 2:
            continue
        outwards = normal_outwards(limb, start, stop, joints)
        points, share = stations(start, stop)
        target = expected_widths(share, radii, k)
        limit = 2.6 * float(target.max())
        reach = extent(inside, points, outwards, limit)
        # A wide sleeve ends at the background; where the trunk lies behind, the limb has its own border.
        loose = (reach < 2.4 * target) & ~falls_in(trunk, points + reach[:, None] * 0.9 * outwards)
        outer = np.where((reach < 1.45 * target) | loose, reach, seam(edges, points, outwards, target))
        # What the free side shows of the width is no longer to be found on this side.
        rest = np.clip(2 * target - outer, 0.6 * target, 1.3 * target)
        if k == 0:
            rest = rest * np.interp(share, (0.0, ARMPIT[1]), (ARMPIT[0], 1.0))
        found = seam(edges, points, -outwards, rest.astype(np.float32))
        reach = extent(inside, points, -outwards, limit)
        inner = smooth(np.where(reach < 1.25 * rest, reach + 1, found))
        fill_between(
            area,
            points + (np.maximum(outer, 2.0) + 2.0)[:, None] * outwards,
            points - np.maximum(inner, 2.0)[:, None] * outwards,
        )
        if k < 2:
            disc_into(area, stop, max(min(radii[k], radii[k + 1]), 2))
    disc_into(area, line[3], max(radii[2] * 0.9, 3))
    return area.astype(bool)
