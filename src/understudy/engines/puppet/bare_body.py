"""The body without its arms: trunk, head and legs, with what the arms hide of them filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import below_hips, grown, nearest
from understudy.engines.puppet.body_outline import body_outline
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.fill import fill_hidden
from understudy.engines.puppet.parts import HIPS, MOUTH_LEFT, MOUTH_RIGHT, SHOULDERS, centre, figure_size
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

NOTHING = 255  # the label of no part
RIM_PX = 3  # beside an arm, that show its edge and are filled anew
# Figure sizes from what is seen, where the trunk's other half is likelier than the same part on
MIRROR_FROM = 0.1
EYES = (2, 5)  # the middles of both
FACE_MIRROR_PX = 2.0  # from what is seen of a face, where its other half is likelier than the same part on
LEAST_FACE_PX = 6.0  # between eyes and mouth, to tell how the face leans
SOFT_PX = 4  # beyond the outline of what is filled, so that its soft edge holds nothing of the arm


@dataclass(frozen=True)
class BareBody:
    """``labels`` (H, W): whose pixel it is; ``behind`` (H, W): the part that an arm hides there, or `NOTHING`;
    ``rgb`` (H, W, 3): the picture as it would be without the arms, right wherever the body is."""

    labels: NDArray[np.uint8]
    behind: NDArray[np.uint8]
    rgb: NDArray[np.uint8]


def bare_body(
    alpha: Floats, rgb: NDArray[np.uint8], labels: NDArray[np.uint8], cut: list[Corridor], joints: Floats
) -> BareBody:
    """Take the arms off. Remainders of the cut that stick out of the body beside an arm become that arm's."""
    core = alpha > 0.5
    arms = arm_pixels(labels, cut) & core
    outline = body_outline(core, arms, joints)
    behind = np.full_like(labels, NOTHING)
    if not outline.hidden.any() or not (core & ~arms).any():
        return BareBody(labels, behind, rgb)
    size = figure_size(joints)
    if outline.loose.any():
        labels = np.where(outline.loose, nearest(labels, arms), labels)
    body = core & ~arms & ~outline.loose
    behind[outline.hidden] = nearest(labels, body)[outline.hidden]
    rim = grown(outline.hidden, RIM_PX) & body
    area = (grown(outline.hidden, SOFT_PX) & arm_pixels(labels, cut)) | rim
    own = body & ~rim
    hips, shoulders = centre(joints, HIPS), centre(joints, SHOULDERS)
    trunk = below_hips(joints, core.shape, float(np.hypot(*(hips - shoulders))))
    filled = fill_hidden(rgb, own, area & trunk, (hips, shoulders), MIRROR_FROM * size)
    # Behind a hand on the face lies the face's other half.
    eyes, mouth = joints[list(EYES)].mean(axis=0), centre(joints, (MOUTH_LEFT, MOUTH_RIGHT))
    face = (mouth, eyes) if float(np.hypot(*(mouth - eyes))) > LEAST_FACE_PX else (shoulders, mouth)
    filled = fill_hidden(filled, own & ~trunk, area & ~trunk, face, FACE_MIRROR_PX)
    return BareBody(labels, behind, filled)


def arm_pixels(labels: NDArray[np.uint8], cut: list[Corridor]) -> NDArray[np.bool_]:
    """(H, W) what is an arm's."""
    return np.isin(labels, [i + 1 for i, c in enumerate(cut) if c.limb.arm])
