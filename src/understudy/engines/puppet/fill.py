"""Texture for what the picture hides of a part: taken from the part itself, never from the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.areas import nearest
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Image = NDArray[np.uint8]
Indices = NDArray[np.intp]

# How much farther along the part's axis than across it a colour may come from at equal weight.
ACROSS_FIRST = 1.2
SHARP = 4  # power of the distance by which the sides compete: one of them wins but in a narrow band
EVEN_PX = 5.0  # along the axis, over which a ragged border is evened out: its mirror image is twice as ragged
# What is usual in a row: over this share of the part's width, these rows, with at least this spread of colours; what
# is off by more than this many spreads is there once.
USUAL, EVEN_ROWS_PX, LEAST_SPREAD, SINGLE = 0.06, 2.0, 6.0, 2.0
ROBUST_ROUNDS = 4
CALM_PX = 8.0  # from the border, over which single things fade
LEAST_RUN = 4  # pixels of the part in a row that are enough to be mirrored
UPRIGHT_DEG = 12.0  # a part that leans less is filled by the picture's own rows


def fill_hidden(
    rgb: Image, own: Mask, hidden: Mask, axis: tuple[Floats, Floats] | None = None, mirror: float = 0.0
) -> Image:
    """Colours for the ``hidden`` pixels of a part whose visible pixels are ``own``; the rest is unchanged.

    ``axis`` gives two points of the part's middle line. The part goes on as its own mirror image at the border,
    across the axis before along it, so that stripes and folds continue and each height keeps its garment. Farther
    than ``mirror`` pixels from the border the other half, mirrored at the axis, comes first where it is seen (0: not).
    What nothing reaches grows outwards from the part's own colours (Telea 2004).
    """
    if not hidden.any() or not own.any():
        return rgb
    ys, xs = np.nonzero(hidden)
    high, wide = np.ptp(ys) + 16, np.ptp(xs) + 16  # the mirror image of the whole hole lies within this
    y0, y1 = max(int(ys.min() - high), 0), int(ys.max() + high) + 1
    x0, x1 = max(int(xs.min() - wide), 0), int(xs.max() + wide) + 1
    box = (slice(y0, y1), slice(x0, x1))
    out = rgb.copy()
    image = rgb[box].astype(np.float32)
    both = np.concatenate([image, _without_singles(image, own[box])], axis=2)
    twice, told = _continued(both, own[box], hidden[box], _lean(axis))
    away = cv2.distanceTransform((~own[box]).astype(np.uint8), cv2.DIST_L2, 3)[told]
    calm = np.clip((away - 1) / CALM_PX, 0, 1)[:, None]  # at the border the part goes on just as it is
    colours, calmer = twice[..., :3], twice[..., 3:]
    colours[told] += calm * (calmer[told] - colours[told])
    if axis is not None and mirror > 0:
        origin = np.array([x0, y0], np.float32)
        _mirror(rgb[box], own[box], hidden[box], (axis[0] - origin, axis[1] - origin), mirror, colours, told)
    out[box][told] = np.clip(np.rint(colours[told]), 0, 255).astype(np.uint8)
    rest = hidden.copy()
    rest[box] &= ~told
    if rest.any():
        _spread_outwards(out, own | (hidden & ~rest), rest)
    return out


def _without_singles(image: Floats, own: Mask) -> Floats:
    """(h, w, 3) the ``image`` with what is there once toned down, or its mirror image would show it twice: a string,
    a brace, the shadow of what hides the rest.

    Each row has a usual colour about each place, a mean in which pixels count less the farther they are off (Cauchy
    weights), and a usual spread about it; what is off by more is brought near.
    """
    height, width = own.shape
    wide = max(USUAL * float(np.sqrt(own.sum())), 4.0)
    size = (
        max(round(width / max(wide / 5, 1.0)), 1),
        height,
    )  # coarse along the rows, since what is usual is smooth
    sigma = wide * size[0] / width

    def about(values: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma, sigmaY=EVEN_ROWS_PX), np.float32)

    share = own.astype(np.float32)
    seen = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(image * share[..., None], size, interpolation=cv2.INTER_AREA)
    coarse /= np.maximum(seen, 1e-3)[..., None]
    weight = seen
    for _ in range(ROBUST_ROUNDS):
        total = np.maximum(about(weight), 1e-3)
        usual = about(coarse * weight[..., None]) / total[..., None]
        off = np.sqrt(((coarse - usual) ** 2).sum(axis=2))
        spread = np.maximum(about(off * weight) / total, LEAST_SPREAD)
        weight = seen / (1 + (off / spread) ** 2)
    usual = cv2.resize(usual, (width, height))
    spread = cv2.resize(spread, (width, height))
    away = image - usual
    keep = np.minimum(1.0, SINGLE * spread / np.maximum(np.sqrt((away**2).sum(axis=2)), 1e-3))
    return np.asarray(usual + keep[..., None] * away, np.float32)


def _lean(axis: tuple[Floats, Floats] | None) -> float:
    """Degrees by which the part has to be turned so that its axis is upright."""
    if axis is None:
        return 0.0
    along = axis[1] - axis[0]
    if float(np.hypot(*along)) < 1.0:
        return 0.0
    lean = float(np.degrees(np.arctan2(along[0], along[1])))
    lean = (lean + 90) % 180 - 90  # an axis has no sense
    return lean if abs(lean) > UPRIGHT_DEG else 0.0


def _continued(rgb: Floats, own: Mask, hidden: Mask, lean: float) -> tuple[Floats, Mask]:
    """Colours (h, w, 3) continued over the borders, and where there are any."""
    if not lean:
        return _reflected(rgb, own, hidden)
    height, width = own.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -lean, 1.0)
    side = int(np.hypot(height, width)) + 2
    turn[:, 2] += [(side - width) / 2, (side - height) / 2]
    turned = cv2.warpAffine(rgb, turn, (side, side), flags=cv2.INTER_LINEAR)
    masks = [cv2.warpAffine(m.astype(np.uint8) * 255, turn, (side, side)) for m in (own, hidden)]
    colours, told = _reflected(
        np.asarray(turned, np.float32), masks[0] > 250, (masks[1] > 0) & (masks[0] <= 250)
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpAffine(colours * told[..., None], turn, (width, height), flags=flags)
    share = cv2.warpAffine(told.astype(np.float32), turn, (width, height), flags=flags)
    return back / np.maximum(share, 1e-3)[..., None], hidden & (share > 0.3)


def _reflected(rgb: Floats, own: Mask, hidden: Mask) -> tuple[Floats, Mask]:
    """Each hidden pixel from the mirror images of the part at its four borders in row and column, nearest loudest."""
    ys, xs = np.nonzero(hidden)
    total = np.zeros((len(ys), rgb.shape[2]), np.float32)
    weights = np.zeros(len(ys), np.float32)
    for along, back in ((False, False), (False, True), (True, False), (True, True)):
        seen, line, at = (own.T, xs, ys) if along else (own, ys, xs)
        width = seen.shape[1]
        found, source, away = _behind(seen[:, ::-1] if back else seen, line, width - 1 - at if back else at)
        source = width - 1 - source if back else source
        weight = 1.0 / (away * (ACROSS_FIRST if along else 1.0)) ** SHARP
        low = np.floor(source).astype(np.int32)
        high = np.minimum(low + 1, width - 1)
        share = (source - low)[:, None]
        line = line[found]
        one, two = (rgb[low, line], rgb[high, line]) if along else (rgb[line, low], rgb[line, high])
        total[found] += weight[:, None] * (one * (1 - share) + two * share)
        weights[found] += weight
    colours = np.zeros(rgb.shape, np.float32)
    colours[ys, xs] = total / np.maximum(weights, 1e-20)[:, None]
    told = np.zeros_like(hidden)
    told[ys, xs] = weights > 0
    return colours, told


def _behind(own: Mask, y: Indices, x: Indices) -> tuple[Indices, Floats, Floats]:
    """The mirror images of the pixels ``y``, ``x`` (N,) at the part's border to their left: numbers (M,) of those that
    have one, the columns (M,) where these lie, and how far off they count."""
    column = np.arange(own.shape[1], dtype=np.int32)[None]
    borders = np.maximum.accumulate(np.where(own, column, np.int32(-1)), axis=1)[y, x]
    ends = np.maximum.accumulate(np.where(own, np.int32(-1), column), axis=1)[y, np.maximum(borders, 0)]
    found = np.flatnonzero((borders >= 0) & (borders - ends >= LEAST_RUN))
    y, x, border = y[found], x[found], borders[found].astype(np.float32)
    length = (borders - ends)[found].astype(np.float32)  # of the part's piece that ends at the border
    away = x - border
    # The border evened out along the axis.
    top, left = (int(y.min()), int(x.min())) if len(y) else (0, 0)
    many = np.zeros((int(np.ptp(y)) + 1, int(np.ptp(x)) + 1) if len(y) else (1, 1), np.float32)
    total = many.copy()
    many[y - top, x - left], total[y - top, x - left] = 1.0, away
    many, total = (cv2.GaussianBlur(m, (1, 0), sigmaX=0.01, sigmaY=EVEN_PX) for m in (many, total))
    even = total[y - top, x - left] / np.maximum(many[y - top, x - left], 1e-6)
    # Bounced between the ends of the piece: a hole wider than the piece takes it more than once.
    back = np.mod(even, 2 * length)
    back = np.minimum(back, 2 * length - back)
    # A piece that is narrower than the way says little about what lies there.
    far = np.maximum(away, 1.0) * np.maximum(away / length, 1.0)
    return found, np.clip(x - even - back, border - length + 1, border), far


def _mirror(
    rgb: Image,
    own: Mask,
    hidden: Mask,
    axis: tuple[Floats, Floats],
    near: float,
    colours: Floats,
    told: Mask,
) -> None:
    """Go over from the continued ``colours`` to the visible half mirrored at ``axis`` from ``near`` pixels on."""
    start, stop = axis
    along = (stop - start) / max(float(np.linalg.norm(stop - start)), 1e-6)
    ys, xs = np.nonzero(hidden)
    offset = np.stack([xs, ys], axis=1).astype(np.float32) - start
    along_part = (offset @ along)[:, None] * along
    twin = np.rint(start + 2 * along_part - offset).astype(int)
    fits = (twin >= 0).all(axis=1) & (twin[:, 0] < own.shape[1]) & (twin[:, 1] < own.shape[0])
    fits[fits] &= own[twin[fits, 1], twin[fits, 0]]
    away = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 3)[ys, xs]
    share = np.where(told[ys, xs], np.clip((away - near) / max(near, 1.0), 0, 1), 1.0) * fits
    use = share > 0
    y, x, share = ys[use], xs[use], share[use, None].astype(np.float32)
    colours[y, x] += share * (rgb[twin[use, 1], twin[use, 0]] - colours[y, x])
    told[y, x] = True


def _spread_outwards(out: Image, known: Mask, todo: Mask) -> None:
    """Inpaint ``todo`` from ``known`` in place; every other pixel is kept away from the fill."""
    ys, xs = np.nonzero(todo)
    # As far about as the part's own pixels reach into, since only they may be spread.
    away = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 5)
    pad = 12 + int(np.ceil(float(away[todo].max())))
    y0, y1 = max(int(ys.min()) - pad, 0), min(int(ys.max()) + pad + 1, todo.shape[0])
    x0, x1 = max(int(xs.min()) - pad, 0), min(int(xs.max()) + pad + 1, todo.shape[1])
    box = (slice(y0, y1), slice(x0, x1))
    # Foreign pixels take the nearest known colour first, so that the inpainter meets only the part's own colours.
    source = known[box]
    trusted = cv2.erode(source.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if trusted.sum() > 50:
        source = trusted
    extended = nearest(out[box], source)
    smooth = cv2.inpaint(extended, (todo[box] & ~source).astype(np.uint8), 4, cv2.INPAINT_TELEA)
    softened = cv2.addWeighted(smooth, 0.6, cv2.blur(extended, (7, 7)), 0.4, 0)
    out[box][todo[box]] = softened[todo[box]]
