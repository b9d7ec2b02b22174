"""Mouth: two lips that part, the jaw that drops with the lower one, and what shows between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.engines.puppet.relief import Bytes, FaceFrame, Floats, Lattice, smooth

# Inner and outer lip lines from the own right corner to the left, in the published numbering of Face Mesh.
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)

CORNER_SHARE = 0.30  # of the gap: how far the corners go down with the jaw
UPPER_SHARE = 0.10  # of the gap that the upper lip makes by rising
PARTED = 0.045  # gap over the mouth's width above which the reference's mouth is open


@dataclass(frozen=True)
class Lips:
    """Where the lips part in the reference, along the mouth, in the face's frame and in pixels."""

    u: Floats  # (N,) from the own right corner to the left
    upper: Floats  # (N,) v of the upper lip's inner edge
    lower: Floats  # (N,) v of the lower lip's; the same where the mouth is closed
    middle: float  # u of the lips' middle
    gape: float  # pixels of gap that the mouth has at opening 1
    nose: float  # v of the nose's foot
    chin: float  # v of the chin

    @property
    def width(self) -> float:
        return float(self.u[-1] - self.u[0])

    @property
    def gap(self) -> float:
        """Largest gap that the reference shows, in pixels."""
        return float((self.lower - self.upper).max())

    @classmethod
    def find(cls, light: Floats, mesh: Floats, frame: FaceFrame) -> Lips:
        """The lips' lines from the mesh; a closed mouth's line is the darkest path near it in ``light`` (H, W)."""
        upper, lower = frame.into(mesh[list(INNER_UPPER)]), frame.into(mesh[list(INNER_LOWER)])
        u = np.linspace(upper[0, 0], upper[-1, 0], 65).astype(np.float32)
        top, bottom = _along(upper, u), _along(lower, u)
        bottom = np.maximum(bottom, top)
        width = max(float(u[-1] - u[0]), 1.0)
        if float((bottom - top).max()) < PARTED * width:
            top = _darkest_path(light, u, (top + bottom) / 2, width, frame)
            bottom = top
        chin = float(frame.into(mesh[152])[1])
        nose = float(frame.into(mesh[2])[1])
        middle = float(frame.into(mesh[[13, 14]])[:, 0].mean())
        seam = float(np.interp(middle, u, bottom))
        gape = float(min(0.40 * frame.span, 0.8 * max(chin - seam, 1.0)))
        return cls(u, top, bottom, middle, gape, nose, chin)

    def across(self, u: Floats) -> Floats:
        """-1 at the own right corner, 0 in the middle, 1 at the left corner; further out it goes on growing."""
        left = max(float(self.u[-1] - self.middle), 1.0)
        right = max(float(self.middle - self.u[0]), 1.0)
        return np.where(u > self.middle, (u - self.middle) / left, (u - self.middle) / right).astype(
            np.float32
        )


