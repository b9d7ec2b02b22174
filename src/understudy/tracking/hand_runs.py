"""Hands over time: what cannot last is no hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from understudy.tracking.hand_check import palm_span
from understudy.tracking.motion import Floats

GLIMPSE_S = 0.15
# In palm spans: what a hand may change in shape within 1/30 s. Fast ones that turn over change by 0.8.
JUMP, JUMP_S = 1.0, 1 / 30


def drop_glimpses(hands: Floats, score: Floats, fps: float) -> None:
    """Forget one hand (T, 21, 3) where it is found for less than 0.15 s at a stretch, in place; ``score`` (T,).

    A stretch ends where the hand is lost, and where its shape jumps as no hand can: then one side is a mistake, and
    the short one falls.
    """
    found = np.isfinite(hands[:, 0, 0])
    edges = [0, *(t for t in range(1, len(found)) if _breaks(hands, found, t, fps)), len(found)]
    for start, stop in pairwise(edges):
        if found[start] and stop - start < GLIMPSE_S * fps and len(found) > stop - start:
            hands[start:stop] = np.nan
            score[start:stop] = 0


def _breaks(
    hands: Floats, found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], t: int, fps: float
) -> bool:
    if found[t] != found[t - 1]:
        return True
    if not found[t]:
        return False
    before, now = (hands[k, :, :2] - hands[k, 0, :2] for k in (t - 1, t))
    change = float(np.linalg.norm(now - before, axis=1).mean())
    span = max(palm_span(before), palm_span(now), 1.0)
    return change > JUMP * max(1.0, 1 / (fps * JUMP_S)) * span
