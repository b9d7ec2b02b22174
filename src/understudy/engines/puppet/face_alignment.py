"""Face alignment: meshes freed of the head's pose."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.skin_points import STABLE
from understudy.tracking.motion import Floats

ROUNDS = 3  # of fitting all meshes to their median: it stands still after the second


def aligned(meshes: Floats) -> tuple[Floats, Floats]:
    """Meshes ``(T, N, 3)`` laid upon each other, and their median ``(N, 3)``, in the pixels of the middle one.

    Each mesh is moved by the similarity in space that fits best the points that no expression moves.
    """
    median = np.asarray(meshes[len(meshes) // 2], np.float64)
    laid = meshes
    for _ in range(ROUNDS):
        laid = laid_upon(meshes, meshes, median)
        median = np.median(laid, axis=0)
    return laid, median


def laid_upon(meshes: Floats, fitted: Floats, target: Floats) -> Floats:
    """``meshes`` ``(T, N, 3)`` moved by the similarities that take ``fitted`` ``(T or 1, N, 3)`` to ``target``.

    Least squares in closed form (Umeyama 1991).
    """
    stable = list(STABLE)
    source = np.asarray(fitted[:, stable], np.float64)
    goal = np.asarray(target[stable], np.float64)
    from_middle, to_middle = source.mean(axis=1, keepdims=True), goal.mean(axis=0)
    a, b = source - from_middle, goal - to_middle
    left, sizes, right = np.linalg.svd(np.einsum("tni,nj->tij", a, b))
    sign = np.ones((len(source), 3))
    sign[:, 2] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    turn = np.einsum("tji,tj,tkj->tik", right, sign, left)
    scale = (sizes * sign).sum(axis=1) / np.maximum((a**2).sum(axis=(1, 2)), 1e-9)
    moved = np.einsum("tij,tnj->tni", turn, np.asarray(meshes, np.float64) - from_middle)
    return np.asarray(scale[:, None, None] * moved + to_middle, np.float32)
