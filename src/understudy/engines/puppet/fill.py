"""Texture for what the picture hides of a part: taken from the part itself, never from the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats


def fill_hidden(
    rgb: NDArray[np.uint8],
    own: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    axis: tuple[Floats, Floats] | None = None,
) -> NDArray[np.uint8]:
    """Colours for the ``hidden`` pixels of a part whose visible pixels are ``own``; the rest is unchanged.

    First choice is the mirror image across ``axis`` (two points of the part's middle line) where that is visible;
    the rest grows outwards from the part's own pixels (Telea 2004), which know nothing of what lies beside it.
    """
    if not hidden.any() or not own.any():
        return rgb
    out = rgb.copy()
    todo = hidden.copy()
    if axis is not None:
        todo &= ~_mirror(out, own, hidden, axis)
    known = own | (hidden & ~todo)
    if todo.any() and known.any():
        _grow(out, known, todo)
    return out


def _mirror(
    out: NDArray[np.uint8], own: NDArray[np.bool_], hidden: NDArray[np.bool_], axis: tuple[Floats, Floats]
) -> NDArray[np.bool_]:
    """Copy visible mirror pixels into ``out``; returns where that was possible."""
    start, stop = axis
    along = (stop - start) / max(float(np.linalg.norm(stop - start)), 1e-6)
    ys, xs = np.nonzero(hidden)
    offset = np.stack([xs, ys], axis=1).astype(np.float32) - start
    along_part = (offset @ along)[:, None] * along
    twin = np.rint(start + 2 * along_part - offset).astype(int)
    fits = (twin >= 0).all(axis=1) & (twin[:, 0] < own.shape[1]) & (twin[:, 1] < own.shape[0])
    fits[fits] &= own[twin[fits, 1], twin[fits, 0]]
    out[ys[fits], xs[fits]] = out[twin[fits, 1], twin[fits, 0]]
    done = np.zeros_like(hidden)
    done[ys[fits], xs[fits]] = True
    return done


def _grow(out: NDArray[np.uint8], known: NDArray[np.bool_], todo: NDArray[np.bool_]) -> None:
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
    _, nearest = cv2.distanceTransformWithLabels(
        (~source).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_index = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    of_index[nearest[source]] = out[box][source]
    extended = of_index[nearest]
    smooth = cv2.inpaint(extended, (todo[box] & ~source).astype(np.uint8), 4, cv2.INPAINT_TELEA)
    softened = cv2.addWeighted(smooth, 0.6, cv2.blur(extended, (7, 7)), 0.4, 0)
    out[box][todo[box]] = softened[todo[box]]
