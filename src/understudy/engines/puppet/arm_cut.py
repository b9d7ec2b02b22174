"""Cutting an arm: the band along its bones first, then its border to the pixel, by place, colours and edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown, trunk_outline
from understudy.engines.puppet.band import find_band
from understudy.engines.puppet.colours import Colours, seen_along
from understudy.engines.puppet.forearm import foreshortened
from understudy.engines.puppet.parts import Limb, figure_size
from understudy.engines.puppet.seam import disc_into, fill_between
from understudy.engines.puppet.skin import bare_hand, is_bare
from understudy.engines.puppet.strip import Strip
from understudy.engines.puppet.walker import links, walk
from understudy.tracking.motion import Floats
from understudy.tracking.series import gaussian

# Half widths of upper arm, forearm and hand over the figure's size (`figure_size`), as seen on dressed adults; what the
# picture shows decides, these only tell plausible from not.
ARM_WIDTHS = (0.085, 0.065, 0.065)
# At the armpit an arm is narrower on its inner side, and so up to this share of the upper arm: what is cut wider there
# sticks out below a raised arm.
ARMPIT = (0.6, 0.3)
# Half widths about the band's border within which colours may move it: an arm's shape is known well, a hand's is not.
UNSURE = (0.25, 0.7)
LOOSE = 2.6  # half widths beside an arm, off the trunk, that may be its wide sleeve or a big glove
# Log-odds by place of what lies there, and of the tips of fingers that may be bent
LOOSE_ODDS, TIP_ODDS = 0.5, 0.5
PLACE = 3.0  # log-odds that place alone can give
# Weight of a pixel's own evidence against that of its neighbours, and where place is sure
HOLD, FIRM = 0.05, 0.55
BARE = 0.3  # of a hand's place that must show the face's tone, to be taken for bare
REFUSED = -1.0  # log-odds by colour below which a pixel is surely none of the arm's
# A cuff's colour is so near to the sleeve's, and it ends so far beyond the wrist
SLEEVE_LAB, CUFF = 16.0, 2.45
SPECK = 0.01  # of an arm: smaller islands are none of it
ROUNDS = 2
BESIDE = 1.5  # expected half widths beside the figure in which a joint may have been found
ABOUT = 0.15  # of a bone to both sides of such a joint that is looked at
SCRAP = 0.06  # of an arm: islands of cloth between the fingers of a hand held out are no sleeve
SKIN_LIKE = 0.15  # of what lies about the arm's hand that may have the tone of skin
SHADES = (0.5, 1.0, 1.0)  # what light counts beside tone
HANDS = ((15, 19), (16, 20))  # wrist and knuckle of the left and the right hand


@dataclass(frozen=True)
class ArmPart:
    """An arm's pixels ``mask`` (H, W), what about it is surely none of it ``refused`` (H, W), and its half widths
    ``radii`` (3,) at the three segments."""

    mask: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    radii: Floats


def arm_part(
    limb: Limb,
    line: Floats,
    figure: NDArray[np.bool_],
    lab: Floats,
    head: NDArray[np.bool_],
    hair: NDArray[np.bool_],
    joints: Floats,
    skin: Floats | None,
) -> ArmPart:
    """Cut the arm along ``line`` (4, 2) out of ``lab`` (H, W, 3), the picture; ``figure`` (H, W) is the matte, ``head``
    (H, W) where only a hand can be the arm's, ``hair`` (H, W) what may lie on it: where it does it is in the mask,
    ``skin`` (2,) the tone of a bare hand."""
    guess = (np.array(ARM_WIDTHS) * figure_size(joints)).astype(np.float32)
    head = head & ~_near(line, head, 0.8 * float(guess[2]))
    line = _in_the_figure(limb, line, guess, figure & ~head, joints)
    strip = Strip(limb, line, guess, joints, 3.2 * float(guess.max()))
    outer, inner = find_band(strip, lab, figure, head, hair)
    root = np.interp(strip.along, (0.0, ARMPIT[1], ARMPIT[1] + 0.1), (ARMPIT[0], 1.0, np.inf))
    inner = np.minimum(inner, strip.widths * root)
    outer, inner = (gaussian(side, 1.5) for side in (outer, inner))
    area = np.zeros(figure.shape, np.uint8)
    one = strip.points + (outer + 2.0)[:, None] * strip.normals
    other = strip.points - inner[:, None] * strip.normals
    for i in range(len(one) - 1):
        fill_between(area, one[i : i + 2], other[i : i + 2])
    disc_into(area, line[3], float(outer[-1] + inner[-1]) / 2)
    mask, refused = _to_the_pixel(
        area.astype(bool), line, float(guess[1]), figure & ~head, lab, hair, joints, skin
    )
    if foreshortened(np.diff(line, axis=0)):
        mask = _with_whole_hand(mask, line, guess, figure & ~head, lab, joints, skin)
        refused &= ~mask
    return ArmPart(mask, refused, _half_widths(strip, (outer + inner) / 2, guess))


def _in_the_figure(
    limb: Limb, line: Floats, guess: Floats, figure: NDArray[np.bool_], joints: Floats
) -> Floats:
    """(4, 2) the arm's ``line`` with elbow and wrist moved into the figure where they were found beside it.

    The trackers put a joint up to a limb's width off; a bone that runs beside its arm finds no width there.
    """
    strip = Strip(limb, line, guess, joints, BESIDE * float(guess.max()))
    inside = strip.sampled(figure.astype(np.float32)) > 0.5
    middle = len(strip.across) // 2
    moved = line.copy()
    for joint in (1, 2):
        near = np.flatnonzero(np.abs(strip.along - joint) < ABOUT)
        beside = near[~inside[near, middle] & inside[near].any(axis=1)]
        if len(beside) < 0.5 * len(near) or not len(beside):
            continue
        away = np.where(inside[beside], np.abs(strip.across), np.inf).argmin(axis=1)
        start = strip.across[away]
        shift = float(np.median(start + np.sign(start) * strip.widths[beside]))
        step = shift * strip.normals[beside].mean(axis=0)
        moved[joint : 4 if joint == 2 else joint + 1] += step.astype(np.float32)
    return moved


def _with_whole_hand(
    mask: NDArray[np.bool_],
    line: Floats,
    guess: Floats,
    figure: NDArray[np.bool_],
    lab: Floats,
    joints: Floats,
    skin: Floats | None,
) -> NDArray[np.bool_]:
    """The arm's ``mask`` (H, W) with all of a bare hand that is held out to the camera.

    Where such a hand lies tells nothing of where its fingers are, so their tone decides. A scrap of cloth about it
    that lies on the trunk is the trunk's.
    """
    hand = bare_hand(lab, figure, line[2:], float(guess[2]), skin)
    if hand is None or skin is None:
        return mask
    around = _near(line[2:], figure & ~mask, 3 * float(guess[2]))
    if around.any() and float(is_bare(lab[around][None], skin).mean()) > SKIN_LIKE:
        hand &= mask  # a print of skin's colours, or skin: tone tells nothing there
    hands = [joints[[wrist, tip]] for wrist, tip in HANDS]
    other = max(hands, key=lambda bone: float(np.hypot(*(bone[0] - line[2]))))
    added = hand & ~mask
    beside = _near(line[2:], figure & ~mask & ~hand, 3 * float(guess[2]))
    if beside.any():  # cloth about the hand may have nearly the tone of skin
        own, cloth = np.median(lab[hand & mask], axis=0), np.median(lab[beside], axis=0)
        off = [(((lab[added] - colour) * SHADES) ** 2).sum(axis=1) for colour in (own, cloth)]
        hand[added] = off[0] < off[1]
        hand = _with_most(hand, mask)
    ys, xs = np.nonzero(hand & ~mask)
    if len(xs):
        pixels = np.stack([xs, ys], axis=1).astype(np.float32)
        nearer = distance_to_polyline(pixels, line[2:]) > distance_to_polyline(pixels, other)
        hand[ys[nearer], xs[nearer]] = False
    sleeve = mask & ~hand
    _, islands, stats, _ = cv2.connectedComponentsWithStats(sleeve.astype(np.uint8), connectivity=4)
    area = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    on_trunk = np.bincount(islands[trunk_outline(joints, mask.shape)], minlength=len(area)) > 0.5 * area
    keep = (area > SCRAP * float(mask.sum())) | ~on_trunk  # off the trunk it is the end of the sleeve
    keep[0] = False
    return np.asarray(hand | keep[islands], np.bool_)


def _with_most(hand: NDArray[np.bool_], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the ``hand`` without what beyond the ``mask`` hangs together with it by a bridge alone."""
    kernel = np.ones((3, 3), np.uint8)
    core = cv2.erode((hand & ~mask).astype(np.uint8), kernel)
    _, islands, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > 0.25 * float((hand & mask).sum())
    large[0] = False
    return np.asarray(hand & ~grown(large[islands], 2) | hand & mask, np.bool_)


