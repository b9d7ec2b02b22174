"""Cutting a hand out of what it lies on, by its colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, pixel_of
from understudy.engines.puppet.parts import FINGER_REACH, MOUTH_LEFT, MOUTH_RIGHT, NOSE
from understudy.tracking.motion import Floats

SAME_TONE = 11.0  # Lab units without lightness: skin in light and in shade
SKIN_SHARE = 0.3  # of a hand's place that must show the face's tone, to be taken for bare


def skin_tone(rgb: NDArray[np.uint8], joints: Floats) -> NDArray[np.float32] | None:
    """(2,) the face's tone (Lab's a and b) between nose and mouth; None outside the picture."""
    mouth = (joints[MOUTH_LEFT] + joints[MOUTH_RIGHT]) / 2
    radius = max(0.35 * float(np.linalg.norm(joints[NOSE] - mouth)), 2.0)
    places = [joints[NOSE], (joints[NOSE] + joints[MOUTH_LEFT]) / 2, (joints[NOSE] + joints[MOUTH_RIGHT]) / 2]
    area = np.zeros(rgb.shape[:2], np.uint8)
    for x, y in places:
        cv2.circle(area, (round(float(x)), round(float(y))), round(radius), 1, -1)
    return _tone(rgb[area.astype(bool)])


def hand_by_colour(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    line: Floats,
    radii: Floats,
    inside: NDArray[np.bool_],
    skin: NDArray[np.float32] | None,
) -> NDArray[np.bool_]:
    """The limb's ``mask`` with the hand cut by its colours (GrabCut, Rother et al. 2004) where it lies on something.

    ``skin`` is the face's tone: where the place of the hand shows it, that is the hand, else what lies at the palm
    (a glove, a paw). Nothing changes where the result is no hand: far smaller or larger than the corridor expects.
    """
    reach = 2.4 * float(radii[2])
    low = np.floor(np.minimum(line[2], line[3]) - reach).astype(int)
    high = np.ceil(np.maximum(line[2], line[3]) + reach).astype(int)
    x0, y0 = np.maximum(low, 0)
    x1, y1 = np.minimum(high, [mask.shape[1], mask.shape[0]])
    if x1 - x0 < 8 or y1 - y0 < 8:
        return mask
    box = (slice(y0, y1), slice(x0, x1))
    ys, xs = np.mgrid[y0:y1, x0:x1]
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.float32)
    shape = (y1 - y0, x1 - x0)
    bone = line[3] - line[2]
    along = ((pixels - line[2]) @ bone / max(float(bone @ bone), 1.0)).reshape(shape)
    away = distance_to_polyline(pixels, line[2:4]).reshape(shape)
    knuckles = line[2] + bone / FINGER_REACH
    palm = distance_to_polyline(pixels, np.stack([line[2], knuckles])).reshape(shape)
    body = inside[box]
    trimap = np.full(shape, cv2.GC_PR_BGD, np.uint8)
    trimap[away < 0.75 * radii[2]] = cv2.GC_PR_FGD
    seed = palm < 0.3 * radii[2]
    patch = np.ascontiguousarray(rgb[box])
    bare = _skin_seed(patch, body & (away < 1.2 * radii[2]) & (along > 0.0), skin)
    sleeve = np.zeros(rgb.shape[:2], np.uint8)
    before = line[1] + 0.85 * (line[2] - line[1])
    cv2.circle(sleeve, pixel_of(before), max(round(0.4 * float(radii[1])), 2), 1, -1)
    # A palm in the colour of the forearm is well placed, whatever that colour is.
    palm_tone, arm_tone = _tone(patch[seed & body]), _tone(rgb[sleeve.astype(bool) & inside])
    if bare is not None and _apart(palm_tone, arm_tone) >= SAME_TONE:
        trimap[seed] = cv2.GC_PR_FGD
        seed = bare
    trimap[seed] = cv2.GC_FGD
    trimap[(away > 2.2 * radii[2]) | ~body] = cv2.GC_BGD
    ours = body & (along > 0.0)
    other = ours & (away > 1.3 * radii[2])
    if other.sum() < 0.1 * max(int((ours & (away <= radii[2])).sum()), 1):
        return mask  # the hand lies on nothing
    cv2.setRNGSeed(1)
    try:
        cv2.grabCut(patch, trimap, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return mask
    hand = ((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)) & body & (along > -0.15)
    count, islands = cv2.connectedComponents(hand.astype(np.uint8))
    if count < 2:
        return mask
    seeds = np.bincount(islands[seed & hand], minlength=count)
    seeds[0] = 0
    island = int(seeds.argmax())
    if not seeds[island]:
        return mask
    hand = islands == island
    expected = float((mask[box] & body & (along > 0.0)).sum())
    if not 0.25 * expected < float((hand & (along > 0)).sum()) < 2.0 * expected:
        return mask
    # In a folded arm the upper arm lies beyond the wrist as well: only what is nearest to the hand's bone is decided.
    arm = distance_to_polyline(pixels, line[:3]).reshape(shape)
    out = mask.copy()
    out[box] = np.where((along > 0.0) & (away <= arm), hand, mask[box] | (hand & (along > -0.15)))
    return out


def _tone(pixels: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """(2,) median tone of (N, 3) pixels, None of none."""
    if not len(pixels):
        return None
    lab = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2LAB)[0].astype(np.float32)
    return np.asarray(np.median(lab[:, 1:], axis=0), np.float32)


def _apart(a: NDArray[np.float32] | None, b: NDArray[np.float32] | None) -> float:
    return float("inf") if a is None or b is None else float(np.hypot(*(a - b)))


def _skin_seed(
    patch: NDArray[np.uint8], where: NDArray[np.bool_], skin: NDArray[np.float32] | None
) -> NDArray[np.bool_] | None:
    """Pixels of ``where`` that surely have the face's tone, if enough do; grey faces tell nothing."""
    if skin is None or float(np.hypot(*(skin - 128))) < 8 or not where.any():
        return None
    lab = cv2.cvtColor(patch, cv2.COLOR_RGB2LAB).astype(np.float32)
    apart = np.hypot(lab[..., 1] - skin[0], lab[..., 2] - skin[1])
    bare = where & (apart < SAME_TONE)
    if float(bare.sum()) < SKIN_SHARE * float(where.sum()):
        return None
    sure = cv2.erode(bare.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return sure if int(sure.sum()) > 20 else None
