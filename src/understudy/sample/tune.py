"""The dance's sound: a small beat with bass and plucked notes, made of sines and noise."""

from __future__ import annotations

import numpy as np

from understudy.sample.dance import BEATS, BEATS_PER_MINUTE
from understudy.sample.solid import Floats

RATE_HZ = 44_100
BEAT_S = 60 / BEATS_PER_MINUTE
CHORDS = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))  # Am F C G, MIDI numbers
MELODY = (76, 79, 81, 79, 76, 72, 74, 76, 72, 76, 79, 84, 83, 79, 74, 71, 76, 79, 81, 84, 81, 79, 76, 72)


def tune() -> Floats:
    """(N, 2) stereo in -1..1, as long as the dance."""
    rng = np.random.default_rng(3)
    total = round(BEATS * BEAT_S * RATE_HZ)
    mix = np.zeros((total, 2), np.float64)

    def add(
        at_beat: float, sound: np.ndarray[tuple[int], np.dtype[np.float64]], left: float, right: float
    ) -> None:
        start = round(at_beat * BEAT_S * RATE_HZ)
        piece = sound[: total - start]
        mix[start : start + len(piece), 0] += left * piece
        mix[start : start + len(piece), 1] += right * piece

    for beat in range(BEATS):
        add(beat, _kick(), 0.8, 0.8)
        chord = CHORDS[beat // 3 % 4]
        if beat % 2:
            add(beat, _noise(rng, 0.16, 18) * 0.5, 0.36, 0.36)
        for half in (0, 0.5):
            add(beat + half, _noise(rng, 0.05, 90), 0.05, 0.09 if half else 0.05)
            add(beat + half, _pluck(MELODY[round((beat + half) * 2)], 0.30, 7), 0.10, 0.15)
        add(beat + 0.5, _pluck(chord[0] - 12, 0.24, 6), 0.38, 0.38)
        for note in chord:
            add(beat + 0.5, _pluck(note, 0.35, 9), 0.11, 0.08)
    fade = np.minimum(1, np.minimum(np.arange(total) + 1, np.arange(total)[::-1] + 1) / (0.01 * RATE_HZ))
    mix *= fade[:, None]
    result: Floats = (0.89 * np.tanh(1.3 * mix) / np.abs(np.tanh(1.3 * mix)).max()).astype(np.float32)
    return result


def _time(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def _kick() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    t = _time(0.28)
    return np.asarray(np.sin(2 * np.pi * (48 * t + 9 * (1 - np.exp(-t * 32)))) * np.exp(-t * 11))


def _noise(
    rng: np.random.Generator, seconds: float, decay: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    t = _time(seconds)
    return np.diff(rng.normal(size=len(t) + 1)) * np.exp(-t * decay) * 0.6


def _pluck(midi: int, seconds: float, decay: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    t = _time(seconds)
    pitch = 440 * 2 ** ((midi - 69) / 12)
    wave = sum(np.sin(2 * np.pi * pitch * k * t) * np.exp(-t * decay * k) / k for k in (1, 2, 3))
    return np.asarray(wave * np.minimum(1, t / 0.004))
