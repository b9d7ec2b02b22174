"""Plans that took more of a card's memory than there was."""

from __future__ import annotations

import time
from collections.abc import Callable

from understudy.engines.diffusion.plan import PLANS

SHUNNED_S = 3600.0  # others may have the card's memory for a while only


class Shunned:
    """For SHUNNED_S no plan is tried again that was too large for as many pixels."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[int, float]] = {}  # by model and plan: pixels, until when

    def add(self, model: str, plan: str, pixels: int) -> None:
        least, until_s = self._known.get((model, plan), (pixels, 0.0))
        if until_s > self._clock():
            pixels = min(pixels, least)
        self._known[model, plan] = pixels, self._clock() + SHUNNED_S

    def last(self, model: str, pixels: int) -> str:
        """The smallest plan that is too large for so many pixels; empty where none is known to be."""
        for plan in reversed(PLANS):
            least, until_s = self._known.get((model, plan), (0, 0.0))
            if until_s > self._clock() and pixels >= least:
                return plan
        return ""
