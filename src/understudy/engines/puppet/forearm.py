"""A forearm for an arm that reaches towards the camera in the reference image.

The picture shows hardly anything of such a forearm, and what lies there is the hand. The hand is kept whole as the
picture has it, and a forearm of what is seen above the elbow, cloth or skin, joins it to the elbow when it moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import disc, distance_to_polyline
from understudy.engines.puppet.fill import fill_hidden
from understudy.engines.puppet.layer import Layer, cropped
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

SHORT = 0.5  # of the upper arm: a forearm shorter than this in the picture points at the camera
SAME_TONE = 13.0  # Lab units of tone within one cloth, or skin in light and in shadow
SAME_LIGHT = 30.0  # ... and of light, from place to place
FOREARM_TO_UPPER_ARM = 0.9  # lengths of adults, shoulder to elbow and elbow to wrist
HAND_REACH = 1.5  # half widths of the hand about its bone that are the hand's, whatever their colour
FINGER_SPREAD = 2.4  # ... that are the hand's if they have its colour and not the sleeve's
ONE_KIND = 0.35  # of the upper arm that has to be seen of one kind to be the forearm's texture
LEAST_SEEN = 20  # pixels that tell a colour
STATIONS = np.linspace(1.0, 0.1, 19)  # places along the upper arm, from the elbow up


def foreshortened(bones: Floats) -> bool:
    """Whether the forearm, the second of an arm's ``bones`` (3, 2), points at the camera."""
    lengths = np.hypot(bones[:, 0], bones[:, 1])
    return bool(lengths[1] < SHORT * lengths[0])


@dataclass(frozen=True)
class ReachingArm:
    """What the picture shows of such an arm: which pixels are the ``hand``'s (H, W); ``rgb`` (H, W, 3) with the upper
    arm filled behind it, which then is ``upper`` (H, W); how far up from the elbow the arm is of one kind, as the
    places ``low`` and ``high`` along the upper arm; whether the forearm is ``bare``; colours (2, 3) at its ends."""

    hand: Mask
    upper: Mask
    rgb: NDArray[np.uint8]
    low: float
    high: float
    bare: bool
    ends: Floats


def part_reaching_arm(rgb: NDArray[np.uint8], mine: Mask, line: Floats, radii: Floats) -> ReachingArm:
    """Tell the hand from the arm ``mine`` (H, W) about ``line`` (4, 2), with half widths ``radii`` (3,)."""
    ys, xs = np.nonzero(mine)
    pixels = np.stack([xs, ys], axis=1).astype(np.float32)
    to_hand = np.full(mine.shape, np.inf, np.float32)
    to_hand[ys, xs] = distance_to_polyline(pixels, line[2:])
    to_upper = np.full(mine.shape, np.inf, np.float32)
    to_upper[ys, xs] = distance_to_polyline(pixels, line[:2])
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    free = mine & (to_hand > HAND_REACH * float(radii[2]))
    inner = mine & (to_hand < 0.6 * float(radii[2]))
    palm = _median(lab, inner if inner.any() else mine)
    low, high, sleeve, changes = _one_kind(lab, free, line, radii)
    short = changes and low - high < ONE_KIND
    alike = float(np.hypot(*(sleeve[1:] - palm[1:]))) < SAME_TONE
    hand = mine & (to_hand < HAND_REACH * float(radii[2]))
    if low > 0 and not alike:
        skin = ((lab - palm) ** 2).sum(axis=2) < ((lab - sleeve) ** 2).sum(axis=2)
        skin = cv2.medianBlur((skin & mine).astype(np.uint8), 5) > 0
        hand = skin & (to_hand < FINGER_SPREAD * float(radii[2]))
    # Fingertips that hang together with the arm by nothing but the hand are the hand's.
    _, islands = cv2.connectedComponents((mine & ~hand).astype(np.uint8))
    ours = np.unique(islands[(to_upper < 0.6 * float(radii[0])) & mine & ~hand])
    hand |= mine & ~np.isin(islands, ours)
    upper = mine & ~hand
    hidden = hand & (to_upper < 1.1 * float(radii[0]))
    filled = fill_hidden(rgb, upper, hidden, (line[0], line[1]))
    # A sleeve that ends before the elbow, whatever its cuff: the forearm is as bare as the hand.
    bare = alike or short
    ends = np.stack([sleeve if alike else palm, palm])
    if not bare:
        ends = np.stack([sleeve, sleeve])
    return ReachingArm(
        hand, upper | hidden, filled, low, low if short and not alike else high, bare, _rgb(ends)
    )


def _median(lab: Floats, where: Mask) -> Floats:
    return np.asarray(np.median(lab[where], axis=0) if where.any() else np.full(3, 128), np.float32)


