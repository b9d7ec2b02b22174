"""What lies behind a hand that is held before its own arm, and the hand's edge without it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import grown, nearest
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

LEAST_SEEN = 20  # pixels that tell a colour
FADE = 0.05  # of the upper arm: over so much of it skin follows where its seen pixels end
# Blurs from wide to narrow, and how soon each of them counts
WIDTHS_PX, ENOUGH = (32.0, 16.0, 8.0, 4.0, 2.0), 8.0
MIXED_PX = 3  # about a hand in which the picture shows both it and what is behind
EDGE_PX = 2  # at a hand's edge that show what is behind it


def share_along(shape: tuple[int, ...], line: Floats) -> Floats:
    """(H, W) how far along the upper arm each pixel lies, 1 at the elbow."""
    bone = line[1] - line[0]
    ys, xs = np.ogrid[: shape[0], : shape[1]]
    share = ((xs - line[0][0]) * bone[0] + (ys - line[0][1]) * bone[1]) / max(float(bone @ bone), 1.0)
    return np.asarray(share, np.float32)


def filled_behind(
    rgb: NDArray[np.uint8],
    upper: Mask,
    hidden: Mask,
    line: Floats,
    flesh: Mask | None = None,
    skin: Floats | None = None,
    sleeve: float = 0.0,
) -> NDArray[np.uint8]:
    """The picture with the upper arm's ``hidden`` part in the colours that lie nearest to it, smoothly: plain, since a
    mirrored cuff is a second cuff.

    Of an arm whose ``sleeve`` ends at that place along it, what lies above is filled from the cloth, and what lies
    below from its ``flesh`` (H, W), or with the colour ``skin`` (3,) where hardly any shows.
    """
    if not hidden.any() or not upper.any():
        return rgb
    ys, xs = np.nonzero(upper | hidden)
    box = np.s_[int(ys.min()) : int(ys.max()) + 1, int(xs.min()) : int(xs.max()) + 1]
    # What is mixed of the hand and the arm behind it is neither's.
    mixed = grown(hidden[box], MIXED_PX)
    free = upper[box] & ~mixed
    if flesh is None or skin is None:
        plain = _continued(rgb[box], next(a for a in (_inner(free), free, upper[box]) if a.any()))
    else:
        cloth, bare = (_inner(free & area) for area in (~flesh[box], flesh[box]))
        plain = np.broadcast_to(skin, (*free.shape, 3)).astype(np.float32)
        if int(bare.sum()) >= LEAST_SEEN:
            plain = _continued(rgb[box], bare)
        if int(cloth.sum()) >= LEAST_SEEN:
            above = np.clip((sleeve - share_along(rgb.shape, line)[box]) / FADE, 0, 1)[..., None]
            plain = plain + above * (_continued(rgb[box], cloth) - plain)
    out = rgb.copy()
    filled = hidden[box] | mixed & upper[box]
    out[box][filled] = np.clip(np.rint(plain), 0, 255).astype(np.uint8)[filled]
    return out


def _inner(area: Mask) -> Mask:
    """(h, w) an area without its rim, which is mixed with what is beside it."""
    return np.asarray(cv2.erode(area.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0, np.bool_)


def _continued(rgb: NDArray[np.uint8], own: Mask) -> Floats:
    """(h, w, 3) the colours of ``own`` (h, w) and, smoothly, the nearest of them beyond it: normalised convolution
    (Knutsson and Westin 1993) from wide to narrow."""
    made = nearest(rgb, own).astype(np.float32)
    weight = own.astype(np.float32)
    seen = np.dstack([rgb.astype(np.float32) * weight[..., None], weight])
    for sigma in WIDTHS_PX:
        blurred = cv2.GaussianBlur(seen, (0, 0), sigma)
        about = blurred[..., 3:]
        there = np.minimum(ENOUGH * about, 1)
        made += there * (blurred[..., :3] / np.maximum(about, 1e-6) - made)
    return made


def own_edge(rgb: NDArray[np.uint8], hand: Mask, mine: Mask) -> NDArray[np.uint8]:
    """The picture with the hand's own colours at its edge and a little beyond, where it shows the cloth behind."""
    wide = np.ones((2 * EDGE_PX + 1,) * 2, np.uint8)
    inner = cv2.erode(hand.astype(np.uint8), wide)
    if not inner.any():
        return rgb
    rim = (cv2.dilate(hand.astype(np.uint8), wide) > inner) & (inner == 0)
    out = rgb.copy()
    out[rim] = nearest(rgb, inner > 0)[rim]
    return out
