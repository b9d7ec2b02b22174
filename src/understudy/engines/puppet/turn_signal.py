"""How the performer's head turns over time, against the character's facing in the reference image."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.face_measures import without_noise
from understudy.engines.puppet.relief import FaceFrame, smooth
from understudy.tracking import series
from understudy.tracking.motion import Floats

# Landmarks that keep their places on the skull: eye corners, nose, forehead and temples.
RIGID = (
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 151, 9, 8, 127, 356, 234, 454, 54, 284, 103, 332,
    67, 297, 109, 338, 21, 251, 162, 389,
)  # fmt: skip
# The character keeps its own facing where the performer mostly faces elsewhere, but for so many degrees; where the
# performer passes through the very facing of the reference, all of the difference counts.
MOST_DEG = (12.0, 8.0)  # yaw, pitch
HABIT_DEG = (
    12.0  # yaw of a usual facing; who mostly faces further aside is turned, and looks ahead when frontal
)
ALIKE = (0.012, 0.03)  # distance of shapes over the eyes' at which they are one facing, and not
NEAREST = 1.1  # of the smallest such distance: faces that are alike equally well
NOISE_DEG = 0.4
ODD_FRAMES = 3
# A nodding face is not as stiff as a skull: its nose goes farther than the parallax of all landmarks tells.
NOD = 1.4
# Over so many seconds turns are smoothed (standard deviation), and the more the smaller the face is than so many
# pixels between its outer eye corners, up to so many times: the mesh of a small face trembles.
SMOOTH_S, LARGE_PX, MOST_SMOOTH = 0.06, 60.0, 2.5
HOLD_S, RELEASE_S = 0.6, 0.6  # how long a turn outlasts the face, and the ease back to rest


class Turns(NamedTuple):
    """Angles (T,) in degrees: yaw above 0 to the picture's right, pitch above 0 down."""

    yaw: Floats
    pitch: Floats


def turns(
    faces: Floats, reference: Floats | None, facing: bool = True, there: NDArray[np.bool_] | None = None
) -> Turns:
    """The turn to draw on the character whose mesh is ``reference`` (468, 3), for the performer's (T, 468, 3).

    Without ``facing`` the character keeps its own, unless the performer passes through it; ``there`` (T,) tells where,
    if it is known.
    """
    solid = _frontal(faces)
    # A single odd frame is the tracker's, not the performer's.
    seen = Turns(*(series.median(v, ODD_FRAMES) for v in _nodding(angles(faces, solid))))
    middle = [float(np.median(v)) for v in seen]
    if facing:
        middle[0] = float(np.clip(middle[0], -HABIT_DEG, HABIT_DEG))
    if reference is None:
        return Turns(*(without_noise(v - m, NOISE_DEG) for v, m in zip(seen, middle, strict=True)))
    own = _nodding(angles(reference[None], solid))
    alike = 1.0
    if there is None:
        alike, there = _alike(faces, reference)
    found = []
    for values, neutral, mine, most in zip(seen, middle, own, MOST_DEG, strict=True):
        # The reference's facing seen in the clip: there the mesh errs as it does in the clip's other frames.
        apart = neutral - (alike * float(values[there].mean()) + (1 - alike) * float(mine[0]))
        near = most * np.tanh(apart / most) if facing else 0.0
        kept = alike * apart + (1 - alike) * near
        found.append(without_noise(values - neutral + kept, NOISE_DEG))
    return Turns(*found)


def smoothing_s(faces: Floats) -> float:
    """How long to smooth the turns of faces (T, 468, 3), in seconds."""
    span = float(np.median(np.linalg.norm(faces[:, 263, :2] - faces[:, 33, :2], axis=1)))
    return SMOOTH_S * float(np.clip(LARGE_PX / max(span, 1.0), 1.0, MOST_SMOOTH))