@dataclass(frozen=True)
class Sheets:
    """The face cut along the lips: displacements of what lies above the cut and of what lies below it.

    Each is ``(rows, columns, 2)`` in picture pixels, for opening 1, closing 1 (what the reference's gap allows) and
    widening 1. Both agree along the cut's continuation beyond the corners, so that the cheeks stay whole.
    """

    open_above: Floats
    open_below: Floats
    close_above: Floats
    close_below: Floats
    wide: Floats

    @classmethod
    def build(cls, lips: Lips, frame: FaceFrame, nodes: Floats) -> Sheets:
        uv = frame.into(nodes)
        u, v = uv[..., 0], uv[..., 1]
        span, width = frame.span, lips.width
        t = lips.across(u)
        upper, lower = np.interp(u, lips.u, lips.upper), np.interp(u, lips.u, lips.lower)
        parted = np.clip(1.0 - t * t, 0.0, 1.0) ** 0.55
        beyond = np.maximum(np.abs(t) - 1.0, 0.0) * width / 2
        corner = CORNER_SHARE * np.exp(-((beyond / (0.28 * span)) ** 2))
        edge_above = corner * (1.0 - parted) - UPPER_SHARE * parted
        edge_below = corner * (1.0 - parted) + (1.0 - UPPER_SHARE) * parted

        up = np.maximum(upper - v, 0.0)
        reach_up = 0.9 * (np.interp(lips.middle, lips.u, lips.upper) - lips.nose)
        reach_up = reach_up + (0.55 * span - reach_up) * smooth(np.abs(t))
        fall_up = smooth(1.0 - up / np.maximum(reach_up, 1.0))
        down = np.maximum(v - lower, 0.0)
        seam = float(np.interp(lips.middle, lips.u, lips.lower))
        jaw = 0.88 * smooth(1.0 - (np.abs(u - lips.middle) - 0.26 * span) / (0.56 * span))
        mix = smooth(down / (0.55 * max(lips.chin - seam, 1.0)))
        neck = 1.0 - _ramp((v - lips.chin - 0.04 * span) / (0.62 * span))
        below = (edge_below * (1.0 - mix) + jaw * mix) * neck
        none = np.zeros_like(u)

        gap = np.interp(u, lips.u, lips.lower - lips.upper)
        lip_up = smooth(1.0 - up / np.maximum(0.8 * reach_up, 1.0))
        lift = gap * (1.0 - mix) + 0.5 * lips.gap * jaw * mix

        side = np.clip(t, -1.0, 1.0) * np.exp(-((beyond / (0.30 * span)) ** 2))
        band = np.exp(-(((v - seam) / (0.30 * span)) ** 2))
        curl = -0.40 * np.abs(side) ** 2 * band
        narrow = -0.11 * lips.gape * side * band  # lips round as the jaw drops
        return cls(
            open_above=frame.turn(narrow, lips.gape * edge_above * fall_up),
            open_below=frame.turn(narrow, lips.gape * below),
            close_above=frame.turn(none, 0.40 * gap * lip_up),
            close_below=frame.turn(none, -0.58 * lift * neck),
            wide=frame.turn(0.13 * width * side * band, 0.13 * width * curl),
        )


