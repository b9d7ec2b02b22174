"""Legs whose upper part cloth hides: continued under it from what is seen of them below the hem."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import grown, nearest
from understudy.engines.puppet.bare_body import NOTHING, BareBody
from understudy.engines.puppet.cut import Corridor
from understudy.engines.puppet.hem import Hem
from understudy.tracking.motion import Floats

TRUNK = 0
FRINGE = 3  # pixels below a found hem that may still show it
LEAST = 0.1  # of a thigh's area must be seen of a leg, or it stays with the cloth
FEWEST = 20  # pixels about its bones that tell anything
LEAST_LONG = (0.15, 0.5)  # thigh lengths of a leg that must be seen as well: with its ankle, and without
# Thigh lengths below the hem where the leg's own colours are taken: not in its shadow.
SHADOW, SAMPLE = 0.04, 0.22
# How wide a leg is under the cloth against what is seen, by thigh lengths above the hem: cloth that gets narrow when
# the body turns has to cover it.
TAPER = ((0.0, 0.25, 0.8), (1.0, 1.0, 0.5))
CRUMB = 0.03  # of the cloth's area
BINS = 24  # across a leg
HANGING = 0.2  # thigh lengths below the hem in which linings and the hem's own outline hang
STRANGE = 40.0  # RGB distance from the leg's own colour at which a pixel there is not the leg
WIDE = 0.07  # thigh lengths: narrower pieces are not linings
SOFT_PX = 5  # beyond a leg's edge that take its colour


@dataclass(frozen=True)
class Dressed:
    """``trunk`` is the body with the cloth as its trunk's, ``legs`` the body without the cloth; ``cut`` the limbs that
    are left to move, arms first, with the legs' own widths."""

    trunk: BareBody
    legs: BareBody
    cut: list[Corridor]


def dressed(alpha: Floats, body: BareBody, hem: Hem, cut: list[Corridor]) -> Dressed:
    """Give what hangs above the ``hem`` to the trunk, and the legs what it hides of them.

    A leg of which next to nothing is seen is not made up: then both stay with the trunk.
    """
    core = alpha > 0.5
    legs = [i for i, c in enumerate(cut) if not c.limb.arm]
    numbers = [i + 1 for i in legs]
    cloth = grown(_largest(hem.above & (core | (body.behind != NOTHING))), FRINGE)
    labels = np.where(cloth & np.isin(body.labels, numbers), TRUNK, body.labels).astype(np.uint8)
    behind = np.where(cloth & np.isin(body.behind, numbers), TRUNK, body.behind).astype(np.uint8)
    _give_crumbs(labels, cloth, core, numbers)
    trunk = replace(body, labels=labels, behind=behind)
    seen = {i: ((labels == i + 1) | (behind == i + 1)) & core for i in legs}
    if any(not _tells(cut[i], seen[i]) for i in legs):
        rest = [c for c in cut if c.limb.arm]
        gone = replace(
            trunk,
            labels=np.where(np.isin(labels, numbers), TRUNK, labels).astype(np.uint8),
            behind=np.where(np.isin(behind, numbers), TRUNK, behind).astype(np.uint8),
        )
        return Dressed(gone, gone, rest)
    found = {i: _Leg.of(cut[i], seen[i], body.rgb) for i in legs}
    lining, wide = np.zeros_like(cloth), 3
    for i, leg in found.items():
        if leg is not None:
            lining |= leg.strange(seen[i], body.rgb)
            wide = max(wide, round(WIDE * leg.thigh))
    # Not the strips along the legs' own edges.
    lining = cv2.morphologyEx(lining.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, wide), np.uint8)) > 0
    cloth |= _touching(lining, cloth)
    labels[cloth & np.isin(labels, numbers)] = TRUNK
    behind[cloth & np.isin(behind, numbers)] = TRUNK
    bare, rgb, widths = labels.copy(), body.rgb.copy(), list(cut)
    hidden = cloth & (labels == TRUNK)
    for i, leg in found.items():
        if leg is not None:
            widths[i] = replace(cut[i], radii=np.minimum(cut[i].radii, leg.radii).astype(np.float32))
            leg.go_on(i + 1, hidden, bare, rgb)
    return Dressed(trunk, BareBody(bare, behind, rgb), widths)


