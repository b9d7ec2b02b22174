"""Where the figure stands: its root over time, and what the picture's edge allows of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.skeleton import ANKLES, HIPS, SHOULDERS, Points, Reals, middle
from understudy.tracking.character import Character

_SWAY = 0.5  # of the sideways path of a figure that the edge cuts
_SWAY_LIMIT = 0.10  # of the picture's width
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


def cut_path(moved: Points, width: int, *, free: bool) -> Points:
    """The path (T,) of the cut point: ``moved`` damped sideways, and never upwards, or the edge would show.

    ``free`` keeps the sideways path (the reference is a frame of the same clip).
    """
    aside = moved.real
    if not free:
        limit = _SWAY_LIMIT * width
        aside = limit * np.tanh(_SWAY * aside / limit)
    down = moved.imag
    soft = 0.004 * width
    down = np.where(down > 0, down * down / (down + soft), 0.0)
    return np.asarray(aside + 1j * down)


def in_picture(path: Points, start: complex, width: int) -> Points:
    """``path`` (T,) of the root, narrowed about ``start`` so that the hips stay in the picture."""
    margin = _HIPS_STAY * width
    aside = path.real - start.real
    share = 1.0
    if aside.max(initial=0.0) > 0:
        share = min(share, max(width - margin - start.real, 0.0) / float(aside.max()))
    if aside.min(initial=0.0) < 0:
        share = min(share, max(start.real - margin, 0.0) / float(-aside.min()))
    return np.asarray(start.real + aside * max(share, 0.0) + 1j * path.imag)


def lowest(feet: Points, shown: NDArray[np.bool_]) -> Reals:
    """y of the lowest shown foot landmark (T,)."""
    return np.asarray(feet.imag[:, shown].max(axis=1))
