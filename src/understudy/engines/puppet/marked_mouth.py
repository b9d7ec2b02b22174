"""The lips of a mouth whose box is known: a stroke parts along its own middle, a blob is an open mouth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.mouth import Mouth
from understudy.engines.puppet.relief import Bytes, FaceFrame
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from understudy.tracking.motion import Floats

COLUMNS, ROWS = 97, 64  # samples along and across the searched box
ROOM = 0.15  # of the box's width: searched beside, above and below it
LEVEL, FAINTEST = 0.4, 5.0  # of the strongest difference from the ground (Lab), and at least
TALL, FULL = 0.35, 0.55  # a piece so tall over its width, and so full over its box, is open
EVEN = 9  # columns over which a stroke's middle is evened
WIDEST = 0.30  # gap at opening 1 over the eyes' distance, at most
USUAL_WIDTH = 0.55  # of a person's mouth, over the eyes' distance
REACH = (0.2, 1.1)
SMALLEST_PX = 4.0


def marked_lips(texture: Bytes, mesh: Floats, frame: FaceFrame) -> Lips | None:
    """The lips in the box of the mesh's own; ``mesh`` and ``frame`` are in the texture's own pixels.

    None where nothing there stands out.
    """
    mouth = frame.into(mesh[list(OUTER_UPPER + OUTER_LOWER + INNER_UPPER + INNER_LOWER)])
    low, high = mouth.min(axis=0), mouth.max(axis=0)
    width = float(high[0] - low[0])
    if width < SMALLEST_PX:
        return None
    room = ROOM * width
    u = np.linspace(low[0] - room, high[0] + room, COLUMNS).astype(np.float32)
    v = np.linspace(low[1] - room, high[1] + room, ROWS).astype(np.float32)
    at = frame.turn(*np.broadcast_arrays(u[None], v[:, None])) + frame.origin
    part = cv2.remap(texture[..., :3], at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    away = np.linalg.norm(lab - np.median(border, axis=0), axis=-1)
    pieces = (away > max(FAINTEST, LEVEL * float(np.quantile(away, 0.98)))).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(pieces, cv2.MORPH_CLOSE, np.ones((3, 5)))
    )
    if count < 2:
        return None
    best = 1 + int(np.argmax([float(away[labels == i].sum()) for i in range(1, count)]))
    x, _, w, h, area = (int(s) for s in stats[best])
    if w < COLUMNS // 4:
        return None
    piece = labels[:, x : x + w] == best
    weight = away[:, x : x + w] * piece
    middle = (weight * v[:, None]).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-6)
    middle = np.convolve(np.pad(middle, EVEN // 2, mode="edge"), np.ones(EVEN) / EVEN, mode="valid")
    line = np.linspace(u[x], u[x + w - 1], 65).astype(np.float32)
    upper = lower = np.interp(line, u[x : x + w], middle).astype(np.float32)
    tall = float(v[1] - v[0]) * h
    if tall > TALL * width and area > FULL * w * h:
        first, last = piece.argmax(axis=0), ROWS - 1 - piece[::-1].argmax(axis=0)
        upper, lower = (np.interp(line, u[x : x + w], v[i]).astype(np.float32) for i in (first, last))
    chin = float(frame.into(mesh[152])[1])
    gape = min(WIDEST * frame.span, 0.7 * (chin - float(np.median(lower))), 1.1 * width)
    if gape < 1.0:
        return None
    nose = float(upper.min()) - 0.15 * frame.span
    return Lips(line, upper, lower, float(line.mean()), gape, nose, chin)


def drawn_reach(lips: Lips, frame: FaceFrame) -> float:
    """How far a drawn mouth goes over how far a person's goes whose eyes are as far apart."""
    return float(np.clip(lips.width / (USUAL_WIDTH * frame.span), *REACH))


def inked(mouth: Mouth, lips: Lips, texture: Bytes, frame: FaceFrame) -> Mouth:
    """The mouth with nothing but the stroke's own colour in it: who draws a mouth as a line fills an open one so."""
    if lips.gap > 0:
        return mouth
    at = (frame.turn(lips.u, lips.lower) + frame.origin)[None]
    line = cv2.remap(texture[..., :3], at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    ink = np.median(line[len(line) // 5 : -len(line) // 5], axis=0)
    hollow = np.empty_like(mouth.hollow)
    hollow[:] = np.rint(ink)
    return replace(
        mouth, hollow=hollow, upper=np.zeros_like(mouth.upper), jaw=np.zeros_like(mouth.jaw), own=None
    )
