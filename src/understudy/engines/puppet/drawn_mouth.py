"""A drawn mouth, where the face mesh points at bare skin: the stroke or blob on the face's middle line."""

from __future__ import annotations

import cv2
import numpy as np

from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.relief import Bytes, FaceFrame
from understudy.tracking.motion import Floats

SIDE = 96  # samples along the searched square


def find_drawn_mouth(texture: Bytes, mesh: Floats, frame: FaceFrame) -> Lips | None:
    """The lips of a drawn mouth below the eyes, or None where nothing there stands out from the skin.

    Searched is a square under the eyes; what differs from its median colour falls into connected pieces; the piece
    that is central, small enough and strongest is the mouth. A flat piece is a closed mouth, a tall one is open.
    """
    span = frame.span
    chin = float(frame.into(mesh[152])[1])
    middle = float(frame.into(mesh[[9, 168, 6, 152]])[:, 0].mean())
    top, bottom = 0.34 * span, chin - 0.04 * span
    if bottom - top < 0.2 * span:
        return None
    u = np.linspace(middle - 0.36 * span, middle + 0.36 * span, SIDE).astype(np.float32)
    v = np.linspace(top, bottom, SIDE).astype(np.float32)
    grid_u, grid_v = (np.asarray(g, np.float32) for g in np.meshgrid(u, v))
    at = frame.turn(grid_u, grid_v) + frame.origin
    part = cv2.remap(texture[..., :3], at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    skin = np.median(lab[:, SIDE // 4 : -SIDE // 4].reshape(-1, 3), axis=0)
    apart = np.linalg.norm(lab - skin, axis=-1)
    core = apart[:, SIDE // 3 : -SIDE // 3]
    limit = max(9.0, 0.4 * float(np.quantile(core, 0.995)))
    count, labels, stats, centres = cv2.connectedComponentsWithStats((apart > limit).astype(np.uint8))
    best, found = 0.0, 0
    for i in range(1, count):
        x, y, w, h = (int(s) for s in stats[i][:4])
        central = abs(float(centres[i][0]) - SIDE / 2) < 0.14 * SIDE
        whole = x > 0 and x + w < SIDE and y > 0 and y + h < SIDE
        if not (central and whole and w >= 0.06 * SIDE and w >= 0.8 * h and h < 0.45 * SIDE):
            continue
        score = float(apart[labels == i].sum()) * w / SIDE
        if score > best:
            best, found = score, i
    if not found:
        return None
    x, _, w, _ = (int(s) for s in stats[found][:4])
    piece = labels[:, x : x + w] == found
    first, last = piece.argmax(axis=0), SIDE - 1 - piece[::-1].argmax(axis=0)
    line_u = np.linspace(u[x], u[x + w - 1], 65).astype(np.float32)
    upper = np.interp(line_u, u[x : x + w], v[first]).astype(np.float32)
    lower = np.interp(line_u, u[x : x + w], v[last]).astype(np.float32)
    width = float(line_u[-1] - line_u[0])
    if float((lower - upper).max()) < max(0.35 * width, 0.07 * span):
        upper = lower = (upper + lower) / 2
    seam = float(np.median(lower))
    gape = min(0.30 * span, 0.7 * (chin - seam), 1.1 * width)
    if gape < 1.0:
        return None
    return Lips(line_u, upper, lower, float(line_u.mean()), gape, float(upper.min()) - 0.15 * span, chin)
