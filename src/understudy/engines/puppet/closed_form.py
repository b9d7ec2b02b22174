"""Closed-form matting in a narrow band, and its carrying over to a larger picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]

WINDOW = 9  # pixels
ENOUGH = 1e-3  # of the right side's length: a residual below that leaves no level of alpha to gain


class MattingLaplacian:
    """How far an alpha is, window by window, from a linear function of colour.

    Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (CVPR 2006), over 3 x 3 windows. The
    matrix is never written down: per window it takes the best linear function away, which two small sums do.
    """

    def __init__(self, rgb: Floats, touched: Mask, smooth: float) -> None:
        """``rgb`` (H, W, 3) 0..1. Only windows count that hold a pixel ``touched`` (H, W) and lie in the picture;
        ``smooth`` is the paper's epsilon."""
        height, width = touched.shape
        wide = cv2.dilate(touched.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        y, x = np.nonzero(wide[1:-1, 1:-1])
        corner = y * width + x
        pixels = np.stack([corner + dy * width + dx for dy in range(3) for dx in range(3)])  # (9, K)
        held = np.zeros(height * width, np.bool_)
        held[pixels] = True
        self.places = np.flatnonzero(held)  # (M,) numbers of the pixels that any window holds
        number = np.zeros(height * width, np.intp)
        number[self.places] = np.arange(len(self.places))
        self._pixels = number[pixels]
        colours = rgb.reshape(-1, 3).T[:, pixels]  # (3, 9, K)
        centred = colours - colours.mean(1, keepdims=True, dtype=np.float64)
        covariance = np.einsum("cnk,dnk->cdk", centred, centred) / WINDOW
        covariance += smooth / WINDOW * np.eye(3)[..., None]
        slopes = np.einsum("cdk,dnk->cnk", _inverse(covariance), centred) / WINDOW
        self._centred, self._slopes = centred.astype(np.float32), slopes.astype(np.float32)

    def __call__(self, values: Doubles) -> Doubles:
        """(M,) the matrix times ``values`` (M,), at `places`."""
        seen = values.astype(np.float32)[self._pixels]
        rest = seen - seen.mean(0)
        for centred, slopes in zip(self._centred, self._slopes, strict=True):
            rest -= centred * (slopes * seen).sum(0)
        return self._gathered(rest)

    def diagonal(self) -> Doubles:
        """(M,) the matrix's diagonal."""
        own = 1 - 1 / WINDOW - (self._centred * self._slopes).sum(0)
        return self._gathered(own)

    def _gathered(self, values: Floats) -> Doubles:
        """(M,) what the windows say of their pixels (9, K), added up."""
        return np.asarray(np.bincount(self._pixels.ravel(), values.ravel(), len(self.places)), np.float64)


def solve_alpha(
    rgb: Floats, guess: Floats, band: Mask, *, trust: float = 0.02, smooth: float = 1e-4, steps: int = 60
) -> Floats:
    """(H, W) alpha that equals ``guess`` outside ``band`` and is a locally linear function of colour inside it.

    ``rgb`` is (H, W, 3) 0..1; ``trust`` pulls towards ``guess``; for ``smooth`` see `MattingLaplacian`.
    """
    if not band.any():
        return guess
    laplacian = MattingLaplacian(rgb, band, smooth)
    asked = band.ravel()[laplacian.places]
    known = np.where(asked, 0, guess.ravel()[laplacian.places]).astype(np.float64)
    first = guess[band].astype(np.float64)
    spread = np.zeros_like(known)

    def system(values: Doubles) -> Doubles:
        spread[asked] = values
        return laplacian(spread)[asked] + trust * values

    right = trust * first - laplacian(known)[asked]
    found = conjugate_gradients(system, right, first, laplacian.diagonal()[asked] + trust, steps)
    alpha = guess.copy()
    alpha[band] = np.clip(found, 0, 1)
    return np.asarray(alpha, np.float32)


def conjugate_gradients(
    system: Callable[[Doubles], Doubles], right: Doubles, start: Doubles, diagonal: Doubles, steps: int
) -> Doubles:
    """(N,) x with ``system(x)`` near ``right`` (N,), after at most ``steps`` from ``start`` (N,).

    ``system`` multiplies by a symmetric positive matrix, whose ``diagonal`` (N,) scales the search (Hestenes and
    Stiefel 1952, with Jacobi's preconditioner).
    """
    found = start.copy()
    residual = right - system(found)
    scale = 1 / np.maximum(diagonal, 1e-6)
    enough = ENOUGH**2 * _product(right, right)
    way = np.zeros_like(found)
    before = 1.0
    for _ in range(steps):
        if _product(residual, residual) <= enough:
            break
        scaled = scale * residual
        now = _product(residual, scaled)
        way = scaled + now / before * way
        before = now
        taken = system(way)
        length = now / _product(way, taken)
        found += length * way
        residual -= length * taken
    return found


def carry_over(
    small_rgb: Floats,
    small_alpha: Floats,
    band: Mask,
    rgb: NDArray[np.uint8],
    *,
    radius: int = 2,
    smooth: float = 1e-4,
) -> Floats:
    """(H, W) the alpha of a small picture for the full one, ``rgb`` (H, W, 3): in the ``band`` of the small one by
    local linear models of alpha in colour, elsewhere enlarged.

    He and Sun, "Fast Guided Filter" (2015), with the colour covariance of He, Sun and Tang (ECCV 2010).
    """
    side = 2 * radius + 1
    full = np.asarray(cv2.resize(small_alpha, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    if not band.any():
        return full
    # a pixel hears the models within ``radius`` of the four small ones about it
    asked = cv2.dilate(band.astype(np.uint8), np.ones((side + 2, side + 2), np.uint8)) > 0

    def mean(image: Floats) -> Doubles:
        return np.asarray(cv2.blur(image, (side, side))[asked].T, np.float64)

    colour, alpha = mean(small_rgb), mean(small_alpha)
    covariance = np.empty((3, 3, len(alpha)))
    for shift in (0, 1):  # the diagonal, then the rest of the symmetric matrix
        products = mean(small_rgb * np.roll(small_rgb, -shift, axis=2))
        for c, d in ((0, shift), (1, 1 + shift), (2, (2 + shift) % 3)):
            covariance[c, d] = covariance[d, c] = products[c] - colour[c] * colour[d]
    covariance += smooth * np.eye(3)[..., None]
    across = mean(small_rgb * small_alpha[..., None]) - colour * alpha
    slope = np.einsum("cdk,dk->ck", _inverse(covariance), across)
    model = np.zeros((*band.shape, 4), np.float32)
    model[asked] = np.concatenate([slope, [alpha - (slope * colour).sum(0)]]).T
    model = np.asarray(cv2.blur(model, (side, side)), np.float32)
    model = np.asarray(cv2.resize(model, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    near = cv2.resize(band.astype(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    here = model[near]
    full[near] = np.clip((here[:, :3] * rgb[near]).sum(1) / 255 + here[:, 3], 0, 1)
    return full


def _product(one: Doubles, other: Doubles) -> float:
    """The scalar product, summed in one order always: BLAS sums by its number of threads, and waits for them."""
    return float((one * other).sum())


def _inverse(matrix: NDArray[Any]) -> Doubles:
    """(3, 3, K) the inverses of symmetric (3, 3, K) matrices, by their cofactors."""
    (a, b, c), (_, d, e), (_, _, f) = matrix
    one, two, three = d * f - e * e, c * e - b * f, b * e - c * d
    adjugate = np.array(
        [[one, two, three], [two, a * f - c * c, b * c - a * e], [three, b * c - a * e, a * d - b * b]]
    )
    return np.asarray(adjugate / (a * one + b * two + c * three), np.float64)
