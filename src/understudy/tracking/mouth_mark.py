"""A mouth's mark under a pair of eyes: the stroke, slit or blob on the face's middle line."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Bools = NDArray[np.bool_]

COLUMNS, ROWS = 72, 64
ASIDE, TOP, BOTTOM = 1.15, 0.22, 2.1  # where it is looked for, over the eyes' distance
NARROWEST, TALLEST = 0.12, 0.9  # width and height over the eyes' distance
LEVELS = (
    0.15,
    0.25,
    0.4,
    0.6,
)  # of the strongest contrast: a mark may be faint beside a beard or a chin's line
FAINTEST = 5.0  # difference in Lab from the skin
GAP = 5  # samples up to which a thin line may be interrupted
AROUND = 17  # samples: what a mouth that is a line stands out from
HOPELESS = -4.0  # a score at which a mark is no mouth
BESIDE = 9  # samples: so far beside a mark its ground is looked at
OTHER_GROUND = 14.0  # difference in Lab from the eyes' ground, below which it is the same
USUAL_WIDTH, USUAL_DOWN = 0.62, 0.78  # over the eyes' distance
# How much lower and higher (log) than usual a mouth may be: below wait the chin and the collar, above only the nose.
SPREAD, LOW, HIGH = 0.34, 0.22, 0.45


@dataclass(frozen=True)
class MouthMark:
    """A mark in the face's frame, over the eyes' distance: ``u`` along the eyes from their middle, ``v`` down.

    ``score`` is 0 for a mark such as mouths mostly are, and falls the less it is like one.
    """

    left: float  # smallest u
    right: float
    top: float
    bottom: float
    contrast: float
    score: float


def find_mouth_mark(
    lab: Floats, middle: Floats, along: Floats, apart: float, skin: Floats
) -> MouthMark | None:
    """The best of `mouth_marks`, or None."""
    marks = mouth_marks(lab, middle, along, apart, skin)
    return max(marks, key=lambda m: m.score, default=None)


def mouth_marks(
    lab: Floats, middle: Floats, along: Floats, apart: float, skin: Floats, lowest: float = BOTTOM
) -> list[MouthMark]:
    """Marks below eyes with their ``middle`` (2,), ``apart`` pixels along the unit vector ``along`` (2,).

    ``skin`` (3,) is the colour around the eyes, in Lab as the picture ``lab`` (H, W, 3); ``lowest`` the v, over the
    eyes' distance, at which the face ends.
    """
    if lowest < TOP + 0.2:
        return []
    u = np.linspace(-ASIDE, ASIDE, COLUMNS, dtype=np.float32)
    v = np.linspace(TOP, lowest, ROWS, dtype=np.float32)
    grid_u, grid_v = np.meshgrid(u, v)
    down = np.array([-along[1], along[0]], np.float32)
    at = (middle + apart * (grid_u[..., None] * along + grid_v[..., None] * down)).astype(np.float32)
    part = cv2.remap(lab, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    usual = np.median(part[4 : ROWS * 2 // 3, COLUMNS // 4 : -COLUMNS // 4].reshape(-1, 3), axis=0)
    if np.linalg.norm(usual - skin) > 14.0:
        usual = (usual + skin) / 2
    core = slice(COLUMNS // 3, -COLUMNS // 3)
    foreign = np.linalg.norm((part - skin) * np.array([0.6, 1.0, 1.0], np.float32), axis=-1)
    found = []
    # A mouth stands out from the face, or, where hair and neck stand out far more, from what is just around it.
    for other in (usual, _around(part)):
        away = np.linalg.norm(part - other, axis=-1)
        strongest = float(np.quantile(away[:, core], 0.98))
        for level in LEVELS:
            pieces = (away > max(FAINTEST, level * strongest)).astype(np.uint8)
            pieces = cv2.morphologyEx(pieces, cv2.MORPH_CLOSE, np.ones((1, GAP), np.uint8))
            count, labels, stats, _ = cv2.connectedComponentsWithStats(pieces)
            for i in range(1, count):
                x, y, w, h, area = (int(s) for s in stats[i])
                if area < 6 or x == 0 or y == 0 or x + w >= COLUMNS or y + h >= ROWS:
                    continue
                piece = labels[y : y + h, x : x + w] == i
                contrast = float(away[y : y + h, x : x + w][piece].mean())
                box = float(u[x]), float(u[x + w - 1]), float(v[y]), float(v[y + h - 1])
                score = _likeness(*box, contrast, piece.astype(np.bool_))
                if score > HOPELESS:
                    score -= 0.5 * (max(_beside(foreign, x, y, w, h) / OTHER_GROUND - 1.0, 0.0)) ** 2
                    found.append(MouthMark(*box, contrast, score))
    return found


def _around(part: Floats) -> Floats:
    """The typical colour of the surroundings of each sample."""
    small = np.clip((part + np.array([0.0, 128.0, 128.0], np.float32)) * [2.55, 1, 1], 0, 255)
    median = cv2.medianBlur(small.astype(np.uint8), AROUND).astype(np.float32)
    return np.asarray(median / [2.55, 1, 1] - [0.0, 128.0, 128.0], np.float32)


def _likeness(left: float, right: float, top: float, bottom: float, contrast: float, piece: Bools) -> float:
    """How like a mouth a piece is: wide rather than tall, central, even on both sides, clear."""
    wide, tall = right - left + 0.03, bottom - top + 0.03
    if wide < NARROWEST or wide < 0.75 * tall or tall > TALLEST:
        return HOPELESS
    same = float((piece & piece[:, ::-1]).sum()) / max(float((piece | piece[:, ::-1]).sum()), 1.0)
    aside, down = (left + right) / 2, (top + bottom) / 2
    lower = float(np.log(down / USUAL_DOWN))
    return float(
        1.2 * np.log(min(contrast, 40.0) / 20.0 + 0.05)
        - 0.5 * (np.log(wide / USUAL_WIDTH) / 0.6) ** 2
        - 0.5 * (aside / 0.16) ** 2
        - 0.5 * (max(abs(lower) - SPREAD, 0.0) / (LOW if lower > 0 else HIGH)) ** 2
        - 0.5 * (max(tall / wide - 0.45, 0.0) / 0.5) ** 2
        + 0.6 * (min(2.0 * same, 1.0) - 0.7)
    )


def _beside(foreign: Floats, x: int, y: int, w: int, h: int) -> float:
    """How foreign to the eyes' ground it is on the two sides, above and below a box: the mean of the four.

    Beside the mark of a collar, a neck or a panel's edge lies something else than the face.
    """
    middle = slice(y + h // 3, y + h - h // 3 + 1)
    core = slice(x + w // 4, x + w - w // 4 + 1)
    places = (
        foreign[middle, max(x - BESIDE, 0) : max(x - 2, 1)],
        foreign[middle, x + w + 2 : x + w + BESIDE],
        foreign[max(y - BESIDE, 0) : max(y - 2, 1), core],
        foreign[y + h + 2 : y + h + BESIDE, core],
    )
    return sum(float(np.median(p)) if p.size else 2 * OTHER_GROUND for p in places) / len(places)
