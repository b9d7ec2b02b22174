"""Skin signal: how the performer's mesh moves the character's skin, freed of pose and of the performer's build."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.brow_signal import brow_shifts
from understudy.engines.puppet.face_alignment import aligned, laid_upon
from understudy.engines.puppet.face_measures import measure
from understudy.engines.puppet.mouth_shape import MouthShape
from understudy.engines.puppet.relief import FaceFrame, smooth
from understudy.engines.puppet.skin_points import MOUTH, PLACE, SKIN, mirrored, places
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER
from understudy.tracking.motion import Floats

CLOSED_SHARE = 0.25  # share of the frames, those with the smallest gap, whose median is the mouth at rest
FACING_DEG = 12.0  # a head that is turned less faces the camera
POSE_PRIOR_DEG = 5.0  # a head that turns less than this tells nothing about how the mesh errs when it turns
POSE_FRAMES = 30.0
FOOT = (2, 98, 327)  # of the nose: no expression moves it by much, a mesh that errs with the head's pose does
# How far the error of the nose's foot is that of other points, measured on 10 clips with the mouth's own movement
# taken out: it grows downwards to 1.25 at the lips and falls to half beside the face.
LOWER, BESIDE, ASIDE = 1.25, 0.5, (0.25, 0.7)
# Shares of it, across and down, that are taken away: the rest is turning that the head's own turn understates.
TAKEN = np.array([0.8, 0.6])
SAME, OTHER = 0.012, 0.018  # mean distance of two meshes over the eyes': the same face again; another face
NEAREST = 1.1  # of the smallest such distance: frames that show the same face equally well
# The mesh understates: its corners stay short of those of a wide smile in the picture.
GAIN = np.array([1.15, 1.1])  # across, down
WIDE, WIDEST = 0.14, 0.26  # eye distances: mouths that widen by more do so less and less, up to the second
# A face that is turned so far hides half of its mouth: what the mesh tells of that half is drawn as the other's.
HALF_DEG = (18.0, 38.0)
MOST = 0.6  # eye distances that any skin point moves
NOISE, NOISE_PX = 0.004, 0.25  # of the lips' landmarks: over the eyes' distance, and in the video's pixels


@dataclass(frozen=True)
class SkinSignal:
    """Shift ``(T, len(SKIN), 2)`` of the skin points in the reference's face frame, over the eyes' distance."""

    shifts: Floats

    @classmethod
    def of(
        cls, faces: Floats, reference: Floats | None, there: NDArray[np.bool_] | None = None
    ) -> SkinSignal:
        """From the performer's meshes ``(T, 468, 3)`` and the character's ``(468, 3)``, all finite.

        The performer's meshes are laid upon each other and then, by one similarity, upon the character's mesh, and
        seen as the reference image sees it: so a turned reference needs no more than the plane. The performer's
        mouth at rest is the median of the frames with the mouth closed; the character's mouth at rest is what the
        reference shows less what of it is expression (`MouthShape.shown`). Shifts from the one, scaled to the
        other's proportions, lead to the shape to draw; the shift from what the reference shows is the result. Where
        the clip holds the reference's very face, its shapes are taken as they are; ``there`` (T,) says in which frames
        it does, where that is known.
        """
        laid, median = aligned(faces)
        own = np.asarray(median if reference is None else reference, np.float64)
        laid = laid_upon(laid, median[None], own)
        frame = FaceFrame.of(own.astype(np.float32))
        span = max(frame.span, 1.0)
        points = frame.into(laid[:, list(SKIN)]) / span
        shown = frame.into(own[list(SKIN)]) / span
        points = without_pose(points, faces)
        apart = np.linalg.norm(points - shown, axis=-1).mean(axis=1)
        nearest = apart <= NEAREST * apart.min() if there is None else there
        same = 1.0 if there is not None else 1.0 - float(smooth((apart.min() - SAME) / (OTHER - SAME)))
        usual = np.median(points, axis=0)
        points = without_slide(points, usual + same * (shown - usual))
        # The same face seen in the clip: there the mesh errs as it does in the clip's other frames.
        shown = shown + same * (points[nearest].mean(axis=0) - shown)
        rest = _at_rest(points, faces)
        rest_shape, shown_shape = MouthShape.of(rest), MouthShape.of(shown)
        lips = len(MOUTH)
        change: Floats = points[:, :lips] - rest[:lips] + rest_shape.shown()
        change = change * shown_shape.over(rest_shape) - shown_shape.shown()
        change = change + same * (points[:, :lips] - shown[:lips] - change)
        span_px = float(np.median(np.linalg.norm(faces[:, 263] - faces[:, 33], axis=-1)))
        change = _evened(change, measure(faces).yaw)
        change = _eased(GAIN * _without_noise(change, NOISE + NOISE_PX / max(span_px, 1.0)))
        brows = np.median(points[:, lips:], axis=0)
        brows = brow_shifts(points[:, lips:] - brows - same * (shown[lips:] - brows))
        shifts = np.clip(np.concatenate([change, brows], axis=1), -MOST, MOST)
        return cls(shifts.astype(np.float32))


def without_pose(points: Floats, faces: Floats) -> Floats:
    """Points ``(T, N, 2)`` without what goes aside with the head's turning; what goes with the mouth stays.

    The mesh of a turned face errs aside the same way each time, most along the jaw. A ridge regression parts this
    from the mouth's own movement: both are in it, only the turning's share is taken away. Up and down, people move
    the jaw as they nod: taking that away did more harm than good.
    """
    m = measure(faces)
    turning = np.stack([m.yaw, m.pitch], axis=1).astype(np.float64)
    turning -= np.median(turning, axis=0)
    mouth = np.stack([m.gape, m.width], axis=1).astype(np.float64)
    causes = np.concatenate([turning / POSE_PRIOR_DEG, (mouth - mouth.mean(axis=0)) / 0.05], axis=1)
    inner = causes.T @ causes + POSE_FRAMES * np.eye(4)
    found = np.linalg.solve(inner, causes.T @ (points[..., 0] - points[..., 0].mean(axis=0)))
    out = points.copy()
    out[..., 0] -= causes[:, :2] @ found[:2]
    return out


def without_slide(points: Floats, still: Floats) -> Floats:
    """Points ``(T, N, 2)`` about the mouth without what slides along with the nose's foot.

    The foot belongs where it is in ``still`` ``(N, 2)``. A mesh of a head that nods, turns or is small has the lower
    half of the face slide up, down and aside as one, by up to a tenth of the eyes' distance.
    """
    foot = places(FOOT)
    slid = np.median(points[:, foot] - still[foot], axis=1)
    u, v = still[: len(MOUTH)].T
    middle, low = still[foot].mean(axis=0)
    weight = np.clip(v / max(float(low), 0.1), 0.0, LOWER)
    weight *= 1.0 - BESIDE * smooth((np.abs(u - middle) - ASIDE[0]) / (ASIDE[1] - ASIDE[0]))
    out = points.copy()
    out[:, : len(MOUTH)] -= weight[:, None] * (TAKEN * slid)[:, None]
    return out


def _at_rest(points: Floats, faces: Floats) -> Floats:
    """(N, 2) the points at rest: median of the frames with the smallest gap, of those that are turned least."""
    turned = np.abs(measure(faces).yaw)
    near = points[turned <= max(float(np.median(turned)), FACING_DEG)]
    upper, lower = places(INNER_UPPER)[3:8], places(INNER_LOWER)[3:8]
    gap = (near[:, lower, 1] - near[:, upper, 1]).mean(axis=1)
    return np.asarray(np.median(near[gap <= np.quantile(gap, CLOSED_SHARE)], axis=0))


def _evened(shifts: Floats, yaw: Floats) -> Floats:
    """Shifts ``(T, N, 2)`` that are the more alike on both sides the more the face is turned."""
    share = smooth((np.abs(yaw) - HALF_DEG[0]) / (HALF_DEG[1] - HALF_DEG[0]))[:, None, None]
    even = (shifts + shifts[:, mirrored()] * np.array([-1.0, 1.0])) / 2
    return np.asarray(shifts + share * (even - shifts))


def _eased(shifts: Floats) -> Floats:
    """Shifts whose mouth never widens beyond what a face can."""
    wider = shifts[:, PLACE[291], 0] - shifts[:, PLACE[61], 0]
    room = WIDEST - WIDE
    eased = np.where(wider > WIDE, WIDE + room * np.tanh((wider - WIDE) / room), wider)
    share = np.where(wider > WIDE, eased / np.maximum(wider, WIDE), 1.0)
    return np.asarray(shifts * np.stack([share, np.ones_like(share)], axis=-1)[:, None])


def _without_noise(shifts: Floats, band: float) -> Floats:
    """Shifts shrunk as a whole in frames in which none is larger than the mesh's noise."""
    size = (shifts**2).sum(axis=-1).mean(axis=1)
    return np.asarray(shifts * (size / (size + band * band))[:, None, None])
