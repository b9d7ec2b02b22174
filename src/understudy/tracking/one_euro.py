"""The One Euro filter (Casiez, Roussel and Vogel, CHI 2012): steady when slow, quick when fast."""

from __future__ import annotations

from math import pi

import numpy as np

from understudy.tracking.motion import Floats

STEP_S = 1 / 30  # MediaPipe's Python solutions count every frame as this long


class OneEuro:
    """Filters an array of values frame by frame; used where only the past is known.

    ``min_cutoff`` in Hz, ``beta`` in Hz per unit of speed; values are divided by ``scale`` to measure speed.
    """

    def __init__(self, min_cutoff: float, beta: float, derivative_cutoff: float = 1.0) -> None:
        self._min_cutoff = min_cutoff
        self._beta = beta
        self._derivative_cutoff = np.float32(derivative_cutoff)
        self.reset()

    def reset(self) -> None:
        self._raw: Floats | None = None
        self._value: Floats | None = None
        self._slope: Floats | None = None

    def __call__(self, value: Floats, scale: float, frames: int = 1) -> Floats:
        """The value steadied, ``frames`` after the last one."""
        step_s = frames * STEP_S
        if self._raw is None or self._value is None or self._slope is None:
            self._slope = np.zeros_like(value)
            self._raw = self._value = value
            return value
        slope = (value - self._raw) / np.float32(scale * step_s)
        self._slope = self._slope + _alpha(self._derivative_cutoff, step_s) * (slope - self._slope)
        alpha = _alpha(np.asarray(self._min_cutoff + self._beta * np.abs(self._slope), np.float32), step_s)
        self._raw = value
        self._value = self._value + alpha * (value - self._value)
        return self._value


def _alpha(cutoff: Floats | np.float32, step_s: float) -> Floats:
    return np.asarray(1 / (1 + 1 / (2 * pi * step_s * cutoff)), np.float32)
