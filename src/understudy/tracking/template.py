"""The template skeleton: from a few joints of a frontal figure to all 33 landmarks and their world positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.tracking.motion import BODY, Floats

NAMES = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)
"""BlazePose's landmarks in their published order."""

INDEX = {name: i for i, name in enumerate(NAMES)}

BONES = (
    (11, 12),
    (23, 24),
    (11, 23),
    (12, 24),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
    (23, 25),
    (25, 27),
    (24, 26),
    (26, 28),
)
"""The lines that carry the body, without head, hands and feet."""

LEFT_RIGHT = (
    (1, 4),
    (2, 5),
    (3, 6),
    (7, 8),
    (9, 10),
    *((i, i + 1) for i in range(11, 33, 2)),
)

_FIGURE_M = 1.55  # nose to ankle along the body

# (across, down) in head heights from the nose, of the landmarks at the character's left
_FACE = {
    "left_eye_inner": (0.06, -0.13),
    "left_eye": (0.13, -0.14),
    "left_eye_outer": (0.19, -0.13),
    "left_ear": (0.34, -0.06),
    "mouth_left": (0.11, 0.16),
}


def mirrored(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks (33, ...) with left and right names changed over; coordinates stay."""
    out = points.copy()
    for left, right in LEFT_RIGHT:
        out[[left, right]] = points[[right, left]]
    return out


def complete(known: Floats, *, head_height: float | None = None) -> Floats:
    """All 33 landmarks (33, 2) of a frontal figure.

    ``known`` is (33, 2), NaN where unknown; nose, shoulders, elbows, wrists, hips, knees and ankles must be there.
    ``head_height`` is in the same pixels, crown to chin; a guess is made from the neck's length without it.
    """
    at = known.astype(np.float32).copy()
    nose, shoulders, hips = at[0], at[11:13].mean(axis=0), at[23:25].mean(axis=0)
    up = _unit(nose - shoulders, _unit(shoulders - hips, xy(0, -1)))
    left = xy(-up[1], up[0])
    if float(np.dot(left, at[11] - at[12] + at[23] - at[24])) < 0:
        left = -left
    if head_height is None:
        neck = float(np.linalg.norm(nose - shoulders))
        head_height = max(0.75 * neck, min(1.1 * neck, 0.6 * float(np.linalg.norm(shoulders - hips))))
    for name, (across, down) in _FACE.items():
        own, other = INDEX[name], INDEX[_other(name)]
        if np.isnan(at[own, 0]):
            at[own] = nose + head_height * (across * left - down * up)
        if np.isnan(at[other, 0]):
            at[other] = nose + head_height * (-across * left - down * up)
    for side in (0, 1):
        outward = left if side == 0 else -left
        elbow, wrist = at[13 + side], at[15 + side]
        reach = 0.3 * (wrist - elbow)
        thumb = 0.25 * xy(-reach[1], reach[0])
        if float(np.dot(thumb, up)) < 0:
            thumb = -thumb  # the thumb's side looks up or forward in a relaxed drawing
        for finger, place in ((17, reach - thumb), (19, reach + thumb), (21, 0.6 * reach + 1.6 * thumb)):
            if np.isnan(at[finger + side, 0]):
                at[finger + side] = wrist + place
        knee, ankle = at[25 + side], at[27 + side]
        shin = ankle - knee
        length = float(np.linalg.norm(shin))
        along = _unit(shin, -up)
        if np.isnan(at[29 + side, 0]):
            at[29 + side] = ankle + length * (0.1 * along - 0.05 * outward)
        if np.isnan(at[31 + side, 0]):
            at[31 + side] = ankle + length * (0.2 * along + 0.12 * outward)
    return at


def world_from(body: Floats) -> Floats:
    """World landmarks (33, 3) of a figure that is flat in the picture plane: metres about the mid-hip, z 0.

    The scale gives the figure a human's length from nose to ankle, along the body.
    """
    at = body[:, :2]
    legs = [np.linalg.norm(at[23 + s] - at[25 + s]) + np.linalg.norm(at[25 + s] - at[27 + s]) for s in (0, 1)]
    shoulders, hips = at[11:13].mean(axis=0), at[23:25].mean(axis=0)
    length = np.linalg.norm(at[0] - shoulders) + np.linalg.norm(shoulders - hips) + np.mean(legs)
    out = np.zeros((BODY, 3), np.float32)
    out[:, :2] = (at - hips) * (_FIGURE_M / max(float(length), 1e-3))
    return out


def xy(x: float, y: float) -> Floats:
    """A place or a step in a picture, (2,)."""
    return np.array([x, y], np.float32)


def _unit(vector: NDArray[np.float32], otherwise: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 1e-6 else otherwise


def _other(name: str) -> str:
    return name.replace("left", "right")
