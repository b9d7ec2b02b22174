"""Figures of pixels: silhouette, filled and kept background, likeness inside the person's box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.evaluation.masks import Mask
from understudy.tracking.tracker import Frame

OFF = 25.0  # of 255, from which a pixel of the background is bad
MEAN_OF_CHANNELS = np.full((1, 3), 1 / 3, np.float32)
BEST_PSNR_DB = 100.0  # stands in for the infinite PSNR of equal pictures


class PixelFigures(NamedTuple):
    """See docs/quality.md; None where a figure cannot be had."""

    sil_iou: float | None
    reveal_l1: float | None
    bg_l1: float | None
    bg_bad: float | None
    psnr: float | None
    ssim: float | None


@dataclass(frozen=True)
class Sample:
    """One frame with its masks. ``box`` is the person's, where the person was found."""

    frame: Frame
    person: Mask
    people: Mask
    box: tuple[slice, slice] | None = None


class PixelSums:
    """Sums over the samples, so that no frame has to be kept.

    ``reference`` is the reference image at the frames' size, ``has_background`` False where it is transparent, or
    where nobody is seen in it.
    """

    def __init__(self, reference: Sample, *, has_background: bool) -> None:
        self._reference = reference
        self._has_background = has_background
        self._bg = self._bad = self._bg_pixels = 0.0
        self._reveal = self._reveal_pixels = 0.0
        self._overlaps: list[float] = []
        self._squares: list[float] = []
        self._ssims: list[float] = []

    def add(self, shown: Sample, performer: Sample | None) -> None:
        """The next sample of the output, and of the driving video in self-reenactment."""
        # Where the person is not seen, the character would pass for background.
        if self._has_background and shown.person.any():
            outside = ~(shown.people | self._reference.people)
            off = difference(shown.frame, self._reference.frame)[outside]
            self._bg += float(off.sum())
            self._bad += float((off > OFF).sum())
            self._bg_pixels += off.size
        if performer is None:
            return
        revealed = self._reference.person & ~(shown.people | performer.people)
        off = difference(shown.frame, performer.frame)[revealed]
        self._reveal += float(off.sum())
        self._reveal_pixels += off.size
        either = int((shown.person | performer.person).sum())
        if performer.person.any() and either:
            self._overlaps.append(float((shown.person & performer.person).sum()) / either)
        if performer.box is not None:
            theirs, ours = performer.frame[performer.box], shown.frame[performer.box]
            self._squares.append(mean_square(ours, theirs))
            self._ssims.append(ssim(ours, theirs))

    def figures(self, *, still_camera: bool) -> PixelFigures:
        """``still_camera``: without it what compares places with the driving video has no meaning."""
        return PixelFigures(
            sil_iou=float(np.mean(self._overlaps)) if self._overlaps and still_camera else None,
            reveal_l1=self._reveal / self._reveal_pixels if self._reveal_pixels and still_camera else None,
            bg_l1=self._bg / self._bg_pixels if self._bg_pixels else None,
            bg_bad=self._bad / self._bg_pixels if self._bg_pixels else None,
            psnr=psnr(float(np.mean(self._squares))) if self._squares else None,
            ssim=float(np.mean(self._ssims)) if self._ssims else None,
        )


class CameraWatch:
    """Tells whether the camera stands still: how far the background's corners move from the first sample.

    Corners outside the people are followed by pyramidal Lucas-Kanade from the first sample to every sixth. With
    too few corners (a plain backdrop) nothing tells of a movement, and the camera counts as still.
    """

    STEP = 6
    STILL_PX = 2.0
    FEWEST = 12

    def __init__(self) -> None:
        self._first: NDArray[np.uint8] | None = None
        self._corners: NDArray[np.float32] | None = None
        self._count = 0
        self._moves: list[float] = []

    def add(self, sample: Sample) -> None:
        self._count += 1
        if (self._count - 1) % self.STEP:
            return
        grey = np.asarray(cv2.cvtColor(sample.frame, cv2.COLOR_RGB2GRAY), np.uint8)
        if self._first is None:
            self._first = grey
            free = (~sample.people).astype(np.uint8)
            corners = cv2.goodFeaturesToTrack(grey, 200, 0.02, 12, mask=free)
            self._corners = (
                np.empty((0, 1, 2), np.float32) if corners is None else np.asarray(corners, np.float32)
            )
            return
        if self._corners is None or len(self._corners) < self.FEWEST:
            return
        found, status, _ = cv2.calcOpticalFlowPyrLK(
            self._first, grey, self._corners, np.empty_like(self._corners)
        )
        corners = self._corners.reshape(-1, 2)
        places = found.reshape(-1, 2)
        height, width = grey.shape
        columns = np.clip(places[:, 0], 0, width - 1).astype(np.intp)
        rows = np.clip(places[:, 1], 0, height - 1).astype(np.intp)
        good = (status.reshape(-1) == 1) & ~sample.people[rows, columns]
        if good.sum() >= self.FEWEST:
            self._moves.append(float(np.median(np.linalg.norm(places - corners, axis=1)[good])))

    @property
    def still(self) -> bool:
        return not self._moves or float(np.percentile(self._moves, 90)) < self.STILL_PX


def difference(a: Frame, b: Frame) -> NDArray[np.float32]:
    """(H, W) absolute difference, the mean of the three channels, 0..255."""
    apart = np.asarray(cv2.absdiff(a, b), np.float32)
    return np.asarray(cv2.transform(apart, MEAN_OF_CHANNELS), np.float32)


def mean_square(a: Frame, b: Frame) -> float:
    return cv2.norm(np.ascontiguousarray(a), np.ascontiguousarray(b), cv2.NORM_L2SQR) / a.size


def psnr(mean_squared_error: float) -> float:
    """Decibels for 8-bit samples, at most `BEST_PSNR_DB`."""
    if mean_squared_error <= 0:
        return BEST_PSNR_DB
    return float(min(BEST_PSNR_DB, 10 * np.log10(255.0**2 / mean_squared_error)))


def ssim(a: Frame, b: Frame) -> float:
    """Structural similarity of the grey pictures (Wang et al. 2004): Gaussian window, 11 px, sigma 1.5."""
    x, y = (np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.float32) for p in (a, b))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def blurred(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float32)

    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    similar = (2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(similar.mean())
