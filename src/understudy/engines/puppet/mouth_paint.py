"""Mouth paint: the colours of a mouth's inside, mixed from those of the face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.eyes import LOWER, UPPER
from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.relief import Bytes
from understudy.tracking.face_lines import INNER_LOWER, OUTER_LOWER
from understudy.tracking.motion import Floats

NARROW = 0.055  # gap of the reference over the mouth's width up to which its inside tells little
# Teeth are about as light as the lightest that the reference's own mouth shows
OWN_LIGHT, LEAST_LIGHT = 1.15, 0.85
# Lightness of teeth: over the skin's, for pale skin by less, and over that of the eyes' lightest sixth.
OVER_SKIN, PALE, EYE_SHARE, WHITES = 1.12, (0.5, 105.0), 0.85, 0.84
WARM = 0.55  # share of the skin's colour that teeth take on
CHEEKS = ((117, 118, 101, 36, 205, 187), (346, 347, 330, 266, 425, 411))


@dataclass(frozen=True)
class MouthPaint:
    """Colours (3,) of the mouth's inside, mixed from the lips' and the skin's own."""

    dark: Floats
    back: Floats
    flesh: Floats
    tooth: Floats

    @classmethod
    def mixed(
        cls,
        lips: Lips,
        texture: Bytes,
        mesh: Floats,
        corner: Floats,
        uv: Floats,
        upper: Floats,
        lower: Floats,
    ) -> MouthPaint:
        lip = _pixels_inside(texture, mesh[list(OUTER_LOWER + INNER_LOWER[::-1]), :2] - corner).mean(axis=0)
        # The lit cheek: the other may lie in the shade, or behind the face.
        sides = [
            np.quantile(_pixels_inside(texture, mesh[list(c), :2] - corner), 0.7, axis=0) for c in CHEEKS
        ]
        skin = max(sides, key=lambda side: float(side.mean()))
        light = _tooth_light(float(skin.mean()), texture, mesh[:, :2] - corner)
        if lips.gap > 0:
            v = uv[..., 1]
            own = (v > upper + 0.2 * (lower - upper)) & (v < lower) & (np.abs(lips.across(uv[..., 0])) < 0.9)
            if own.sum() > 8:
                inside = texture[..., :3][own].astype(np.float32)
                lip = 0.5 * lip + 0.5 * inside.mean(axis=0)
                if lips.gap > NARROW * lips.width:
                    lightest = OWN_LIGHT * float(np.quantile(inside.mean(axis=1), 0.9))
                    light = float(np.clip(lightest, LEAST_LIGHT * light, light))
        grey = float(lip.mean())
        warm = lip - grey
        # Where the lips have no colour of their own, as in drawings, the inside is red in the measure of the skin's.
        tinted = min(1.0, float(np.ptp(skin)) / max(0.15 * float(skin.mean()), 1.0))
        pale = max(0.0, 1.0 - float(np.ptp(warm)) / max(0.45 * grey, 1.0))
        warm = warm + pale * tinted * 0.45 * grey * np.array([1.0, -0.5, -0.5], np.float32)
        return cls(
            dark=np.clip(0.24 * grey + 0.38 * warm, 0, 255),
            back=np.clip(0.38 * grey + 0.52 * warm, 0, 255),
            flesh=np.clip(0.68 * grey + 0.95 * warm, 0, 255),
            tooth=np.clip(light + WARM * (skin - skin.mean()), 0, 242),
        )


def _tooth_light(skin: float, texture: Bytes, mesh: Floats) -> float:
    """Mean lightness of teeth: a little over that of pale skin, and about that of the white of the eyes.

    Teeth of people with dark skin are as light as those of others.
    """
    outlines = (mesh[list(UPPER[side] + LOWER[side][::-1])] for side in (0, 1))
    eyes = [float(np.quantile(_pixels_inside(texture, o).mean(axis=1), WHITES)) for o in outlines]
    return max(min(OVER_SKIN * skin, PALE[0] * skin + PALE[1]), EYE_SHARE * min(eyes))


def _pixels_inside(texture: Bytes, outline: Floats) -> Floats:
    mask = np.zeros(texture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    found = texture[..., :3][mask > 0].astype(np.float32)
    return found if len(found) else np.full((1, 3), 128.0, np.float32)
