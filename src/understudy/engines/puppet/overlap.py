"""Where in the picture parts lie over each other, told from the joints alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.parts import HIPS, NOSE, SHOULDERS, centre, figure_size
from understudy.engines.puppet.pose import Poses
from understudy.engines.puppet.warp import smoothstep
from understudy.tracking.motion import Floats

STATIONS = 4  # points looked at on every bone
TRUNK_SIDE = 0.2  # of the shoulders' width: what the trunk is wider than its joints, with half an arm
HEAD = 0.75  # of the way from shoulders to nose: the head's radius about the nose, with half a hand
TOUCH = 0.2  # figure sizes between the bones of two limbs that lie over each other


def near_head(poses: Poses, rest: Floats, joint: int) -> Floats:
    """(T,) 1 for a joint at the nose, 0 from a head's height away on."""
    away = np.linalg.norm(poses.joints[:, joint] - poses.joints[:, NOSE], axis=1) / _head(poses, rest)
    return 1 - smoothstep((away - 0.5) / 0.6)


def on_body(poses: Poses, rest: Floats, chain: tuple[int, ...]) -> NDArray[np.bool_]:
    """(T,) whether a chain of joints lies over trunk or head."""
    points = _stations(poses.joints, chain)
    spine = centre(poses.joints, SHOULDERS) - centre(poses.joints, HIPS)
    along, across = _coordinates(points, centre(poses.joints, HIPS), spine)
    width = np.linalg.norm(rest[SHOULDERS[0]] - rest[SHOULDERS[1]]) * np.maximum(poses.scale, 0.2)
    now = np.linalg.norm(poses.joints[:, SHOULDERS[0]] - poses.joints[:, SHOULDERS[1]], axis=1)
    half = (now / 2 + TRUNK_SIDE * width)[:, None]
    on_trunk = (along > -0.2) & (along < 1.1) & (np.abs(across) < half)
    from_nose = np.linalg.norm(points - poses.joints[:, None, NOSE], axis=2)
    return np.asarray((on_trunk | (from_nose < HEAD * _head(poses, rest)[:, None])).any(axis=1), bool)


def touching(poses: Poses, rest: Floats, one: tuple[int, ...], other: tuple[int, ...]) -> NDArray[np.bool_]:
    """(T,) whether two chains of joints lie over each other; their roots, which always lie close, do not count."""
    a, b = (_stations(poses.joints, chain)[:, STATIONS // 2 :] for chain in (one, other))
    apart = np.linalg.norm(a[:, :, None] - b[:, None, :], axis=3).min(axis=(1, 2))
    return np.asarray(apart < TOUCH * figure_size(rest) * np.maximum(poses.scale, 0.2), bool)


def _head(poses: Poses, rest: Floats) -> Floats:
    """(T,) pixels from the shoulders' middle to the nose."""
    height = float(np.hypot(*(rest[NOSE] - centre(rest, SHOULDERS))))
    return np.maximum(height * np.maximum(poses.scale, 0.2), 1.0)


def _stations(joints: Floats, chain: tuple[int, ...]) -> Floats:
    """(T, P, 2) points along a chain of joints."""
    if len(chain) == 1:
        return joints[:, list(chain)]
    shares = np.linspace(0, 1, STATIONS)[None, :, None]
    bones = [
        joints[:, None, a] + shares * (joints[:, None, b] - joints[:, None, a]) for a, b in pairwise(chain)
    ]
    return np.concatenate(bones, axis=1)


def _coordinates(points: Floats, origin: Floats, axis: Floats) -> tuple[Floats, Floats]:
    """(T, P) each: how far along ``axis`` (T, 2), in its lengths, and how many pixels to its side."""
    length = np.maximum(np.linalg.norm(axis, axis=1), 1.0)[:, None]
    unit = axis / length
    offset = points - origin[:, None]
    along = (offset * unit[:, None]).sum(axis=2) / length
    across = offset[..., 0] * -unit[:, None, 1] + offset[..., 1] * unit[:, None, 0]
    return along, across
