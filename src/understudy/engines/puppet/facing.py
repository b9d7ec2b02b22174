"""Which way the torso shows: its width under yaw, never paper-thin, and a steady decision when it turns its back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.skeleton import Reals, smooth

FLOOR = 0.45  # of the torso's width: below this the drawing looks like paper
_THINNEST = 0.15  # while it flips
_FLIP_AT = 0.2
_SHORTEST_S = 0.3
_FLIP_S = 0.22


def side(across: Reals, fps: float) -> Reals:
    """-1..1 (T,): 1 where the torso shows the reference's side, -1 its back, a quick ease between.

    ``across`` (T,) is the torso's width in the picture over its full width, signed: negative when left and right
    have changed places. The drawing has one side only, so a back is the front mirrored: arms then keep their own
    shoulders, and the eye takes a quick flip at profile better than arms that cross the chest. A flip needs
    ``across`` beyond 0.2 on the other side and lasts at least 0.3 s, so profile does not flicker.
    """
    state = np.empty(len(across))
    now = 1.0 if across[0] > -_FLIP_AT else -1.0
    for t, value in enumerate(across):
        if value * now < -_FLIP_AT:
            now = -now
        state[t] = now
    _drop_short(state, max(int(_SHORTEST_S * fps), 1))
    # A flip belongs where the width passes through zero, not where hysteresis noticed it.
    edges = np.flatnonzero(np.diff(state)) + 1
    for edge in edges:
        back = edge
        while back > 1 and across[back - 1] * state[edge] > 0 and state[back - 1] != state[edge]:
            back -= 1
        state[back:edge] = state[edge]
    return np.clip(np.asarray(smooth(state, fps, _FLIP_S / 4), dtype=np.float64), -1.0, 1.0)


def _drop_short(state: Reals, shortest: int) -> None:
    edges = [0, *(np.flatnonzero(np.diff(state)) + 1).tolist(), len(state)]
    for a, b in zip(edges[1:-1], edges[2:], strict=True):
        if b - a < shortest and b < len(state) and state[a] != state[a - 1]:
            state[a:b] = state[a - 1]


def width(across: Reals, sides: Reals) -> Reals:
    """Signed share of the full width to draw (T,), floored on the side that ``sides`` decided."""
    shown = np.maximum(across * np.sign(sides + 1e-12), 0.0)
    drawn = _floored(shown, FLOOR, 0.1) * sides
    thin = np.abs(drawn) < _THINNEST
    return np.asarray(np.where(thin, np.copysign(_THINNEST, drawn), drawn))


def _floored(values: Reals, floor: float, blend: float) -> Reals:
    """``max(values, floor)`` with a rounded corner, exact outside ``floor`` ± ``blend``."""
    h: NDArray[np.float64] = np.clip(0.5 + 0.5 * (values - floor) / blend, 0.0, 1.0)
    return np.asarray(floor * (1 - h) + values * h + blend * h * (1 - h))