@dataclass(frozen=True)
class Mouth:
    """What is drawn inside the cut: which pixels are lips, and the hollow between them.

    All in the face's box. ``above`` and ``below`` say how much of a source pixel belongs to either side of the cut.
    ``hollow`` stands still with the skull (teeth, dark, or the reference's own inside); ``tongue`` moves with the jaw.
    """

    rows: slice  # where the cut and all that it uncovers lie
    columns: slice
    above: Bytes  # (H, W)
    below: Bytes  # (H, W)
    hollow: Floats  # (h, w, 3) in rows and columns
    tongue: Floats  # (h, w, 4) with its opacity last, 0..1
    lips: Lips

    @classmethod
    def build(cls, lips: Lips, texture: Bytes, mesh: Floats, frame: FaceFrame, lattice: Lattice) -> Mouth:
        corner = np.array([lattice.x0, lattice.y0], np.float32)
        pixels = lattice.pixels()
        uv = frame.into(pixels + corner)
        u, v = uv[..., 0], uv[..., 1]
        upper = np.interp(u, lips.u, lips.upper).astype(np.float32)
        lower = np.interp(u, lips.u, lips.lower).astype(np.float32)
        soft = max(1.0, 0.012 * lips.width)
        above = np.clip((upper - v) / soft + 0.5, 0.0, 1.0)
        below = np.clip((v - lower) / soft + 0.5, 0.0, 1.0)

        t = lips.across(u)
        drop = 1.25 * lips.gape
        zone = (np.abs(t) < 1.15) & (v > upper - 0.3 * lips.gape - 3) & (v < lower + drop + 3)
        ys, xs = np.flatnonzero(zone.any(axis=1)), np.flatnonzero(zone.any(axis=0))
        rows = slice(int(ys[0]), int(ys[-1]) + 1)
        columns = slice(int(xs[0]), int(xs[-1]) + 1)
        cut = (rows, columns)
        hollow, tongue = _inside(lips, texture, mesh, frame, lattice, cut, uv[cut], upper[cut], lower[cut])
        # Rows: the cut goes on beyond the corners, and with a tilted head it crosses more of them.
        line = (np.abs(v - upper) < 2.0) | zone
        line &= np.abs(u - lips.middle) < 0.85 * frame.span
        ys = np.flatnonzero(line.any(axis=1))
        rows = slice(int(ys[0]), int(ys[-1]) + 1)
        full = np.zeros((rows.stop - rows.start, hollow.shape[1], 3), np.float32)
        full_tongue = np.zeros((rows.stop - rows.start, hollow.shape[1], 4), np.float32)
        offset = cut[0].start - rows.start
        full[:] = hollow.reshape(-1, 3).min(axis=0)
        full[offset : offset + len(hollow)] = hollow
        full_tongue[offset : offset + len(hollow)] = tongue
        as_bytes = [np.asarray(np.rint(m * 255), np.uint8) for m in (above, below)]
        return cls(rows, columns, as_bytes[0], as_bytes[1], full, full_tongue, lips)

    def draw(
        self,
        patch: Bytes,
        texture: Bytes,
        over: Floats,
        under: Floats,
        still: Floats,
        jaw: Floats,
        gape: float,
    ) -> None:
        """Draw the mouth and all below it into ``patch``, which holds what ``over`` shows.

        ``over`` and ``under`` are the box's maps for both sides of the cut; ``still`` and ``jaw`` are the shifts
        ``(2,)`` of the hollow and of the tongue; ``gape`` the gap over its widest.
        """
        rows = self.rows
        patch[rows.stop :] = _sample(texture, under[rows.stop :])
        lower = _sample(texture, under[rows])
        above, below = _sample(self.above, over[rows]), _sample(self.below, under[rows])
        share_above, share_below = above.astype(np.float32) / 255, below.astype(np.float32) / 255
        # At rest the two shares add up to 1. Where lips press together the lower one is in front.
        share_above = np.minimum(share_above, 1.0 - share_below)
        part = patch[rows].astype(np.float32)
        drawn = part * share_above[..., None] + lower.astype(np.float32) * share_below[..., None]
        left = 1.0 - share_above - share_below
        inside = self._hollow(still, jaw, gape)
        columns = self.columns
        share = left[:, columns]
        drawn[:, columns, :3] += inside * share[..., None]
        drawn[:, columns, 3] += 255.0 * share
        rest = left.copy()
        rest[:, columns] = 0.0
        drawn += part * rest[..., None]
        patch[rows] = np.clip(drawn + 0.5, 0, 255).astype(np.uint8)

    def _hollow(self, still: Floats, jaw: Floats, gape: float) -> Floats:
        size = (self.hollow.shape[1], self.hollow.shape[0])

        def moved(picture: Floats, by: Floats) -> Floats:
            matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
            return np.asarray(
                cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            )

        hollow, tongue = moved(self.hollow, still), moved(self.tongue, jaw)
        opacity = tongue[..., 3:] * min(1.0, max(0.0, gape * 3.0))
        return hollow + (tongue[..., :3] - hollow) * opacity


def _inside(
    lips: Lips,
    texture: Bytes,
    mesh: Floats,
    frame: FaceFrame,
    lattice: Lattice,
    cut: tuple[slice, slice],
    uv: Floats,
    upper: Floats,
    lower: Floats,
) -> tuple[Floats, Floats]:
    """The hollow ``(h, w, 3)`` and the tongue ``(h, w, 4)``, painted from the lips' and the skin's own colours."""
    corner = np.array([lattice.x0, lattice.y0], np.float32)
    u, v = uv[..., 0], uv[..., 1]
    t, width = lips.across(u), lips.width
    lip = _mean_inside(texture, mesh[list(OUTER_LOWER + INNER_LOWER[::-1]), :2] - corner)
    skin = np.quantile(_pixels_inside(texture, mesh[[117, 118, 101, 36, 205, 187], :2] - corner), 0.7, axis=0)
    grey = float(lip.mean())
    warm = lip - grey
    dark = np.clip(0.17 * grey + 0.30 * warm, 0, 255)
    back = np.clip(0.30 * grey + 0.45 * warm, 0, 255)
    depth = np.clip((v - upper) / max(lips.gape, 1.0), 0.0, 1.2)
    hollow = dark + (back - dark) * (smooth(depth / 1.1) * (1 - np.clip(t * t, 0, 1)))[..., None]

    tooth = np.clip(0.80 * float(skin.mean()) + 0.30 * (skin - skin.mean()), 0, 235)
    reach = width * 0.12 * np.clip(1.0 - 0.55 * (t / 0.8) ** 2, 0.0, 1.0)
    below = v - upper
    edge = np.clip((reach - below) / max(0.02 * width, 0.8) + 0.5, 0.0, 1.0)
    sides = smooth((0.74 - np.abs(t)) / 0.25)
    shade = 0.50 + 0.45 * smooth(below / (0.10 * width)) - 0.30 * np.clip(t / 0.75, -1, 1) ** 2
    if width > 45:
        shade = shade - 0.07 * np.exp(-((((((u - lips.middle) / (0.125 * width)) % 1.0) - 0.5) / 0.10) ** 2))
    teeth = tooth * shade[..., None]
    hollow = hollow + (teeth - hollow) * (0.9 * edge * sides)[..., None]

    if lips.gap > 0:
        own = texture[cut][..., :3].astype(np.float32)
        soft = max(1.0, 0.02 * width)
        kept = np.clip((lower - v) / soft, 0.0, 1.0) * (np.abs(t) < 1.0)
        hollow = hollow + (own - hollow) * kept[..., None]

    flesh = np.clip(0.62 * grey + 0.90 * warm, 0, 255)
    rise = (lower - v) / (0.22 * width)  # the tongue lies behind the lower lip and shows above it
    hill = np.clip(1.0 - (t / 0.72) ** 2, 0.0, 1.0) ** 0.5
    body = smooth((hill - rise) / 0.5 + 0.4)
    tint = flesh * (0.62 + 0.38 * smooth(rise + 0.1))[..., None]
    tongue = np.concatenate([tint, (0.8 * body)[..., None]], axis=-1)
    return hollow.astype(np.float32), tongue.astype(np.float32)


