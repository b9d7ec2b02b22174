"""Lid skin: what the picture shows above an eye, from which its lid is made."""

from __future__ import annotations

import cv2
import numpy as np

from understudy.engines.puppet.eyes import Eye
from understudy.engines.puppet.relief import Bytes, FaceFrame
from understudy.tracking import series
from understudy.tracking.motion import Floats

ROWS = 16  # samples of the skin between brow and lashes
LASHES = 0.12  # of the opening: what lies that near above the lid's edge is lash
LIKE = 12.0  # difference in hue (a, b of Lab) to the skin under the eye by which it is half another thing
LIGHT, LIGHTER = 0.65, 3.0  # quantile of a column's lightness, of 100, and how far below it creases are
FORWARD = 0.25  # share of the skin under the eye: a closed lid comes out of the brow's shade
FOREIGN = 22.0  # difference (Lab) to the lid's own colour that is a brow, a frame of glasses, hair
COMMON = 0.35  # share of the lid's mean colour in each of its columns
SPREAD = 0.12  # of the eye's width, over which the colour may change
FUR = (9.0, 14.0)  # deviation of lightness (of 255) from its surroundings that skin has at most, that fur has
MOST_FUR = 40.0  # of 255: what differs more is no fur
THINNEST, USUAL, THICKEST = 0.11, 0.12, 0.22  # of the opening: the line of the lashes
RISEN = 0.35  # share of the way from the lashes' darkness to the white of the eye at which they end


def lid_colours(texture: Bytes, eye: Eye, frame: FaceFrame) -> Floats:
    """(N, 3) the colour of plain skin at each place of the eye's line, without its crease, brow and hair."""
    top = eye.upper - LASHES * eye.tall
    high = eye.brow + 0.2 * (top - eye.brow)
    rows = np.linspace(0.0, 1.0, ROWS, dtype=np.float32)[:, None]
    seen = _look(texture, frame, eye.u, np.minimum(high + rows * (top - high), top))
    lab = _lab(seen)
    under = _look(texture, frame, eye.u, eye.lower + np.linspace(0.5, 1.0, 5)[:, None] * eye.tall)
    skin = np.median(_lab(under).reshape(-1, 3), axis=0)
    apart = np.linalg.norm(lab[..., 1:] - skin[1:], axis=-1)
    near = np.exp(-((apart / LIKE) ** 2)) * np.exp(
        -((np.maximum(np.abs(lab[..., 0] - skin[0]) - 15, 0) / 15) ** 2)
    )
    middle = np.quantile(lab[..., 0], LIGHT, axis=0)
    weight = near / (1.0 + np.exp(-(lab[..., 0] - middle) / LIGHTER)) + 1e-4
    share = 0.02 + near.mean(axis=0)
    whole = (seen * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
    if float(near.mean()) < 0.1:
        whole = under.reshape(-1, 3).mean(axis=0)
    column = (seen * weight[..., None]).sum(axis=0) / weight.sum(axis=0)[:, None]
    step = SPREAD * len(eye.u)
    blurred = series.gaussian(column * share[:, None], step)
    blurred = blurred / series.gaussian(share, step)[:, None]
    plain = COMMON * whole + (1.0 - COMMON) * blurred
    return np.asarray(plain + FORWARD * (skin_below(texture, eye, frame) - plain), np.float32)


def fur(texture: Bytes, eye: Eye, frame: FaceFrame, u: Floats, v: Floats) -> Floats:
    """(h, w, 3) what hairs add to the plain colour at places of the face's frame; nothing where there is bare skin.

    On the closed lid lies the fur from above it, mirrored at its line.
    """
    rgb = texture[..., :3].astype(np.float32)
    fine = rgb - cv2.GaussianBlur(rgb, (0, 0), max(0.12 * eye.tall, 0.8))
    below = eye.lower + np.linspace(0.6, 1.4, ROWS)[:, None] * eye.tall
    n = len(eye.u)
    core = slice(n // 5, n - n // 5)
    deviation = float(_look(fine, frame, eye.u[core], below[:, core]).mean(axis=-1).std())
    share = min(max((deviation - FUR[0]) / (FUR[1] - FUR[0]), 0.0), 1.0)
    if share == 0.0:
        return np.zeros((*u.shape, 3), np.float32)
    top = np.interp(u, eye.u, eye.upper)
    mirrored = np.minimum(v, top - np.abs(v - top) - LASHES * eye.tall)
    at = (frame.turn(u, mirrored) + frame.origin).astype(np.float32)
    hairs = cv2.remap(fine, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(share * np.clip(hairs, -MOST_FUR, MOST_FUR), np.float32)


def skin_below(texture: Bytes, eye: Eye, frame: FaceFrame) -> Floats:
    """(3,) the usual colour just under the eye."""
    under = _look(texture, frame, eye.u, eye.lower + np.linspace(0.5, 1.0, 5)[:, None] * eye.tall)
    return np.asarray(np.median(under.reshape(-1, 3), axis=0), np.float32)


def skin_above(texture: Bytes, eye: Eye, frame: FaceFrame) -> Floats:
    """(N,) pixels of skin above the eye's upper line that may move: up to the brow, glasses or hair."""
    room = np.maximum(eye.upper - eye.brow, 1.0)
    far = np.linspace(0.0, 1.0, 2 * ROWS, dtype=np.float32)[:, None]
    seen = _lab(_look(texture, frame, eye.u, eye.upper - far * room))
    plain = _lab(lid_colours(texture, eye, frame)[None])
    other = np.linalg.norm(seen - plain, axis=-1) > FOREIGN
    other &= far > 0.5 * eye.tall / room  # nearer it is a crease or the lashes
    first = np.where(other.any(axis=0), far[other.argmax(axis=0), 0], 1.0)
    wide = max(len(first) // 3, 1)
    kept = np.minimum(first, series.gaussian(first, wide / 2))
    return np.asarray(series.gaussian(kept * room, wide / 4), np.float32)


def lash_thickness(texture: Bytes, eye: Eye, frame: FaceFrame) -> float:
    """How thick the upper line of the eye is below its landmarks, in parts of the opening.

    Read beside the iris, where the white of the eye follows the line.
    """
    n = len(eye.u)
    aside = np.abs(np.linspace(-1.0, 1.0, n))
    columns = (aside > 0.5) & (aside < 0.8)
    tall = (eye.lower - eye.upper)[columns]
    far = np.linspace(-0.1, 0.6, 29, dtype=np.float32)[:, None]
    light = _look(texture, frame, eye.u[columns], eye.upper[columns] + far * tall).mean(axis=-1)
    darkest = light[:11].argmin(axis=0)
    low, high = light[:11].min(axis=0), light.max(axis=0)
    past = (light > low + RISEN * (high - low)) & (np.arange(len(far))[:, None] > darkest)
    ends = np.where(past.any(axis=0), far[past.argmax(axis=0), 0], np.nan)[high - low > 20.0]
    ends = ends[np.isfinite(ends)]
    return float(np.clip(np.median(ends), THINNEST, THICKEST)) if len(ends) > 3 else USUAL


def _look(texture: Bytes, frame: FaceFrame, u: Floats, v: Floats) -> Floats:
    """(rows, N, 3) colours at places of the face's frame."""
    at = frame.turn(*np.broadcast_arrays(u[None], v)) + frame.origin
    seen = cv2.remap(
        texture[..., :3], at.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(seen, np.float32)


def _lab(colours: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(np.asarray(colours / 255, np.float32), cv2.COLOR_RGB2LAB), np.float32)
