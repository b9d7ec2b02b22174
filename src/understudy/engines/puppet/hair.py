"""Long hair: what hangs from the head over trunk and arms, found by its colour and by what it hangs together with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.colours import Colours
from understudy.engines.puppet.parts import EARS, HIPS, MOUTH_LEFT, MOUTH_RIGHT, SHOULDERS, Limb, centre
from understudy.engines.puppet.walker import links, walk
from understudy.tracking.motion import Floats

EYES = (2, 5)
SHRINK = 2  # hair is looked for at half the size: its border needs no pixel
FEWEST = 60  # pixels of hair above the face, at that size, for a colour of it
ALIKE = 0.17  # of the clothes that may have the hair's colour: more, and colour cannot tell it
HANGS = 0.6  # log-odds that a pixel off the head is no hair by its place alone
LOWEST = 0.8  # of the way from shoulders to hips: lower, hair is ever less likely
THIN = 0.1  # half the width of what is too thin to count as hair, in lengths of the face from eyes to mouth
LEAST = 0.05  # of the hair about the face that an island of hair must have
TIPS = 0.6  # lengths of the face that thin tips reach beyond thicker locks
ON_HANDS = 0.12  # of the hands' places that hair may cover: more, and it is the lines of a drawing
ROUNDS = 2
HOLD = 0.05  # weight of a pixel's own evidence against that of its neighbours


def find_hair(
    rgb: NDArray[np.uint8], figure: NDArray[np.bool_], joints: Floats, limbs: tuple[Limb, ...]
) -> NDArray[np.bool_]:
    """(H, W) the head's hair; nothing where its colour cannot be told from the clothes'.

    ``rgb`` (H, W, 3) the picture, ``figure`` (H, W) the matte, ``joints`` (33, 2) pixels.
    """
    found = np.zeros(figure.shape, bool)
    eyes, mouth = centre(joints, EYES), (joints[MOUTH_LEFT] + joints[MOUTH_RIGHT]) / 2
    face = float(np.hypot(*(mouth - eyes)))
    shoulders = float(np.hypot(*(joints[SHOULDERS[0]] - joints[SHOULDERS[1]])))
    ears = float(np.hypot(*(joints[EARS[0]] - joints[EARS[1]])))
    if face < 6 or shoulders < 2 * SHRINK:
        return found
    scale = 1 / SHRINK
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    inside = cv2.resize(figure.astype(np.uint8), (small.shape[1], small.shape[0])) > 0
    ys, xs = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32) * SHRINK
    down = (mouth - eyes) / face
    # In lengths of the face from the eyes to the mouth, down and to the side of the point between the eyes.
    low = ((xs - eyes[0]) * down[0] + (ys - eyes[1]) * down[1]) / face
    aside = np.abs((xs - eyes[0]) * down[1] - (ys - eyes[1]) * down[0]) / face
    half = max(ears / 2 / face, 0.9)
    skull = np.hypot(aside / (half + 0.7), (low - 0.1) / 2.2) < 1
    features = np.hypot(aside / (0.8 * half), (low - 0.5) / 1.1) < 1
    tone = np.median(small[features & inside], axis=0) if (features & inside).any() else np.zeros(3)
    skin = np.sqrt((((small - tone) * [0.5, 1, 1]) ** 2).sum(axis=2)) < 14
    seeds = inside & ~skin & skull & ((low < -1.0) | (aside > half + 0.15)) & (low < 0.9)
    if seeds.sum() < FEWEST:
        return found
    arms = [limb.polyline(joints) for limb in limbs if limb.arm]
    clothes = _clothes(small.shape[:2], joints, arms) & inside
    others = (clothes | (features & inside)) & ~seeds
    colours = Colours(small[inside], np.zeros(int(inside.sum()), np.float32))
    odds = np.zeros(inside.shape, np.float32)
    odds[inside] = colours.odds(seeds[inside].astype(np.float32), others[inside].astype(np.float32))
    if not clothes.any() or float((odds[clothes] > 0).mean()) > ALIKE:
        return found
    top, bottom = centre(joints, SHOULDERS), centre(joints, HIPS)
    spine = bottom - top
    hung = ((xs - top[0]) * spine[0] + (ys - top[1]) * spine[1]) / max(float(spine @ spine), 1.0)
    place = np.where(skull, 0.0, -HANGS) - 4.0 * np.clip(hung - LOWEST, 0, 1)
    right, across = links(small, inside)
    hold = np.where(inside, HOLD, 1.0)
    for i in range(ROUNDS):
        alone = 1 / (1 + np.exp(-((1 + i) * place + odds)))
        alone[seeds], alone[features | ~inside] = np.maximum(alone[seeds], 0.7), 0.0
        chance = walk(
            right, across, (hold * alone).astype(np.float32), (hold * (1 - alone)).astype(np.float32)
        )
        # Hair is darker below the chin, and light in the tips.
        likely = chance[inside]
        odds[inside] = colours.odds(likely**2, np.where(others[inside], 1.0, (1 - likely) ** 2))
    hair = ((chance > 0.5) & inside).astype(np.uint8)
    hair = _islands(hair, hair * seeds, LEAST * float(seeds.sum()))
    # The lines of a drawing have the colour of dark hair.
    thick = 2 * max(round(THIN * face / SHRINK), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
    locks = _islands(cv2.morphologyEx(hair, cv2.MORPH_OPEN, kernel), hair, LEAST * float(seeds.sum()))
    # Their tips and strands are thin, and light shines through.
    hair &= (cv2.distanceTransform(1 - locks, cv2.DIST_L2, 5) < TIPS * face / SHRINK).astype(np.uint8)
    hair = cv2.morphologyEx(hair, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) & inside
    hands = _hands(small.shape[:2], arms, shoulders) & inside
    if hands.any() and float(hair[hands].mean()) > ON_HANDS:
        return found
    whole = cv2.resize(hair.astype(np.float32), (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray((whole > 0.5) & figure, np.bool_)


def _islands(mask: NDArray[np.uint8], counted: NDArray[np.uint8], least: float) -> NDArray[np.uint8]:
    """(h, w) the islands of ``mask`` that hold at least so many of the ``counted`` pixels."""
    count, islands = cv2.connectedComponents(mask, connectivity=4)
    keep = np.bincount(islands[counted > 0], minlength=count) >= max(least, 1.0)
    keep[0] = False
    return np.asarray(keep[islands], np.uint8)


def _hands(shape: tuple[int, ...], arms: list[Floats], shoulders: float) -> NDArray[np.bool_]:
    """(h, w) at the small size: about the wrists and hands."""
    area = np.zeros(shape, np.uint8)
    for arm in arms:
        ends = (arm[1] + 0.6 * (arm[2] - arm[1]), arm[2], 2 * arm[3] - arm[2])
        path = np.rint(np.array(ends) / SHRINK).astype(np.int32)
        cv2.polylines(area, [path.reshape(-1, 1, 2)], False, 1, max(round(0.3 * shoulders / SHRINK), 1))
    return area.astype(bool)


def _clothes(shape: tuple[int, ...], joints: Floats, arms: list[Floats]) -> NDArray[np.bool_]:
    """(h, w) at the small size: along the forearms, and the trunk's lower half, where hair seldom reaches."""
    area = np.zeros(shape, np.uint8)
    top, bottom = centre(joints, SHOULDERS), centre(joints, HIPS)
    span = joints[SHOULDERS[0]] - joints[SHOULDERS[1]]
    thick = max(round(0.12 * float(np.hypot(*span)) / SHRINK), 1)

    def line(a: Floats, b: Floats, width: int) -> None:
        p, q = (tuple(np.rint(v / SHRINK).astype(int).tolist()) for v in (a, b))
        cv2.line(area, p, q, 1, width)

    line(top + 0.2 * (bottom - top), top + 0.7 * (bottom - top), 3 * thick)
    for arm in arms:
        line(arm[0] + 0.6 * (arm[1] - arm[0]), arm[1], thick)
        line(arm[1], arm[1] + 0.4 * (arm[2] - arm[1]), thick)
    return area.astype(bool)
