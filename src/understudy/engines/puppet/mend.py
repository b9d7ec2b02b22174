"""Where a quilt of pieces brings in what does not belong there, the straight fill is shown instead."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import box_about
from understudy.engines.puppet.straight_fill import SIDE, spread
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

REACH = 2.0  # cells over which busyness is averaged; a cell is a pixel of the straight fill
IDLE = 0.5  # slope, in levels a pixel, of grain
EDGE = 6.0  # levels a cell that make an edge of its own, a door's frame or a horizon: it is no texture
# Times the busyness to be expected at which a piece begins to count less, and no longer counts
BUSY = (1.1, 1.6)
REPEATED = (7.0, 14.0)  # times the same is shown at which it begins to count less, and no longer counts
CALM = (0.8, 1.6)  # slope below which a background is calm, and above which it is not
OTHER = 14.0  # RGB distance at which pieces on calm ground show another thing than is meant
BROAD = 4.0  # cells over which the colours of pieces on calm ground are brought to the meant ones
MOST_GRAIN = 1000  # root of the number of pixels whose grain is taken
SOFT_GRAIN, SOFT_SIDE = 0.7, 7  # pixels
GRAIN_FROM = 60  # pixels about the hole, at a short side of 720, whose grain is taken


def busyness(image: Floats, hole: Mask, straight: Floats) -> Floats:
    """(h, w) how busy what ``hole`` (H, W) of ``image`` hides should be, as seen beside it, in levels a pixel.

    Busyness is spread from beside the hole over what has one colour in ``straight`` (H, W, 3), the fill without
    detail. Cells, not pixels; no cell is busy where nothing is seen.
    """
    gap = _cells(hole.astype(np.float32)) > 0.01
    near = cv2.dilate(gap.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if near.all():
        return np.zeros(gap.shape, np.float32)
    seen = _cells(image)
    edge = cv2.dilate(_slope(np.where(near[..., None], _cells(straight), seen)), np.ones((3, 3), np.uint8))
    weight = np.where(near, 0, 1 / (1 + (edge / EDGE) ** 2)).astype(np.float32)
    beside = _about(_cells(_slope(image)), weight)
    return spread(beside[..., None], np.asarray(near, np.bool_), _cells(straight))[..., 0]


def worth_detail(expected: Floats, hole: Mask) -> Mask:
    """The part of ``hole`` (H, W) that is so busy, by ``expected`` (h, w), that a fill without detail would show."""
    large = cv2.resize(expected, hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(hole & (large > CALM[0]), np.bool_)


def mend(
    image: Floats,
    hole: Mask,
    pieces: Floats,
    plain: Floats,
    straight: Floats,
    expected: Floats,
    often: Floats,
) -> Floats:
    """``pieces`` (H, W, 3), mended by ``straight`` (H, W, 3); both fill ``hole`` (H, W) of ``image``.

    What the pieces show should not be busier than ``expected`` (h, w). On calm ground (walls, skies) the straight
    fill tells the colours. What is shown very ``often`` (H, W) is a pattern that nobody sees beside the hole.
    """
    height, width = hole.shape
    gap = _cells(hole.astype(np.float32)) > 0.01
    shown, meant = _cells(pieces), _cells(straight)
    slope = _cells(_slope(pieces))
    calm = np.clip((CALM[1] - expected) / (CALM[1] - CALM[0]), 0, 1)

    all_cells = np.ones_like(slope)
    allowed = np.maximum(expected, _about(_cells(_slope(straight)), all_cells)) + IDLE
    trusted = np.clip((BUSY[1] - _about(slope, all_cells) / allowed) / (BUSY[1] - BUSY[0]), 0, 1)
    off = cv2.GaussianBlur(meant, (0, 0), 1) - cv2.GaussianBlur(shown, (0, 0), 1)
    apart = cv2.dilate(np.sqrt((off**2).sum(2)), np.ones((5, 5), np.uint8))
    trusted = np.minimum(trusted, 1 - calm * (1 - np.exp(-((apart / OTHER) ** 2))))
    repeated = cv2.GaussianBlur(_cells(often), (0, 0), BROAD)
    trusted *= np.clip((REPEATED[1] - repeated) / (REPEATED[1] - REPEATED[0]), 0, 1)
    trusted = cv2.GaussianBlur(np.where(gap, trusted, 1).astype(np.float32), (0, 0), 1.5)

    lack = np.where(gap[..., None], meant - shown, 0)
    lack *= OTHER / (OTHER + np.sqrt((lack**2).sum(2, keepdims=True)))
    lack = cv2.GaussianBlur(lack, (0, 0), BROAD) * (calm * gap)[..., None]
    level = cv2.resize(lack.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    share = cv2.resize(trusted, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    box = box_about(hole, 0)
    own = plain[box]
    better = own + share[box] * (pieces[box] + level[box] - own)
    mended = np.array(image, np.float32)
    cv2.copyTo(better, hole[box].astype(np.uint8), mended[box])
    return mended


def _cells(values: Floats) -> Floats:
    height, width = values.shape[:2]
    scale = min(1.0, SIDE / min(height, width))
    size = (max(12, round(width * scale)), max(12, round(height * scale)))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _slope(image: Floats) -> Floats:
    """(H, W) how much the light changes from pixel to pixel, of all three colours together."""
    soft = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down) * np.float32(3**0.5 / 8), np.float32)


def _about(values: Floats, weight: Floats) -> Floats:
    """The weighted mean of ``values`` about each cell."""
    total = cv2.GaussianBlur(values * weight, (0, 0), REACH)
    share = cv2.GaussianBlur(weight, (0, 0), REACH)
    return np.asarray(total / np.maximum(share, 1e-4), np.float32)


def with_grain(image: Floats, smooth: Floats, hole: Mask) -> Floats:
    """The smooth fill with the background's fine noise, taken from beside the hole."""
    unit = min(hole.shape) / 720
    box = box_about(hole, round(GRAIN_FROM * unit) + 8)
    seen, inside = image[box], hole[box]
    fine = cv2.subtract(seen, cv2.GaussianBlur(seen, (0, 0), 2.0))
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
    about = (away > 4) & (away < GRAIN_FROM * unit)
    known = fine[about]
    if len(known) < 100:
        return smooth
    strength = np.abs(known) @ np.full(3, 1 / 3, np.float32)
    calm = known[strength <= np.percentile(strength, 80)]  # without the edges that cross the ring
    side = min(int(len(calm) ** 0.5), MOST_GRAIN)
    generator = np.random.default_rng(7)
    places = generator.integers(0, side, (*inside.shape, 2), dtype=np.int16)
    grain = cv2.remap(calm[: side**2].reshape(side, side, 3), places, None, cv2.INTER_NEAREST)
    if min(hole.shape) > 8:  # single pixels drawn apart are finer than a camera's or a codec's grain
        kernel = cv2.getGaussianKernel(SOFT_SIDE, SOFT_GRAIN, cv2.CV_32F)
        # single grains mixed have less spread: by the root of the sum of their squared shares
        grain = cv2.sepFilter2D(grain, -1, kernel, kernel / np.float32((kernel**2).sum()))
    grainy = smooth.copy()
    cv2.copyTo(cv2.add(smooth[box], grain), inside.astype(np.uint8), grainy[box])
    return grainy