def _rgb(lab: Floats) -> Floats:
    whole = np.clip(np.rint(lab), 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.cvtColor(whole, cv2.COLOR_LAB2RGB)[0], np.float32)


def _one_kind(lab: Floats, free: Mask, line: Floats, radii: Floats) -> tuple[float, float, Floats, bool]:
    """From where to where along the upper arm, from the elbow up, its colour is one, that colour (3,), and whether it
    is another above."""
    low = high = light = -1.0
    colour = np.full(3, 128, np.float32)
    for share in STATIONS:
        place = line[0] + float(share) * (line[1] - line[0])
        seen = lab[disc(free.shape, place, 0.4 * float(radii[0])) & free]
        if len(seen) < LEAST_SEEN:
            continue
        here = np.median(seen, axis=0)
        if low < 0:
            low, colour, light = float(share), here, here[0]
        elif np.hypot(*(here[1:] - colour[1:])) > SAME_TONE or abs(here[0] - light) > SAME_LIGHT:
            return low, high, colour, True
        high, light = float(share), here[0]
    return max(low, 0.0), max(high, 0.0), np.asarray(colour, np.float32), False


def made_forearm(name: str, arm: ReachingArm, line: Floats, bone: Floats, radii: Floats) -> Layer:
    """A tapered forearm along ``bone`` (2,) from the elbow ``line[1]``: the upper arm mirrored at the elbow, as far up
    as it is of one kind."""
    elbow, upper = line[1], line[1] - line[0]
    length = max(float(np.hypot(*bone)), 1.0)
    wide = float(radii[0]) * (0.75 if arm.bare else 0.9)
    narrow = 0.65 * wide
    margin = int(wide) + 4
    corner = np.floor(np.minimum(elbow, elbow + bone)).astype(int) - margin
    far = np.ceil(np.maximum(elbow, elbow + bone)).astype(int) + margin
    xs, ys = np.meshgrid(np.arange(corner[0], far[0]), np.arange(corner[1], far[1]))
    offset = np.stack([xs - elbow[0], ys - elbow[1]], axis=-1).astype(np.float32)
    direction = bone / length
    share = np.clip(offset @ direction / length, 0, 1)
    radius = wide + (narrow - wide) * share
    beyond = offset - (share * length)[..., None] * direction
    away = np.hypot(beyond[..., 0], beyond[..., 1])
    side = offset @ np.array([-direction[1], direction[0]], np.float32) / radius
    across = np.clip(away / radius, 0, 1)
    round_off = np.sqrt(1 - across**2)[..., None]  # a round limb turns away from the light at its sides
    if arm.low - arm.high >= ONE_KIND:
        seen = _upper_arm(arm, line[0], upper, 0.8 * float(radii[0]), share, np.clip(side, -1, 1))
        picture = seen * (0.85 + 0.15 * round_off)
    else:
        picture = (arm.ends[0] + share[..., None] * (arm.ends[1] - arm.ends[0])) * (0.72 + 0.28 * round_off)
    whole = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    layer = cropped(name, whole, np.clip(radius - away, 0, 1))
    return Layer(name, layer.texture, (layer.origin[0] + int(corner[0]), layer.origin[1] + int(corner[1])))


def _upper_arm(
    arm: ReachingArm, shoulder: Floats, upper: Floats, half: float, share: Floats, side: Floats
) -> Floats:
    """(h, w, 3) the upper arm's colours at the mirror images of the forearm's places ``share`` along and ``side``
    across, as far up as the upper arm is of one kind."""
    reach = arm.low - arm.high
    steps = np.minimum(1.0, 2 * reach) * share  # there and back at the most, or it shows as a pattern
    along = arm.low - np.minimum(steps, 2 * reach - steps)
    normal = np.array([-upper[1], upper[0]], np.float32) / max(float(np.hypot(*upper)), 1.0)
    # The sides change places: seen from the elbow, the forearm goes on in the upper arm's direction.
    place = (shoulder + along[..., None] * upper + (side * half)[..., None] * normal).astype(np.float32)
    # Beyond the arm's edge its nearest colour.
    own = cv2.erode(arm.upper.astype(np.uint8), np.ones((5, 5), np.uint8))
    if not own.any():
        own = arm.upper.astype(np.uint8)
    if not own.any():
        return np.full((*share.shape, 3), 128, np.float32)
    _, nearest = cv2.distanceTransformWithLabels(1 - own, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_index = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    of_index[nearest[own > 0]] = arm.rgb[own > 0]
    flags = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.remap(of_index[nearest], place, None, **flags), np.float32)
