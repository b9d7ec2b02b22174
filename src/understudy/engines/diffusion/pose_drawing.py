"""Skeleton pictures: how the performer stands, drawn as Wan2.2-Animate was trained to read it.

After the drawing in Wan2.2's own preprocessing (github.com/Wan-Video/Wan2.2, wan/modules/animate/preprocess:
``draw_aapose_by_meta_new`` with its line widths "v2", and ``AAPoseMeta`` for the joints): 20 joints, OpenPose's 18 and
two toes; a limb is a filled ellipse in its colour at 60 %, a joint a disc in full colour, a hand 20 lines in the hues
of the rainbow with blue joints, both hands alike. Nothing is smoothed at its edges, and no point of the face beyond
eyes and ears is drawn: the face has pictures of its own. Colours are RGB. Later limbs lie over earlier ones.

The joints there are ViTPose's, of COCO-WholeBody; here they are BlazePose's in the same places. How sure two networks
are of a hidden joint is not the same number, so the limits of visibility are ours.
The pose is the performer's own, not put on the character's proportions: so its authors have it for a character that
takes somebody's place in a scene, since feet and hands must meet what they touch there.
"""

from __future__ import annotations

from colorsys import hsv_to_rgb
from dataclasses import dataclass
from math import atan2, degrees, hypot, inf

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking import series
from understudy.tracking.motion import HAND, Floats, Motion

Points = NDArray[np.float32]
Flags = NDArray[np.bool_]

# For each joint the landmarks of BlazePose whose middle it is: nose, neck, then right before left (the performer's own)
# shoulder, elbow, wrist; hip, knee, ankle; eye; ear; and last the toes, left before right.
FROM_BODY = (
    (0,), (11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (24,), (26,), (28,), (23,), (25,), (27,),
    (5,), (2,), (8,), (7,), (31,), (32,),
)  # fmt: skip
JOINTS = len(FROM_BODY)
WRISTS = (7, 4)  # left, right
# Pairs of joints, in the order in which they are drawn; limb n has colour n.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (13, 18), (10, 19),
)  # fmt: skip
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85), (200, 200, 0), (100, 100, 0),
)  # fmt: skip
LIMB_SHADE = 0.6
# A hand's lines: from the wrist along each finger. MediaPipe numbers its joints as COCO-WholeBody does.
FINGERS = tuple(
    ((0 if step == 0 else first + step - 1), first + step) for first in range(1, HAND, 4) for step in range(4)
)
HAND_JOINT = (0, 0, 255)
PIXELS_PER_WIDTH = 200  # of the picture's shorter side, for one pixel of a limb's half width, less one

SEEN, LOST = 0.5, 0.3  # visibility from which a joint is drawn, and under which it is not any more
CALM_S = 0.1  # deviation of the average that keeps a joint from flickering
HAND_SEEN = 0.3
STAYS_S = 1.0


@dataclass(frozen=True)
class Skeleton:
    """The joints over T frames, in the driving video's pixels. What is not ``seen`` may be NaN.

    Where the tracker is blind, the pose of the nearest frame stays for `STAYS_S`.
    """

    body: Points  # (T, 20, 2)
    body_seen: Flags  # (T, 20)
    hands: Points  # (T, 2, 21, 2) own left first
    hands_seen: Flags  # (T, 2, 21)

    @classmethod
    def of(cls, motion: Motion) -> Skeleton:
        """From the tracker's landmarks. A joint outside the picture is not seen."""
        size = (motion.width, motion.height)
        body = np.stack([motion.body[:, list(rows), :2].mean(axis=1) for rows in FROM_BODY], axis=1)
        visible = np.stack([motion.visibility[:, list(rows)].mean(axis=1) for rows in FROM_BODY], axis=1)
        # Where a hand is found its wrist is seen, whatever the body's network says.
        visible[:, list(WRISTS)] = np.maximum(visible[:, list(WRISTS)], motion.hand_score)
        body_seen = np.zeros(visible.shape, np.bool_)
        for shot in motion.shots:
            part = slice(shot.start, shot.stop)
            body_seen[part] = _lasting(series.gaussian(visible[part], CALM_S * motion.fps))
        body_seen &= motion.tracked[:, None] & _inside(body, size)
        hands = motion.hands[..., :2]
        hands_seen = (motion.hand_score >= HAND_SEEN)[..., None] & _inside(hands, size)
        shown = nearest_tracked(motion, STAYS_S)
        shown = np.where(shown < 0, np.arange(len(motion)), shown)
        return cls(
            body[shown].astype(np.float32),
            body_seen[shown],
            hands[shown].astype(np.float32),
            hands_seen[shown],
        )

    def drawn(self, t: int, affine: Floats, width: int, height: int) -> NDArray[np.uint8]:
        """Frame ``t``, moved by ``affine`` (2, 3) from the driving video's pixels to those of the picture."""
        return draw_pose(
            moved(self.body[t], affine),
            self.body_seen[t],
            moved(self.hands[t], affine),
            self.hands_seen[t],
            width,
            height,
        )