def _darkest_path(light: Floats, u: Floats, guess: Floats, width: float, frame: FaceFrame) -> Floats:
    """v of the seam between closed lips: the darkest smooth path near ``guess`` (dynamic programming)."""
    reach = 0.09 * width
    offsets = np.linspace(-reach, reach, 37).astype(np.float32)
    across = frame.turn(*np.broadcast_arrays(u[None], guess[None] + offsets[:, None])) + frame.origin
    shades = cv2.remap(light, across, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shades = cv2.GaussianBlur(shades, (5, 3), 0)
    spread = max(float(shades.std()), 1.0)
    # Near the corners the seam fades into the skin: there the mesh has the say.
    ends = np.clip((np.abs(np.linspace(-1, 1, len(u))) - 0.6) / 0.4, 0.0, 1.0)
    cost = shades / spread + (0.6 + 5.0 * ends) * (offsets[:, None] / reach) ** 2
    total, came = cost.copy(), np.zeros(cost.shape, np.int64)
    moves = (-2, -1, 0, 1, 2)
    for i in range(1, len(u)):
        steps = np.stack([np.roll(total[:, i - 1], m) + 0.15 * abs(m) for m in moves])
        for k, m in enumerate(moves):
            if m > 0:
                steps[k, :m] = np.inf
            elif m < 0:
                steps[k, m:] = np.inf
        best = steps.argmin(axis=0)
        came[:, i] = np.arange(len(offsets)) - np.array(moves)[best]
        total[:, i] += steps.min(axis=0)
    path = np.empty(len(u), np.int64)
    path[-1] = int(total[:, -1].argmin())
    for i in range(len(u) - 1, 0, -1):
        path[i - 1] = came[path[i], i]
    found = offsets[path]
    kernel = np.ones(7) / 7
    found = np.convolve(np.pad(found, 3, mode="edge"), kernel, mode="valid")
    return (guess + found).astype(np.float32)


def _sample(picture: Bytes, where: Floats) -> Bytes:
    return np.asarray(
        cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _ramp(x: Floats) -> Floats:
    """Like `smooth`, but nearly straight: its slope stays below 1.2."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(0.75 * x + 0.25 * x * x * (3.0 - 2.0 * x), np.float32)


def _along(points: Floats, u: Floats) -> Floats:
    order = np.argsort(points[:, 0])
    return np.interp(u, points[order, 0], points[order, 1]).astype(np.float32)


def _pixels_inside(texture: Bytes, outline: Floats) -> Floats:
    mask = np.zeros(texture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    found = texture[..., :3][mask > 0].astype(np.float32)
    return found if len(found) else np.full((1, 3), 128.0, np.float32)


def _mean_inside(texture: Bytes, outline: Floats) -> Floats:
    return np.asarray(_pixels_inside(texture, outline).mean(axis=0), np.float32)
