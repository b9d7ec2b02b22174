"""Closed-form matting in a narrow band, and its carrying over to a larger picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]


def solve_alpha(
    rgb: Floats, guess: Floats, band: Mask, *, trust: float = 0.02, smooth: float = 1e-4, steps: int = 60
) -> Floats:
    """(H, W) alpha that equals ``guess`` outside ``band`` and is a locally linear function of colour inside it.

    ``rgb`` is (H, W, 3) 0..1. Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting"
    (CVPR 2006): the matting Laplacian over 3 x 3 windows, built only for windows that touch the band. ``trust``
    pulls towards ``guess``, ``smooth`` is the paper's epsilon.
    """
    if not band.any():
        return guess
    height, width = band.shape
    wide = cv2.dilate(band.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    centre_y, centre_x = np.nonzero(wide[1:-1, 1:-1])
    offsets = np.array([(dy, dx) for dy in range(3) for dx in range(3)])
    pixels = (centre_y[:, None] + offsets[:, 0]) * width + centre_x[:, None] + offsets[:, 1]  # (K, 9)
    colours = rgb.reshape(-1, 3)[pixels].astype(np.float32)
    centred = colours - colours.mean(1, keepdims=True)
    covariance = np.einsum("kni,knj->kij", centred, centred) / 9 + smooth / 9 * np.eye(3, dtype=np.float32)
    inverse = np.linalg.inv(covariance)
    likeness = (1 + np.einsum("kni,kij,kmj->knm", centred, inverse, centred, optimize=True)) / 9

    unknown = np.full(height * width, -1, np.int64)
    inside = np.flatnonzero(band)
    unknown[inside] = np.arange(len(inside))
    rows = np.repeat(unknown[pixels], 9, axis=1).ravel()
    columns = np.tile(pixels, (1, 9)).ravel()
    values = (np.eye(9, dtype=np.float32) - likeness).ravel()
    kept = rows >= 0
    rows, columns, values = rows[kept], columns[kept], values[kept]
    among = unknown[columns] >= 0
    flat = guess.ravel().astype(np.float64)
    system = sparse.csr_array(
        (values[among].astype(np.float64), (rows[among], unknown[columns[among]])), shape=(len(inside),) * 2
    )
    pull = np.bincount(rows[~among], values[~among] * flat[columns[~among]], minlength=len(inside))
    system = system + trust * sparse.eye_array(len(inside))
    right = trust * flat[inside] - pull
    diagonal = system.diagonal()
    found, _ = cg(
        system,
        right,
        x0=flat[inside],
        rtol=1e-3,
        maxiter=steps,
        M=sparse.diags_array(1 / np.maximum(diagonal, 1e-6)),
    )
    alpha = guess.copy()
    alpha.ravel()[inside] = np.clip(found, 0, 1)
    return np.asarray(alpha, np.float32)


def carry_over(
    small_rgb: Floats, small_alpha: Floats, rgb: Floats, *, radius: int = 2, smooth: float = 1e-4
) -> Floats:
    """(H, W) the alpha of a small picture for the full one: local linear models of alpha in colour, enlarged.

    He and Sun, "Fast Guided Filter" (2015), with the colour covariance of He, Sun and Tang (ECCV 2010).
    """
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(image: Floats) -> Floats:
        return np.asarray(cv2.blur(image, size), np.float32)

    colour, alpha = mean(small_rgb), mean(small_alpha)
    products = mean((small_rgb[..., :, None] * small_rgb[..., None, :]).reshape(*small_alpha.shape, 9))
    covariance = products.reshape(*small_alpha.shape, 3, 3) - colour[..., :, None] * colour[..., None, :]
    covariance = covariance + smooth * np.eye(3, dtype=np.float32)
    across = mean(small_rgb * small_alpha[..., None]) - colour * alpha[..., None]
    slope = np.linalg.solve(covariance, across[..., None])[..., 0].astype(np.float32)
    start = alpha - (slope * colour).sum(2)
    model = mean(np.concatenate([slope, start[..., None]], 2))
    model = np.asarray(cv2.resize(model, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return np.asarray(np.clip((model[..., :3] * rgb).sum(2) + model[..., 3], 0, 1), np.float32)
