"""Figures of the face: does it stay the character's, and does it live?

Landmarks are those of the 468-point face mesh. The frame of the eyes has its origin between them, x along the eye
line towards the performer's left eye, and the distance between the eyes' middles as its unit.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import Floats
from understudy.tracking.tracker import Frame

WIDTH, HEIGHT = 80, 90
PATCH_SHAPE = (HEIGHT, WIDTH, 3)
# Where right eye, left eye, nose, mouth and chin lie in the patch.
LAYOUT = np.array([[23, 30], [57, 30], [40, 50], [40, 65], [40, 86]], np.float64)
RIGHT_EYE, LEFT_EYE, MOUTH = (33, 133), (362, 263), (61, 291)
NOSE, CHIN = 1, 152
LIPS = (13, 14)
CHEEKS = (234, 454)  # the mesh's outermost points, before the ears
RIGHT_LIDS, LEFT_LIDS = (159, 145), (386, 374)

SAME_FACING = 0.12  # eye distances
# Standard deviation under which a component hardly moves: mouth, right and left lids, nose x, y. In pixels, since
# that is what the mesh's own noise is in: 0.2 (lids) to 0.5 px between a clip and itself encoded again.
HARDLY = np.array([0.02, 0.012, 0.012, 0.03, 0.03])  # eye distances
HARDLY_PX = np.array([0.75, 0.5, 0.5, 1.0, 1.0])
FEWEST = 8  # samples for a correlation


class FaceFigures(NamedTuple):
    """See docs/quality.md; None where a figure cannot be had."""

    face_ncc: float | None
    face_gt_ncc: float | None
    expr: float | None


def face_patch(frame: Frame, face: Floats) -> NDArray[np.uint8] | None:
    """The face ``(468, 3)`` as an upright 80 x 90 Lab picture, by the similarity that fits eyes, nose, mouth, chin."""
    points = _anchors(face[None])[0]
    if not np.isfinite(points).all():
        return None
    matrix = _similarity(points, LAYOUT)
    if matrix is None:
        return None
    patch = cv2.warpAffine(
        frame, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.cvtColor(patch, cv2.COLOR_RGB2LAB), np.uint8)


def correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Normalised cross-correlation (T,) of Lab patches (T, H, W, 3), each channel about its own mean."""
    first, second = (
        x.astype(np.float32) - x.mean(axis=(1, 2), keepdims=True, dtype=np.float32) for x in (a, b)
    )
    product = np.einsum("thwc,thwc->t", first, second, dtype=np.float64)
    size = np.einsum("thwc,thwc->t", first, first, dtype=np.float64) * np.einsum(
        "thwc,thwc->t", second, second, dtype=np.float64
    )
    return np.where(size > 0, product / np.sqrt(np.maximum(size, 1e-12)), 0.0)


def face_width(face: Floats) -> float | None:
    """Median width in pixels of those of the faces (T, 468, 3) that were found."""
    widths = np.linalg.norm(face[:, CHEEKS[0], :2] - face[:, CHEEKS[1], :2], axis=1)
    widths = widths[np.isfinite(widths)]
    return float(np.median(widths)) if len(widths) else None


def facing(face: Floats) -> NDArray[np.float64]:
    """Nose and chin (T, 2, 2) in the frame of the eyes, from faces (T, 468, 3)."""
    return _in_eye_frame(face, (NOSE, CHIN))


def components(face: Floats) -> NDArray[np.float64]:
    """(T, 5) in eye distances: opening of mouth, right lids, left lids; nose aside (yaw) and down (pitch)."""
    unit = eye_distance(face)
    gaps = [
        np.linalg.norm(face[:, a, :2] - face[:, b, :2], axis=1) / unit
        for a, b in (LIPS, RIGHT_LIDS, LEFT_LIDS)
    ]
    nose = _in_eye_frame(face, (NOSE,))[:, 0]
    return np.column_stack([*gaps, nose])


