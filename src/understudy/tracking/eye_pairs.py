"""Pairs of eyes: which two spots of a picture look like the eyes of one face.

Faces that are not people's share little with a photograph but this: two eyes of like size, shape and contrast, mirrored
or alike, level, on like ground, a mouth below. Each of these is a term; a pair's score is their weighted sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats
from understudy.tracking.mouth_mark import MouthMark, find_mouth_mark
from understudy.tracking.spots import Spots, find_spots

CLOSE, FAR = 1.15, 16.0  # distance of the eyes over their width, over their size
LEAST, MOST = 0.045, 0.6  # distance of the eyes over the picture's side
STEEPEST = 0.5  # rad
LOOKED_AT, ASKED = 120, 12  # pairs whose ground is looked at, and of these whose mouth
NO_MOUTH = -1.4  # a mouth's score under which there is none

WEIGHTS = {
    "alike": 0.9,
    "size": 0.42,
    "level": 0.88,
    "contrast": 1.32,
    "dark": 0.4,
    "ground": 0.5,
    "even": -0.022,
    "apart": 1.05,
    "shape": 1.08,
    "many": -0.156,
    "aside": 1.05,
    "down": 1.36,
    "head": 1.06,
    "tiny": 0.97,
    "plain": -0.026,
    "outside": -2,
    "network": 1.6,
    "mouth": 1.2,
}
BIAS = 2.1


@dataclass(frozen=True)
class Place:
    """Where eyes are expected in the window, in its pixels: x and y of their middle, and the head's rough half width.

    ``tilt`` is the window's own angle in the picture: eyes may be level in either.
    """

    x: float
    y: float
    half: float
    tilt: float = 0.0


@dataclass(frozen=True)
class EyePair:
    """Two eyes in the window's pixels; boxes are x and y of the middle, width, height, the picture's left eye first."""

    boxes: Floats  # (2, 4)
    ground: Floats  # (3,) colour around them, Lab
    mouth: MouthMark | None
    score: float
    network: float  # 0 to 1, how well a face that the network sees agrees
    terms: dict[str, float]

    @property
    def middle(self) -> Floats:
        return np.asarray(self.boxes[:, :2].mean(axis=0), np.float32)

    @property
    def apart(self) -> float:
        return float(np.linalg.norm(self.boxes[1, :2] - self.boxes[0, :2]))

    @property
    def along(self) -> Floats:
        return np.asarray((self.boxes[1, :2] - self.boxes[0, :2]) / max(self.apart, 1e-3), np.float32)


@dataclass(frozen=True)
class Candidate:
    """A pair of which all is known but the mouth, which takes from its score or leaves it."""

    pair: EyePair
    score: float


def eye_pairs(lab: Floats, mask: NDArray[np.uint8], place: Place, seen: Floats) -> list[EyePair]:
    """Pairs of eyes in a square window ``lab`` (H, W, 3), best first.

    ``mask`` (H, W) is where the character is. ``seen`` (K, 2, 5) are eyes that the face network sees: x, y, width,
    height, score, the picture's left eye first.
    """
    return with_mouths(lab, candidates(lab, mask, place, seen))


def candidates(lab: Floats, mask: NDArray[np.uint8], place: Place, seen: Floats) -> list[Candidate]:
    """The pairs of `eye_pairs` whose mouths are worth a look, best first."""
    spots = find_spots(lab, mask, seen[..., :4])
    if len(spots) < 2:
        return []
    terms, allowed = _terms(spots, place, lab.shape[0])
    rough = np.where(allowed, sum(WEIGHTS[name] * value for name, value in terms.items()), -np.inf)
    order = np.argsort(-rough, axis=None, kind="stable")[:LOOKED_AT]
    soft = cv2.GaussianBlur(lab, (0, 0), 1.2)
    found = []
    for i, j in zip(*np.unravel_index(order, rough.shape), strict=True):
        if not np.isfinite(rough[i, j]):
            break
        own = {name: float(value[i, j]) for name, value in terms.items()}
        pair = _with_ground(soft, mask, spots, int(i), int(j), own)
        own["network"] = _agreement(pair, seen)
        score = float(rough[i, j]) + _weighed(own, ("plain", "outside", "network"))
        found.append(Candidate(replace(pair, network=own["network"]), score))
    return sorted(found, key=lambda c: -c.score)[:ASKED]


def with_mouths(lab: Floats, found: list[Candidate]) -> list[EyePair]:
    """The candidates with their mouths, best first."""
    pairs = []
    for candidate in found:
        pair, own = candidate.pair, candidate.pair.terms
        mouth = find_mouth_mark(lab, pair.middle, pair.along, pair.apart, pair.ground)
        own["mouth"] = max(NO_MOUTH, min(mouth.score, 0.0)) if mouth is not None else NO_MOUTH
        if mouth is not None and mouth.score <= NO_MOUTH:
            mouth = None
        total = candidate.score + WEIGHTS["mouth"] * own["mouth"] + BIAS
        pairs.append(replace(pair, mouth=mouth, score=total))
    return sorted(pairs, key=lambda p: -p.score)


def beaten(found: list[Candidate], agrees: float, by: float) -> bool:
    """Whether, with whatever mouths, a pair that no face of the network ``agrees`` with (0 to 1) could beat all that
    one agrees with ``by`` more than that."""
    own = max((c.score for c in found if c.pair.network >= agrees), default=-np.inf)
    other = max((c.score for c in found if c.pair.network < agrees), default=-np.inf)
    return other - (own + WEIGHTS["mouth"] * NO_MOUTH) > by


def _terms(spots: Spots, place: Place, side: int) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """Terms (N, N) of each ordered pair, and which pairs are possible at all."""
    x, y, w, h = (spots.box[:, i] for i in range(4))
    flat = spots.patch.reshape(len(spots), -1)
    turned = np.ascontiguousarray(spots.patch[:, :, ::-1]).reshape(len(spots), -1)
    strength = np.linalg.norm(flat, axis=1) + 1e-6
    both = strength[:, None] * strength[None]
    mirrored, same = flat @ turned.T / both, flat @ flat.T / both
    as_strong = np.exp(_bell(np.log(strength[:, None] / strength[None]), 0.5))
    right, down = x[None] - x[:, None], y[None] - y[:, None]
    apart = np.hypot(right, down) + 1e-3
    angle = np.arctan2(down, np.maximum(right, 1e-3))
    size = np.sqrt(w * h)
    mean_size = np.sqrt(size[:, None] * size[None])
    wide, tall = (w[:, None] + w[None]) / 2, (h[:, None] + h[None]) / 2
    wider, taller = np.log(w[:, None] / w[None]), np.log(h[:, None] / h[None])
    like = (same > 0.82) & (np.abs(np.log(size[:, None] / size[None])) < 0.22) & (apart > 0.8 * mean_size)
    others = np.maximum(like.sum(axis=1) - 1, 0)
    contrast = np.minimum(spots.contrast[:, None], spots.contrast[None])
    dark = np.clip(spots.darkness / 45.0, -0.3, 1.0)
    ground = np.linalg.norm(spots.ring[:, None] - spots.ring[None], axis=-1)
    middle_x, middle_y = (x[:, None] + x[None]) / 2, (y[:, None] + y[None]) / 2
    terms = {
        "alike": (0.6 * np.maximum(mirrored, same) + 0.4 * mirrored) * as_strong,
        "size": _bell(wider, 0.35) + _bell(taller, 0.35),
        "level": np.maximum(_bell(angle, 0.17), _bell(angle + place.tilt, 0.17) - 0.1),
        "contrast": np.log(np.minimum(contrast, 45.0) / 25.0 + 0.02),
        "dark": dark[:, None] + dark[None] - 1.0,
        "ground": _bell(np.maximum(ground - 4.0, 0.0), 14.0),
        "even": np.minimum(spots.uneven[:, None] + spots.uneven[None], 80.0),
        "apart": _bell(np.maximum(np.abs(np.log(apart / mean_size / 3.2)) - 0.45, 0.0), 0.6),
        "shape": _bell(np.maximum(tall / wide - 1.1, 0.0), 0.8)
        + _bell(np.maximum(wide / tall - 3.0, 0.0), 1.5),
        "many": np.minimum(others[:, None] + others[None], 30).astype(np.float32),
        "aside": np.maximum(_bell((middle_x - place.x) / place.half, 0.55), -2.5),
        "down": np.maximum(_bell((middle_y - place.y) / place.half, 0.8), -2.5),
        "head": np.maximum(
            _bell(np.maximum(np.abs(np.log(apart / (0.55 * place.half))) - 0.4, 0.0), 0.5), -1.0
        ),
        "tiny": _bell(np.maximum(np.log(0.13 * place.half / mean_size), 0.0), 0.4),
    }
    allowed = (right > 0) & (apart > CLOSE * wide) & (apart < FAR * mean_size) & (np.abs(angle) < STEEPEST)
    allowed &= (np.abs(wider) < 0.9) & (np.abs(taller) < 0.9)
    allowed &= (apart > LEAST * side) & (apart < MOST * side)
    return terms, allowed


def _with_ground(
    soft: Floats, mask: NDArray[np.uint8], spots: Spots, i: int, j: int, own: dict[str, float]
) -> EyePair:
    """The pair, and in ``own`` how plain the ground between and below the eyes is and how much of it is outside."""
    ground = (spots.ring[i] + spots.ring[j]) / 2
    pair = EyePair(spots.box[[i, j]], ground, None, 0.0, 0.0, own)
    along = pair.along
    down = np.array([-along[1], along[0]], np.float32)
    steps = np.array([[0, 0], [0, 0.25], [-0.4, 0.5], [0.4, 0.5], [0, 0.42]], np.float32)
    at = (pair.middle + pair.apart * (steps[:, :1] * along + steps[:, 1:] * down)).astype(np.float32)
    seen = cv2.remap(soft, at[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    # Shade counts less than hue; the worst of the five may be a nose or a moustache.
    off = np.sort(np.linalg.norm((seen - ground) * np.array([0.6, 1.0, 1.0], np.float32), axis=1))
    own["plain"] = min(float(off[:4].mean()), 60.0)
    cell = np.clip(at.astype(int), 0, mask.shape[0] - 1)
    own["outside"] = 1.0 - float((mask[cell[:, 1], cell[:, 0]] > 0).mean())
    return pair


def _agreement(pair: EyePair, seen: Floats) -> float:
    """0 to 1: how near the eyes are to those of a face that the network sees, by that face's score."""
    if not len(seen):
        return 0.0
    away = np.linalg.norm(seen[:, :, :2] - pair.boxes[None, :, :2], axis=-1).mean(axis=1) / pair.apart
    return float((seen[:, 0, 4] * np.exp(_bell(away, 0.17))).max())


def _weighed(own: dict[str, float], names: tuple[str, ...]) -> float:
    return sum(WEIGHTS[name] * own[name] for name in names)


def _bell(x: Floats, width: float) -> Floats:
    """The logarithm of a bell curve of that width."""
    return np.asarray(-0.5 * (x / width) ** 2, np.float32)
