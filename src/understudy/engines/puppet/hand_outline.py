"""A hand's own outline, where its landmarks are known: nothing of sleeve, clothes or background goes along with it.

Its bones are surely the hand and what is far from them surely is not; between them the picture's colours and edges
decide (GrabCut: Rother, Kolmogorov and Blake 2004).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import distance_to_polyline, grown, nearest
from understudy.engines.puppet.hand_points import CHAINS, KNUCKLES, THUMB, palm_hull
from understudy.engines.puppet.hand_rig import THUMB_WIDTH, WIDTH
from understudy.engines.puppet.hand_shape import palm_length, wrist_ends
from understudy.engines.puppet.warp import smoothstep
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Rgb = NDArray[np.uint8]

# Half widths of a finger from a finger's bones up to which it is surely the hand, and from bones and palm up to which
# it probably is and beyond which it is not.
BONE, PROBABLY, BEYOND = 0.45, 1.25, 1.9
PALM_INSIDE = 0.3  # half widths inside the palm's landmarks
# Lab units, light counted by a share, from the bones' usual colour from which on not even they are surely the hand.
UNLIKE, LIGHT = 45.0, 0.5
# ... from the bones beside it that is another thing's, and half its width over the palm's length
STRANGE, GAP = 32.0, 0.03
EVEN = 0.014  # of the palm's length over which the outline is evened
WRIST = (-0.4, 0.0)  # palm lengths ahead of the wrist that tell whether it is bare
BARE = 0.35  # of that, no more than which is strange
ROUNDS = 2  # a third moves one pixel in a hundred of the unsure ones, or none
SMOOTH = (5, 12, 3)  # bilateral filter of the picture before: noise tells nothing
LARGEST_PX = 200  # a larger hand is told apart in a smaller picture
# Lab units of tone without which a hand is drawn, grey or white as its sleeve, and the share of its bones that are to
# be of one colour; of what bones and palm lead to expect no more may be lost: else the colours tell nothing.
COLOURED, ONE_COLOUR, LOST = 9.0, 0.85, 0.12
THIN = (
    0.015  # of the palm's length: strips of that half width at the figure's edge are a drawn outline or shade
)
EDGE_PX = 0.9  # softness of the outline
# Palm lengths ahead of the wrist: up to the first all that is the arm's goes along, from the second on the hand alone.
CUFF = (0.12, 0.3)
BARE_WRIST = (0.0, 0.15)  # ... where there is no cuff
AROUND = 0.6  # of the palm's length about the landmarks that is looked at


def own_hand(rgb: Rgb, alpha: Floats, points: Floats, arm: Floats) -> tuple[Rgb, Floats] | None:
    """Of a figure ``alpha`` (H, W) 0..1 in the picture ``rgb`` the hand with landmarks ``points`` (21, 2): the picture
    with the hand's colours to its edge, and (H, W) what is the hand's, behind its wrist the ``arm`` (H, W).

    None where the colours tell nothing.
    """
    length = palm_length(points)
    h, w = alpha.shape
    low = np.floor(points.min(axis=0) - AROUND * length).astype(int).clip(0, [w, h])
    high = np.ceil(points.max(axis=0) + AROUND * length).astype(int).clip(0, [w, h])
    if (high - low).min() < 8:
        return None
    box = np.s_[low[1] : high[1], low[0] : high[0]]
    inside = alpha[box] > 0.5
    own = (points - low).astype(np.float32)
    hand = _told_apart(rgb[box], inside, own)
    if hand is None:
        return None
    strange = _opened(_strange(rgb[box], inside, own), GAP * length)
    # A drawn outline before the background stays with the hand.
    other = _opened(inside & ~hand, THIN * length)
    strange = _open_to(strange, ~inside | other)
    other = inside & (cv2.GaussianBlur((other | strange).astype(np.float32), (0, 0), EVEN * length) > 0.5)
    ahead = _ahead(alpha.shape, points)
    wrist = (arm[box] > 0.5) & (ahead[box] < WRIST[1]) & (ahead[box] > WRIST[0])
    bare = bool(wrist.any()) and float(strange[wrist].mean()) < BARE
    first, last = BARE_WRIST if bare else CUFF
    behind = smoothstep((last - ahead) / (last - first))
    made = arm * behind
    if bare:
        made[box] *= 1 - cv2.GaussianBlur(strange.astype(np.float32), (0, 0), EDGE_PX)
    kept = cv2.GaussianBlur((~nearest(other, inside)).astype(np.float32), (0, 0), EDGE_PX)
    made[box] += (1 - behind[box]) * alpha[box] * kept
    colours = rgb.copy()
    rim = grown(other, 2) & (behind[box] < 0.5)
    colours[box][rim] = nearest(rgb[box], hand & ~rim)[rim]
    return colours, made


def _opened(mask: Mask, half: float) -> Mask:
    """(h, w) a mask without what is thinner on each side than ``half``."""
    size = 2 * max(round(half), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return mask & grown(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0, 2)


def _open_to(mask: Mask, outside: Mask) -> Mask:
    """(h, w) those pieces of a mask that lie at the ``outside``: what is all enclosed is the hand's own shade."""
    _, islands = cv2.connectedComponents(mask.astype(np.uint8))
    at = np.unique(islands[mask & grown(outside, 2)])
    return np.asarray(mask & np.isin(islands, at), np.bool_)


