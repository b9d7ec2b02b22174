"""An arm's two borders, looked for together: the smooth band about its bones that edges and colours show best.

Edges alone follow folds and stripes, colours alone do not part a sleeve from a jacket of the same cloth, and each side
by itself makes an arm that is now thick and now thin. So at every station of the straightened arm each pair of an outer
and an inner border has a price, and the way through all of them that costs least is taken (dynamic programming, as in
live-wire cutting, Mortensen and Barrett 1995).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import grown
from understudy.engines.puppet.colours import Colours, seen_along
from understudy.engines.puppet.strip import Strip
from understudy.tracking.motion import Floats
from understudy.tracking.series import gaussian, maximum

CHOICES = 28  # borders tried on each side
WIDEST = 2.1  # of them, in expected half widths from the bone
EDGE_LAB = 11.0  # Lab units across a border that count as a clear edge
# What a station pays: for a border without an edge, for half a width of colours of the other side, for another width
# than expected (at most), for a bone that is not in the middle.
NO_EDGE, WRONG_COLOUR, ODD_WIDTH, ODDEST, OFF_MIDDLE = 1.8, 2.0, 2.5, 1.5, 0.4
# For a border that moves by half a width from one station to the next: by way, by its square
JUMP, LEAP = 4.0, 40.0
ROUNDS = 2  # of colours from a band, and a band from colours
# Where samples lie in half widths from the arm's middle before a band is known: the arm's surely, and others'.
OURS, THEIRS = (0.6, 0.4), (1.4, 2.0)
COVER_RIM = 4  # pixels beside hair that show its edge and strands
FREE = 1.5  # half widths: a figure that ends so near to the bone ends with the arm


def find_band(
    strip: Strip,
    lab: Floats,
    figure: NDArray[np.bool_],
    foreign: NDArray[np.bool_],
    covering: NDArray[np.bool_] | None = None,
) -> tuple[Floats, Floats]:
    """((N,), (N,)) how far from the bone the arm reaches outwards and inwards, in pixels.

    ``lab`` (H, W, 3), ``figure`` (H, W) the matte, ``foreign`` (H, W) what cannot be the arm's (the head),
    ``covering`` (H, W) what may hide it and tells nothing (long hair).
    """
    width, across = strip.widths, strip.across
    picture = strip.sampled(lab)
    inside = strip.sampled((figure & ~foreign).astype(np.float32)) > 0.5
    ends = strip.ends(inside)
    ratio = np.linspace(0, WIDEST, CHOICES, dtype=np.float32)
    wanted = width[:, None] * ratio
    # A border that would lie outside the figure is the figure's edge.
    outer, inner = (np.minimum(wanted, end[:, None]) for end in ends)
    rows, middle = np.arange(len(width))[:, None], len(across) // 2
    at_outer = np.rint(wanted).astype(np.intp) + middle
    at_inner = middle - np.rint(wanted).astype(np.intp)
    edge = _edges(picture, inside)
    told = inside
    if covering is not None:
        hides = strip.sampled(grown(covering, COVER_RIM).astype(np.float32)) > 0.5
        edge[hides] = 0
        told = inside & ~hides
    blurred = [
        1 - np.where(end[:, None] <= wanted, 1.0, edge[rows, at])
        for end, at in zip(ends, (at_outer, at_inner), strict=True)
    ]
    scale = 2 * width[:, None, None]
    total = np.maximum(outer[:, :, None] + inner[:, None, :], 1.0)
    price = np.minimum(ODD_WIDTH * np.log(total / scale) ** 2, ODDEST)
    price = price + OFF_MIDDLE * ((outer[:, :, None] - inner[:, None, :]) / scale) ** 2
    price = price + NO_EDGE * (blurred[0][:, :, None] + blurred[1][:, None, :])
    colours = Colours(picture, np.repeat(seen_along(strip.along)[:, None], len(across), axis=1))
    away = np.abs(across - _likely_middle(ends, width)[:, None]) / width[:, None]
    ours = np.where(told, np.interp(away, OURS[::-1], (1, 0)), 0)
    theirs = np.where(told, np.interp(away, THEIRS, (0, 1)), 0)
    band = (width, width)
    for _ in range(ROUNDS):
        wrong = np.where(told, -colours.odds(ours, theirs), 0)
        summed = np.cumsum(wrong, axis=1) / width[:, None]
        inner_sum, outer_sum = summed[rows, at_inner], summed[rows, at_outer]
        band = _cheapest(
            price + WRONG_COLOUR * (outer_sum[:, :, None] - inner_sum[:, None, :]), outer, inner, width
        )
        depth = np.minimum(band[0][:, None] - across, across + band[1][:, None]) / width[:, None]
        ours = np.where(told, np.clip((depth - 0.05) / 0.15, 0, 1), 0)
        theirs = np.where(told & (depth > -1.8), np.clip((-depth - 0.05) / 0.15, 0, 1), 0)
    return band


def _likely_middle(ends: tuple[Floats, Floats], width: Floats) -> Floats:
    """(N,) where the arm's middle may lie, outwards from the bone: joints are found less well than the matte's edge."""
    outer, inner = ends
    middle = np.where(outer < FREE * width, outer - 0.75 * width, 0.0)
    middle = np.where((inner < FREE * width) & (outer >= FREE * width), 0.75 * width - inner, middle)
    middle = np.where(outer + inner < 2.6 * width, (outer - inner) / 2, middle)
    soft: Floats = gaussian(middle, 3.0).astype(np.float32)
    return soft


def _edges(picture: Floats, inside: NDArray[np.bool_]) -> Floats:
    """(N, S) how clear a step or a line runs along the arm there, 0..1; what runs across it does not count."""
    soft = cv2.GaussianBlur(picture, (0, 0), sigmaX=1.0, sigmaY=2.5)
    strength = np.zeros(picture.shape[:2], np.float32)
    step = np.sqrt(((soft[:, 4:] - soft[:, :-4]) ** 2).sum(axis=2))
    line = np.sqrt(((soft[:, 4:-4] - (soft[:, 8:] + soft[:, :-8]) / 2) ** 2).sum(axis=2))
    strength[:, 2:-2] = step
    strength[:, 4:-4] = np.maximum(strength[:, 4:-4], 1.3 * line)
    # Among many folds only the clearest count.
    usual = float(np.percentile(strength[inside], 75)) if inside.any() else 0.0
    usual = float(np.clip(usual, EDGE_LAB / 2, 2 * EDGE_LAB))
    peak = np.maximum(maximum(strength, 7, axis=1), 1e-3)
    edges: Floats = strength / (strength + usual) * np.maximum(strength / peak, 0.3)
    return edges.astype(np.float32)


def _cheapest(price: Floats, outer: Floats, inner: Floats, width: Floats) -> tuple[Floats, Floats]:
    """The cheapest way (N,), (N,) through the pairs of borders (N, K), (N, K) with ``price`` (N, K, K) (Viterbi).

    The way from pair to pair is the sum of both borders' ways, so each is looked for by itself.
    """
    count = len(price)
    moved_out, moved_in = (
        _way(side[:-1, :, None] - side[1:, None, :], width[1:, None, None]) for side in (outer, inner)
    )
    total = np.empty_like(price)  # the least to each pair of borders,
    between = np.empty_like(price)  # and to each outer border with the inner one of the station before
    total[0] = price[0]
    for i in range(1, count):
        between[i] = (total[i - 1][:, None, :] + moved_out[i - 1][:, :, None]).min(axis=0)
        total[i] = (between[i].T[:, :, None] + moved_in[i - 1][:, None, :]).min(axis=0) + price[i]
    best = np.zeros((2, count), np.float32)
    a, b = np.unravel_index(int(total[-1].argmin()), total[-1].shape)
    for i in range(count - 1, -1, -1):
        best[:, i] = outer[i, a], inner[i, b]
        if i:
            b = (between[i][a] + moved_in[i - 1][:, b]).argmin()
            a = (total[i - 1][:, b] + moved_out[i - 1][:, a]).argmin()
    return best[0], best[1]


def _way(pixels: Floats, width: Floats) -> Floats:
    share = np.abs(pixels) / np.maximum(width, 1e-3)
    return np.asarray(JUMP * share + LEAP * share**2, np.float32)
