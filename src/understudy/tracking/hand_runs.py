"""Hands over time: what cannot last is no hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from understudy.tracking.hand_check import palm_span
from understudy.tracking.motion import Floats

GLIMPSE_S = 0.15
MISSED_S = 0.27  # a hand that is not found for less goes on
# In palm spans: what a hand may change in shape within 1/30 s. Fast ones that turn over change by 0.8.
JUMP, JUMP_S = 1.0, 1 / 30


def drop_glimpses(hands: Floats, score: Floats, fps: float) -> None:
    """Forget one hand (T, 21, 3) where it is found for less than 0.15 s at a stretch, in place; ``score`` (T,).

    A stretch ends where the hand is lost for long, and where its shape jumps as no hand can: then one side is a
    mistake, and the short one falls.
    """
    found = np.flatnonzero(np.isfinite(hands[:, 0, 0]))
    edges = [
        0,
        *(k for k in range(1, len(found)) if _breaks(hands, int(found[k - 1]), int(found[k]), fps)),
        len(found),
    ]
    for start, stop in pairwise(edges):
        frames = found[start:stop]
        if len(frames) and frames[-1] + 1 - frames[0] < round(GLIMPSE_S * fps) < len(hands):
            hands[frames] = np.nan
            score[frames] = 0


def _breaks(hands: Floats, last: int, now: int, fps: float) -> bool:
    """Whether the hand found in frame ``now`` does not go on from that of frame ``last``."""
    passed = (now - last) / fps
    if now - last > 1 and passed > MISSED_S:
        return True
    before, after = (hands[t, :, :2] - hands[t, 0, :2] for t in (last, now))
    change = float(np.linalg.norm(after - before, axis=1).mean())
    return change > JUMP * max(passed / JUMP_S, 1.0) * max(palm_span(before), palm_span(after), 1.0)
