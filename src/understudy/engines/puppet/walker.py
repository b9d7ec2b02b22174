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

    def pulled(x: Floats) -> Floats:
        y = diagonal * x
        y[:, :-1] -= right[:, :-1] * x[:, 1:]
        y[:, 1:] -= right[:, :-1] * x[:, :-1]
        y[:-1] -= down[:-1] * x[1:]
        y[1:] -= down[:-1] * x[:-1]
        return y

    chance: Floats = (ours / hold).astype(np.float32)
    residual = ours - pulled(chance)
    way = residual / diagonal
    energy = float((residual * way).sum())
    for _ in range(ROUNDS):
        if float(np.abs(residual).mean()) < ENOUGH:
            break
        pull = pulled(way)
        step = energy / max(float((way * pull).sum()), 1e-12)
        chance += step * way
        residual -= step * pull
        eased = residual / diagonal
        before, energy = energy, float((residual * eased).sum())
        way = eased + energy / max(before, 1e-12) * way
    return chance