def _give_crumbs(
    labels: NDArray[np.uint8], cloth: NDArray[np.bool_], core: NDArray[np.bool_], numbers: list[int]
) -> None:
    """Small pieces of the trunk that hang together with nothing of it but lie by a leg are that leg's, in place:
    the cloth would draw them out to lines."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(
        ((labels == TRUNK) & core).astype(np.uint8), connectivity=8
    )
    small = stats[:, 4] < CRUMB * int(cloth.sum())
    small[0] = False
    legs = np.isin(labels, numbers) & core
    if small.any() and legs.any():
        crumbs = small[pieces] & _below(cloth)
        labels[crumbs] = nearest(labels, legs)[crumbs]


def _tells(corridor: Corridor, seen: NDArray[np.bool_]) -> bool:
    """Whether enough of a leg is ``seen`` (H, W) to know how it goes on."""
    thigh = float(np.hypot(*(corridor.polyline[1] - corridor.polyline[0])))
    ys, xs = np.nonzero(seen)
    if len(xs) < LEAST * 2 * float(corridor.radii[0]) * thigh:
        return False
    along, aside = _coordinates(np.stack([xs, ys], axis=1).astype(np.float32), corridor.polyline)
    near = along[np.abs(aside) < 2 * float(corridor.radii.max())]
    if len(near) < FEWEST:
        return False
    low, high = np.percentile(near, [3, 97])
    x, y = corridor.polyline[2]
    shown = 0 <= x < seen.shape[1] and 0 <= y < seen.shape[0]
    return float(high - low) > LEAST_LONG[0 if shown else 1] * thigh


@dataclass(frozen=True)
class _Leg:
    """A leg as it is seen just below the hem: where it begins along its ``line`` (4, 2), how far it reaches to both
    sides of the bones there (2,), and its colours across (BINS, 3)."""

    line: Floats
    start: float
    sides: Floats
    colours: Floats
    thigh: float

    @classmethod
    def of(cls, corridor: Corridor, seen: NDArray[np.bool_], rgb: NDArray[np.uint8]) -> _Leg | None:
        line = corridor.polyline
        thigh = float(np.hypot(*(line[1] - line[0])))
        ys, xs = np.nonzero(seen)
        along, aside = _coordinates(np.stack([xs, ys], axis=1).astype(np.float32), line)
        near = np.abs(aside) < 1.5 * float(corridor.radii.max())
        along, aside, ys, xs = along[near], aside[near], ys[near], xs[near]
        if len(along) < 50:
            return None
        start = float(np.percentile(along, 2))
        taken = (along > start + SHADOW * thigh) & (along < start + SAMPLE * thigh)
        if taken.sum() < 30:
            taken = np.ones_like(taken)
        # Its width shows farther down, where nothing hangs beside it.
        clear = (along > start + SAMPLE * thigh) & (along < start + 2 * SAMPLE * thigh)
        clear = clear if clear.sum() >= 30 else taken
        low, high = (float(v) for v in np.percentile(aside[clear], [3, 97]))
        if high - low < 2:
            return None
        taken &= (aside >= low) & (aside <= high)
        if not taken.any():
            return None
        place = np.clip((aside[taken] - low) / (high - low) * BINS, 0, BINS - 1).astype(int)
        pixels = rgb[ys[taken], xs[taken]]
        whole = np.median(pixels, axis=0)
        colours = np.stack(
            [np.median(pixels[place == k], axis=0) if (place == k).sum() > 3 else whole for k in range(BINS)]
        )
        # The outermost columns hold what lies behind the leg.
        colours[:2], colours[-2:] = colours[2], colours[-3]
        smooth = cv2.blur(colours[:, None].astype(np.float32), (1, 5), borderType=cv2.BORDER_REPLICATE)[:, 0]
        return cls(line, start, np.array([low, high], np.float32), smooth, thigh)

    @property
    def radii(self) -> Floats:
        """(3,) half widths of thigh, shin and foot that fit what is seen."""
        half = float(self.sides[1] - self.sides[0]) / 2
        knee = self.thigh
        return np.array([half * self._taper(0.4 * knee), half * self._taper(1.4 * knee), np.inf], np.float32)

    def _taper(self, along: float | Floats) -> Floats:
        up = np.maximum(self.start - np.asarray(along, np.float32), 0) / max(self.thigh, 1.0)
        return np.asarray(np.interp(up, *TAPER), np.float32)

    def go_on(
        self, number: int, hidden: NDArray[np.bool_], labels: NDArray[np.uint8], rgb: NDArray[np.uint8]
    ) -> None:
        """Continue the leg upwards in ``labels`` and ``rgb`` (H, W), in place, where it is ``hidden``."""
        ys, xs = np.nonzero(hidden)
        away, colours = self._look(np.stack([xs, ys], axis=1).astype(np.float32))
        free = labels[ys, xs] == TRUNK
        half = float(self.sides[1] - self.sides[0]) / 2
        paint = free & (np.abs(away) < 1 + SOFT_PX / half)
        rgb[ys[paint], xs[paint]] = np.rint(colours[paint])
        own = free & (np.abs(away) <= 1)
        labels[ys[own], xs[own]] = number

    def strange(self, seen: NDArray[np.bool_], rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(H, W) what of the ``seen`` leg just below the hem has not its colours."""
        ys, xs = np.nonzero(seen)
        pixels = np.stack([xs, ys], axis=1).astype(np.float32)
        near = _coordinates(pixels, self.line)[0] < self.start + HANGING * self.thigh
        ys, xs = ys[near], xs[near]
        colours = self._look(pixels[near])[1]
        away = np.linalg.norm(rgb[ys, xs].astype(np.float32) - colours, axis=1)
        other = np.zeros_like(seen)
        other[ys, xs] = away > STRANGE
        return other

    def _look(self, pixels: Floats) -> tuple[Floats, Floats]:
        """(N,) how far aside of the leg's middle each pixel lies, in half widths, and (N, 3) the leg's colour there."""
        along, aside = _coordinates(pixels, self.line)
        middle, half = float(self.sides.mean()), float(self.sides[1] - self.sides[0]) / 2
        # Upwards the leg's middle is its bone's.
        up = np.clip((self.start - along) / max(0.6 * self.thigh, 1.0), 0, 1)
        away = aside - middle * (1 - up)
        # Round the hip, so that nothing sticks out of the trunk when the thigh turns.
        away = np.where(along < 0, np.copysign(np.hypot(away, along), away), away) / (
            half * self._taper(along)
        )
        place = np.clip((away + 1) / 2 * BINS - 0.5, 0, BINS - 1.001)
        low = place.astype(int)
        share = (place - low)[:, None]
        return away, self.colours[low] * (1 - share) + self.colours[np.minimum(low + 1, BINS - 1)] * share