def draw_pose(
    body: Points, body_seen: Flags, hands: Points, hands_seen: Flags, width: int, height: int
) -> NDArray[np.uint8]:
    """(height, width, 3) RGB on black: ``body`` (20, 2) and ``hands`` (2, 21, 2) in pixels, where they are seen."""
    picture = np.zeros((height, width, 3), np.uint8)
    half = max(min(height, width) // PIXELS_PER_WIDTH - 1, 1)
    for (one, other), colour in zip(LIMBS, COLOURS, strict=False):  # the last colour is of a joint alone
        if body_seen[one] and body_seen[other]:
            _draw_limb(picture, body[one], body[other], half, colour)
    for place, colour in zip(body[body_seen], np.array(COLOURS)[body_seen].tolist(), strict=True):
        cv2.circle(picture, _pixel(place), half, colour, cv2.FILLED)
    for hand, seen in zip(hands, hands_seen, strict=True):
        _draw_hand(picture, hand, seen, max(half // 2, 1))
    return picture


def nearest_tracked(motion: Motion, within_s: float = inf) -> NDArray[np.intp]:
    """(T,) for each frame the nearest of its shot in which the performer is tracked, -1 where none is so near."""
    nearest = np.full(len(motion), -1, np.intp)
    for shot in motion.shots:
        known = shot.start + np.flatnonzero(
            np.isfinite(motion.body[shot.start : shot.stop, :, :2]).all(axis=(1, 2))
        )
        if len(known) == 0:
            continue
        frames = np.arange(shot.start, shot.stop)
        right = np.clip(np.searchsorted(known, frames), 0, len(known) - 1)
        left = np.maximum(right - 1, 0)
        choice = np.where(
            np.abs(known[left] - frames) <= np.abs(known[right] - frames), known[left], known[right]
        )
        away_s = np.abs(motion.times_s[choice] - motion.times_s[frames])
        nearest[frames] = np.where(away_s <= within_s, choice, -1)
    return nearest


def moved(points: Floats, affine: Floats) -> Points:
    """Points (..., 2) under an affine (2, 3)."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float32)


def _draw_limb(
    picture: NDArray[np.uint8], one: Points, other: Points, half: int, colour: tuple[int, ...]
) -> None:
    x, y = (float(v) for v in one - other)
    axes = (int(hypot(x, y) / 2), half)
    outline = cv2.ellipse2Poly(_pixel((one + other) / 2), axes, int(degrees(atan2(y, x))), 0, 360, 1)
    cv2.fillConvexPoly(picture, outline, [int(LIMB_SHADE * part) for part in colour])


def _draw_hand(picture: NDArray[np.uint8], hand: Points, seen: Flags, width: int) -> None:
    for number, (one, other) in enumerate(FINGERS):
        if seen[one] and seen[other]:
            hue = [round(255 * part) for part in hsv_to_rgb(number / len(FINGERS), 1.0, 1.0)]
            cv2.line(picture, _pixel(hand[one]), _pixel(hand[other]), hue, width)
    for place in hand[seen]:
        cv2.circle(picture, _pixel(place), width, HAND_JOINT, cv2.FILLED)


def _pixel(place: Floats) -> tuple[int, int]:
    return int(place[0]), int(place[1])


def _inside(points: Floats, size: tuple[int, int]) -> Flags:
    """Whether points (..., 2) lie in a picture; NaN does not."""
    return np.asarray(((points >= 0) & (points < np.array(size))).all(axis=-1))


def _lasting(visible: Floats) -> Flags:
    """(T, N) whether a joint is drawn: from `SEEN` on, until it falls under `LOST`."""
    seen = np.zeros(visible.shape, np.bool_)
    now = visible[0] >= (SEEN + LOST) / 2
    for t, row in enumerate(visible):
        now = (row >= SEEN) | (now & (row >= LOST))
        seen[t] = now
    return seen
