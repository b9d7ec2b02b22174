"""Which way the performer shows: the torso's width under yaw, never paper-thin, and a steady decision about backs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.performer import Performer
from understudy.engines.puppet.skeleton import HIPS, SHOULDERS, SWAPPED, Reals, blur, middle, unit

FLOOR = 0.45  # of the torso's width: below this the drawing looks like paper
_FLIP_AT = 0.2
_SHORTEST_S = 0.5
_FLIP_S = 0.22


def side(across: Reals, fps: float) -> Reals:
    """-1..1 (T,): 1 where the torso shows the reference's side, -1 its back, a quick ease between.

    ``across`` (T,) is the torso's width in the picture over its full width, signed: negative when left and right
    have changed places. A turn needs ``across`` beyond 0.2 on the other side and lasts at least 0.5 s, so neither
    profile nor hair across the face flickers.
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
    return np.clip(blur(state, fps, _FLIP_S / 4), -1.0, 1.0)


def _drop_short(state: Reals, shortest: int) -> None:
    """Join runs shorter than ``shortest`` frames, inside the clip, with what precedes them."""
    edges = (np.flatnonzero(np.diff(state)) + 1).tolist()
    for start, stop in itertools.pairwise(edges):
        if stop - start < shortest:
            state[start:stop] = state[start - 1]


def width(across: Reals, floor: float = FLOOR) -> Reals:
    """Share of the full width to draw (T,), floored: the drawing never turns its back."""
    return _floored(np.maximum(across, 0.0), floor, 0.1)


def _floored(values: Reals, floor: float, blend: float) -> Reals:
    """``max(values, floor)`` with a rounded corner, exact outside ``floor`` ± ``blend``."""
    h: NDArray[np.float64] = np.clip(0.5 + 0.5 * (values - floor) / blend, 0.0, 1.0)
    return np.asarray(floor * (1 - h) + values * h + blend * h * (1 - h))


def unturned(
    performer: Performer, hands: Reals, seen: NDArray[np.bool_]
) -> tuple[Performer, Reals, NDArray[np.bool_]]:
    """The performer with left and right changed over while it shows its back, eased over profile; its hands too.

    The drawing has one side only. Mirroring its trunk was tried: it tears from the head, which is not mirrored, and
    reads a hair flick as a back. Limbs that kept their own side would cross the chest. So the front stays, and each
    limb follows the limb that the picture shows on its side.
    """
    upright = 1j * unit(middle(performer.metres, SHOULDERS), -1j)
    lines = [(performer.metres[:, a] - performer.metres[:, b]) / upright for a, b in (SHOULDERS, HIPS)]
    across = (lines[0].real + lines[1].real) / 2
    full = max(float(np.quantile(np.abs(across), 0.9)), 1e-6)
    back = (1.0 - side(across / full, performer.fps)) / 2
    if not back.any():
        return performer, hands, seen
    b, over = back[:, None], back > 0.5
    swapped = replace(
        performer,
        pixels=performer.pixels * (1 - b) + performer.pixels[:, SWAPPED] * b,
        trust=performer.trust * (1 - b) + performer.trust[:, SWAPPED] * b,
        metres=performer.metres * (1 - b) + performer.metres[:, SWAPPED] * b,
        depth=performer.depth * (1 - b) + performer.depth[:, SWAPPED] * b,
    )
    hands = np.where(over[:, None, None, None], hands[:, ::-1], hands)
    # A hand that changes over is let go for the moment of it.
    between = (back > 0.02) & (back < 0.98)
    return swapped, hands, np.where(over[:, None], seen[:, ::-1], seen) & ~between[:, None]
