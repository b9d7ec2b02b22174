from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from drawn_face import CENTRE, face_mesh, face_motion

from understudy.engines.puppet.roll import level, rolled


def tilted(mesh: np.ndarray, angle_deg: float) -> np.ndarray:
    """The mesh turned clockwise in the picture."""
    a = np.radians(angle_deg)
    out = mesh.copy()
    out[:, :2] = (mesh[:, :2] - CENTRE) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + CENTRE
    return out.astype(np.float32)


def character(mesh: np.ndarray | None, eyes: tuple[float, float] = (1.0, 0.0)) -> Any:
    body = np.zeros((33, 3), np.float32)
    body[2, :2] = eyes
    face = np.full((468, 3), np.nan, np.float32) if mesh is None else mesh
    return SimpleNamespace(person=SimpleNamespace(face=face, body=body))


def degrees(turn: np.ndarray) -> np.ndarray:
    return np.degrees(np.angle(turn))


def test_the_head_tilts_as_the_face_against_the_references_own_tilt():
    clip = face_motion([tilted(face_mesh(), 12.0)] * 20)
    turn, trust = rolled(clip, character(tilted(face_mesh(), -5.0)))
    assert degrees(turn) == pytest.approx(np.full(20, 17.0), abs=0.2)
    assert trust.min() > 0.99


def test_turning_aside_is_no_tilt():
    for yaw in (-25.0, 25.0):
        assert abs(float(degrees(level(face_mesh(yaw_deg=yaw)[None]))[0])) < 0.5


def test_a_profile_or_a_lost_face_has_no_say():
    shown = [face_mesh()] * 20 + [face_mesh(yaw_deg=75.0)] * 10 + [None] * 10
    turn, trust = rolled(face_motion(shown), character(face_mesh()))
    assert np.isfinite(turn).all()
    assert trust[:5].min() > 0.99
    assert trust[20:].max() == 0.0
    assert np.abs(np.diff(trust[:20])).max() < 0.3


def test_without_a_mesh_the_bodys_eyes_tell_the_references_tilt():
    clip = face_motion([face_mesh()] * 5)
    assert degrees(rolled(clip, character(None, (np.cos(0.2), np.sin(0.2))))[0])[0] == pytest.approx(
        -11.5, abs=0.2
    )
    assert degrees(rolled(clip, character(None, (-1.0, 0.0)))[0])[0] == pytest.approx(0.0, abs=0.2)
    assert degrees(rolled(clip, character(None, (np.nan, 0.0)))[0])[0] == pytest.approx(0.0, abs=0.2)
