"""Silhouettes: the shapes in a picture that could be a character where no pose model sees one.

Four sources, the surest first: the alpha channel, a plain backdrop, ink on paper, and GrabCut from the picture's
border. All work on a small copy of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.media.picture import Picture
from understudy.tracking.tracker import Frame

Mask = NDArray[np.bool_]
Source = Literal["alpha", "backdrop", "ink", "grabcut"]

SIZE = 400  # longer side of the working copy
_SMALLEST = 0.006  # of the picture's area: less is not a character
_LARGEST = 0.85
_MOST = 4  # shapes of one source that are worth a look


@dataclass(frozen=True)
class Silhouette:
    """One connected shape without holes. ``mask`` is (h, w) of the working copy, ``scale`` its pixels per picture
    pixel. ``sure`` where the source leaves no doubt what is backdrop."""

    mask: Mask
    scale: float
    source: Source

    @property
    def sure(self) -> bool:
        return self.source in ("alpha", "backdrop")


def silhouettes(picture: Picture) -> list[Silhouette]:
    """Every shape that could be the character, the surest source first, larger shapes first within a source."""
    scale = min(1.0, SIZE / max(picture.width, picture.height))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    rgb = cv2.resize(picture.rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if picture.alpha is not None:
        alpha = cv2.resize(picture.alpha, size, interpolation=cv2.INTER_AREA)
        shapes = _shapes(alpha > 127)
        if shapes:
            return [Silhouette(m, scale, "alpha") for m in shapes]
    found: list[Silhouette] = []
    for source, mask in (("backdrop", _off_backdrop(rgb)), ("ink", _inked(rgb)), ("grabcut", _grabcut(rgb))):
        if mask is not None:
            found += [Silhouette(m, scale, source) for m in _shapes(mask)]  # type: ignore[arg-type]
    return found


def fill_holes(mask: Mask) -> Mask:
    """The mask without the holes that no path leads out of."""
    framed = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return framed[1:-1, 1:-1] != 2


def _shapes(mask: Mask) -> list[Mask]:
    """The largest connected shapes of a mask, whole, without holes and without hairs."""
    filled = fill_holes(mask)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8), connectivity=8)
    area = stats[1:, cv2.CC_STAT_AREA] / mask.size
    order = [int(i) for i in np.argsort(-area)[:_MOST] if _SMALLEST < area[i] < _LARGEST]
    return [labels == i + 1 for i in order] if count > 1 else []


def backdrop_distance(rgb: Frame) -> tuple[NDArray[np.float32], float]:
    """How far each pixel is from the backdrop that the border suggests, (h, w) in Lab units, and the border's own noise.

    The backdrop is a quadratic surface of colour, fitted robustly to the ring of border pixels, so that shaded walls
    and photographed paper count as plain.
    """
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, width = lab.shape[:2]
    ring = max(2, round(0.03 * max(height, width)))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = x / width - 0.5, y / height - 0.5
    basis = np.stack([np.ones_like(u), u, v, u * u, v * v, u * v], axis=-1)
    border = np.ones((height, width), bool)
    border[ring:-ring, ring:-ring] = False
    # A character often stands on or is cut by the lower edge: it says less about the backdrop than the others.
    border[-ring:, round(0.2 * width) : round(0.8 * width)] = False
    a, b = basis[border], lab[border]
    weight = np.ones(len(a), np.float32)
    surface = np.zeros((6, 3), np.float32)
    for _ in range(6):
        surface = np.linalg.lstsq(a * weight[:, None], b * weight[:, None], rcond=None)[0]
        off = np.linalg.norm(b - a @ surface, axis=1)
        weight = (1 / (1 + (off / 6) ** 2)).astype(np.float32)
    off = np.linalg.norm(b - a @ surface, axis=1)
    distance = np.linalg.norm(lab - basis @ surface, axis=2).astype(np.float32)
    return distance, float(np.percentile(off, 70))


def _off_backdrop(rgb: Frame) -> Mask | None:
    distance, noise = backdrop_distance(rgb)
    if noise > 9:
        return None
    near = distance < max(7.0, 2.5 * noise)
    near = cv2.morphologyEx(near.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    return ~_reached_from_border(near)


def _inked(rgb: Frame) -> Mask | None:
    """Dark strokes on light ground, their gaps bridged and what they enclose filled."""
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    span = max(rgb.shape[:2]) // 8 * 2 + 1
    paper = cv2.medianBlur(cv2.GaussianBlur(light, (0, 0), 1).astype(np.uint8), min(span, 255)).astype(np.float32)
    ink = light < 0.83 * np.maximum(paper, 40)
    if not 0.005 < ink.mean() < 0.3:
        return None
    stroke = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    bridged = cv2.morphologyEx(np.pad(ink.astype(np.uint8), 6), cv2.MORPH_CLOSE, stroke)[6:-6, 6:-6] > 0
    return ~_reached_from_border(~bridged)


def _grabcut(rgb: Frame) -> Mask | None:
    """GrabCut (Rother et al. 2004) that takes the picture's border for backdrop and its middle for the character."""
    height, width = rgb.shape[:2]
    factor = min(1.0, 288 / max(height, width))
    small = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = cv2.bilateralFilter(small, 5, 25, 5)
    h, w = small.shape[:2]
    if min(h, w) < 24:
        return None
    labels = np.full((h, w), cv2.GC_PR_BGD, np.uint8)
    cv2.ellipse(labels, (w // 2, h // 2), (round(0.22 * w), round(0.38 * h)), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    ring_x, ring_y = max(2, round(0.04 * w)), max(2, round(0.03 * h))
    labels[:ring_y] = cv2.GC_BGD
    labels[-max(1, ring_y // 2) :] = cv2.GC_BGD
    labels[:, :ring_x] = cv2.GC_BGD
    labels[:, -ring_x:] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    try:
        cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return None
    figure = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    figure = cv2.morphologyEx(figure, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return cv2.resize(figure, (width, height), interpolation=cv2.INTER_LINEAR) > 0


def _reached_from_border(free: Mask) -> Mask:
    """Which free pixels a path over free pixels joins to the picture's border."""
    framed = np.pad(free.astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return framed[1:-1, 1:-1] == 2
