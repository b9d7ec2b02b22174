"""A limb's three layers, cut out of the picture and filled where something hides it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import disc, distance_to_polyline, grown
from understudy.engines.puppet.bare_body import NOTHING, BareBody
from understudy.engines.puppet.behind_hand import MIXED_PX
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.fill import fill_hidden
from understudy.engines.puppet.forearm import (
    FOREARM_TO_UPPER_ARM,
    foreshortened,
    made_forearm,
    part_reaching_arm,
)
from understudy.engines.puppet.hand_outline import own_hand
from understudy.engines.puppet.hand_rig import RiggedHand, rig_hand
from understudy.engines.puppet.hand_shape import at_wrist, clean_edge, is_its_hand
from understudy.engines.puppet.layer import Layer, cropped, soft
from understudy.engines.puppet.parts import Limb
from understudy.engines.puppet.shoulder import like_arm
from understudy.engines.puppet.skin import skin_tone
from understudy.tracking.motion import Floats

OVERLAP = 1.05  # radius of the disc about a joint in which both neighbours show, in half widths of the limb
ARM_ROOT = 0.85  # how much of the trunk about the shoulder the arm takes along, in half widths of the arm
LEG_ROOT = 0.95
WHOLE_HAND = 0.95  # share from which on a pixel near the wrist is the hand's alone
# Pixels that a limb takes along beyond its cut, from the trunk and from the other leg.
ARM_EDGE, LEG_EDGE = 2, 3
FOOT_EDGE = 1  # shoes have edges of their own: more of the other's would ride along


@dataclass(frozen=True)
class RiggedLimb:
    """A limb: its three layers from root to far point, where each bone ``starts`` (3, 2) in the rest pose, the
    ``bones`` themselves (3, 2), half widths ``radii`` (3,). ``made`` tells that the forearm is not the picture's;
    ``clean`` is the third layer of an arm whose hand was found, without what belongs to the reference's pose alone:
    the forearm behind it, which is the ``stub``, and what shows between its fingers; ``hand`` the same made ready to
    bend. A forearm that is made reaches to ``wrist`` (2,), where the hand has its own."""

    limb: Limb
    layers: tuple[Layer, Layer, Layer]
    starts: Floats
    bones: Floats
    radii: Floats
    made: bool = False
    hand: RiggedHand | None = None
    clean: Layer | None = None
    stub: Layer | None = None
    wrist: Floats | None = None


def joint_radius(radii: Floats, joint: int) -> float:
    """Half width of a limb at its root (0), middle (1) or end joint (2)."""
    return float(radii[0]) if joint == 0 else float((radii[joint - 1] + radii[joint]) / 2)


def rig_limb(
    index: int,
    alpha: Floats,
    rgb: NDArray[np.uint8],
    body: BareBody,
    cut: list[Corridor],
    joints: Floats,
    pad: int,
    hand: Floats | None = None,
) -> RiggedLimb:
    """Cut limb ``index`` of ``cut`` out of the picture ``rgb``, a leg out of the ``body``; ``pad`` continues a figure
    that the edge cuts, ``hand`` (21, 2) are the landmarks of an arm's hand."""
    corridor = cut[index]
    line, radii = corridor.polyline, corridor.radii
    mine = (body.labels == index + 1) | (body.behind == index + 1)
    root = disc(alpha.shape, line[0], joint_radius(radii, 0) * (ARM_ROOT if corridor.limb.arm else LEG_ROOT))
    core = alpha > 0.5
    if corridor.covered is not None:  # the picture shows the arm there, without the hair
        mine |= corridor.covered & core
    hidden = np.zeros_like(mine)
    colours = rgb
    if not corridor.limb.arm:  # what the trunk hides of its root
        hidden = root & core & ~mine
        covered = hidden & (body.behind == NOTHING)
        colours = fill_hidden(body.rgb, mine & core, covered, (line[0], line[1]))
    else:  # a piece of a strap or of hair on the shoulder does not go along
        beyond = root & core & ~mine
        root &= mine | like_arm(rgb, mine & core, beyond, joint_radius(radii, 0))
        later = [other + 1 for other, c in enumerate(cut) if c.limb.arm and other > index]
        hidden = corridor.mask & core & np.isin(body.labels, later)  # behind the other arm's hand
        colours = fill_hidden(rgb, mine & core, hidden, (line[1], line[2]))
    # A little beyond the cut, so that two soft edges side by side leave no line between them in the rest pose.
    beside = grown(mine & core, ARM_EDGE if corridor.limb.arm else LEG_EDGE) & core
    if not corridor.limb.arm:
        legs = [other + 1 for other, c in enumerate(cut) if not c.limb.arm]
        beside &= np.isin(body.labels, legs) | (body.behind != NOTHING)
    zone = mine | hidden | root | beside
    nearest = _nearest_segment(zone, line)
    if not corridor.limb.arm:
        spare = beside & (nearest == 2) & ~grown(mine & core, FOOT_EDGE)
        zone &= ~spare
        nearest[spare] = -1
    bones = np.diff(line, axis=0)
    made = corridor.limb.arm and foreshortened(bones)
    seen = colours
    if made:
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
        reaching = part_reaching_arm(seen, (mine | hidden) & core, line, radii, skin_tone(lab, joints))
        palm = grown(reaching.hand, ARM_EDGE) & ~reaching.upper | reaching.hand
        nearest[zone] = np.where(palm, 2, np.where(grown(reaching.upper, ARM_EDGE), 0, -1))[zone]
        colours, seen = reaching.rgb, reaching.hand_rgb
    room = cv2.distanceTransform((zone & core).astype(np.uint8), cv2.DIST_L2, 3)
    layers = []
    fingers = clean = stub = wrist = None
    for k, name in enumerate(corridor.limb.segments):
        if made and k == 1:
            bones[1] *= FOREARM_TO_UPPER_ARM * np.hypot(*bones[0]) / max(float(np.hypot(*bones[1])), 1.0)
            layers.append(made_forearm(name, reaching, line, bones[1], radii))
            continue
        part = zone & (nearest == k)
        if made and k == 0:
            part |= reaching.upper
        for joint in (k, k + 1):
            if joint < 3 and not (made and (k, joint) != (0, 0)):
                part |= zone & disc(
                    alpha.shape, line[joint], _hinge(room, line[joint], joint_radius(radii, joint))
                )
        # A hand or foot has nothing to go on with beyond the edge: its mirror image would be a second one.
        shape: Floats = alpha * soft(part)
        layers.append(cropped(name, seen if k == 2 else colours, shape, 0 if k == 2 else pad))
        if k == 2 and hand is not None and is_its_hand(mine & core, line[2], hand):
            bare = made and reaching.bare
            if made:  # as long as it rests, with its edge as the picture has it
                edge_there = grown(reaching.hand, MIXED_PX) & zone & ~part
                whole = np.where(edge_there[..., None], rgb, seen)
                layers[2] = cropped(name, whole, alpha * soft(part | edge_there))
            edge = clean_edge(seen, core, hand)
            if edge is not None:
                seen, shape = edge[0], shape * edge[1]
            # A sleeve's end stays the hand's, a bare forearm does not.
            ahead = at_wrist(alpha.shape, hand) if bare else np.ones_like(shape)
            fingers = rig_hand(corridor.limb.side, seen, shape * ahead, hand, line[2])
            own = own_hand(rgb, alpha, hand, shape) if fingers is not None else None
            if own is not None:
                seen, shape = own
            if bare:
                stub = cropped(f"{name} stub", seen, shape * soft(ahead < WHOLE_HAND))
            shape = shape * ahead
            wrist = hand[0] if made else None
            clean = cropped(f"{name} clean", seen, shape)
    three = (layers[0], layers[1], layers[2])
    return RiggedLimb(corridor.limb, three, line[:3], bones, radii, made, fingers, clean, stub, wrist)


def _hinge(room: Floats, point: Floats, radius: float) -> float:
    """Radius of the round end of a segment: no more than the limb has room for, or its corners stick out of a bend.

    ``room`` (H, W) is every pixel's distance to the limb's edge; joints lie off the middle by a little.
    """
    reach = max(round(0.35 * radius), 1)
    x, y = round(float(point[0])), round(float(point[1]))
    about = room[max(y - reach, 0) : max(y + reach + 1, 0), max(x - reach, 0) : max(x + reach + 1, 0)]
    widest = float(about.max()) if about.size else radius
    return float(np.clip(widest * OVERLAP, 0.5 * radius, OVERLAP * radius))


def _nearest_segment(zone: NDArray[np.bool_], line: Floats) -> NDArray[np.int8]:
    """(H, W) number of the nearest of the polyline's three bones, -1 outside ``zone``."""
    ys, xs = np.nonzero(zone)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    away = [distance_to_polyline(pixels, line[k : k + 2]) for k in range(len(line) - 1)]
    nearest = np.full(zone.shape, -1, np.int8)
    nearest[ys, xs] = np.argmin(away, axis=0) if len(xs) else 0
    return nearest
