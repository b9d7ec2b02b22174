"""The matte: which pixels are the character, how much of each, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.belief import BONES, Segment, capsules, person_belief, sees, torso
from understudy.engines.puppet.closed_form import carry_over, solve_alpha
from understudy.engines.puppet.drawing import drawn_figure, is_outline
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
    smaller = replace(person, body=person.body * np.float32(size[0] / width))
    label: NDArray[Any] | None = None
    belief = np.zeros((height, width), np.float32)
    if backdrop is None or not is_outline(backdrop):
        belief = person_belief(rgb, person, segment)
    if not sees(belief, person):
        if backdrop is not None:
            label = drawn_figure(backdrop, person)
        elif person.mask is not None:
            belief = np.asarray(cv2.resize(person.mask, (width, height)), np.float32)
    if label is not None:
        label = cv2.resize(label.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    else:
        small = np.asarray(cv2.resize(belief, size, interpolation=cv2.INTER_AREA), np.float32)
        label = _one_figure(settle_labels(half, small, smaller, backdrop), smaller)
    alpha = _soft_edge(half, np.asarray(label, np.float32), rgb)
    return Matte(alpha, estimate_foreground(rgb, alpha))


def _one_figure(label: Floats, person: Person) -> Floats:
    """``label`` without the pieces that no bone of the person lies in; without joints, without the small ones."""
    pieces = (label > 0.5).astype(np.uint8)
    count, labels = cv2.connectedComponents(pieces, connectivity=8)
    if count <= 2:
        return label
    joints = person.body[:, :2]
    worth = np.bincount(labels.ravel(), minlength=count).astype(float)
    share = 0.05
    if np.isfinite(joints).all():
        bones = capsules(label.shape, joints, list(BONES), 0.04 * torso(joints))
        on_bones = np.bincount(labels[bones], minlength=count).astype(float)
        if on_bones[1:].any():
            worth, share = on_bones, 0.01
    worth[0] = 0
    keep = worth >= share * worth.max()
    ours = keep[labels] & (labels > 0)
    gone = cv2.dilate((~ours & (labels > 0)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(gone & ~ours, 0, label).astype(np.float32)


def _soft_edge(half: Frame, label: Floats, rgb: Frame) -> Floats:
    hard = (label > 0.5).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    inner, outer = cv2.erode(hard, kernel), cv2.dilate(hard, kernel)
    band = (outer > 0) & (inner == 0)
    small = half.astype(np.float32) / 255
    guess = np.where(band, label, hard).astype(np.float32)
    full = carry_over(small, solve_alpha(small, guess, band), band, rgb)
    return np.asarray(np.clip((full - 0.04) / 0.92, 0, 1), np.float32)
