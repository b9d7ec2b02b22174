"""Which of two sides a pixel belongs to: a random walker with priors, whose borders follow the picture's edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

EDGE_LAB = 5.0  # Lab units between neighbours that count as an edge
WEAKEST = 0.004  # of a link across an edge: never quite cut, so that every pixel hears its neighbours
ROUNDS = 60  # of conjugate gradients at most
ENOUGH = 2e-4  # mean residual at which they end


def links(lab: Floats, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """((H, W), (H, W)) how strongly each pixel hangs together with its right and its lower neighbour, 0..1."""
    soft = cv2.GaussianBlur(lab, (0, 0), 0.7)
    both = []
    for axis in (1, 0):
        apart = (np.diff(soft, axis=axis) ** 2).sum(axis=2) / EDGE_LAB**2
        link = WEAKEST + (1 - WEAKEST) * np.exp(-apart)
        pair = inside[:, 1:] & inside[:, :-1] if axis else inside[1:] & inside[:-1]
        room = ((0, 0), (0, 1)) if axis else ((0, 1), (0, 0))
        both.append(np.pad(link * pair, room).astype(np.float32))
    return both[0], both[1]


def walk(right: Floats, down: Floats, ours: Floats, theirs: Floats) -> Floats:
    """(H, W) chance of each pixel to be ours (Grady, "Multilabel Random Walker Image Segmentation Using Prior
    Models", CVPR 2005).

    ``right`` and ``down`` are the ``links``; ``ours`` and ``theirs`` (H, W) how strongly a pixel is held to each side
    by itself. Solved by conjugate gradients from what each pixel would be alone.
    """
    hold = ours + theirs + 1e-6
    diagonal = right + down + hold
    diagonal[:, 1:] += right[:, :-1]
    diagonal[1:] += down[:-1]
    # Scaled so that the diagonal is 1, and as one row: the last links of each row are none.
    width = right.shape[1]
    scale = (1 / np.sqrt(diagonal)).astype(np.float32).ravel()
    beside = (right.ravel()[:-1] * scale[:-1] * scale[1:]).astype(np.float32)
    below = (down.ravel()[:-width] * scale[:-width] * scale[width:]).astype(np.float32)
    room = np.empty_like(scale)

    def pulled(x: Floats) -> Floats:
        y = x.copy()
        for joined, step in ((beside, 1), (below, width)):
            part = room[:-step]
            y[:-step] -= np.multiply(joined, x[step:], out=part)
            y[step:] -= np.multiply(joined, x[:-step], out=part)
        return y

    chance = (ours / hold).astype(np.float32).ravel() / scale
    residual = ours.ravel() * scale - pulled(chance)
    residual = residual.astype(np.float32)
    way = residual.copy()
    energy = float((residual * residual).sum())
    for _ in range(ROUNDS):
        if float(np.abs(np.divide(residual, scale, out=room)).mean()) < ENOUGH:
            break
        pull = pulled(way)
        step = energy / max(float(np.multiply(way, pull, out=room).sum()), 1e-12)
        chance += np.multiply(way, np.float32(step), out=room)
        pull *= np.float32(step)
        residual -= pull
        before, energy = energy, float(np.multiply(residual, residual, out=room).sum())
        way *= np.float32(energy / max(before, 1e-12))
        way += residual
    return np.asarray((chance * scale).reshape(ours.shape), np.float32)
