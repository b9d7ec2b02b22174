"""What the picture's edges allow of the figure's path."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.skeleton import ANKLES, HIPS, SHOULDERS, Points, Reals, blur, middle
from understudy.tracking.character import Character

_SWAY = 0.5  # of the sideways path of a figure that the edge cuts
_SWAY_LIMIT = 0.10  # of the picture's width
_SINK_LIMIT = 0.05  # of the picture's height
_HIPS_STAY = 0.12  # of the picture's width: how near to its sides a whole figure's hips may come


def is_cut(character: Character, rest: Points, height: int) -> bool:
    """Whether the picture's lower edge cuts the figure: no ankle is shown, and something lies on or under the edge."""
    if character.shown[list(ANKLES)].any():
        return False
    mask = character.silhouette
    rows = max(len(mask) // 100, 1)
    touches = bool((mask[-rows:] > 0.5).any(axis=0).mean() > 0.01) if mask.size else False
    return touches or bool((rest[list(ANKLES)].imag >= height - 1).any())


def cut_point(rest: Points, height: int) -> complex:
    """Where the spine's line (the plumb line below the hips) meets the lower edge."""
    hip, neck = complex(middle(rest, HIPS)), complex(middle(rest, SHOULDERS))
    if hip.imag <= height:
        return complex(hip.real, height)
    share = (height - neck.imag) / max(hip.imag - neck.imag, 1e-6)
    return neck + (hip - neck) * min(max(share, 0.0), 1.0)


def cut_path(moved: Points, scale: Reals, rest: Points, width: int, height: int, *, free: bool) -> Points:
    """The path (T,) of the cut point: ``moved`` damped sideways, and never upwards, or the edge would show.

    Down it goes a little, and as far as the growing figure (``scale``) needs to keep its head in the picture.
    ``free`` keeps the path (the reference is a frame of the same clip), but for the way up.
    """
    aside, down = moved.real, moved.imag
    room = np.maximum(scale - 1.0, 0.0) * max(height - float(rest[:11].imag.min()), 0.0)
    if not free:
        limit = _SWAY_LIMIT * width
        aside = limit * np.tanh(_SWAY * aside / limit)
        limit = _SINK_LIMIT * height
        down = np.minimum(down, room + limit * np.tanh(np.maximum(down - room, 0.0) / limit))
    soft = 0.004 * height
    down = np.where(down > 0, down * down / (down + soft), 0.0)
    return np.asarray(aside + 1j * down)


def in_picture(root: Points, start: complex, width: int) -> Points:
    """``root`` (T,) with its sideways path narrowed about ``start`` so that the hips stay in the picture."""
    margin = _HIPS_STAY * width
    aside = root.real - start.real
    share = 1.0
    if aside.max() > 0:
        share = min(share, max(width - margin - start.real, 0.0) / float(aside.max()))
    if aside.min() < 0:
        share = min(share, max(start.real - margin, 0.0) / float(-aside.min()))
    return np.asarray(start.real + aside * share + 1j * root.imag)


def above_edge(low: Reals, ground: float, height: int, fps: float) -> Reals:
    """Shift (T,) upwards, negative, that keeps feet at ``low`` (T,) in the picture, eased over about a second.

    Only where the reference stands (``ground``) well inside it.
    """
    floor = max(float(height) * 0.995, ground)
    over = np.maximum(low - floor, 0.0)
    if not over.any():
        return np.zeros(len(low))
    n = max(round(0.5 * fps), 1)
    worst = np.lib.stride_tricks.sliding_window_view(np.pad(over, n, mode="edge"), 2 * n + 1).max(axis=1)
    return -blur(worst, fps, 0.25)