def _below(cloth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the rows from the cloth's middle on."""
    rows = np.nonzero(cloth.any(axis=1))[0]
    area = np.zeros_like(cloth)
    if len(rows):
        area[int(rows.mean()) :] = True
    return area


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the largest piece of ``mask``."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return np.asarray(pieces == 1 + int(stats[1:, 4].argmax()), np.bool_) if count > 2 else mask


def _touching(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the pieces of ``mask`` that touch ``other``, with their soft edge."""
    count, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    touched = np.zeros(count, bool)
    touched[np.unique(pieces[grown(other, 2)])] = True
    touched[0] = False
    return grown(touched[pieces], 2)


def _coordinates(pixels: Floats, line: Floats) -> tuple[Floats, Floats]:
    """(N,) how far along a polyline (4, 2) each pixel lies, and how far aside of it; straight on before its start."""
    best = np.full(len(pixels), np.inf, np.float32)
    along, aside = np.zeros(len(pixels), np.float32), np.zeros(len(pixels), np.float32)
    before = 0.0
    for k in range(3):
        bone = line[k + 1] - line[k]
        length = max(float(np.hypot(*bone)), 1e-3)
        offset = pixels - line[k]
        on = offset @ bone / length
        side = (offset[:, 0] * bone[1] - offset[:, 1] * bone[0]) / length
        past = on - np.clip(on, -np.inf if k == 0 else 0.0, length)
        away = np.hypot(side, past)
        nearer = away < best
        best = np.where(nearer, away, best)
        along = np.where(nearer, before + on, along)
        aside = np.where(nearer, side, aside)
        before += length
    return along, aside
