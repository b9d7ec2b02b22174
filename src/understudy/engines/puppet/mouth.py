"""Mouth: what shows between parting lips, and the picture of both sides of the cut put together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.lips import INNER_LOWER, OUTER_LOWER, Lips
from understudy.engines.puppet.relief import Bytes, FaceFrame, Lattice, smooth
from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class Mouth:
    """What is drawn inside the cut: which pixels are lips, and the hollow between them.

    All in the face's box. ``above`` and ``below`` say how much of a source pixel belongs to either side of the cut.
    ``hollow`` and ``grin`` stand still with the skull (dark and teeth, or the reference's own inside; in a grin the
    teeth meet); ``tongue`` moves with the jaw.
    """

    above: Bytes  # (H, W)
    below: Bytes  # (H, W)
    hollow: Bytes  # (H, W, 3)
    grin: Bytes  # (H, W, 3)
    tongue: Bytes  # (H, W, 4), its opacity last
    between: Bytes  # (H, W) 255 between the corners of the mouth, 0 beyond
    cut: tuple[int, int]  # rows that the cut crosses
    middle: int  # column of the lips' middle
    reach: int  # columns to either side of it that the hollow may take
    gape: float  # pixels of gap at opening 1

    @classmethod
    def build(cls, lips: Lips, texture: Bytes, mesh: Floats, frame: FaceFrame, lattice: Lattice) -> Mouth:
        corner = np.array([lattice.x0, lattice.y0], np.float32)
        uv = frame.into(lattice.pixels() + corner)
        u, v = uv[..., 0], uv[..., 1]
        upper = np.interp(u, lips.u, lips.upper).astype(np.float32)
        lower = np.interp(u, lips.u, lips.lower).astype(np.float32)
        soft = max(1.0, 0.012 * lips.width)
        above = np.clip((upper - v) / soft + 0.5, 0.0, 1.0)
        below = np.clip((v - lower) / soft + 0.5, 0.0, 1.0)
        # The cut goes on beyond the corners, and with a tilted head it crosses more rows.
        line = (v > upper - 2.0) & (v < lower + 2.0) & (np.abs(u - lips.middle) < 0.85 * frame.span)
        rows = np.flatnonzero(line.any(axis=1))
        centre = frame.turn(lips.middle, float(lips.upper.mean())) + frame.origin
        hollow, grin, tongue = _inside(lips, texture, mesh, frame, corner, uv, upper, lower)
        return cls(
            above=_to_bytes(255 * above),
            below=_to_bytes(255 * below),
            hollow=_to_bytes(hollow),
            grin=_to_bytes(grin),
            tongue=_to_bytes(tongue),
            between=_to_bytes(255 * np.clip((1.04 - np.abs(lips.across(u))) / 0.06, 0.0, 1.0)),
            cut=(int(rows[0]), int(rows[-1]) + 1),
            middle=round(float(centre[0]) - lattice.x0),
            reach=math.ceil(0.75 * lips.width + 0.15 * frame.span),
            gape=lips.gape,
        )

    def draw(
        self,
        patch: Bytes,
        texture: Bytes,
        over: Floats,
        under: Floats,
        *,
        still: Floats,
        jaw: Floats,
        gape: float,
        grin: float,
    ) -> None:
        """Draw the mouth and all below it into ``patch``, which holds what ``over`` shows.

        ``over`` and ``under`` are the box's maps for both sides of the cut; ``still`` and ``jaw`` are the shifts
        ``(2,)`` of the hollow and of the tongue; ``gape`` the gap over its widest, ``grin`` 0..1 how much the teeth
        meet.
        """
        height, width = patch.shape[:2]
        slack = 0.25 * self.gape + 3.0
        first = int(np.clip(self.cut[0] + min(float(still[1]), 0.0) - slack, 0, height - 1))
        last = int(
            np.clip(self.cut[1] + max(float(still[1]), 0.0) + gape * self.gape + slack, first + 1, height)
        )
        rows = slice(first, last)
        patch[last:] = _sample(texture, under[last:])
        lower = _sample(texture, under[rows]).astype(np.float32)
        share_above = _sample(self.above, over[rows]).astype(np.float32) / 255
        share_below = _sample(self.below, under[rows]).astype(np.float32) / 255
        # At rest the two shares add up to 1. Where lips press together the lower one is in front.
        share_above = np.minimum(share_above, 1.0 - share_below)
        upper = patch[rows].astype(np.float32)
        left = round(float(np.clip(self.middle + still[0] - self.reach, 0, width - 2)))
        right = round(float(np.clip(self.middle + still[0] + self.reach, left + 1, width)))
        columns = slice(left, right)
        open_share = 1.0 - share_above[:, columns] - share_below[:, columns]
        window = np.ascontiguousarray(over[rows, columns])
        open_share *= _sample(self.between, window).astype(np.float32) / 255
        # Beyond the lips both sides agree: what neither claims is the upper one's.
        drawn = upper + (lower - upper) * share_below[..., None]
        inside = self._inside(rows, columns, still, jaw, gape, grin)
        drawn[:, columns, :3] += (inside - upper[:, columns, :3]) * open_share[..., None]
        drawn[:, columns, 3] += (255.0 - upper[:, columns, 3]) * open_share
        patch[rows] = _to_bytes(drawn)

    def _inside(
        self, rows: slice, columns: slice, still: Floats, jaw: Floats, gape: float, grin: float
    ) -> Floats:
        def window(picture: Bytes, by: Floats) -> Floats:
            matrix = np.array([[1, 0, columns.start - by[0]], [0, 1, rows.start - by[1]]], np.float32)
            size = (columns.stop - columns.start, rows.stop - rows.start)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            found = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            return np.asarray(found, np.float32)

        hollow, tongue = window(self.hollow, still), window(self.tongue, jaw)
        opacity = tongue[..., 3:] * (min(1.0, max(0.0, gape * 3.0)) / 255)
        hollow += (tongue[..., :3] - hollow) * opacity
        if grin > 0:
            hollow += (window(self.grin, still) - hollow) * grin
        return hollow


def _inside(
    lips: Lips,
    texture: Bytes,
    mesh: Floats,
    frame: FaceFrame,
    corner: Floats,
    uv: Floats,
    upper: Floats,
    lower: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Hollow and grin ``(H, W, 3)`` and tongue ``(H, W, 4)``, painted from the lips' and the skin's own colours."""
    u, v = uv[..., 0], uv[..., 1]
    t, width = lips.across(u), lips.width
    lip = _pixels_inside(texture, mesh[list(OUTER_LOWER + INNER_LOWER[::-1]), :2] - corner).mean(axis=0)
    cheek = _pixels_inside(texture, mesh[[117, 118, 101, 36, 205, 187], :2] - corner)
    skin = np.quantile(cheek, 0.7, axis=0)
    if lips.gap > 0:
        own_inside = (v > upper + 0.2 * (lower - upper)) & (v < lower) & (np.abs(t) < 0.9)
        if own_inside.sum() > 8:
            lip = 0.5 * lip + 0.5 * texture[..., :3][own_inside].astype(np.float32).mean(axis=0)
    grey = float(lip.mean())
    warm = lip - grey
    # Where the lips have no colour of their own, as in drawings, the inside is red in the measure of the skin's.
    tinted = min(1.0, float(np.ptp(skin)) / max(0.15 * float(skin.mean()), 1.0))
    pale = max(0.0, 1.0 - float(np.ptp(warm)) / max(0.45 * grey, 1.0))
    warm = warm + pale * tinted * 0.45 * grey * np.array([1.0, -0.5, -0.5], np.float32)
    dark = np.clip(0.17 * grey + 0.30 * warm, 0, 255)
    back = np.clip(0.30 * grey + 0.45 * warm, 0, 255)
    below = v - upper
    depth = smooth(below / (1.1 * max(lips.gape, 1.0))) * (1 - np.clip(t * t, 0, 1))
    hollow = dark + (back - dark) * depth[..., None]

    tooth = np.clip(1.02 * float(skin.mean()) + 0.25 * (skin - skin.mean()), 0, 238)
    sides = smooth((0.74 - np.abs(t)) / 0.25)
    shade = 0.50 + 0.45 * smooth(below / (0.10 * width)) - 0.30 * np.clip(t / 0.75, -1, 1) ** 2
    if width > 45:
        shade = shade - 0.07 * np.exp(-(((((u - lips.middle) / (0.125 * width)) % 1.0 - 0.5) / 0.10) ** 2))
    teeth = tooth * shade[..., None]
    crisp = max(0.02 * width, 0.8)
    arch = np.clip(1.0 - 0.55 * (t / 0.8) ** 2, 0.0, 1.0)
    edge = np.clip((0.12 * width * arch - below) / crisp + 0.5, 0.0, 1.0)
    grin = hollow + (teeth - hollow) * (0.9 * smooth((0.95 - np.abs(t)) / 0.25))[..., None]
    meeting = 0.20 * width * arch
    grin = grin * (1.0 - 0.35 * np.exp(-(((below - meeting) / crisp) ** 2)))[..., None]
    hollow = hollow + (teeth - hollow) * (0.9 * edge * sides)[..., None]

    if lips.gap > 0:
        own = texture[..., :3].astype(np.float32)
        soft = max(1.0, 0.02 * width)
        kept = np.clip((lower - v) / soft, 0.0, 1.0) * (np.abs(t) < 1.0)
        hollow = hollow + (own - hollow) * kept[..., None]
        # In a grin the reference's own teeth fill the gap: its inside is drawn longer, not the skull's lower.
        row, column = np.mgrid[: v.shape[0], : v.shape[1]].astype(np.float32)
        longer = -0.45 * np.maximum(below, 0.0)
        at = np.stack([column, row], axis=-1) + frame.turn(np.zeros_like(longer), longer)
        stretched = cv2.remap(own, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        kept = np.clip((lower - v - longer) / soft, 0.0, 1.0) * (np.abs(t) < 1.0)
        grin = hollow + (stretched - hollow) * kept[..., None]

    flesh = np.clip(0.62 * grey + 0.90 * warm, 0, 255)
    rise = (lower - v) / (0.22 * width)  # the tongue lies behind the lower lip and shows above it
    hill = np.clip(1.0 - (t / 0.72) ** 2, 0.0, 1.0) ** 0.5
    body = smooth((hill - rise) / 0.5 + 0.4)
    tint = flesh * (0.62 + 0.38 * smooth(rise + 0.1))[..., None]
    tongue = np.concatenate([tint, (204.0 * body)[..., None]], axis=-1)
    return hollow, grin, tongue


def _to_bytes(values: Floats) -> Bytes:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def _sample(picture: Bytes, where: Floats) -> Bytes:
    return np.asarray(
        cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _pixels_inside(texture: Bytes, outline: Floats) -> Floats:
    mask = np.zeros(texture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    found = texture[..., :3][mask > 0].astype(np.float32)
    return found if len(found) else np.full((1, 3), 128.0, np.float32)
