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

from understudy.errors import CharacterError
from understudy.media.picture import Picture
from understudy.tracking.backdrop import find_backdrop
from understudy.tracking.tracker import Frame

Mask = NDArray[np.bool_]
Source = Literal["alpha", "backdrop", "ink", "grabcut"]

SIZE = 400  # longer side of the working copy
INK_SIZE = 800  # thin strokes need more
ROUNDS = 6  # of GrabCut at most; it ends with one that changes nothing
_SMALLEST = 0.006  # of the picture's area: less is not a character
_LARGEST = 0.85
_OPAQUE = 0.005  # of the picture's area: with less there is nothing to see
_MOST = 5  # shapes of one source that are worth a look


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

    @property
    def square(self) -> tuple[float, float, float]:
        """Centre and side of the square about the shape, in pixels of the mask."""
        ys, xs = np.nonzero(self.mask)
        low, high = (float(xs.min()), float(ys.min())), (float(xs.max()) + 1, float(ys.max()) + 1)
        return (low[0] + high[0]) / 2, (low[1] + high[1]) / 2, max(high[0] - low[0], high[1] - low[1])


def silhouettes(picture: Picture) -> list[Silhouette]:
    """Every shape that could be the character, the surest source first, larger shapes first within a source.

    Raises CharacterError (``character_not_found``) where the picture is transparent all over.
    """
    sure = sure_silhouettes(picture)
    return sure + doubtful_silhouettes(picture, sure)


def sure_silhouettes(picture: Picture) -> list[Silhouette]:
    """The shapes of the alpha channel, or those before a plain backdrop. Raises as `silhouettes` does."""
    _check_opaque(picture)
    scale, size = _working_copy(picture)
    if picture.alpha is not None:
        alpha = cv2.resize(picture.alpha, size, interpolation=cv2.INTER_AREA)
        shapes = _shapes(alpha > 127)
        if shapes:
            return [Silhouette(m, scale, "alpha") for m in shapes]
    mask = _off_backdrop(_small(picture, size))
    return [] if mask is None else [Silhouette(m, scale, "backdrop") for m in _shapes(mask)]


def doubtful_silhouettes(picture: Picture, sure: list[Silhouette]) -> list[Silhouette]:
    """The shapes that ink and GrabCut show, in half a second; none beside the ``sure`` ones of an alpha channel."""
    if any(shape.source == "alpha" for shape in sure):
        return []
    scale, size = _working_copy(picture)
    found = [Silhouette(m, scale, "ink") for mask in _inked(picture.rgb, size) for m in _shapes(mask)]
    cut = _grabcut(_small(picture, size))
    return found if cut is None else found + [Silhouette(m, scale, "grabcut") for m in _shapes(cut)]


def _working_copy(picture: Picture) -> tuple[float, tuple[int, int]]:
    """Its pixels per picture pixel, and its size."""
    scale = min(1.0, SIZE / max(picture.width, picture.height))
    return scale, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))


def _small(picture: Picture, size: tuple[int, int]) -> Frame:
    return np.asarray(cv2.resize(picture.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _check_opaque(picture: Picture) -> None:
    if picture.alpha is None:
        return
    share = float((picture.alpha > 127).mean())
    if share < _OPAQUE:
        raise CharacterError(
            "character_not_found",
            "The reference image is transparent (nearly) all over: there is no character to see.",
            value=f"{100 * share:.2g} % of its pixels are more than half opaque",
            limit=f"at least {100 * _OPAQUE:g} %",
            fix="Make the character opaque in the image, or save it without transparency.",
        )


def fill_holes(mask: Mask) -> Mask:
    """The mask without the holes that no path leads out of."""
    framed = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return np.asarray(framed[1:-1, 1:-1] != 2)


def _shapes(mask: Mask) -> list[Mask]:
    """The largest connected shapes of a mask, whole, without holes and without hairs."""
    filled = fill_holes(mask)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8), connectivity=8)
    area = stats[1:, cv2.CC_STAT_AREA] / mask.size
    order = [int(i) for i in np.argsort(-area)[:_MOST] if _SMALLEST < area[i] < _LARGEST]
    return [labels == i + 1 for i in order] if count > 1 else []


def _off_backdrop(rgb: Frame) -> Mask | None:
    backdrop = find_backdrop(rgb)
    return None if backdrop is None else ~backdrop.mask


def _inked(rgb: Frame, size: tuple[int, int]) -> list[Mask]:
    """Dark strokes on light ground, what they enclose filled: once with small, once with large gaps bridged."""
    factor = min(1.0, INK_SIZE / max(rgb.shape[:2]))
    light = cv2.cvtColor(
        cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    span = max(light.shape) // 16 * 2 + 1
    paper = cv2.medianBlur(cv2.GaussianBlur(light, (0, 0), 1).astype(np.uint8), span).astype(np.float32)
    ink = light < 0.83 * np.maximum(paper, 40)
    if not 0.003 < ink.mean() < 0.3:
        return []
    found = []
    for gap in (3, 9):
        stroke = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap))
        framed = np.pad(ink.astype(np.uint8), 10)
        bridged = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, stroke)[10:-10, 10:-10] > 0
        drawn = (~_reached_from_border(~bridged)).astype(np.float32)
        found.append(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA) > 0.35)
    return found


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
    cv2.ellipse(
        labels, (w // 2, h // 2), (round(0.22 * w), round(0.38 * h)), 0, 0, 360, int(cv2.GC_PR_FGD), -1
    )
    ring_x, ring_y = max(2, round(0.04 * w)), max(2, round(0.03 * h))
    labels[:ring_y] = cv2.GC_BGD
    labels[-max(1, ring_y // 2) :] = cv2.GC_BGD
    labels[:, :ring_x] = cv2.GC_BGD
    labels[:, -ring_x:] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    if len(np.unique(small.reshape(-1, 3), axis=0)) < 0.02 * h * w:
        # Its cut takes minutes where colours are few and flat: every way round is as cheap as the next.
        grain = np.random.default_rng(1).normal(0, 2, small.shape)
        small = np.clip(small + grain, 0, 255).astype(np.uint8)
    try:
        models, how = (np.zeros((1, 65)), np.zeros((1, 65))), cv2.GC_INIT_WITH_MASK
        for _ in range(ROUNDS):
            before = labels.copy()
            cv2.grabCut(small, labels, None, *models, 1, how)
            how = cv2.GC_EVAL
            if np.array_equal(labels, before):
                break
    except cv2.error:
        return None
    figure = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    figure = cv2.morphologyEx(figure, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.resize(figure, (width, height), interpolation=cv2.INTER_LINEAR) > 0)


def _reached_from_border(free: Mask) -> Mask:
    """Which free pixels a path over free pixels joins to the picture's border."""
    framed = np.pad(free.astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return np.asarray(framed[1:-1, 1:-1] == 2)
