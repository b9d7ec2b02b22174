"""A forearm for an arm that reaches towards the camera in the reference image.

The picture shows hardly anything of such a forearm, and what lies there is the hand. The hand is kept whole as the
picture has it, and a plain forearm in the colour seen above the elbow joins it to the elbow when it moves.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.layer import Layer, cropped
from understudy.tracking.motion import Floats

SHORT = 0.5  # of the upper arm: a forearm shorter than this in the picture points at the camera
SAME_TONE = 13.0  # a sleeve nearer to the hand's tone than this is bare skin
FOREARM_TO_UPPER_ARM = 0.9  # lengths of adults, shoulder to elbow and elbow to wrist


def foreshortened(bones: Floats) -> bool:
    """Whether the forearm, the second of an arm's ``bones`` (3, 2), points at the camera."""
    lengths = np.hypot(bones[:, 0], bones[:, 1])
    return bool(lengths[1] < SHORT * lengths[0])


def made_forearm(
    name: str, rgb: NDArray[np.uint8], mine: NDArray[np.bool_], line: Floats, bone: Floats, radii: Floats
) -> Layer:
    """A shaded, tapered forearm along ``bone`` (2,) from the elbow ``line[1]``; ``mine`` (H, W) is the arm's area."""
    elbow = line[1]
    sleeve = _colour_at(rgb, mine, line[0] + 0.85 * (elbow - line[0]), 0.6 * float(radii[0]))
    skin = _colour_at(rgb, mine, line[2] + 0.3 * (line[3] - line[2]), 0.5 * float(radii[2]))
    bare = _tone_apart(sleeve, skin) < SAME_TONE
    colour = skin if bare else sleeve
    length = max(float(np.hypot(*bone)), 1.0)
    wide = float(radii[0]) * (0.7 if bare else 0.85)
    narrow = 0.65 * wide
    margin = int(wide) + 4
    low = np.floor(np.minimum(elbow, elbow + bone)).astype(int) - margin
    high = np.ceil(np.maximum(elbow, elbow + bone)).astype(int) + margin
    xs, ys = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    offset = np.stack([xs - elbow[0], ys - elbow[1]], axis=-1).astype(np.float32)
    along = offset @ (bone / length)
    share = np.clip(along / length, 0, 1)
    radius = wide + (narrow - wide) * share
    beyond = offset - (share * length)[..., None] * (bone / length)
    away = np.hypot(beyond[..., 0], beyond[..., 1])
    across = np.clip(away / radius, 0, 1)
    shade = 0.72 + 0.28 * np.sqrt(1 - across**2)  # a round limb turns away from the light at its sides
    alpha = np.clip(radius - away, 0, 1)
    picture = np.rint(np.clip(colour * shade[..., None], 0, 255)).astype(np.uint8)
    layer = cropped(name, picture, alpha)
    return Layer(name, layer.texture, (layer.origin[0] + int(low[0]), layer.origin[1] + int(low[1])))


def _colour_at(
    rgb: NDArray[np.uint8], mine: NDArray[np.bool_], place: Floats, radius: float
) -> NDArray[np.float32]:
    """(3,) median colour of the arm about ``place``."""
    near = np.zeros(mine.shape, np.uint8)
    cv2.circle(near, (round(float(place[0])), round(float(place[1]))), max(round(radius), 3), 1, -1)
    seen = rgb[near.astype(bool) & mine]
    if len(seen) < 20:
        seen = rgb[mine] if mine.any() else np.full((1, 3), 128, np.uint8)
    return np.asarray(np.median(seen, axis=0), np.float32)


def _tone_apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Distance of two colours without their lightness (Lab's a and b): skin in light and in shadow is near."""
    pair = np.clip(np.stack([a, b]), 0, 255).astype(np.uint8)[None]
    lab = cv2.cvtColor(pair, cv2.COLOR_RGB2LAB).astype(np.float32)[0]
    return float(np.hypot(*(lab[0, 1:] - lab[1, 1:])))
