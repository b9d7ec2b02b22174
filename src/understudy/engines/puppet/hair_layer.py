"""Hair that lies on an arm: a layer of its own, and the arm as it would be without it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import grown, nearest
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.fill import fill_hidden
from understudy.engines.puppet.layer import Layer, cropped, soft
from understudy.engines.puppet.parts import figure_size
from understudy.tracking.motion import Floats

STRANDS = 0.02  # figure sizes beside the hair in which single strands lie on the arm
# Pixels of the hair beside an arm that go before it too, so that the layer's own border shows nowhere
BESIDE_PX = 12
SURE_PX = 3  # inside its border hair shows its own colour


def part_hair(
    alpha: Floats, rgb: NDArray[np.uint8], hair: NDArray[np.bool_], cut: list[Corridor], joints: Floats
) -> tuple[NDArray[np.uint8], Layer | None]:
    """((H, W, 3), layer) the picture ``rgb`` with arms that no ``hair`` (H, W) lies on, and the hair from them.

    About the hair each pixel is mixed of the nearest hair and of the arm as it is filled: the share is the strands'
    opacity, so that they go with the hair and leave nothing on the arm.
    """
    core = alpha > 0.5
    hidden = [(c.mask & core & ~hair, c.covered & core) for c in cut if c.covered is not None]
    if not any(covered.any() for _, covered in hidden):
        return rgb, None
    reach = max(round(STRANDS * figure_size(joints)), SURE_PX)
    bare = rgb
    on_arm, strands = np.zeros_like(hair), np.zeros_like(hair)
    for arm, covered in hidden:
        beside = grown(covered, reach) & arm
        bare = fill_hidden(bare, arm & ~beside, covered | beside)
        on_arm |= covered
        strands |= beside
    colour = _hair_colour(rgb, hair)
    opacity = soft(hair & grown(on_arm, BESIDE_PX))
    behind, before = bare.astype(np.float32), colour.astype(np.float32)
    apart = before - behind
    share = ((rgb - behind) * apart).sum(axis=2) / np.maximum((apart**2).sum(axis=2), 1.0)
    opacity = np.where(strands, np.clip(share, 0, 1), opacity)
    shown = np.where(hair[..., None], rgb, colour)
    return bare, cropped("hair", shown, (alpha * opacity).astype(np.float32))


def _hair_colour(rgb: NDArray[np.uint8], hair: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 3) the colour of the nearest pixel well inside the hair."""
    sure = cv2.erode(hair.astype(np.uint8), np.ones((2 * SURE_PX + 1, 2 * SURE_PX + 1), np.uint8)) > 0
    sure = sure if sure.any() else hair
    return nearest(rgb, sure)
