"""The rig: the character made ready for animation, as layers in rest pose over a clean background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import below_hips, distance_to_polyline
from understudy.engines.puppet.cut import Corridor, corridors, soft
from understudy.engines.puppet.fill import fill_hidden
from understudy.engines.puppet.forearm import FOREARM_TO_UPPER_ARM, foreshortened, made_forearm
from understudy.engines.puppet.labels import TRUNK, label_pixels
from understudy.engines.puppet.layer import Layer, cropped
from understudy.engines.puppet.parts import HIPS, SHOULDERS, Limb, centre, moving_limbs
from understudy.tracking.motion import Floats

OVERLAP = 1.05  # radius of the disc about a joint in which both neighbours show, in half widths of the limb
ARM_ROOT = 0.85  # how much of the trunk about the shoulder the arm takes along, in half widths of the arm
ARM_STUB = 0.65  # how much of the arm stays with the trunk: more shows as a bump under a raised arm
LEG_ROOT = 0.95
ARM_RIM = 3  # pixels beside a cut arm that are filled anew
ARM_EDGE, LEG_EDGE = (
    2,
    5,
)  # pixels that a limb takes along beyond its cut, from the trunk and from the other leg
HAND_RIM = 4  # pixels about a hand on a leg that show the hand's edge and are filled with it
EXTEND = 0.15  # how far a figure that the picture's edge cuts is continued beyond it, in picture heights


@dataclass(frozen=True)
class RiggedLimb:
    """A limb: its three layers from root to far point, where each bone ``starts`` (3, 2) in the rest pose, the
    ``bones`` themselves (3, 2), half widths ``radii`` (3,). ``made`` tells that the forearm is not the picture's."""

    limb: Limb
    layers: tuple[Layer, Layer, Layer]
    starts: Floats
    bones: Floats
    radii: Floats
    made: bool = False


@dataclass(frozen=True)
class Rig:
    """Rest pose of the character, in pixels of the output picture."""

    joints: Floats  # (33, 2)
    shown: NDArray[np.bool_]  # (33,)
    trunk: Layer
    limbs: tuple[RiggedLimb, ...]
    background: NDArray[np.uint8]  # (H, W, 3)

    @property
    def width(self) -> int:
        return int(self.background.shape[1])

    @property
    def height(self) -> int:
        return int(self.background.shape[0])


def build_rig(
    alpha: Floats,
    foreground: NDArray[np.uint8],
    background: NDArray[np.uint8],
    joints: Floats,
    shown: NDArray[np.bool_],
) -> Rig:
    """Cut the character (``alpha`` (H, W) 0..1 over ``foreground`` (H, W, 3)) into layers about ``joints`` (33, 2)."""
    cut = corridors(foreground, alpha, joints, moving_limbs(shown))
    labels = label_pixels(alpha, cut, joints)
    pad = _padding(alpha)
    limbs = tuple(_rig_limb(i, c, alpha, foreground, labels, cut, joints, pad) for i, c in enumerate(cut))
    trunk = _rig_trunk(alpha, foreground, labels, cut, joints, pad)
    return Rig(joints.astype(np.float32), shown, trunk, limbs, background)


def _disc(shape: tuple[int, ...], point: Floats, radius: float) -> NDArray[np.bool_]:
    area = np.zeros(shape[:2], np.uint8)
    cv2.circle(area, (round(float(point[0])), round(float(point[1]))), max(round(radius), 1), 1, -1)
    return area.astype(bool)


def joint_radius(radii: Floats, joint: int) -> float:
    """Half width of a limb at its root (0), middle (1) or end joint (2)."""
    return float(radii[0]) if joint == 0 else float((radii[joint - 1] + radii[joint]) / 2)