def held(seen: NDArray[np.bool_], step_s: float, edges: tuple[int, ...]) -> Floats:
    """(T,) 1 where a face is ``seen`` (T,) and a while beside it, easing to 0: a profile is a turn gone on with.

    ``edges`` are where shots begin and end.
    """
    weight = np.zeros(len(seen), np.float32)
    for a, b in pairwise(edges):
        inside = np.flatnonzero(seen[a:b])
        if len(inside):
            at = np.arange(b - a)
            after = np.clip(np.searchsorted(inside, at), 0, len(inside) - 1)
            before = np.maximum(after - 1, 0)
            away = np.minimum(np.abs(inside[after] - at), np.abs(inside[before] - at)) * step_s
            weight[a:b] = 1.0 - smooth((away - HOLD_S) / RELEASE_S)
    return weight


def angles(faces: Floats, solid: Floats) -> Turns:
    """By how much each of the ``faces`` (T, 468, 3) is turned against ``solid`` (468, 3), which may be another's.

    Least squares under weak perspective: the picture of the solid's landmarks is linear in their places, and what
    depth contributes to it is the parallax of the turn. Only the picture's plane of ``faces`` is used.
    """
    places = solid[list(RIGID)].astype(np.float64)
    frame = FaceFrame.of(solid)
    level = np.concatenate([frame.into(places), -places[:, 2:]], axis=1)
    level -= level.mean(axis=0)
    shown = faces[:, list(RIGID), :2].astype(np.float64)
    shown -= shown.mean(axis=1, keepdims=True)
    # (T, 3, 2): where a step along the eyes, down and towards the viewer goes in the picture
    steps = np.einsum("kn,tnc->tkc", np.linalg.pinv(level), shown)
    along = steps[:, 0] / np.maximum(np.linalg.norm(steps[:, 0], axis=1, keepdims=True), 1e-9)
    right = np.einsum("tkc,tc->tk", steps, along)
    down = steps[..., 1] * along[:, None, 0] - steps[..., 0] * along[:, None, 1]
    size = np.sqrt(((right**2).sum(axis=1) + (down**2).sum(axis=1)) / 2)
    size = np.maximum(size, 1e-9)
    pitch = np.arcsin(np.clip(down[:, 2] / size, -0.95, 0.95))
    yaw = np.arcsin(np.clip(right[:, 2] / size / np.cos(pitch), -0.95, 0.95))
    return Turns(np.degrees(yaw).astype(np.float32), np.degrees(pitch).astype(np.float32))


def _nodding(turned: Turns) -> Turns:
    return turned._replace(pitch=NOD * turned.pitch)


def _frontal(faces: Floats) -> Floats:
    """The face (468, 3) seen most from the front, nodding as usual: of a turned one the mesh guesses the far half."""
    across, down = faces[:, 263] - faces[:, 33], faces[:, 2] - faces[:, 9]
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    down = down / np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
    apart = np.abs(across[:, 2]) + np.abs(down[:, 2] - np.median(down[:, 2]))
    return np.asarray(faces[int(np.argmin(apart))], np.float32)


def _alike(faces: Floats, reference: Floats) -> tuple[float, NDArray[np.bool_]]:
    """1 where some face looks just as the reference's does, 0 where none nearly does; and which do so most (T,)."""
    shown = faces[:, list(RIGID), 0] + 1j * faces[:, list(RIGID), 1]
    wanted = reference[list(RIGID), 0] + 1j * reference[list(RIGID), 1]
    shown, wanted = shown - shown.mean(axis=1, keepdims=True), wanted - wanted.mean()
    fit = (shown.conj() @ wanted) / np.maximum((np.abs(shown) ** 2).sum(axis=1), 1e-9)
    apart = np.sqrt((np.abs(fit[:, None] * shown - wanted) ** 2).mean(axis=1))
    span = max(float(np.linalg.norm(reference[33] - reference[263])), 1e-6)
    low, high = ALIKE
    share = float(np.clip((high - float(apart.min()) / span) / (high - low), 0.0, 1.0))
    return share, apart <= NEAREST * apart.min()
