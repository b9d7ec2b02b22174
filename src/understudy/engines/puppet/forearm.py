"""A forearm for an arm that reaches towards the camera in the reference image.

The picture shows hardly anything of such a forearm, and what lies there is the hand. The hand is kept whole as the
picture has it, and a forearm of what is seen above the elbow, cloth or skin, joins it to the elbow when it moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import disc, distance_to_polyline, grown, nearest
from understudy.engines.puppet.behind_hand import LEAST_SEEN, filled_behind, own_edge, share_along
from understudy.engines.puppet.layer import Layer, cropped
from understudy.engines.puppet.skin import BARE_PALM, SPREAD, is_bare
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

SHORT = 0.5  # of the upper arm: a forearm shorter than this in the picture points at the camera
SAME_TONE = 13.0  # Lab units of tone within one cloth, or skin in light and in shadow
SAME_LIGHT = 30.0  # ... and of light, from place to place
FOREARM_TO_UPPER_ARM = 0.9  # lengths of adults, shoulder to elbow and elbow to wrist
HAND_REACH = 1.5  # half widths of the hand about its bone that are the hand's, whatever their colour
NEAR_HAND = 1.1  # ... within which skin is the hand's and not the upper arm's
FIST = 2.8  # ... if the hand points at the camera as well
ONE_KIND = 0.35  # of the upper arm that has to be seen of one kind to be the forearm's texture
CLOTHED = 0.03  # of the hand's area that is to be seen of a long sleeve beyond the elbow
HALFWAY, PAST_ELBOW = 0.6, 0.95  # places along the upper arm: above is the sleeve, beyond only a long one
SCRAP = 0.02  # of an arm: smaller islands of cloth are none of it
THREAD = 0.08  # of the hand's half width: thinner than any finger
BETWEEN_FINGERS = 0.15  # of the hand's half width: gaps of that half width are its own
DARKEST = 0.85  # light at a made forearm's sides: what is seen of the arm has its shade already
STATIONS = np.linspace(1.0, 0.1, 19)  # places along the upper arm, from the elbow up


def foreshortened(bones: Floats) -> bool:
    """Whether the forearm, the second of an arm's ``bones`` (3, 2), points at the camera."""
    lengths = np.hypot(bones[:, 0], bones[:, 1])
    return bool(lengths[1] < SHORT * lengths[0])


@dataclass(frozen=True)
class ReachingArm:
    """What the picture shows of such an arm: which pixels are the ``hand``'s (H, W); ``hand_rgb`` (H, W, 3) with the
    hand's own colours to its edge; ``rgb`` (H, W, 3) with the upper arm filled behind it, which then is ``upper``
    (H, W); how far up from the elbow the arm is of one kind, as the places ``low`` and ``high`` along the upper arm;
    whether the forearm is ``bare``; colours (2, 3) at its ends."""

    hand: Mask
    upper: Mask
    rgb: NDArray[np.uint8]
    hand_rgb: NDArray[np.uint8]
    low: float
    high: float
    bare: bool
    ends: Floats


