"""Mouth: what shows between parting lips, and the picture of both sides of the cut put together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.mouth_paint import NARROW, MouthPaint
from understudy.engines.puppet.relief import Bytes, FaceFrame, Lattice, smooth
from understudy.tracking.motion import Floats

UPPER_TEETH = 0.04  # of the mouth's width: how far the upper teeth reach below the upper lip at rest
LOWER_TEETH = 0.015  # of it: how far below the seam the lower teeth begin
# Gap over the mouth's width: a narrower one is a dark line, a wider one is lit.
DIM_GAPE, LIT_GAPE = 0.015, 0.07
TELLING = 0.02  # of the mouth's width, from NARROW on: how soon the inside of the reference's tells all
ENDS = 1.12  # of half the mouth: so far from its middle the lips may part, a little beyond where they are found to
WIDENS = 0.08  # of the mouth's width
# How much wider the row of teeth shows for a mouth that is wider by 1, within limits; teeth reach further down in a
# grin, whose lip rises from them, and less far in a mouth drawn narrow.
SPREAD, SPREADS = 0.8, (0.9, 1.5)
GRIN, BARED, HIDDEN = (0.05, 0.45), 0.11, 0.10
TOOTH_EDGES, GROOVE = (0.0, 0.15, 0.27, 0.37, 0.46), 0.11  # from the middle, over the mouth's width; how dark
SHADE = 0.42  # of the light: what the lips keep from what lies behind them
SHADE_REACH = 0.22  # of the mouth's width


@dataclass(frozen=True)
class Mouth:
    """What is drawn inside the cut: which pixels are lips, and what shows between them.

    All in the face's box. ``above`` and ``below`` say how much of a source pixel belongs to either side of the cut.
    ``hollow`` and ``upper`` stand still with the skull, dark and the upper teeth; ``jaw`` goes with the jaw, tongue
    and lower teeth. ``own`` is what the reference itself shows between its lips, and stands still, too.
    """

    above: Bytes  # (H, W)
    below: Bytes  # (H, W)
    hollow: Bytes  # (H, W, 3)
    upper: Bytes  # (H, W, 4), its opacity last
    jaw: Bytes  # (H, W, 4)
    between: Bytes  # (H, W) 255 between the corners of the mouth, 0 beyond
    cut: tuple[int, int]  # rows that the cut crosses
    middle: int  # column of the lips' middle
    reach: int  # columns to either side of it that the hollow may take
    width: float  # of the mouth, in pixels
    centre: Floats  # (2,) of the mouth
    along: Floats  # (2,) unit vector from corner to corner
    own: Bytes | None  # (H, W, 4)
    own_gap: float  # pixels of gap in the reference

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
        paint = MouthPaint.mixed(lips, texture, mesh, corner, uv, upper, lower)
        return cls(
            above=_to_bytes(255 * above),
            below=_to_bytes(255 * below),
            hollow=_to_bytes(_hollow(paint, lips, uv, upper)),
            upper=_to_bytes(_upper(paint, lips, uv, upper)),
            jaw=_to_bytes(_jaw(paint, lips, uv, lower)),
            between=_to_bytes(255 * np.clip((ENDS - np.abs(lips.across(u))) / 0.08, 0.0, 1.0)),
            cut=(int(rows[0]), int(rows[-1]) + 1),
            middle=round(float(centre[0]) - lattice.x0),
            reach=math.ceil(0.75 * lips.width + 0.15 * frame.span),
            width=lips.width,
            centre=np.asarray(centre - corner, np.float32),
            along=np.asarray(frame.turn(1.0, 0.0), np.float32),
            own=_to_bytes(_own(lips, texture, frame, uv, upper, lower)) if lips.gap > 0 else None,
            own_gap=lips.gap,
        )

    def draw(
        self,
        patch: Bytes,
        texture: Bytes,
        over: Floats,
        under: Floats,
        *,
        jaw: Floats,
        gape: float,
        drop: float,
        wider: float,
    ) -> None:
        """Draw the mouth and the rows below it into ``patch``, which holds what ``over`` shows; eyes come later.

        ``over`` and ``under`` are the box's maps for both sides of the cut; ``jaw`` is the jaw's shift
        ``(2,)``, ``gape`` the widest gap, ``drop`` how far the lower lip goes down at most and ``wider`` by how much
        the mouth is wider than in the reference, all in pixels.
        """
        height, width = patch.shape[:2]
        slack = 0.15 * self.width + 3.0
        first = int(np.clip(self.cut[0] - slack, 0, height - 1))
        last = int(np.clip(self.cut[1] + drop + slack, first + 1, height))
        rows = slice(first, last)
        if last < height:
            patch[last:] = _sample(texture, under[last:])
        lower = _sample(texture, under[rows]).astype(np.float32)
        share_above = _sample(self.above, over[rows]).astype(np.float32) / 255
        share_below = _sample(self.below, under[rows]).astype(np.float32) / 255
        # At rest the two shares add up to 1. Where lips press together the lower one is in front.
        share_above = np.minimum(share_above, 1.0 - share_below)
        upper = patch[rows].astype(np.float32)
        left = round(float(np.clip(self.middle - self.reach, 0, width - 2)))
        right = round(float(np.clip(self.middle + self.reach, left + 1, width)))
        columns = slice(left, right)
        open_share = 1.0 - share_above[:, columns] - share_below[:, columns]
        # The lips of either side may end further out than those of the other.
        ends = [_sample(self.between, np.ascontiguousarray(side[rows, columns])) for side in (over, under)]
        open_share *= np.maximum(*ends).astype(np.float32) / 255
        # Beyond the lips both sides agree: what neither claims is the upper one's.
        lower -= upper
        lower *= cv2.merge([share_below] * 4)
        lower += upper
        inside = self._inside(rows, columns, open_share, jaw, gape, wider / self.width)
        filled = cv2.merge([inside, np.full(open_share.shape, 255, np.float32)])
        filled -= upper[:, columns]
        filled *= cv2.merge([open_share] * 4)
        lower[:, columns] += filled
        patch[rows] = _to_bytes(lower)

    def _inside(
        self, rows: slice, columns: slice, open_share: Floats, jaw: Floats, gape: float, grin: float
    ) -> Floats:
        """(h, w, 3) what is seen between the lips; ``grin`` is how much wider the mouth is, over its width."""
        corner = np.array([columns.start, rows.start], np.float32)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        squeeze = 1.0 / float(np.clip(1.0 + SPREAD * grin, *SPREADS)) - 1.0
        spread = np.eye(2, dtype=np.float32) + squeeze * np.outer(self.along, self.along)

        def moved(layer: Bytes, by: Floats) -> Bytes:
            matrix = np.column_stack([spread, spread @ (corner - self.centre - by) + self.centre])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return np.asarray(
                cv2.warpAffine(layer, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            )

        grins = float(smooth((grin - GRIN[0]) / (GRIN[1] - GRIN[0])))
        bared = BARED * grins + HIDDEN * float(np.clip(grin, -0.2, 0.0))
        still = np.zeros(2, np.float32)
        down = bared * self.width * np.array([-self.along[1], self.along[0]], np.float32)
        light = float(smooth((gape / self.width - DIM_GAPE) / (LIT_GAPE - DIM_GAPE)))
        # A narrow gap shows too little to go on with: as it widens, what was painted takes over.
        wide = float(smooth((self.own_gap / self.width - NARROW) / TELLING))
        wider = float(smooth((gape - self.own_gap) / (WIDENS * self.width)))
        layers = [(moved(self.jaw, jaw), light), (moved(self.upper, down), light)]
        if self.own is not None:
            # What was between lips that hardly part does not show a grin's teeth.
            layers.append((moved(self.own, still), (1.0 - (1.0 - wide) * wider) * (1.0 - grins)))
        seen = self.hollow[rows, columns].astype(np.float32)
        for layer, share in layers:
            opacity = cv2.extractChannel(layer, 3).astype(np.float32) * np.float32(share / 255)
            seen += (cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB) - seen) * cv2.merge([opacity] * 3)
        # What lies close behind a lip lies in its shade.
        near = max(3, round(SHADE_REACH * self.width) | 1)
        shade = SHADE * light * wider
        seen *= cv2.merge([1.0 - shade + shade * cv2.blur(open_share, (near, near))] * 3)
        return seen


def _hollow(paint: MouthPaint, lips: Lips, uv: Floats, upper: Floats) -> Floats:
    """(H, W, 3) dark under the upper lip, a little lighter in the depth."""
    t = lips.across(uv[..., 0])
    depth = smooth((uv[..., 1] - upper) / (1.1 * max(lips.gape, 1.0))) * (1 - np.clip(t * t, 0, 1))
    return np.asarray(paint.dark + (paint.back - paint.dark) * depth[..., None], np.float32)


def _teeth(paint: MouthPaint, lips: Lips, uv: Floats, shade: Floats) -> Floats:
    """(H, W, 3) a row of teeth: darker to the sides, with faint gaps where there is room for them."""
    t = lips.across(uv[..., 0])
    shade = shade - 0.65 * np.clip(t, -1, 1) ** 2
    if lips.width > 25:
        edges = np.array(TOOTH_EDGES, np.float32)
        between = np.abs(np.abs(uv[..., 0] - lips.middle)[..., None] / lips.width - edges).min(axis=-1)
        shade = shade - GROOVE * np.exp(-((between / max(0.012, 0.6 / lips.width)) ** 2))
    return np.asarray(paint.tooth * np.maximum(shade, 0.1)[..., None], np.float32)


def _own(lips: Lips, texture: Bytes, frame: FaceFrame, uv: Floats, upper: Floats, lower: Floats) -> Floats:
    """(H, W, 4) what the reference shows between its lips; above, where a lip may rise, its uppermost line goes on."""
    v = uv[..., 1]
    row, column = np.mgrid[: v.shape[0], : v.shape[1]].astype(np.float32)
    deeper = np.maximum(upper + 0.25 * (lower - upper) - v, 0.0)
    at = np.stack([column, row], axis=-1) + frame.turn(
        np.zeros_like(deeper), np.where(v < upper, deeper, 0.0)
    )
    seen = cv2.remap(texture[..., :3], at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    kept = np.clip((lower - v) / max(1.0, 0.02 * lips.width), 0.0, 1.0) * (
        np.abs(lips.across(uv[..., 0])) < 1.0
    )
    # Towards the corners the gap is so narrow that it shows the lips themselves.
    kept *= smooth((lower - upper) / (0.4 * lips.gap))
    return np.concatenate([seen.astype(np.float32), 255.0 * kept[..., None]], axis=-1)


def _upper(paint: MouthPaint, lips: Lips, uv: Floats, upper: Floats) -> Floats:
    """(H, W, 4) the upper teeth."""
    u, v = uv[..., 0], uv[..., 1]
    t, width = lips.across(u), lips.width
    crisp = max(0.02 * width, 0.8)
    # The lips' line is bent more than the row of teeth.
    straight = v - (0.5 * upper + 0.5 * float(np.interp(lips.middle, lips.u, lips.upper)))
    arch = 1.0 - 0.6 * np.clip(t, -1, 1) ** 2
    edge = np.clip((UPPER_TEETH * width * arch - straight) / crisp + 0.5, 0.0, 1.0)
    sides = smooth((1.25 - np.abs(t)) / 0.55)
    shade = np.full_like(v, 0.95)
    return np.concatenate([_teeth(paint, lips, uv, shade), (242.0 * edge * sides)[..., None]], axis=-1)


def _jaw(paint: MouthPaint, lips: Lips, uv: Floats, lower: Floats) -> Floats:
    """(H, W, 4) tongue and, before it, the lower teeth."""
    u, v = uv[..., 0], uv[..., 1]
    t, width = lips.across(u), lips.width
    rise = (lower - v) / (0.22 * width)  # the tongue lies behind the lower lip and shows above it
    hill = np.clip(1.0 - (t / 0.72) ** 2, 0.0, 1.0) ** 0.5
    tongue = smooth((hill - rise) / 0.5 + 0.4)
    tint = paint.flesh * (0.62 + 0.38 * smooth(rise + 0.1))[..., None]
    crisp = max(0.02 * width, 0.8)
    middle = float(np.interp(lips.middle, lips.u, lips.lower))
    # The lips' line is bent more than the row of teeth.
    edge = 0.35 * lower + 0.65 * middle + LOWER_TEETH * width + 0.03 * width * (t / 0.6) ** 2
    row = np.clip((v - edge) / crisp + 0.5, 0.0, 1.0) * smooth((0.72 - np.abs(t)) / 0.30)
    shade = 0.78 - 0.25 * smooth((v - edge) / (0.15 * width))
    colours = tint + (_teeth(paint, lips, uv, shade) - tint) * row[..., None]
    opacity = np.maximum(204.0 * tongue, 235.0 * row)
    return np.concatenate([colours, opacity[..., None]], axis=-1)


def _to_bytes(values: Floats) -> Bytes:
    return np.asarray(np.minimum(np.maximum(values + 0.5, 0), 255), np.uint8)


def _sample(picture: Bytes, where: Floats) -> Bytes:
    return np.asarray(
        cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
