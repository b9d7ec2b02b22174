"""What lies behind a hand that is held before its own arm, and the hand's edge without it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import nearest
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

LEAST_SEEN = 20  # pixels that tell a colour
ROWS = np.linspace(0.0, 1.4, 57)  # places along the upper arm, from the shoulder down
BLEND_PX = 5.0  # over which what is filled goes over into what is seen
EDGE_PX = 2  # at a hand's edge that show what is behind it


def share_along(shape: tuple[int, ...], line: Floats) -> Floats:
    """(H, W) how far along the upper arm each pixel lies, 1 at the elbow."""
    bone = line[1] - line[0]
    ys, xs = np.ogrid[: shape[0], : shape[1]]
    share = ((xs - line[0][0]) * bone[0] + (ys - line[0][1]) * bone[1]) / max(float(bone @ bone), 1.0)
    return np.asarray(share, np.float32)


def filled_behind(
    rgb: NDArray[np.uint8], upper: Mask, hidden: Mask, line: Floats, skin: Floats | None
) -> NDArray[np.uint8]:
    """The picture with the upper arm's ``hidden`` part in the colours that it has beside that, row by row: plain,
    since a mirrored cuff is a second cuff. Where a short sleeve ended behind the hand goes on ``skin`` (3,)."""
    if not hidden.any() or not upper.any():
        return rgb
    ys, xs = np.nonzero(upper | hidden)
    box = np.s_[int(ys.min()) : int(ys.max()) + 1, int(xs.min()) : int(xs.max()) + 1]
    share = share_along(rgb.shape, line)[box]
    own = cv2.erode(upper[box].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if int(own.sum()) < LEAST_SEEN:
        own = upper[box]
    row = np.clip(np.rint(share / (ROWS[1] - ROWS[0])), 0, len(ROWS) - 1).astype(int)
    seen = [k for k in np.unique(row[own]) if int((own & (row == k)).sum()) >= LEAST_SEEN]
    if not seen:
        return rgb
    colours = np.array([np.median(rgb[box][own & (row == k)], axis=0) for k in seen], np.float32)
    rows = np.stack([np.interp(np.arange(len(ROWS)), seen, colours[:, c]) for c in range(3)], axis=1)
    if skin is not None and ROWS[seen[-1]] < 1:
        rows[seen[-1] + 1 :] = skin
    rows = cv2.GaussianBlur(rows[None], (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)[0]
    plain = rows[row].astype(np.float32)
    weight = own.astype(np.float32)
    about = cv2.GaussianBlur(weight, (0, 0), BLEND_PX)[..., None]
    rest = cv2.GaussianBlur((rgb[box] - plain) * weight[..., None], (0, 0), BLEND_PX)
    plain += np.minimum(2 * about, 1) * rest / np.maximum(about, 1e-3)
    out = rgb.copy()
    out[box][hidden[box]] = np.clip(np.rint(plain), 0, 255).astype(np.uint8)[hidden[box]]
    return out


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
