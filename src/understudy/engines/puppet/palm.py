"""The palm over time: how long and how wide the picture shows it, and which of its sides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.performer_hand import KNUCKLES, PerformerHand
from understudy.engines.puppet.skeleton import Points, Reals, blur, unit

THINNEST = 0.6  # share of the palm's length and width: a thinner one looks like a knife
WIDEST = 1.4  # against a reference that shows the palm turned
_FLIP_AT = 0.25  # of the full width on the other side, before a palm counts as turned over
_SHORTEST_S = 0.25  # a palm stays turned over at least so long
_FLIP_S = 0.035  # sigma of the turning over itself


@dataclass(frozen=True)
class Palm:
    """Shares of the reference's palm (T,): ``length`` 0.6 to 1.4, ``width`` the same, but negative where the other side
    is shown, and passing quickly through 0 between."""

    length: Reals
    width: Reals


def axis(points: Points) -> complex:
    """The wrist to the knuckles' middle of one hand (21,) about its wrist."""
    return complex(points[list(KNUCKLES)].mean())


def palm(hand: PerformerHand, own: Points, anchor: Anchor | None) -> Palm:
    """The palm of ``hand`` on the character's ``own`` (21,), eased to the reference's where it is not seen; ``anchor``
    is the hand's own."""
    along = hand.along
    across = ((hand.points[:, 5] - hand.points[:, 17]) / unit(along)).imag
    own_across = float(((own[5] - own[17]) / unit(np.asarray(axis(own)))).imag)
    side = _side(across, hand) * (1.0 if own_across >= 0 else -1.0)
    if anchor is not None:
        side = side * (1.0 if side[anchor.frame] >= 0 else -1.0)
    length = _share(np.abs(along), hand, anchor)
    width = _share(np.abs(across), hand, anchor) * side
    return Palm(1 + hand.weight * (length - 1), 1 + hand.weight * (width - 1))


def _share(lengths: Reals, hand: PerformerHand, anchor: Anchor | None) -> Reals:
    """Foreshortening (T,) from 0.6 to 1 against the longest seen; against the anchor's own where there is one."""
    if hand.seen.sum() < 3:
        return np.ones(len(lengths))
    full = max(float(np.quantile(lengths[hand.seen], 0.85)), 1e-6)
    share = blur(np.clip(lengths / full, THINNEST, 1.0), hand.fps, 0.05)
    if anchor is not None:
        share = np.clip(share / anchor.number(share), THINNEST, WIDEST)
    return np.asarray(share)


def _side(across: Reals, hand: PerformerHand) -> Reals:
    """-1..1 (T,): which side of the palm is shown, told by the sign of its width in the picture.

    The state changes where the width has passed through zero and goes on to a quarter of the full width; edge-on it
    keeps what it had. A side that is shown for less than 0.25 s is not shown at all.
    """
    if hand.seen.sum() < 3:
        return np.ones(len(across)) if not len(across) or across.mean() >= 0 else -np.ones(len(across))
    signed = across / max(float(np.quantile(np.abs(across[hand.seen]), 0.85)), 1e-6)
    state = np.empty(len(across))
    clear = np.flatnonzero(hand.seen & (np.abs(signed) > _FLIP_AT))
    now = float(np.sign(signed[clear[0]])) if len(clear) else 1.0
    for t, value in enumerate(signed):
        if hand.seen[t] and value * now < -_FLIP_AT:
            now = -now
        state[t] = now
    shortest = _SHORTEST_S * hand.fps
    _drop_short(state, shortest)
    for edge in (np.flatnonzero(np.diff(state)) + 1).tolist():  # where the width passes through zero
        back = edge
        while back > 1 and signed[back - 1] * state[edge] > 0 and state[back - 1] != state[edge]:
            back -= 1
        state[back:edge] = state[edge]
    _drop_short(state, shortest)
    return np.asarray(np.clip(blur(state, hand.fps, _FLIP_S), -1.0, 1.0))


def _drop_short(state: Reals, shortest: float) -> None:
    """Join runs shorter than ``shortest`` frames, inside the clip, with what precedes them."""
    edges = (np.flatnonzero(np.diff(state)) + 1).tolist()
    for start, stop in pairwise(edges):
        if stop - start < shortest:
            state[start:stop] = state[start - 1]