def _rig_limb(
    index: int,
    corridor: Corridor,
    alpha: Floats,
    rgb: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    cut: list[Corridor],
    joints: Floats,
    pad: int,
) -> RiggedLimb:
    line, radii = corridor.polyline, corridor.radii
    mine = labels == index + 1
    root = _disc(alpha.shape, line[0], joint_radius(radii, 0) * (ARM_ROOT if corridor.limb.arm else LEG_ROOT))
    core = alpha > 0.5
    above = np.zeros_like(mine)
    if not corridor.limb.arm:  # a hand that lies on this leg, and what the trunk hides of its root
        arms = [other + 1 for other, c in enumerate(cut) if c.limb.arm]
        hands = np.isin(labels, arms) & core
        on_leg = corridor.mask | (
            _near(hands, line, 1.1 * float(radii[0])) & below_hips(joints, alpha.shape, 0.0)
        )
        above = _grown(hands & on_leg, HAND_RIM) & (mine | on_leg) & core
        above |= root & core & ~mine
    colours = fill_hidden(rgb, mine & core & ~above, above) if above.any() else rgb
    # A little beyond the cut, so that two soft edges side by side leave no line between them in the rest pose.
    beside = _grown(mine & core, ARM_EDGE if corridor.limb.arm else LEG_EDGE) & core
    if not corridor.limb.arm:
        beside &= np.isin(labels, [other + 1 for other, c in enumerate(cut) if not c.limb.arm])
    zone = mine | above | root | beside
    nearest = _nearest_segment(zone, line)
    bones = np.diff(line, axis=0)
    made = corridor.limb.arm and foreshortened(bones)
    if made:  # what lies about the hand is the hand's, the rest belongs to the sleeve
        hand = _near(zone, line[2:], 1.5 * float(radii[2]))
        nearest[nearest == 1] = np.where(hand[nearest == 1], 2, 0)
    room = cv2.distanceTransform((zone & core).astype(np.uint8), cv2.DIST_L2, 3)
    layers = []
    for k, name in enumerate(corridor.limb.segments):
        if made and k == 1:
            bones[1] *= FOREARM_TO_UPPER_ARM * np.hypot(*bones[0]) / max(float(np.hypot(*bones[1])), 1.0)
            layers.append(made_forearm(name, colours, mine & core, line, bones[1], radii))
            continue
        part = zone & (nearest == k)
        for joint in (k, k + 1):
            if joint < 3 and not (made and k == 2):
                part |= zone & _disc(
                    alpha.shape, line[joint], _hinge(room, line[joint], joint_radius(radii, joint))
                )
        # A hand or foot has nothing to go on with beyond the edge: its mirror image would be a second one.
        layers.append(cropped(name, colours, alpha * soft(part), 0 if k == 2 else pad))
    return RiggedLimb(corridor.limb, (layers[0], layers[1], layers[2]), line[:3], bones, radii, made)


def _hinge(room: Floats, point: Floats, radius: float) -> float:
    """Radius of the round end of a segment: no more than the limb has room for, or its corners stick out of a bend.

    ``room`` (H, W) is every pixel's distance to the limb's edge; joints lie off the middle by a little.
    """
    reach = max(round(0.35 * radius), 1)
    x, y = round(float(point[0])), round(float(point[1]))
    about = room[max(y - reach, 0) : max(y + reach + 1, 0), max(x - reach, 0) : max(x + reach + 1, 0)]
    widest = float(about.max()) if about.size else radius
    return float(np.clip(widest * OVERLAP, 0.5 * radius, OVERLAP * radius))


def _near(zone: NDArray[np.bool_], line: Floats, reach: float) -> NDArray[np.bool_]:
    """(H, W) the zone's pixels within ``reach`` of a polyline."""
    ys, xs = np.nonzero(zone)
    near = np.zeros_like(zone)
    near[ys, xs] = distance_to_polyline(np.stack([xs, ys], axis=1).astype(np.float32), line) < reach
    return near


def _grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    square = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), square), np.bool_)


def _nearest_segment(zone: NDArray[np.bool_], line: Floats) -> NDArray[np.int8]:
    """(H, W) number of the nearest of the polyline's three bones, -1 outside ``zone``."""
    ys, xs = np.nonzero(zone)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    away = [distance_to_polyline(pixels, line[k : k + 2]) for k in range(len(line) - 1)]
    nearest = np.full(zone.shape, -1, np.int8)
    nearest[ys, xs] = np.argmin(away, axis=0) if len(xs) else 0
    return nearest


