"""What of a shoulder goes along with the arm: its own cloth or skin, no straps and no hair; and where the cloth of an
armpit can be spread out without a strap, a string or a drawn line in it getting thick."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.layer import Layer
from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]

LIKE = 2.5  # standard deviations within which a colour is the arm's
EVEN = 7.0  # Lab units that a standard deviation has at the least
RINGS, RAYS = 24, 64  # of the armpit's texture that are looked at
LOOK = (0.4, 2.4)  # half widths from the shoulder in which the armpit is looked at
HELD = (
    0.45,
    0.55,
    0.65,
    0.7,
)  # shares of the armpit's angle that the trunk may keep, the first one by choice
KEPT = (0.1, 0.15, 0.25, 0.35)  # that the arm may keep
NARROWEST = 0.2  # of that angle, which has to be left for spreading
QUIETER = 0.5  # of the first choice's detail is less enough to choose another part of the armpit

# Mean squared step of colour between two rays from which on there is a line that could get thick
LINES = 200.0

LEAST_BLUR_PX = 4.0  # deviation of a blur for which the picture is not made smaller any more


def quiet_armpit(
    layers: tuple[Layer, ...], shoulder: Floats, inwards: Floats, along: Floats, radius: float
) -> tuple[float, float]:
    """Shares of the armpit's angle, from the collarbone's direction ``inwards`` (2,) to the arm's ``along`` (2,), that
    trunk and arm keep when it opens: between them the ``layers``, from back to front in rest pose, show little detail.
    """
    first = float(np.arctan2(inwards[1], inwards[0]))
    turn = (float(np.arctan2(along[1], along[0])) - first + np.pi) % (2 * np.pi) - np.pi
    angles = first + turn * np.linspace(0, 1, RAYS)
    far = radius * np.linspace(*LOOK, RINGS)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    points = (shoulder + far[:, None, None] * rays).astype(np.float32)
    seen = np.zeros((RINGS, RAYS, 4), np.float32)
    for layer in layers:
        at = points - np.array(layer.origin, np.float32)
        over = cv2.remap(layer.texture, at, None, cv2.INTER_LINEAR).astype(np.float32)
        seen = over + seen * (1 - over[..., 3:] / 255)
    steps = (
        np.abs(np.diff(seen[..., :3], axis=1)).max(axis=2) * np.minimum(seen[:, 1:, 3], seen[:, :-1, 3]) / 255
    )
    detail = (steps**2).mean(axis=0)  # a strong line counts more than much of the cloth's own pattern

    def between(held: float, kept: float) -> float:
        return float(detail[round(held * RAYS) : round((1 - kept) * RAYS)].mean())

    choices = [(held, kept) for held in HELD for kept in KEPT if held + kept <= 1 - NARROWEST + 1e-6]
    quietest = min(choices, key=lambda choice: between(*choice))
    usual = between(*choices[0])
    return quietest if usual > LINES and between(*quietest) < QUIETER * usual else choices[0]


def like_arm(rgb: NDArray[np.uint8], arm: Mask, where: Mask, reach: float) -> Mask:
    """(H, W) the pixels of ``where`` that look like the ``arm`` within ``reach`` pixels of them: its cloth or skin goes
    on there, while a strap, hair or another garment is not the arm's."""
    ys, xs = np.nonzero(where)
    if not len(ys):
        return where
    margin = round(2 * reach)
    box = (
        slice(max(int(ys.min()) - margin, 0), int(ys.max()) + margin),
        slice(max(int(xs.min()) - margin, 0), int(xs.max()) + margin),
    )
    lab = cv2.cvtColor(np.ascontiguousarray(rgb[box]), cv2.COLOR_RGB2LAB).astype(np.float32)
    mean, square, told = _about(lab, arm[box], reach)
    variance = np.maximum(square - mean**2, 0) + EVEN**2
    off = np.sqrt(((lab - mean) ** 2 / variance).sum(axis=2))
    alike = cv2.medianBlur((told & (off < LIKE)).astype(np.uint8), 5) > 0
    out = np.zeros_like(where)
    out[box] = where[box] & alike
    return out


def _about(colours: Floats, where: Mask, reach: float) -> tuple[Floats, Floats, Mask]:
    """The mean colour (h, w, 3) of ``where`` about each place, that of the colours' squares, and where there is one.

    Made smaller: what a wide Gaussian leaves is smooth.
    """
    height, width = where.shape
    smaller = max(1, min(int(reach / LEAST_BLUR_PX), height, width))
    size = (max(1, width // smaller), max(1, height // smaller))
    share = where.astype(np.float32)[..., None]

    def blurred(values: Floats) -> Floats:
        small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), reach * size[0] / width, sigmaY=reach * size[1] / height)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    weight = blurred(share)[..., None]
    held = np.maximum(weight, 1e-4)
    own = colours * share
    return blurred(own) / held, blurred(own * colours) / held, weight[..., 0] > 1e-3
