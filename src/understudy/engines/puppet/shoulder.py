"""What of a shoulder goes along with the arm: its own cloth or skin, no straps and no hair."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

LIKE = 2.5  # standard deviations within which a colour is the arm's
EVEN = 7.0  # Lab units that a standard deviation has at the least


def like_arm(rgb: NDArray[np.uint8], arm: Mask, where: Mask, reach: float) -> Mask:
    """(H, W) the pixels of ``where`` that look like the ``arm`` within ``reach`` pixels of them: its cloth or skin goes
    on there, while a strap, hair or another garment is not the arm's."""
    ys, xs = np.nonzero(where)
    if not len(ys):
        return where
    margin = round(2 * reach)
    box = (
        slice(max(int(ys.min()) - margin, 0), int(ys.max()) + margin),
        slice(max(int(xs.min()) - margin, 0), int(xs.max()) + margin),
    )
    lab = cv2.cvtColor(np.ascontiguousarray(rgb[box]), cv2.COLOR_RGB2LAB).astype(np.float32)
    mean, told = _about(lab, arm[box], reach)
    square, _ = _about(lab**2, arm[box], reach)
    variance = np.maximum(square - mean**2, 0) + EVEN**2
    off = np.sqrt(((lab - mean) ** 2 / variance).sum(axis=2))
    alike = cv2.medianBlur((told & (off < LIKE)).astype(np.uint8), 5) > 0
    out = np.zeros_like(where)
    out[box] = where[box] & alike
    return out


def _about(colours: Floats, where: Mask, reach: float) -> tuple[Floats, Mask]:
    """The mean colour (h, w, 3) of ``where`` about each place, and whether there is one."""
    share = where.astype(np.float32)[..., None]
    weight = cv2.GaussianBlur(share, (0, 0), reach)[..., None]
    total = cv2.GaussianBlur(colours * share, (0, 0), reach)
    return np.asarray(total / np.maximum(weight, 1e-4), np.float32), weight[..., 0] > 1e-3
