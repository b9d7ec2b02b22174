"""The performer's irises: where in each eye the dark disc lies, found in the picture itself.

The mesh of 468 points ends at the lids. What is looked for between them is a disc of known size that is darker than
what lies beside it (Daugman 1993 looks for the same edge along circles) and whose edge has gradients that point away
from its middle (Timm and Barth 2011). Both eyes look the same way, so both vote together before each is placed by
itself.
"""

from __future__ import annotations

from functools import cache
from math import atan2, cos, sin

import cv2
import numpy as np

from understudy.tracking.motion import EYES, Floats
from understudy.tracking.tracker import Frame

# Lids from corner to corner and back, the performer's left eye and right eye, in the published numbering of Face Mesh.
LIDS = np.array(
    (
        (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
        (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    )
)
CORNERS = LIDS[:, [0, 8]]  # outer and inner
SMALLEST_PX = 10.0  # width of an eye below which its iris is a speck
EYE = 20.0  # width of an eye in the cell that is searched, in its pixels
CELL = (32, 20)
RADIUS = 0.21  # of the eye's width: an iris measures 11.7 mm, an eye some 28 mm from corner to corner
TURNED = (0.55, 0.75)  # share of its full width that a turned eye shows: no word in the matter, a full one
NARROW = (0.08, 0.15)  # opening over width: lids that hide the iris, lids that show enough of it
SAME = 0.11  # of the eye's width: how far one eye may be from where both look
USUAL = 0.30  # of the eye's width: how far aside irises go; a prior, not a limit
CONTRAST = (0.08, 0.22)  # of 1: how much darker an iris is than what is beside it; none, and a sure one
SOLID = (0.45, 0.7)  # of 1: how dark the disc is as a whole; the line of closed lashes, and a sure iris
LIGHTS = (10.0, 35.0)  # of 255: range of lightness in an eye; nothing to see, enough
LEAST = 12  # pixels of the cell inside the lids

Halves = tuple[Floats, Floats]  # of a kernel


def find_irises(frame: Frame, face: Floats) -> Floats:
    """(2, 3) centre in pixels of the performer's left and right iris, and a score of 0 to 1.

    ``face`` is the mesh (468, 3). An eye that is too small, turned away or shut has NaN and 0.
    """
    found = lost_irises()
    if not np.isfinite(face).all():
        return found
    ends = face[CORNERS]
    width = float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1).mean())
    if width < SMALLEST_PX:
        return found
    eyes = _Eyes(frame, face, width)
    if eyes.weight.sum() <= 0:
        return found
    score, apart, solid = eyes.votes()
    votes = np.where(eyes.inside > 0, score, -9.0)
    both = votes @ (eyes.weight / eyes.weight.sum())
    common = np.unravel_index(int(np.argmax(both)), both.shape)
    away = _away(int(common[0]), int(common[1]))
    near = votes - away[..., None]
    for side in np.flatnonzero(eyes.weight > 0).tolist():
        row, column = (int(i) for i in np.unravel_index(int(np.argmax(near[..., side])), both.shape))
        place = np.array([column, row], np.float32) + _between(score[..., side] - away, row, column)
        sure = _share(float(apart[row, column, side]), CONTRAST) * _share(
            float(solid[row, column, side]), SOLID
        )
        found[side, :2] = eyes.to_picture(place, side)
        found[side, 2] = sure * eyes.weight[side]
    return found


def lost_irises() -> Floats:
    return np.array([[np.nan, np.nan, 0.0]] * EYES, np.float32)