def part_reaching_arm(
    rgb: NDArray[np.uint8], mine: Mask, line: Floats, radii: Floats, skin: Floats | None
) -> ReachingArm:
    """Tell the hand from the arm ``mine`` (H, W) about ``line`` (4, 2), with half widths ``radii`` (3,); ``skin`` (2,)
    is the tone of a bare hand.

    The bones tell little here, so colours decide: skin is the hand's, or below a short sleeve the elbow's.
    """
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    to_hand, to_upper, to_elbow = (_away(mine, line[part]) for part in ([2, 3], [0, 1], [1, 1]))
    wide, hand_wide = float(radii[0]), float(radii[2])
    inner = mine & (to_hand < 0.6 * hand_wide)
    palm = _median(lab, inner if inner.any() else mine)
    share = share_along(mine.shape, line)
    root = (
        mine
        & (to_upper < 0.6 * wide)
        & (share > 0.1)
        & (share < HALFWAY)
        & (to_hand > HAND_REACH * hand_wide)
    )
    sleeve = _median(lab, root)
    clothed = int(root.sum()) >= LEAST_SEEN and float(np.hypot(*(sleeve[1:] - palm[1:]))) > SAME_TONE
    flesh = _nearer(lab, mine, palm, sleeve) if clothed else mine
    if clothed and skin is not None and float(is_bare(lab[inner][None], skin).mean()) > BARE_PALM:
        palm = _median(lab, inner & is_bare(lab, skin))
        flesh = mine & (is_bare(lab, skin) | is_bare(lab, palm[1:]))
        flesh = cv2.medianBlur(flesh.astype(np.uint8), 5) > 0
    bare, like, ends_at = True, np.zeros_like(mine), 0.0
    if clothed:
        like = np.hypot(lab[..., 1] - sleeve[1], lab[..., 2] - sleeve[2]) < SAME_TONE
        like &= (np.abs(lab[..., 0] - sleeve[0]) < 2 * SAME_LIGHT) & mine & ~flesh
        far = like & (share > PAST_ELBOW) & (to_elbow < 2.5 * float(radii.max()))
        bare = int(far.sum()) < CLOTHED * int((flesh & (to_hand < 2 * hand_wide)).sum())
        cloth = share[mine & ~flesh & (to_upper < 1.2 * wide)]
        ends_at = float(np.quantile(cloth, 0.9)) if len(cloth) else 0.0
    if bare:
        # Skin about the upper arm, away from the hand, is the upper arm's; below a short sleeve the elbow's as well.
        long = float(np.hypot(*(line[2] - line[1]))) > 0.8 * hand_wide
        reach = NEAR_HAND if long else HAND_REACH
        if (
            float(np.hypot(*(line[3] - line[2]))) < hand_wide
        ):  # so does the hand: its fingers may be anywhere about
            reach = FIST
        kept = (to_upper < 1.2 * wide) | (share < HALFWAY) | (to_upper / wide < to_hand / hand_wide)
        kept &= to_hand > reach * hand_wide
        if long:
            kept |= (to_upper < 1.2 * wide) & (to_elbow < to_hand)
        hand = flesh & ~(kept & (share > ends_at))
    else:  # the end of a long sleeve goes along with the hand
        end = ((to_upper > 1.1 * wide) & (to_hand / hand_wide < to_upper / wide)) | (share > PAST_ELBOW)
        hand = flesh | (mine & end & (share > HALFWAY))
    # Between fingers it is dark, and that is no cloth.
    gap = 2 * max(round(BETWEEN_FINGERS * hand_wide), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap))
    hand |= (cv2.morphologyEx(hand.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0) & mine & ~like
    # A finger that hangs together with the arm by nothing but the hand is the hand's.
    count, islands = cv2.connectedComponents((mine & ~hand).astype(np.uint8))
    area = np.maximum(np.bincount(islands.ravel(), minlength=count), 1)
    hold = np.zeros(count, np.bool_)
    hold[np.unique(islands[(to_upper < 0.6 * wide) & mine & ~hand])] = True
    nearer = mine & (to_hand / hand_wide < to_upper / wide) & ~like
    fingers = ~hold & (np.bincount(islands[nearer | (flesh & mine)], minlength=count) > 0.5 * area)
    fingers |= ~hold & (not bare)
    fingers[0] = False
    hand = _without_threads((hand | fingers[islands]) & (to_hand < SPREAD * hand_wide), THREAD * hand_wide)
    if not bare:
        hand |= mine & fingers[islands]
    scraps = (~hold & ~fingers & (area < SCRAP * mine.sum())) | (area < LEAST_SEEN)
    upper = mine & ~hand & ~scraps[islands]
    hidden = hand & (to_upper < 0.95 * wide)
    stub = upper & flesh & (to_elbow < 2 * wide)
    wrist = palm if not (hand & flesh).any() else _median(lab, hand & flesh & (to_hand < hand_wide))
    ends = np.stack([_median(lab, stub) if int(stub.sum()) > LEAST_SEEN else wrist, wrist])
    low, high, cloth_there, _ = _one_kind(lab, upper & ~flesh, line, radii)
    if not bare:
        ends = np.stack([cloth_there, cloth_there])
    ends = _rgb(ends)
    filled = filled_behind(rgb, upper, hidden, line, *((flesh, ends[0], ends_at) if bare else ()))
    return ReachingArm(
        hand, upper | hidden, filled, own_edge(rgb, hand, mine), low, low if bare else high, bare, ends
    )


def _without_threads(mask: Mask, half: float) -> Mask:
    """(H, W) the ``mask`` without what is thinner on each side than ``half``."""
    size = 2 * max(round(half), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    thick = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    return grown(thick, 2) & mask


def _away(mine: Mask, line: Floats) -> Floats:
    """(H, W) distance of the pixels of ``mine`` to a line (M, 2), infinite elsewhere."""
    ys, xs = np.nonzero(mine)
    away = np.full(mine.shape, np.inf, np.float32)
    away[ys, xs] = distance_to_polyline(np.stack([xs, ys], axis=1).astype(np.float32), line)
    return away


def _nearer(lab: Floats, mine: Mask, one: Floats, other: Floats) -> Mask:
    """(H, W) the pixels of ``mine`` whose colour is nearer to ``one`` (3,) than to the ``other``."""
    nearer = ((lab - one) ** 2).sum(axis=2) < ((lab - other) ** 2).sum(axis=2)
    return np.asarray(cv2.medianBlur((nearer & mine).astype(np.uint8), 5) > 0, np.bool_)


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
    across = np.clip(np.abs(side), 0, 1)
    round_off = np.sqrt(1 - across**2)[..., None]  # a round limb turns away from the light at its sides
    if arm.low - arm.high >= ONE_KIND:
        seen = _upper_arm(arm, line[0], upper, 0.8 * float(radii[0]), share, np.clip(side, -1, 1))
        picture = seen
    else:
        picture = arm.ends[0] + share[..., None] * (arm.ends[1] - arm.ends[0])
    whole = np.clip(np.rint(picture * (DARKEST + (1 - DARKEST) * round_off)), 0, 255).astype(np.uint8)
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
    flags = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.remap(nearest(arm.rgb, own > 0), place, None, **flags), np.float32)
