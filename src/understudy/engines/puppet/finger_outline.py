"""A finger's outline: a ribbon of smoothly changing width about its bones, whatever the picture's noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import grown_round
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

STEP_PX = 1.0  # between two places along a finger where its width is measured
WIDEST, NARROWEST = 1.5, 0.55  # half widths as hands have them: what is off by more was cut wrongly
SURE = 0.85  # share of a half's pixels at one place that lie within its width: some are its neighbour's
EVEN = 0.5  # half widths along the finger over which its width is evened


def even_finger(area: Mask, line: Floats, radius: float) -> Mask:
    """(H, W) the ribbon about a finger's middle ``line`` (K, 2) that covers best what of it was found, ``area`` (H, W);
    ``radius`` is half its width as hands have it."""
    near = grown_round(area, 2)
    ys, xs = np.nonzero(near)
    if not len(xs):
        return area
    stations = _stations(line)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    place, away, left = _coordinates(pixels, stations)
    found = area[ys, xs]
    last = len(stations) - 1
    inner = place < last
    widths = np.empty((2, len(stations)), np.float32)
    sigma = max(EVEN * radius / STEP_PX, 1.0)
    for side in (0, 1):
        mine = found & inner & (left == bool(side))
        # The mean distance of evenly spread pixels is half the width.
        many = np.bincount(place[mine], minlength=last + 1).astype(np.float32)
        total = np.bincount(place[mine], weights=away[mine], minlength=last + 1).astype(np.float32)
        many, total = (cv2.GaussianBlur(v[None], (0, 0), sigma)[0] for v in (many, total))
        widths[side] = np.where(many > 0.5, 2 * total / np.maximum(many, 1e-3), radius)
    widths = np.clip(widths, NARROWEST * radius, WIDEST * radius)
    widths = cv2.GaussianBlur(widths, (0, 0), sigmaX=sigma, sigmaY=0.01, borderType=cv2.BORDER_REPLICATE)
    beyond = found & ~inner
    tip = float(np.quantile(away[beyond], SURE)) if beyond.any() else radius
    within = np.where(
        inner, away <= widths[left.astype(int), place], away <= np.clip(tip, radius / 2, 2 * radius)
    )
    made = np.zeros_like(area)
    made[ys[within], xs[within]] = True
    return made


def _stations(line: Floats) -> Floats:
    """(M, 2) places along a line, evenly."""
    lengths = np.hypot(*np.diff(line, axis=0).T)
    run = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0, run[-1], max(round(float(run[-1]) / STEP_PX), 2) + 1)
    return np.stack([np.interp(at, run, line[:, k]) for k in (0, 1)], axis=1).astype(np.float32)


def _coordinates(pixels: Floats, stations: Floats) -> tuple[NDArray[np.intp], Floats, Mask]:
    """The nearest station (N,) of every pixel (N, 2), how far off it lies and whether to the left."""
    gap = pixels[:, None] - stations[None]
    square = (gap**2).sum(axis=2)
    place = square.argmin(axis=1)
    rows = np.arange(len(pixels))
    ahead = np.gradient(stations, axis=0)[place]
    off = gap[rows, place]
    return place, np.sqrt(square[rows, place]), ahead[:, 0] * off[:, 1] - ahead[:, 1] * off[:, 0] > 0