def _half_widths(strip: Strip, half: Floats, guess: Floats) -> Floats:
    """(3,) the middle of what the band shows along each bone."""
    middles = []
    for k in range(3):
        along = (strip.along > k + 0.2) & (strip.along < k + 0.8)
        middles.append(float(np.median(half[along])) if along.any() else float(guess[k]))
    return np.clip(np.array(middles, np.float32), 0.4 * guess, 2.2 * guess).astype(np.float32)


def _to_the_pixel(
    band: NDArray[np.bool_],
    line: Floats,
    width: float,
    figure: NDArray[np.bool_],
    lab: Floats,
    hair: NDArray[np.bool_],
    joints: Floats,
    skin: Floats | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """((H, W), (H, W)) the ``band`` with its border moved to where colours change, as far as its place is unsure, and
    what about it is surely not the arm's."""
    ys, xs = np.nonzero(band)
    if not len(xs):
        return band, np.zeros_like(band)
    reach = round((LOOSE + 0.4) * width)
    y0, x0 = max(int(ys.min()) - reach, 0), max(int(xs.min()) - reach, 0)
    box = (slice(y0, int(ys.max()) + reach + 1), slice(x0, int(xs.max()) + reach + 1))
    inner = band[box].astype(np.uint8)
    away = cv2.distanceTransform(1 - inner, cv2.DIST_L2, 5)
    depth = (cv2.distanceTransform(inner, cv2.DIST_L2, 5) - away) / width
    near = figure[box] & (depth > -LOOSE - 0.4)
    x, y = np.meshgrid(
        np.arange(inner.shape[1], dtype=np.float32) + x0, np.arange(inner.shape[0], dtype=np.float32) + y0
    )
    along = _along(x, y, line)
    clothed = _clothed(lab[box], along, depth, near, skin)
    place = np.clip(depth / np.interp(along, (1.9, 2.1), UNSURE), -1, 1) * PLACE
    place = np.where(clothed, np.minimum(place, 0.0), place)
    off = cv2.distanceTransform((~trunk_outline(joints, band.shape)).astype(np.uint8), cv2.DIST_L2, 5)[box]
    bone = line[1] - line[0]
    # Beside a hanging arm's shoulder is the cheek, or hair.
    below = (x - line[0][0]) * bone[0] + (y - line[0][1]) * bone[1] > 0
    told = near & ~hair[box]
    loose = (off > away) & (depth > -LOOSE) & below & told & ~clothed
    place = np.where(loose, np.maximum(place, LOOSE_ODDS), place)
    place = np.minimum(place, np.interp(along, (2.4, 2.6), (PLACE, TIP_ODDS)))
    sure = np.abs(place) >= PLACE
    colours = Colours(lab[box][told], seen_along(along[told]))
    right, down = links(lab[box], figure[box])
    chance = 1 / (1 + np.exp(-place))
    odds = np.zeros_like(place)
    arm = ((depth > -0.3) & ~clothed)[told]
    # What may be the arm's sleeve tells less about the others' colours.
    others = np.where(loose, 0.3, 1.0)[told]
    for _ in range(ROUNDS):
        likely = chance[told]
        odds[told] = colours.odds(arm * likely**2, others * (1 - likely) ** 2)
        alone = 1 / (1 + np.exp(-(place + odds)))
        alone = np.where(sure, place > 0, alone)
        hold = np.where(sure, FIRM, HOLD)
        chance = walk(right, down, hold * alone * near, np.where(near, hold * (1 - alone), 1.0))
    mine, refused = np.zeros_like(band), np.zeros_like(band)
    mine[box] = _without_specks(near & (chance > 0.5))
    refused[box] = near & (odds < REFUSED)
    return mine, refused


def _clothed(
    lab: Floats, along: Floats, depth: Floats, near: NDArray[np.bool_], skin: Floats | None
) -> NDArray[np.bool_]:
    """(h, w) what about a bare hand has neither the ``skin``'s tone nor the colour of the sleeve that ends there."""
    hand = (along > 2.1) & near
    inner = hand & (depth > 0)
    if skin is None or not inner.any():
        return np.zeros_like(near)
    bare = is_bare(lab, skin)
    if float(bare[inner].mean()) < BARE:
        return np.zeros_like(near)
    sleeve = near & (depth > 0.15) & (along > 1.6) & (along < 2.0)
    if sleeve.any():
        apart = (lab - np.median(lab[sleeve], axis=0)) * (0.5, 1.0, 1.0)
        bare |= (np.sqrt((apart**2).sum(axis=2)) < SLEEVE_LAB) & (along < CUFF)
    return hand & ~bare


def _without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, islands, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= SPECK * float(mask.sum())
    keep[0] = False
    return np.asarray(keep[islands], np.bool_)


def _along(x: Floats, y: Floats, line: Floats) -> Floats:
    """(h, w) number of the nearest bone plus the share of the way along it, at the pixels ``x``, ``y`` (h, w)."""
    best = np.full(x.shape, np.inf, np.float32)
    along = np.zeros_like(best)
    for k in range(3):
        bone = line[k + 1] - line[k]
        share = ((x - line[k][0]) * bone[0] + (y - line[k][1]) * bone[1]) / max(float(bone @ bone), 1.0)
        share = np.clip(share, 0, 1)
        away = np.hypot(x - line[k][0] - share * bone[0], y - line[k][1] - share * bone[1])
        along = np.where(away < best, k + share, along)
        best = np.minimum(best, away)
    return along.astype(np.float32)


def _near(line: Floats, area: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """(H, W) the area's pixels within ``reach`` of the line."""
    ys, xs = np.nonzero(area)
    near = np.zeros_like(area)
    if len(xs):
        near[ys, xs] = distance_to_polyline(np.stack([xs, ys], axis=1).astype(np.float32), line) < reach
    return near
