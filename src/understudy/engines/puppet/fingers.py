"""Fingers over time: every phalanx takes the performer's direction and foreshortening, with the character's length.

All in the palm's own frame, the wrist to the knuckles along +x, so that a finger stays on its palm whatever the wrist
does. Depth of the hand network tells too little to bend fingers in space; what the picture shows of a phalanx against
the longest seen of it stands for it.
"""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.anchor import Anchor
from understudy.engines.puppet.palm import axis
from understudy.engines.puppet.performer_hand import PerformerHand
from understudy.engines.puppet.skeleton import Points, Reals, blur, step, unit

# Three phalanges each of thumb, index, middle, ring and little finger: from the first landmark to the next.
CHAINS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
STARTS = np.array([a for chain in CHAINS for a in chain[:3]])
ENDS = STARTS + 1

SHORTEST, LONGEST = 0.35, 1.25  # of a phalanx as the reference shows it
_LEAST_SHARE = 0.5  # of its full length that the reference is taken to show of a phalanx at least
# Adults' phalanges over the palm's length (wrist to knuckles' middle): the full length where a clip shows none of it.
_USUAL = np.array([0.42, 0.34, 0.28, 0.45, 0.26, 0.22, 0.5, 0.3, 0.23, 0.46, 0.28, 0.22, 0.36, 0.21, 0.2])
_USUAL_SHARE = 0.7
# A phalanx that the reference shows end-on is a patch without direction: so far it follows.
_DIRECTED = (0.2, 0.5)
# A performer's phalanx that points at the camera has no direction either: it goes on as the one before it.
_SIDEWAYS = (0.12, 0.4)
# What the reference and its own frame of a clip are apart is put right there, and less and less away from it.
_PUT_RIGHT = np.radians(75)


def directions(vectors: Points, own: Points, hand: PerformerHand, anchor: Anchor | None) -> Points:
    """Unit directions (T, N) of the ``hand``'s ``vectors``; equal to ``own`` (N,) where it is as at the ``anchor``."""
    turned = unit(vectors)
    if anchor is None:
        return turned
    wrong = np.angle(unit(own) / unit(anchor.weights @ vectors))
    wrong = np.where(np.abs(wrong) < _PUT_RIGHT, wrong, 0.0)
    return np.asarray(turned * np.exp(1j * wrong * hand.likeness(anchor)[:, None]))


def fingers(hand: PerformerHand, own: Points, palm: Points, anchor: Anchor | None) -> Points:
    """The whole hand (T, 21) in the palm's frame: ``palm`` (T, 21) with every finger put on its knuckle.

    ``palm`` is the character's hand stiff, as wide and long as the palm is shown; ``own`` (21,) its hand in the
    reference image, about the wrist. ``hand.weight`` 0 leaves the hand stiff. ``anchor`` is the hand's own.
    """
    rest = (own[ENDS] - own[STARTS]) / unit(np.asarray(axis(own)))
    seen = (hand.points[:, ENDS] - hand.points[:, STARTS]) / unit(hand.along)[:, None]
    stiff = palm[:, ENDS] - palm[:, STARTS]
    if hand.seen.sum() < 3:
        return palm

    lengths = np.abs(seen)
    full = np.maximum(np.quantile(lengths[hand.seen], 0.9, axis=0), _USUAL_SHARE * _USUAL * hand.palm_m)
    share = blur(np.minimum(lengths / full, 1.0), hand.fps, 0.03)
    own_full = np.maximum(np.abs(rest), full / hand.palm_m * abs(axis(own)))
    shown = np.clip(np.abs(rest) / np.maximum(own_full, 1e-6), 0.0, 1.0)
    reference = anchor.weights @ share if anchor is not None else shown
    stretch = np.clip(share / np.maximum(reference, _LEAST_SHARE), SHORTEST, LONGEST)

    weight = hand.weight[:, None]
    along = unit(stiff)
    follow = weight * step(shown, *_DIRECTED)
    led = _ahead(directions(seen, rest, hand, anchor), step(share, *_SIDEWAYS))
    bones = unit((1 - follow) * along + follow * led, led) * np.abs(rest) * (1 + weight * (stretch - 1))
    whole = palm.copy()
    for k, chain in enumerate(CHAINS):
        whole[:, chain[1:]] = palm[:, [chain[0]]] + np.cumsum(bones[:, 3 * k : 3 * k + 3], axis=1)
    return whole


def _ahead(led: Points, sure: Reals) -> Points:
    """Unit directions (T, 15) with those that are not ``sure`` (T, 15) taken from the phalanx before."""
    made = led.copy()
    for k in range(len(STARTS)):
        if k % 3:
            blended = sure[:, k] * led[:, k] + (1 - sure[:, k]) * made[:, k - 1]
            made[:, k] = unit(blended, made[:, k - 1])
    return made
