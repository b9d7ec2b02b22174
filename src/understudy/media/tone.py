"""HDR and wide-gamut frames to the ordinary signal (BT.709), by tables.

Source: ITU-R BT.2100 (PQ and HLG), BT.2408 (diffuse white lies at 203 cd/m2, an HDR programme's grey and skin where
ordinary video has them), BT.2390 section 5.4 (the curve that rolls highlights off), BT.2087 (primaries). White at 203
becomes the ordinary white, all up to a knee at about 93 cd/m2 stays as bright as it is, and what lies between the knee
and 1000 cd/m2 is pressed into the rest. So faces look as in an ordinary video, which is what the tracker's networks
learned on, and a lamp or the sky loses detail rather than the performer.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

PQ, HLG = 16, 18  # transfer characteristics as ITU-T H.273 numbers them
WHITE_NITS, PEAK_NITS = 203.0, 1000.0
DISPLAY_GAMMA = 2.4  # BT.1886
# Gamma of the whole way for a display of 1000 cd/m2. BT.2100 applies it to luminance; on each channel it is exact
# for greys, and colours come a little stronger.
HLG_SYSTEM_GAMMA = 1.2
CODES = (
    256  # of the signal: steps of two levels where PQ is coarsest, for a third of the time that 16 bits take
)
LIGHTS = 65536  # of light, in which dark steps are fine
STRIP = 32  # rows at a time: what lies between the tables stays in the cache, and takes half the time
# To the primaries of BT.709, in linear light.
FROM_BT2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
FROM_P3 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
WIDE = {9: FROM_BT2020, 11: FROM_P3, 12: FROM_P3}  # H.273's numbers of primaries


class ToneMap:
    """One kind of signal to BT.709: light from a table, other primaries, the ordinary signal from a table."""

    def __init__(self, transfer: int, primaries: int) -> None:
        code, steps = np.arange(CODES) / (CODES - 1), np.arange(LIGHTS) / (LIGHTS - 1)
        high = transfer in {PQ, HLG}
        light = _pq_nits(code) if transfer == PQ else _hlg_nits(code) if transfer == HLG else None
        peak = PEAK_NITS if high else WHITE_NITS
        if light is None:
            light = WHITE_NITS * code**DISPLAY_GAMMA
        self._light = np.rint(np.clip(light / peak, 0, 1) * (LIGHTS - 1)).astype(np.uint16)
        shown = _rolled_off(steps * PEAK_NITS) / WHITE_NITS if high else steps
        self._signal = np.rint(255 * np.clip(shown, 0, 1) ** (1 / DISPLAY_GAMMA)).astype(np.uint8)
        matrix = WIDE.get(primaries, FROM_BT2020 if high else None)
        self._matrix = None if matrix is None else np.array(matrix, np.float32)

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB ``(H, W, 3)`` as the file has it to RGB as viewers know it; colours that BT.709 lacks are cut off."""
        made = np.empty_like(rgb)
        for top in range(0, len(rgb), STRIP):
            light = cv2.LUT(rgb[top : top + STRIP], self._light)
            if self._matrix is not None:
                light = cv2.transform(light, self._matrix)
            cv2.LUT(light, self._signal, dst=made[top : top + STRIP])
        return made


def tone_map(transfer: int, primaries: int) -> ToneMap | None:
    """What turns frames with these tags into ordinary ones; None where they are."""
    if transfer in {PQ, HLG} or primaries in WIDE:
        return _made(transfer if transfer in {PQ, HLG} else 0, primaries)
    return None


@lru_cache(maxsize=8)
def _made(transfer: int, primaries: int) -> ToneMap:
    return ToneMap(transfer, primaries)


def _pq_nits(signal: Curve) -> Curve:
    """BT.2100, table 4: the display's light in cd/m2 of a PQ signal of 0 to 1."""
    power = signal ** (32 / 2523)
    low = np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)
    return np.asarray(10_000 * low ** (16384 / 2610))


def _pq_signal(nits: Curve) -> Curve:
    """The inverse of `_pq_nits`."""
    power = (nits / 10_000) ** (2610 / 16384)
    return np.asarray(((107 / 128 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


def _hlg_nits(signal: Curve) -> Curve:
    """BT.2100, table 5, for a display of 1000 cd/m2 and grey."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray(PEAK_NITS * scene**HLG_SYSTEM_GAMMA)


def _rolled_off(nits: Curve) -> Curve:
    """BT.2390's curve from a peak of `PEAK_NITS` to one of `WHITE_NITS`: straight up to a knee, then a spline."""
    peak, white = _pq_signal(np.array([PEAK_NITS, WHITE_NITS]))
    top = white / peak
    knee = 1.5 * top - 0.5
    level = _pq_signal(nits) / peak
    t = np.clip((level - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    )
    return _pq_nits(np.where(level < knee, level, spline) * peak)