def expression(performer: Floats, shown: Floats) -> float | None:
    """Mean over the components that move of their correlation over time; a component that stands still shows 0.

    ``performer`` and ``shown`` are faces (T, 468, 3), NaN where lost. A lost face of the output is one that did not
    move: it stays at the median of those that were seen.
    """
    wanted, got = components(performer), components(shown)
    seen = np.isfinite(wanted).all(axis=1)
    if seen.sum() < FEWEST:
        return None
    wanted, got = wanted[seen], got[seen]
    unit = float(np.median(eye_distance(performer[seen])))
    moves = wanted.std(axis=0) > np.maximum(HARDLY, HARDLY_PX / unit)
    if not moves.any():
        return None
    found = np.isfinite(got).all(axis=1)
    if not found.any():
        return 0.0
    got[~found] = np.median(got[found], axis=0)
    spread = got.std(axis=0)
    scores = [
        0.0 if spread[i] < 1e-4 else float(np.corrcoef(wanted[:, i], got[:, i])[0, 1])
        for i in np.flatnonzero(moves)
    ]
    return float(np.mean(scores))


def face_figures(
    performer: tuple[Floats, NDArray[np.uint8]],
    shown: tuple[Floats, NDArray[np.uint8]],
    reference: tuple[Floats, NDArray[np.uint8]],
    *,
    self_reenactment: bool,
) -> FaceFigures:
    """Each pair is faces (T, 468, 3) and patches (T, 90, 80, 3); the reference's has T = 1."""
    ours = np.isfinite(shown[0][:, 0, 0])
    theirs = np.isfinite(performer[0][:, 0, 0])
    known = bool(np.isfinite(reference[0][0, 0, 0]))
    ncc = own = None
    if known:
        apart = np.linalg.norm(facing(performer[0]) - facing(reference[0]), axis=2).max(axis=1)
        alike = theirs & (np.nan_to_num(apart, nan=np.inf) <= SAME_FACING)
        if alike.any():
            scores = correlation(shown[1], np.broadcast_to(reference[1], shown[1].shape))
            ncc = float(np.median(np.where(ours, scores, 0.0)[alike]))
    if self_reenactment and theirs.any():
        scores = correlation(shown[1], performer[1])
        own = float(np.median(np.where(ours, scores, 0.0)[theirs]))
    return FaceFigures(ncc, own, expression(performer[0], shown[0]) if known else None)


def _anchors(face: Floats) -> NDArray[np.float64]:
    """(T, 5, 2): middle of right and left eye, nose, middle of the mouth, chin."""
    flat = face[..., :2].astype(np.float64)
    middle = [flat[:, list(pair)].mean(axis=1) for pair in (RIGHT_EYE, LEFT_EYE, MOUTH)]
    return np.stack([middle[0], middle[1], flat[:, NOSE], middle[2], flat[:, CHIN]], axis=1)


def eye_distance(face: Floats) -> NDArray[np.float64]:
    """(T,) pixels between the eyes' middles, from faces (T, 468, 3)."""
    anchors = _anchors(face)
    distance: NDArray[np.float64] = np.linalg.norm(anchors[:, 1] - anchors[:, 0], axis=1)
    return np.maximum(distance, 1e-3)


def _in_eye_frame(face: Floats, indices: tuple[int, ...]) -> NDArray[np.float64]:
    anchors = _anchors(face)
    origin = anchors[:, :2].mean(axis=1)
    along = (anchors[:, 1] - anchors[:, 0]) / (eye_distance(face) ** 2)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    offset = face[:, list(indices), :2] - origin[:, None]
    return np.stack([np.einsum("tkd,td->tk", offset, along), np.einsum("tkd,td->tk", offset, across)], axis=2)


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(2, 3) rotation, uniform scale and shift that takes ``source`` (N, 2) to ``target`` in least squares."""
    a = source - source.mean(axis=0)
    b = target - target.mean(axis=0)
    size = float((a**2).sum())
    if size < 1e-6:
        return None
    c = float((a * b).sum()) / size
    s = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    turn = np.array([[c, -s], [s, c]])
    return np.column_stack([turn, target.mean(axis=0) - turn @ source.mean(axis=0)])
