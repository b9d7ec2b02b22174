"""The shadow that a figure leaves on the ground and on the wall: with the figure gone, it is a ghost."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import grown_round
from understudy.engines.puppet.membrane import membrane
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

SCALE = 4  # pixels of the picture, at a short side of 720, to one looked at
REACHES = (60, 40, 25, 12)  # how far from the figure a shadow is looked for, in pixels looked at
DARKER = 2.5  # Lab units below what the surroundings promise that make a shadow
HUE = 6.0  # Lab units by which a shadow's hue may differ from what lies around, and ...
TINGE = 0.3  # ... the same for each unit of darkness: a wall's shadow takes up light from the clothes
PLAIN = 3.0  # Lab units by which a plain background keeps what a smooth surface promises
SHARE = 85  # percentage of the background that has to keep it
STEP = 1.5  # Lab units a pixel looked at: the slope of an edge; shading has less
CROSSING = 0.015  # share of a rim that edges may cross
WIDEST = 0.65  # share of the picture that is left out of account at most
FEWEST = 40  # pixels of rim
CUT = 0.4  # of the figure's width: so wide at the picture's edge, it has no feet
FEET = 0.15  # lowest share of the figure's height, which stands on the ground
GROUND = (18, 8)  # how far a contact shadow lies about what stands: aside and down, in pixels looked at
CLOSE = 4  # pixels looked at about the soles that are never clean: reflections, the darkest of the shadow
DEEPER = 3.0  # Lab units that make a contact shadow


def with_shadow(image: Floats, hole: Mask) -> Mask:
    """``hole`` (H, W) of ``image`` (H, W, 3) 0..255, with the shadow that hangs together with it.

    A *cast* shadow is added where the background about it is plain, so that a smooth surface promises what it would
    be like without, and where the shadow ends: one that goes on and on (a hard shadow, a dark corner) is part of the
    picture and stays whole. A *contact* shadow, close about what stands on the ground, is added on any ground.
    """
    unit = max(1.0, SCALE * min(hole.shape) / 720)
    size = (max(16, round(hole.shape[1] / unit)), max(16, round(hole.shape[0] / unit)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    gap = np.asarray(cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.01, np.bool_)
    if gap.all() or not gap.any():
        return hole
    seen = _lab(small)
    shadow = _cast(seen, gap)
    if shadow is None:
        shadow = _contact(small, seen, gap)
    if not shadow.any():
        return hole
    large = cv2.resize(shadow.astype(np.float32), hole.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.3
    return np.asarray(hole | large, np.bool_)


def _cast(seen: Floats, gap: Mask) -> Mask | None:
    """The shadow on a plain background; None where no rim about the figure is plain.

    A wall over a floor, or a picture that darkens downwards, is plain, too: rows are looked at as they differ from
    what is usual in them.
    """
    for reach in REACHES:
        wide = grown_round(gap, reach)
        rim = grown_round(wide, 2) & ~wide
        if rim.sum() < FEWEST or wide.mean() > WIDEST:
            continue
        level = seen - _usual(seen, wide)[:, None]
        light = cv2.GaussianBlur(level[..., 0], (0, 0), 1)
        slope = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)) / 8
        ring = wide & ~gap
        away = level - membrane(level, wide)
        darker = -away[..., 0]
        hue = np.sqrt((away[..., 1:] ** 2).sum(2))
        shadow = _hanging(ring & (darker > DARKER) & (hue < HUE + TINGE * darker), gap)
        rest = ring & ~grown_round(shadow, 3)
        if (slope[rim] > STEP).mean() > CROSSING:
            continue
        if rest.any() and float(np.percentile(np.sqrt((away[rest] ** 2).sum(1)), SHARE)) < PLAIN:
            return grown_round(shadow, 2)
    return None


def _usual(seen: Floats, wide: Mask) -> Floats:
    """(h, 3) the usual colour of each row away from the figure."""
    rows = np.flatnonzero((~wide).sum(1) >= 8)
    if not len(rows):
        return np.zeros((len(seen), 3), np.float32)
    # The median: what is out of account comes last, and so many are left in each row.
    left = (~wide[rows]).sum(1)[:, None, None]
    away = np.sort(np.where(wide[rows, None], np.inf, seen[rows].transpose(0, 2, 1)), axis=2)
    low, high = (np.take_along_axis(away, at, 2) for at in ((left - 1) // 2, left // 2))
    usual = ((low + high) / 2)[..., 0]
    every = np.arange(len(seen))
    return np.stack([np.interp(every, rows, usual[:, c]) for c in range(3)], 1).astype(np.float32)


def _contact(small: Floats, seen: Floats, gap: Mask) -> Mask:
    """What is darker than the ground farther away, close about the lowest parts of the figure."""
    rows = np.flatnonzero(gap.any(1))
    top, bottom = int(rows[0]), int(rows[-1])
    if gap[-1].sum() > CUT * gap.sum(1).max():
        return np.zeros_like(gap)
    stands = gap.copy()
    stands[: round(bottom - FEET * (bottom - top))] = False
    below = np.zeros_like(gap)
    below[:-1] = gap[1:]
    aside, down = GROUND
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * aside + 1, 2 * down + 1))
    soles = stands & ~below
    zone = cv2.dilate(soles.astype(np.uint8), kernel) > 0
    about = zone | gap
    away = cv2.GaussianBlur(seen, (0, 0), 1) - _lab(membrane(small, np.asarray(about, np.bool_)))
    hue = np.sqrt((away[..., 1:] ** 2).sum(2))
    dark = zone & ~gap & (away[..., 0] < -DEEPER) & (hue < HUE - TINGE * away[..., 0])
    shadow = grown_round(_hanging(np.asarray(dark, np.bool_), gap), 1) & zone
    close = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * CLOSE + 1, 2 * CLOSE + 1))
    return np.asarray(shadow | (cv2.dilate(soles.astype(np.uint8), close) > 0), np.bool_)


def _hanging(shadow: Mask, gap: Mask) -> Mask:
    """The part of ``shadow`` that hangs together with ``gap``, without its specks."""
    shadow = cv2.morphologyEx(shadow.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    _, labels = cv2.connectedComponents((shadow | grown_round(gap, 1)).astype(np.uint8))
    ours = np.unique(labels[gap])
    return np.asarray(shadow & np.isin(labels, ours), np.bool_)


def _lab(image: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(np.clip(image, 0, 255) / np.float32(255), cv2.COLOR_RGB2Lab), np.float32)
