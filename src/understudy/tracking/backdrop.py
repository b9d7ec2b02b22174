"""Plain backdrops, such as studio walls and paper, told from the picture's border alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame

Mask = NDArray[np.bool_]
Image = NDArray[Any]

WORK_SIDE = 480  # long side in pixels at which a backdrop is looked for
RIM = 0.03  # of the shorter side
NEAR = 6.0  # Lab distance to the local backdrop colour that still is backdrop
STEEP = 3.5  # Lab units a pixel: a steeper slope is an edge, which the backdrop does not cross
RIM_SHARE = 0.6  # of the rim that one smooth colour must explain
COVER = 0.15  # of the picture that the backdrop must cover
GRAIN = 2.2  # Lab units of local texture that a plain backdrop may have (median)
SHADOW = 0.35  # how much being darker counts against being of another colour
ISLANDS = 12  # things apart from each other that may stand before a plain backdrop
ROUNDS = 5


@dataclass(frozen=True)
class Backdrop:
    """A smooth backdrop: where it shows, and its colour everywhere, behind the figure too."""

    mask: Mask  # (H, W) reached from the picture's border
    holes: Mask  # (H, W) the same colour, enclosed by the figure
    colour: Floats  # (H, W, 3) CIE Lab
    distance: Floats  # (H, W) Lab distance of the picture from ``colour``
    unlike: Floats  # (H, W) the same, but being darker, as in a shadow, counts little
    noise: float  # 90th percentile of ``distance`` inside ``mask``


def plain_background_mask(rgb: Frame) -> Mask | None:
    """(H, W) where a plain backdrop shows, enclosed holes included; None where the picture has none.

    A drawing in outline keeps what its lines enclose: those parts are paper-coloured figure, not backdrop.
    """
    backdrop = find_backdrop(rgb)
    return None if backdrop is None else backdrop.mask | backdrop.holes


def find_backdrop(rgb: Frame) -> Backdrop | None:
    """The plain backdrop of a picture (H, W, 3), or None.

    The colour starts as a robust quadratic in x and y through the rim and becomes, round by round, the local
    mean of all that is connected with the rim, so that shading and soft cast shadows are followed.
    """
    height, width = rgb.shape[:2]
    factor = min(1.0, WORK_SIDE / max(height, width))
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    lab = _lab(small)
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    rim = _rim(smooth.shape[:2])
    colour, share = _rim_colour(smooth, rim)
    if share < RIM_SHARE:
        return None
    flat = _slope(smooth) < STEEP
    seen = _connected((_distance(smooth, colour) < 1.5 * NEAR) & flat, rim)
    sigma = 0.05 * max(size)
    for _ in range(ROUNDS):
        if not seen.any():
            return None
        colour = _spread(smooth, seen, sigma)
        distance = _distance(smooth, colour)
        near = float(np.clip(3 * np.percentile(distance[seen], 75), 0.4 * NEAR, NEAR))
        seen = _connected((distance < near) & flat, rim)
    if seen.mean() < COVER or _grain(lab, seen) > GRAIN or _islands(seen) > ISLANDS:
        return None
    return _at_full_size(rgb, colour, seen)


def _at_full_size(rgb: Frame, colour: Image, seen: Mask) -> Backdrop:
    height, width = rgb.shape[:2]
    lab = _lab(rgb)
    wall = np.asarray(cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    calm = cv2.GaussianBlur(lab, (0, 0), 0.8)
    apart = calm - wall
    squares = apart * apart
    distance = np.asarray(np.sqrt(_summed(squares)), np.float32)
    squares[..., 0] *= np.where(apart[..., 0] > 0, np.float32(1), np.float32(SHADOW**2))
    unlike = np.asarray(np.sqrt(_summed(squares)), np.float32)
    inside = cv2.resize(seen.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    noise = float(np.percentile(distance[inside], 90))
    limit = float(np.clip(2.5 * noise, 2.5, NEAR))
    # the coarse region, sharpened: grown by a few pixels, then held to what is really near the colour
    wide = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    mask = wide & (distance < limit)
    mask |= cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    mask = _without_specks(mask, round(0.0002 * mask.size))
    return Backdrop(mask, _holes(mask, distance, noise), wall, distance, unlike, noise)


def _holes(mask: Mask, distance: Floats, noise: float) -> Mask:
    """Enclosed regions of the backdrop's own colour; none in an outline drawing, which is made of them."""
    limit = float(np.clip(2.5 * noise, 0.7, 3.0))
    alike = cv2.morphologyEx(
        ((distance < limit) & ~mask).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)
    )
    figure = ~mask
    if alike.sum() > 0.3 * max(1, int(figure.sum())):
        return np.zeros_like(mask)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(alike, connectivity=4)
    keep = np.zeros(count, bool)
    smallest = 0.0003 * mask.size
    for index in range(1, count):
        keep[index] = stats[index, cv2.CC_STAT_AREA] >= smallest
    seeds = keep[labels]
    if not seeds.any():
        return np.zeros_like(mask)
    wide = ((distance < 1.8 * limit) & ~mask).astype(np.uint8)
    count, labels = cv2.connectedComponents(wide, connectivity=4)
    sure = np.bincount(labels[seeds], minlength=count)
    whole = sure > 0.4 * np.bincount(labels.ravel(), minlength=count)
    whole[0] = False
    return np.asarray(whole[labels], np.bool_)