def _rig_trunk(
    alpha: Floats,
    rgb: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    cut: list[Corridor],
    joints: Floats,
    pad: int,
) -> Layer:
    core = alpha > 0.5
    own = (labels == TRUNK) & core
    arms = np.isin(labels, [i + 1 for i, c in enumerate(cut) if c.limb.arm]) & core
    stubs = _crotch(cut, joints, alpha.shape) & core
    for i, c in enumerate(cut):
        reach = joint_radius(c.radii, 0) * (ARM_STUB if c.limb.arm else OVERLAP)
        stub = _disc(alpha.shape, c.polyline[0], reach)
        stubs |= stub & ((labels == i + 1) if c.limb.arm else ((labels == i + 1) | arms))
    # What a hand hides about the hips is filled, with the hand's rim on the legs.
    widest = max((float(c.radii[0]) for c in cut), default=0.0)
    hips = stubs & _grown(arms, ARM_RIM) & below_hips(joints, alpha.shape, OVERLAP * widest) & ~own
    hidden = _behind_arms(own, core, labels, cut, joints) | hips
    # Beside an arm the trunk shows the arm's edge and shadow, which are left behind when it moves.
    rim = _grown(hidden, ARM_RIM) & own
    hidden |= rim
    own &= ~rim
    axis = (centre(joints, HIPS), centre(joints, SHOULDERS))
    colours = fill_hidden(rgb, own, hidden, axis)
    zone = (labels == TRUNK) | hidden
    # Under a soft cut the picture's own pixels stay, so that the rest pose is the picture.
    near = _grown(own | (stubs & ~hips), 2) & ~rim & ~hips
    colours = np.where(near[..., None], rgb, colours)
    return cropped("trunk", colours, alpha * soft(zone | stubs), pad)


def _crotch(cut: list[Corridor], joints: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) between the hips and a little below, where the trunk has to close the gap of spread legs."""
    area = np.zeros(shape[:2], np.uint8)
    legs = [c for c in cut if not c.limb.arm]
    if len(legs) == 2:
        down = centre(joints, HIPS) - centre(joints, SHOULDERS)
        down = down / max(float(np.hypot(*down)), 1.0) * 0.9 * min(joint_radius(c.radii, 0) for c in legs)
        left, right = joints[HIPS[0]], joints[HIPS[1]]
        cv2.fillPoly(area, [np.rint(np.array([left, right, right + down, left + down])).astype(np.int32)], 1)
    return area.astype(bool)


def _behind_arms(
    own: NDArray[np.bool_],
    core: NDArray[np.bool_],
    labels: NDArray[np.uint8],
    cut: list[Corridor],
    joints: Floats,
) -> NDArray[np.bool_]:
    """The trunk's pixels that an arm hides: inside the trunk's outline as far as it can be told, and under an arm."""
    arms = [i + 1 for i, c in enumerate(cut) if c.limb.arm]
    if not arms:
        return np.zeros_like(own)
    under = np.isin(labels, arms) & core
    left, right = joints[SHOULDERS[0]], joints[SHOULDERS[1]]
    hip_left, hip_right = joints[HIPS[0]], joints[HIPS[1]]
    across = hip_left - hip_right
    # The outline narrows at the armpits: a trunk that is as wide there as at the shoulders shows spikes.
    inwards = 0.12 * (left - right)
    outline = [right + inwards, left - inwards]
    outline += [left * 0.45 + hip_left * 0.55 + across * 0.06, hip_left + across * 0.32]
    outline += [hip_right - across * 0.32, right * 0.45 + hip_right * 0.55 - across * 0.06]
    hull = np.zeros(own.shape, np.uint8)
    cv2.fillPoly(hull, [np.rint(np.array(outline)).astype(np.int32)], 1)
    # Where the trunk is seen on both sides of an arm in its row, or below the waist in its column (hands clasped
    # before a skirt), the arm lies in front of it.
    waist = centre(joints, HIPS) + 0.25 * (centre(joints, SHOULDERS) - centre(joints, HIPS))
    columns = _between(own.T).T
    columns[: max(round(float(waist[1])), 0)] = False
    return under & (hull.astype(bool) | _between(own) | columns)


def _between(own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) pixels with the part on both sides in their row."""
    return np.logical_or.accumulate(own, axis=1) & np.logical_or.accumulate(own[:, ::-1], axis=1)[:, ::-1]


def _padding(alpha: Floats) -> int:
    """How far to continue the picture beyond its edges: only if an edge cuts the figure."""
    edges = (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])
    return round(EXTEND * alpha.shape[0]) if any((edge > 0.5).mean() > 0.02 for edge in edges) else 0
