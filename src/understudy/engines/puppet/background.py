"""The picture without its character: what the motion reveals where the character first stood."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.patch_fill import fill_from_patches
from understudy.engines.puppet.straight_fill import straight_fill
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

GROWTH = 7  # pixels by which the hole exceeds the matte, at a short side of 720
SHADOW_REACH = 110  # pixels about the matte in which its shadow is looked for
PLAIN_REACH = 60  # pixels about the matte that must be plain
DARKER = 3.0  # Lab units below what the surroundings promise that make a shadow
SMOOTH = 0.6  # Lab units a pixel (of a quarter's size) of slope that a smooth background may have
PLAIN = 4.0  # Lab units by which a plain background differs from the smooth surface through it


def clean_background(rgb: NDArray[np.uint8], alpha: Floats) -> NDArray[np.uint8]:
    """(H, W, 3) the picture with the character of ``alpha`` (H, W) 0..1 removed.

    Outside the matte grown by some pixels (and its contact shadow) the picture keeps its bytes. A plain background
    is continued as the smoothest surface with the picture's own grain, any other by patches of itself.
    """
    image = rgb.astype(np.float32)
    hole = find_hole(alpha)
    if not hole.any():
        return rgb.copy()
    if hole.all():
        return np.full_like(rgb, 128)
    hole, plain = _with_shadow(image, hole)
    if hole.all():
        return np.full_like(rgb, 128)
    smooth = membrane(image, hole)
    filled = _with_grain(image, smooth, hole)
    if not plain:
        patched = fill_from_patches(image, hole, straight_fill(image, hole))
        if patched is not None:
            share = _texture(image, hole)[..., None]
            filled = filled + share * (patched - filled)
    result = rgb.copy()
    result[hole] = np.clip(np.rint(filled[hole]), 0, 255).astype(np.uint8)
    return result


def find_hole(alpha: Floats) -> Mask:
    """(H, W) the matte, grown by its soft edge and some pixels more."""
    return _grow(alpha > 0.02, GROWTH * _unit(alpha.shape))


def membrane(image: Floats, hole: Mask) -> Floats:
    """``image`` (H, W, C) with the hole filled by the smoothest surface through its rim.

    Laplace's equation by relaxation, coarse to fine: each level starts from the next coarser one's answer.
    """
    height, width = hole.shape
    if not hole.any() or hole.all():
        return image
    if min(height, width) < 8:
        return np.where(hole[..., None], image[~hole].mean(0), image).astype(np.float32)
    known = (~hole).astype(np.float32)[..., None]
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32)[..., None]
    half = cv2.resize(image * known, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    half = membrane(np.asarray(half / np.maximum(weight, 1e-6), np.float32), weight[..., 0] < 1e-3)
    coarse = cv2.resize(half, (width, height)).reshape(image.shape)
    filled = np.where(hole[..., None], coarse, image).astype(np.float32)
    for _ in range(12):
        mean = cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE).reshape(image.shape)
        filled = np.where(hole[..., None], mean, filled)
    return np.asarray(filled, np.float32)


def _unit(shape: tuple[int, ...]) -> float:
    return min(shape[:2]) / 720


def _grow(mask: Mask, radius: float) -> Mask:
    size = 2 * max(2, round(radius)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, np.bool_)


def _with_shadow(image: Floats, hole: Mask) -> tuple[Mask, bool]:
    """The hole with the shadow that clings to it, and whether the background about it is plain.

    What lies around a wider hole promises a colour; what is darker than promised, of the same hue, and hangs
    together with the hole is shadow. On a background full of texture nothing is promised, and nothing is added.
    """
    unit = _unit(hole.shape)
    size = (max(16, hole.shape[1] // 2), max(16, hole.shape[0] // 2))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    small_hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.01
    seen = _lab(small)
    for reach in (PLAIN_REACH, SHADOW_REACH):
        wide = _grow(small_hole, reach * unit / 2)
        ring = wide & ~small_hole
        if wide.all() or not ring.any():
            return hole, False
        away = seen - _lab(membrane(small, wide))
        hue, lighter = np.sqrt((away[..., 1:] ** 2).sum(2)), away[..., 0]
        distance = np.sqrt(hue**2 + np.where(lighter > 0, lighter, 0.35 * lighter) ** 2)
        if reach == PLAIN_REACH and float(np.percentile(distance[ring], 80)) > PLAIN:
            return hole, False
    shadow = ring & (lighter < -DARKER) & (hue < 6) & (seen[..., 0] < _usual(seen[..., 0], wide) - DARKER / 2)
    shadow = cv2.morphologyEx(shadow.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    near = _grow(small_hole, 2)
    count, labels = cv2.connectedComponents((shadow | small_hole).astype(np.uint8))
    ours = np.zeros(count, bool)
    ours[np.unique(labels[near & (labels > 0)])] = True
    ours[0] = False
    shadow = _grow(ours[labels] & shadow, 3 * unit) if (ours[labels] & shadow).any() else shadow & False
    large = cv2.resize(shadow.astype(np.uint8), hole.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(hole | large, np.bool_), True


def _usual(light: Floats, wide: Mask) -> Floats:
    """(H, 1) how dark each row is at its darker end away from the figure: a floor that darkens towards the picture's
    edge is no shadow."""
    away = np.where(wide, np.nan, light)
    seen = (~wide).sum(axis=1) >= 8
    usual = np.full((len(light), 1), np.inf, np.float32)
    usual[seen, 0] = np.nanpercentile(away[seen], 25, axis=1)
    return usual


def _texture(image: Floats, hole: Mask) -> Floats:
    """(H, W) 0..1 how textured the background about each part of the hole is: 0 where it is smooth."""
    size = (max(16, hole.shape[1] // 4), max(16, hole.shape[0] // 4))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    gap = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.01
    lab = _lab(small)
    slope = (
        np.sqrt((cv2.Scharr(lab, cv2.CV_32F, 1, 0) ** 2 + cv2.Scharr(lab, cv2.CV_32F, 0, 1) ** 2).sum(2)) / 32
    )
    known = (~_grow(gap, 2)).astype(np.float32)
    reach = 9 * _unit(hole.shape)
    mean = cv2.GaussianBlur(slope * known, (0, 0), reach) / np.maximum(
        cv2.GaussianBlur(known, (0, 0), reach), 1e-3
    )
    spread = membrane(np.asarray(mean, np.float32)[..., None], _grow(gap, 2))[..., 0]
    share = np.clip((spread - SMOOTH) / SMOOTH, 0, 1)
    return np.asarray(cv2.resize(share, hole.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _with_grain(image: Floats, smooth: Floats, hole: Mask) -> Floats:
    """The smooth fill with the background's fine noise, taken from beside the hole and mirrored into it."""
    fine = image - cv2.GaussianBlur(image, (0, 0), 2.0)
    about = _grow(hole, 60 * _unit(hole.shape)) & ~_grow(hole, 4)
    known = fine[about]
    if len(known) < 100:
        return smooth
    strength = np.abs(known).mean(1)
    calm = known[strength <= np.percentile(strength, 80)]  # without the edges that cross the ring
    generator = np.random.default_rng(7)
    drawn = calm[generator.integers(0, len(calm), int(hole.sum()))]
    grain = np.zeros_like(image)
    grain[hole] = drawn
    if min(hole.shape) > 8:  # single pixels drawn apart are finer than a camera's or a codec's grain
        soft = cv2.GaussianBlur(grain, (0, 0), 0.7)
        grain = soft * (drawn.std() / max(float(soft[hole].std()), 1e-6))
    return np.asarray(smooth + grain, np.float32)


def _lab(image: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(np.clip(image, 0, 255) / np.float32(255), cv2.COLOR_RGB2Lab), np.float32)