def _ahead(shape: tuple[int, ...], points: Floats) -> Floats:
    """(h, w) how far every pixel lies ahead of the wrist, in palm lengths."""
    axis = points[[*KNUCKLES]].mean(axis=0) - points[0]
    axis = axis / max(float(np.hypot(*axis)), 1e-3) / palm_length(points)
    ys, xs = np.indices(shape[:2], np.float32)
    return np.asarray((xs - points[0, 0]) * axis[0] + (ys - points[0, 1]) * axis[1], np.float32)


def _told_apart(rgb: Rgb, inside: Mask, points: Floats) -> Mask | None:
    """(h, w) the hand in a crop of the picture."""
    scale = min(LARGEST_PX / max(inside.shape), 1.0)
    size = (max(round(inside.shape[1] * scale), 1), max(round(inside.shape[0] * scale), 1))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    there = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    bones, palm, within = _distances(there.shape, points * scale)
    about = np.minimum(bones, palm)
    marks = np.full(there.shape, cv2.GC_PR_BGD, np.uint8)
    marks[about < PROBABLY] = cv2.GC_PR_FGD
    sure = ((bones < BONE) | (within > PALM_INSIDE)) & there
    if not sure.any():
        return None
    alike = _alike(small, sure)
    tone = np.median(_lab(small)[sure], axis=0)[1:] - 128
    if float(np.hypot(*tone)) < COLOURED or float(alike[sure].mean()) < ONE_COLOUR:
        return None
    marks[sure] = np.where(alike, cv2.GC_FGD, cv2.GC_PR_BGD)[sure]
    marks[(about > BEYOND) | ~there] = cv2.GC_BGD
    likely = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    if likely.all() or not (marks == cv2.GC_FGD).any():
        return None
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    picture = cv2.bilateralFilter(np.ascontiguousarray(small), *SMOOTH)
    # Where the figure ends is known: beyond it the picture has none of the hand's colours.
    picture[~there] = 255 - np.median(picture[marks == cv2.GC_FGD], axis=0)
    cv2.grabCut(picture, marks, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    hand = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    expected = (about < 1) & there
    if float((expected & ~hand).sum()) > LOST * float(expected.sum()):
        return None
    smooth = cv2.GaussianBlur(hand.astype(np.float32), (0, 0), 1.0)
    full = cv2.resize(smooth, inside.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    _, islands = cv2.connectedComponents(full.astype(np.uint8), connectivity=4)
    sizes = np.bincount(islands.ravel())
    sizes[0] = 0
    return np.asarray(islands == int(sizes.argmax()), np.bool_)


def _alike(rgb: Rgb, sure: Mask) -> Mask:
    """(h, w) what can have the colour of the hand that is seen on its bones, in light or in shade."""
    return np.asarray(_away(rgb, np.median(_lab(rgb)[sure], axis=0)) < UNLIKE, np.bool_)


def _strange(rgb: Rgb, inside: Mask, points: Floats) -> Mask:
    """(h, w) what has quite another colour than the bones that it lies beside."""
    bones, _, _ = _distances(inside.shape, points)
    sure = (bones < BONE) & inside
    if not sure.any():
        return np.zeros_like(inside)
    sure &= _alike(rgb, sure)
    return inside & (_away(rgb, nearest(cv2.GaussianBlur(_lab(rgb), (0, 0), 2.0), sure)) > STRANGE)


def _lab(rgb: Rgb) -> Floats:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.float32)


def _away(rgb: Rgb, colour: Floats) -> Floats:
    """(h, w) how far colours are from another, light counted by a share."""
    away = (_lab(rgb) - colour) * np.array([LIGHT, 1, 1], np.float32)
    return np.asarray(np.sqrt((away**2).sum(axis=2)), np.float32)


def _distances(shape: tuple[int, ...], points: Floats) -> tuple[Floats, Floats, Floats]:
    """(h, w) half widths of a finger from the fingers' bones, from palm and wrist, and inside the palm from its
    border."""
    radius = max(WIDTH * palm_length(points), 1.0)
    ys, xs = np.indices(shape[:2], np.float32)
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1)
    bones = np.full(len(pixels), np.inf, np.float32)
    for finger, numbers in enumerate(CHAINS):
        line, wide = (points[[0, *numbers]], THUMB_WIDTH) if finger == THUMB else (points[[*numbers]], 1.0)
        bones = np.minimum(bones, distance_to_polyline(pixels, line) / (wide * radius))
    hull = palm_hull(shape, points)
    heel = np.concatenate([points[[*KNUCKLES]], wrist_ends(points)])
    whole = palm_hull(shape, np.concatenate([points[:1], heel]), tuple(range(len(heel) + 1))) | hull
    palm, within = (
        cv2.distanceTransform(area.astype(np.uint8), cv2.DIST_L2, 5) / radius for area in (~whole, hull)
    )
    return bones.reshape(shape[:2]), np.asarray(palm, np.float32), np.asarray(within, np.float32)
