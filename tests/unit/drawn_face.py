"""A face for tests: a mesh with every landmark that the face's code reads, and a picture drawn to it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.engines.puppet.eyes import BROW, LOWER, UPPER
from understudy.engines.puppet.skin_points import BROWS
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from understudy.tracking.motion import Floats, Motion

# The outline of the face in the published numbering of Face Mesh, clockwise from the forehead.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
SPAN = 90.0  # distance of the outer eye corners
CENTRE = (150.0, 130.0)  # between the eyes
SKIN, LIP, DARK, WHITE = (224, 172, 150), (176, 84, 84), (40, 28, 24), (244, 242, 238)


def face_mesh(
    *,
    gape: float = 0.0,
    lids: float = 1.0,
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    smile: tuple[float, float] = (0.0, 0.0),
    brows: tuple[float, float] = (0.0, 0.0),
    frown: float = 0.0,
) -> Floats:
    """(468, 3) pixels. ``lids`` is 1 open to 0 shut; all else is in eye distances.

    ``gape`` is the gap of the lips, with the jaw; ``smile`` how far the own left and own right corner go aside and
    up; ``brows`` how far the own left and right brow go up, ``frown`` their inner ends to each other and down.
    """
    k = np.arange(468)
    radius, angle = np.sqrt((k + 0.5) / 468), k * 2.39996
    mesh = np.stack([0.78 * radius * np.cos(angle), 0.25 + 0.95 * radius * np.sin(angle), 0 * radius], axis=1)
    turn = np.linspace(-np.pi / 2, 1.5 * np.pi, len(OVAL), endpoint=False)
    mesh[list(OVAL), 0], mesh[list(OVAL), 1] = 0.8 * np.cos(turn), 0.25 + 0.98 * np.sin(turn)
    for side, sign in ((0, 1.0), (1, -1.0)):
        t = np.linspace(1, -1, 9)
        x = sign * (0.32 + 0.18 * t)
        mesh[list(UPPER[side]), 0], mesh[list(UPPER[side]), 1] = x, -0.07 * lids * (1 - t * t)
        mesh[list(LOWER[side]), 0], mesh[list(LOWER[side]), 1] = x, 0.05 * lids * (1 - t * t)
        t = np.linspace(1, -1, 5)
        mesh[list(BROW[side]), 0] = sign * (0.34 + 0.2 * t)
        mesh[list(BROW[side]), 1] = -0.24 - 0.04 * (1 - t * t)
        mesh[list(BROWS[side][5:]), 0] = sign * (0.34 + 0.2 * t)
        mesh[list(BROWS[side][5:]), 1] = -0.29 - 0.04 * (1 - t * t)
    t = np.linspace(-1, 1, 11)
    bow = 1 - t * t
    for ids, x, y in (
        (OUTER_UPPER, 0.27, -0.09 * bow),
        (OUTER_LOWER, 0.27, 0.11 * bow),
        (INNER_UPPER, 0.25, 0 * bow),
        (INNER_LOWER, 0.25, 0 * bow),
    ):
        mesh[list(ids), 0], mesh[list(ids), 1] = x * t, 0.72 + y
    for index, x, y in (
        (2, 0.0, 0.48), (164, 0.0, 0.56), (94, 0.0, 0.5), (151, 0.0, -0.5), (9, 0.0, -0.2), (168, 0.0, -0.05),
        (6, 0.0, 0.1), (105, -0.34, -0.28), (66, -0.24, -0.27), (63, -0.44, -0.27), (334, 0.34, -0.28),
        (296, 0.24, -0.27), (293, 0.44, -0.27), (117, -0.4, 0.25), (118, -0.3, 0.25), (101, -0.25, 0.3),
        (36, -0.25, 0.4), (205, -0.4, 0.5), (187, -0.45, 0.4),
    ):  # fmt: skip
        mesh[index, :2] = x, y
    x, y = mesh[:, 0] / 0.8, (mesh[:, 1] - 0.25) / 0.98
    mesh[:, 2] = -0.55 * np.sqrt(np.clip(1.0 - x * x - y * y, 0.0, 1.0))
    _perform(mesh, gape, smile, brows, frown)
    a, b = np.radians(yaw_deg), np.radians(pitch_deg)
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    mesh = (mesh @ (about_x @ about_y).T) * SPAN
    mesh[:, :2] += CENTRE
    return mesh.astype(np.float32)


def _perform(
    mesh: Floats, gape: float, smile: tuple[float, float], brows: tuple[float, float], frown: float
) -> None:
    lips = {*OUTER_LOWER, *INNER_LOWER} - {*OUTER_UPPER, *INNER_UPPER}
    bow = 1 - np.clip(np.abs(mesh[:, 0]) / 0.25, 0, 1) ** 2
    jaw = 0.85 * np.clip((mesh[:, 1] - 0.8) / 0.15, 0, 1) * np.clip(2.2 - 3 * np.abs(mesh[:, 0]), 0, 1)
    drop = np.array([bow[k] if k in lips else jaw[k] for k in range(len(mesh))])
    drop[[*OUTER_UPPER, *INNER_UPPER]] = 0
    near = np.exp(-(((mesh[:, 1] - 0.72) / 0.3) ** 2))
    side = np.clip(mesh[:, 0] / 0.27, -1, 1)
    for sign, by in zip((1.0, -1.0), smile, strict=True):
        share = by * near * np.clip(sign * side, 0, 1)
        mesh[:, 0] += sign * share
        mesh[:, 1] -= share
    mesh[:, 1] += gape * drop
    for ids, sign, up in zip(BROWS, (1.0, -1.0), brows, strict=True):
        inner = np.tile(np.linspace(0, 1, 5), 2)
        mesh[list(ids), 1] += frown * inner - up
        mesh[list(ids), 0] -= sign * frown * inner


def face_picture(mesh: Floats) -> NDArray[np.uint8]:
    """(320, 300, 4) the drawn face, opaque in its oval and clear outside."""
    rgba = np.zeros((320, 300, 4), np.uint8)

    def fill(ids: tuple[int, ...], colour: tuple[int, int, int]) -> None:
        points = np.rint(mesh[list(ids), :2] * 16).astype(np.int32)
        cv2.fillPoly(rgba, [points], (*colour, 255), cv2.LINE_AA, 4)

    fill(OVAL, SKIN)
    for side in (0, 1):
        fill(UPPER[side] + LOWER[side][::-1], WHITE)
        iris = mesh[[UPPER[side][4], LOWER[side][4]], :2].mean(axis=0)
        cv2.circle(rgba, np.rint(iris).astype(int).tolist(), 4, (*DARK, 255), -1, cv2.LINE_AA)
        line = np.rint(mesh[list(UPPER[side]), :2] * 16).astype(np.int32)
        cv2.polylines(rgba, [line], False, (*DARK, 255), 2, cv2.LINE_AA, 4)
    fill(OUTER_UPPER + OUTER_LOWER[::-1], LIP)
    fill(INNER_UPPER + INNER_LOWER[::-1], DARK)
    line = np.rint(mesh[list(INNER_UPPER), :2] * 16).astype(np.int32)
    cv2.polylines(rgba, [line], False, (*DARK, 255), 1, cv2.LINE_AA, 4)
    return rgba


def face_motion(meshes: list[Floats | None], fps: float = 30.0, cuts: tuple[int, ...] = ()) -> Motion:
    """A motion that holds nothing but a face; None is a frame in which it is lost."""
    frames = len(meshes)
    lost = np.full((468, 3), np.nan, np.float32)

    def nothing(*shape: int) -> Floats:
        return np.full((frames, *shape), np.nan, np.float32)

    return Motion(
        width=300,
        height=320,
        times_s=(np.arange(frames) / fps).astype(np.float32),
        body=nothing(33, 3),
        visibility=np.zeros((frames, 33), np.float32),
        world=nothing(33, 3),
        hands=nothing(2, 21, 3),
        hand_score=np.zeros((frames, 2), np.float32),
        face=np.stack([lost if m is None else m for m in meshes]),
        face_score=np.array([0.0 if m is None else 1.0 for m in meshes], np.float32),
        cuts=cuts,
    )