def _lab(rgb: Image) -> Floats:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)


def _distance(lab: Image, colour: Image) -> Floats:
    apart = lab - colour
    return np.asarray(np.sqrt(_summed(apart * apart)), np.float32)


def _summed(image: Image) -> Floats:
    """(H, W) the sum of the channels of (H, W, C)."""
    return np.asarray(cv2.transform(image, np.ones((1, image.shape[2]))), np.float32)


def _rim(shape: tuple[int, ...]) -> Mask:
    height, width = shape
    thick = max(2, round(RIM * min(height, width)))
    rim = np.zeros((height, width), bool)
    rim[:thick] = True
    rim[:, :thick] = True
    rim[:, -thick:] = True
    rim[-thick:] = True
    return rim


def _rim_colour(lab: Image, rim: Mask) -> tuple[Floats, float]:
    """A robust quadratic surface through the rim, and the share of the rim that lies on it.

    The bottom counts for little: figures are cut there, and floors begin.
    """
    height, width = rim.shape
    across = np.linspace(-1, 1, width, dtype=np.float32)
    along = np.linspace(-1, 1, height, dtype=np.float32)
    row, column = np.nonzero(rim)
    x, y = across[column], along[row]
    points, values = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1), lab[rim]
    prior = np.where(y > 0.9, 0.2, 1.0).astype(np.float32)
    residual = np.linalg.norm(values - np.median(values[prior == 1.0], axis=0), axis=1)
    scale = 20.0
    for _ in range(12):
        weight = (prior / (1 + (residual / scale) ** 2) ** 2)[:, None]
        normal = points.T @ (points * weight) + 1e-3 * np.eye(6, dtype=np.float32)
        solved = np.linalg.solve(normal, points.T @ (values * weight))
        residual = np.linalg.norm(values - points @ solved, axis=1)
        scale = max(0.7 * scale, 3.0)
    share = float((prior * (residual < NEAR)).sum() / prior.sum())
    constant, right, down, bend, twist, sag = solved
    rows = constant + along[:, None] * down + along[:, None] ** 2 * sag
    slopes = right + along[:, None] * twist
    surface = rows[:, None] + across[:, None] * slopes[:, None] + across[:, None] ** 2 * bend
    return np.asarray(surface, np.float32), share


def _slope(lab: Image) -> Floats:
    dx = cv2.Sobel(lab, cv2.CV_32F, 1, 0) / 8
    dy = cv2.Sobel(lab, cv2.CV_32F, 0, 1) / 8
    return np.asarray(np.sqrt(_summed(dx * dx + dy * dy)), np.float32)


def _connected(mask: Mask, rim: Mask) -> Mask:
    """The parts of ``mask`` that reach the rim."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, bool)
    keep[labels[rim & mask]] = True
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def _spread(lab: Image, seen: Mask, sigma: float) -> Floats:
    """The local mean of ``lab`` over ``seen``; far from it, the mean over ever wider windows.

    It is smooth, and so made at a quarter of the size; what is wider still, at a quarter of that.
    """
    height, width = seen.shape
    weighed = np.dstack([lab * seen[..., None], seen]).astype(np.float32, copy=False)
    summed = cv2.resize(weighed, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    tiny = (
        cv2.resize(summed, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        if min(summed.shape[:2]) > 8
        else None
    )
    result = np.zeros((*summed.shape[:2], 3), np.float32)
    missing = np.ones((*summed.shape[:2], 1), np.float32)
    for wider in (1, 2, 4, 16):
        if wider < 4 or tiny is None:
            blurred = cv2.GaussianBlur(summed, (0, 0), sigma * wider / 4)
        else:
            blurred = cv2.GaussianBlur(tiny, (0, 0), sigma * wider / 16)
            blurred = cv2.resize(blurred, summed.shape[1::-1])
        total = blurred[..., 3:]
        trust = np.minimum(1.0, total / 0.05) * missing
        result += blurred[..., :3] / np.maximum(total, 1e-6) * trust
        missing = missing - trust
    result += missing * lab[seen].mean(0)
    return np.asarray(cv2.resize(result, (width, height)), np.float32)


def _grain(lab: Image, seen: Mask) -> float:
    inner = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inner.any():
        return 0.0
    mean = cv2.blur(lab, (5, 5))
    variance = _summed(np.maximum(cv2.blur(lab * lab, (5, 5)) - mean * mean, 0))
    return float(np.median(np.sqrt(variance[inner])))


def _islands(seen: Mask) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats((~seen).astype(np.uint8), connectivity=8)
    return int((stats[1:, cv2.CC_STAT_AREA] > 0.0005 * seen.size).sum())


def _without_specks(mask: Mask, area: int) -> Mask:
    """``mask`` without islands, and without holes, under ``area`` pixels."""
    for value in (0, 1):
        part = (mask == bool(value)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
        small = stats[:, cv2.CC_STAT_AREA] < area
        small[0] = False
        if count > 1 and small.any():
            mask = np.where(small[labels], not value, mask)
    return mask
