"""What lies about the crotch and between the legs, and which leg it goes with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, nearest
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.parts import HIPS, SHOULDERS, centre
from understudy.tracking.motion import Floats

TRUNK = 0


def share_between_legs(
    labels: NDArray[np.uint8], core: NDArray[np.bool_], corridors: list[Corridor], joints: Floats
) -> None:
    """What no limb claims below the crotch goes with the leg beside it: a strip of it would hang from the trunk."""
    legs = [(i + 1, c) for i, c in enumerate(corridors) if not c.limb.arm]
    if len(legs) != 2:
        return
    hips = centre(joints, HIPS)
    down = hips - centre(joints, SHOULDERS)
    down = down / max(float(np.hypot(*down)), 1.0)
    ys, xs = np.nonzero(core & (labels == TRUNK))
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    below = (pixels - hips) @ down > 0.7 * min(float(c.radii[0]) for _, c in legs)
    pixels = pixels[below]
    reach = 1.6 * max(float(c.radii[0]) for _, c in legs)
    away = np.max([distance_to_polyline(pixels, c.polyline) for _, c in legs], axis=0)
    near = away < reach + float(np.hypot(*(joints[HIPS[0]] - joints[HIPS[1]]))) / 2
    x, y = pixels[near].astype(int).T
    labels[y, x] = nearest(labels, core & np.isin(labels, [i for i, _ in legs]))[y, x]
