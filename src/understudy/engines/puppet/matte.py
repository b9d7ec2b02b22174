"""The matte: which pixels are the character, how much of each, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import Segment, person_belief
from understudy.engines.puppet.closed_form import carry_over, solve_alpha
from understudy.engines.puppet.foreground import estimate_foreground
from understudy.engines.puppet.trimap import settle_labels
from understudy.tracking.backdrop import find_backdrop
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame, Person


@dataclass(frozen=True)
class Matte:
    """``alpha`` (H, W) float32 0..1 is how much of each pixel is the character, ``foreground`` its own colour."""

    alpha: Floats
    foreground: NDArray[np.uint8]  # (H, W, 3)


class Matter(Protocol):
    """Anything that mattes: `matte`, a learned network, a fake."""

    def __call__(
        self, rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment
    ) -> Matte: ...


class FakeMatter:
    """Gives back a prepared alpha: for tests of a matter's users."""

    def __init__(self, alpha: Floats) -> None:
        self._alpha = alpha

    def __call__(
        self, rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment
    ) -> Matte:
        return Matte(self._alpha, rgb)


def matte(rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment) -> Matte:
    """The character of a picture (H, W, 3) whose short side is near 720.

    ``given_alpha`` (H, W), the picture's own channel, is trusted. ``person`` has NaN joints where nobody was found.
    ``segment`` gives the person mask (h, w) of a crop (h, w, 3).
    """
    if given_alpha is not None:
        alpha = (given_alpha / np.float32(255)).astype(np.float32)
        return Matte(alpha, estimate_foreground(rgb, alpha))
    height, width = rgb.shape[:2]
    size = (max(8, width // 2), max(8, height // 2))
    half = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    backdrop = find_backdrop(rgb)
    belief = person_belief(rgb, person, segment)
    if backdrop is not None and not np.isfinite(person.body).all():
        belief = (~(backdrop.mask | backdrop.holes)).astype(np.float32)
    belief = cv2.resize(belief, size, interpolation=cv2.INTER_AREA)
    smaller = replace(person, body=person.body * np.float32(size[0] / width))
    label = settle_labels(half, belief, smaller, backdrop)
    label = _one_figure(label, belief)
    alpha = _soft_edge(half, label, rgb)
    return Matte(alpha, estimate_foreground(rgb, alpha))


def _one_figure(label: Floats, belief: Floats) -> Floats:
    """``label`` without the pieces that hang on nothing."""
    pieces = (label > 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pieces, connectivity=8)
    if count <= 1:
        return label
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    area[0] = 0
    keep = area >= 0.02 * area.max()
    gone = cv2.dilate((~keep[labels] & (labels > 0)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(gone & ~(keep[labels] & (labels > 0)), 0, label).astype(np.float32)


def _soft_edge(half: Frame, label: Floats, rgb: Frame) -> Floats:
    hard = (label > 0.5).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    inner, outer = cv2.erode(hard, kernel), cv2.dilate(hard, kernel)
    band = (outer > 0) & (inner == 0)
    small = half.astype(np.float32) / 255
    guess = np.where(band, label, hard).astype(np.float32)
    alpha = solve_alpha(small, guess, band)
    full = carry_over(small, alpha, rgb.astype(np.float32) / 255)
    plain = cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    near = cv2.resize(band.astype(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    full = np.where(near, full, plain)
    return np.clip((full - 0.04) / 0.92, 0, 1).astype(np.float32)