class _Eyes:
    """Both eyes, upright and of a fixed size, side by side as two channels."""

    def __init__(self, frame: Frame, face: Floats, width: float) -> None:
        ends = face[CORNERS][..., :2]
        self._middle = ends.mean(axis=1)
        aside, down = (float(v) for v in self._middle[0] - self._middle[1])
        angle, scale = atan2(down, aside), width / EYE
        c, s = cos(angle) * scale, sin(angle) * scale
        self._turn = np.array([[c, -s], [s, c]], np.float32)
        self._half = np.array([CELL[0] - 1, CELL[1] - 1], np.float32) / 2
        # (2, 16, 2) the lids in the cells' pixels; the inverse of a turn is its transpose.
        lids = (face[LIDS][..., :2] - self._middle[:, None]) @ self._turn / scale**2 + self._half
        opening = (lids[:, 11:14, 1] - lids[:, 3:6, 1]).mean(axis=1) / EYE
        shown = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1) / width
        self.weight = np.array(
            [_share(float(o), NARROW) * _share(float(w), TURNED) for o, w in zip(opening, shown, strict=True)]
        )
        self._light = np.zeros((CELL[1], CELL[0], 2), np.float32)
        self.inside = np.zeros((CELL[1], CELL[0], 2), np.float32)
        self._range = np.ones(2, np.float32)
        self._high = np.zeros(2, np.float32)
        for side in np.flatnonzero(self.weight > 0).tolist():
            self._cut(frame, lids[side], side)

    def _cut(self, frame: Frame, lids: Floats, side: int) -> None:
        offset = self._middle[side] - self._turn @ self._half
        cut = cv2.warpAffine(
            frame,
            np.column_stack([self._turn, offset]),
            CELL,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        inside = np.zeros((CELL[1], CELL[0]), np.uint8)
        cv2.fillPoly(inside, [np.rint(lids * 16).astype(np.int32)], 1, shift=4)
        # Red shows skin and the white of the eye light, and an iris of any colour dark.
        light = cut @ np.array([0.7, 0.3, 0.0], np.float32)
        values = np.sort(light[inside > 0])
        if len(values) < LEAST:
            self.weight[side] = 0.0
            return
        low, high = values[int(0.05 * len(values))], values[int(0.9 * len(values))]
        self.weight[side] *= _share(float(high - low), LIGHTS)
        self._light[..., side], self.inside[..., side] = light, inside
        self._range[side], self._high[side] = max(float(high - low), 8.0), high

    def votes(self) -> tuple[Floats, Floats, Floats]:
        """(rows, columns, 2) how like an iris's middle each place is; how much darker than beside; how dark."""
        disc, lower, beside, out_x, out_y = _kernels()
        # Highlights are small and light: an opening takes them away.
        light = cv2.morphologyEx(self._light, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        dark = np.clip((self._high - light) / self._range, 0.0, 1.0).astype(np.float32)
        both = np.concatenate([self.inside, dark * self.inside], axis=2)
        in_disc, at_side = _sum(both, disc), _sum(both, beside)
        area, around = in_disc[..., :2], at_side[..., :2]
        core = in_disc[..., 2:] / np.maximum(area, 1.0)
        apart = core - at_side[..., 2:] / np.maximum(around, 1.0)
        apart *= np.minimum(around / 6.0, 1.0)
        slope_x = cv2.Sobel(light, cv2.CV_32F, 1, 0, scale=1 / 8) / self._range
        slope_y = cv2.Sobel(light, cv2.CV_32F, 0, 1, scale=1 / 8) / self._range
        slope_x *= cv2.dilate(self.inside, np.ones((3, 3), np.uint8))
        slope_y *= self.inside
        edge = _sum_of_halves(slope_x, out_x) + 0.5 * _sum_of_halves(slope_y, out_y)
        whole = np.maximum(area.max(axis=(0, 1)), 1.0)
        score = (apart + 0.5 * core + 0.8 * edge) * (0.3 + 0.7 * area / whole) - _far()
        return score, apart, _sum(dark, lower)

    def to_picture(self, place: Floats, side: int) -> Floats:
        return np.asarray(self._turn @ (place - self._half) + self._middle[side], np.float32)


def _share(value: float, limits: tuple[float, float]) -> float:
    return min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)


def _sum(values: Floats, kernel: Floats, anchor: tuple[int, int] = (-1, -1)) -> Floats:
    border = cv2.BORDER_CONSTANT
    return np.asarray(cv2.filter2D(values, cv2.CV_32F, kernel, anchor=anchor, borderType=border), np.float32)


def _sum_of_halves(values: Floats, halves: Halves) -> Floats:
    upper, lower = halves
    reach = len(upper) - 1
    return _sum(values, upper, (reach, reach)) + _sum(values, lower, (reach, 0))


def _between(values: Floats, row: int, column: int) -> Floats:
    """Where between the pixels a maximum lies, x and y: a parabola each way through it and its neighbours."""
    off = np.zeros(2, np.float32)
    for axis, (down, aside) in enumerate(((0, 1), (1, 0))):
        before, after = (row - down, column - aside), (row + down, column + aside)
        if min(before) < 0 or after[0] >= values.shape[0] or after[1] >= values.shape[1]:
            continue
        a, b, c = (float(values[at]) for at in (before, (row, column), after))
        if a - 2 * b + c < -1e-6:
            off[axis] = min(max((a - c) / (2 * (a - 2 * b + c)), -0.5), 0.5)
    return off


@cache
def _kernels() -> tuple[Floats, Floats, Floats, Halves, Halves]:
    """The disc; its lower part, of sum 1; what lies beside it; the way outwards across its edge, x and y."""
    radius = RADIUS * EYE
    half = int(np.ceil(1.9 * radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    far = np.hypot(x, y)
    disc = np.clip(0.9 * radius - far + 0.5, 0.0, 1.0)
    lower = disc * (y > -0.3 * radius)
    beside = np.clip(far - 1.1 * radius + 0.5, 0.0, 1.0) * np.clip(1.9 * radius - far + 0.5, 0.0, 1.0)
    edge = np.exp(-(((far - radius) / (0.18 * radius)) ** 2))
    edge /= edge.sum() * np.maximum(far, 1e-3)
    # No larger than they must be, and large ones in halves: from 130 values on OpenCV goes by way of a Fourier
    # transform, which takes five times as long.
    core, level, small = (
        slice(half - round(part * radius), half + round(part * radius) + 1) for part in (1.0, 0.8, 1.4)
    )
    cut = (disc[core, core], (lower / lower.sum())[core, core], (beside * (np.abs(y) < 0.8 * radius))[level])
    first, second, third = (np.ascontiguousarray(k, np.float32) for k in cut)
    return first, second, third, _halves((edge * x)[small, small]), _halves((edge * y)[small, small])


def _halves(kernel: Floats) -> Halves:
    """Upper and lower half; both have the middle row, in the lower one it is 0."""
    middle = len(kernel) // 2
    upper, lower = (np.array(k, np.float32) for k in (kernel[: middle + 1], kernel[middle:]))
    lower[0] = 0
    return upper, lower


@cache
def _far() -> Floats:
    """(rows, columns, 1) what a place loses for lying far from the eye's middle."""
    x = (np.arange(CELL[0]) - (CELL[0] - 1) / 2) / (USUAL * EYE)
    y = (np.arange(CELL[1]) - (CELL[1] - 1) / 2) / (USUAL * EYE)
    return np.asarray(0.12 * (x[None] ** 2 + y[:, None] ** 2), np.float32)[..., None]


@cache
def _away(row: int, column: int) -> Floats:
    """(rows, columns) what a place loses for lying away from where both eyes look."""
    y, x = np.ogrid[: CELL[1], : CELL[0]]
    return np.asarray(0.3 * ((x - column) ** 2 + (y - row) ** 2) / (SAME * EYE) ** 2, np.float32)
