from __future__ import annotations

import numpy as np
import pytest
from drawn_face import SPAN, face_mesh, face_picture

from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.relief import FaceFrame, Lattice
from understudy.engines.puppet.skin_points import BROWS, SKIN, places
from understudy.engines.puppet.skin_sheets import SkinSheets
from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER
from understudy.tracking.motion import Floats

FRAME = FaceFrame.of(face_mesh())
LATTICE = Lattice(50, 20, 4, 50, 60)


def built(mesh: Floats, lips: Lips | None) -> SkinSheets:
    return SkinSheets.build(lips, mesh, FRAME, LATTICE, np.ones((LATTICE.rows, LATTICE.columns), np.float32))


@pytest.fixture(scope="module")
def lips():
    found = Lips.find(face_picture(face_mesh()), face_mesh(), FRAME)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def sheets(lips):
    return built(face_mesh(), lips)


def skin_of(mesh: Floats) -> Floats:
    """Shifts of the skin points from the face at rest."""
    return ((mesh - face_mesh())[list(SKIN), :2] / SPAN).astype(np.float32)


def at(field: Floats, u: float, v: float) -> Floats:
    """Displacement at the node nearest to a place in eye distances, over the eyes' distance."""
    uv = FRAME.into(LATTICE.nodes()) / FRAME.span
    nearest = np.argmin(((uv - (u, v)) ** 2).sum(axis=-1))
    return field.reshape(-1, 2)[nearest] / FRAME.span


def test_the_lips_part_as_far_as_they_are_pulled(sheets):
    above, below = sheets.moved(skin_of(face_mesh(gape=0.3)))
    assert at(below, 0.0, 0.74)[1] == pytest.approx(0.3, abs=0.04)
    assert abs(at(above, 0.0, 0.70)[1]) < 0.04
    assert at(below, 0.0, 1.1)[1] == pytest.approx(0.25, abs=0.05)  # the chin


def test_beyond_the_corners_both_sides_are_one(sheets):
    above, below = sheets.moved(skin_of(face_mesh(gape=0.3, smile=(0.1, 0.0))))
    for u in (-0.5, -0.38, 0.38, 0.5):
        assert np.abs(at(above, u, 0.72) - at(below, u, 0.72)).max() < 0.015


def test_one_side_smiles_alone(sheets):
    above, _ = sheets.moved(skin_of(face_mesh(smile=(0.1, 0.0))))
    assert at(above, 0.27, 0.72) == pytest.approx([0.1, -0.1], abs=0.03)
    assert np.abs(at(above, -0.27, 0.72)).max() < 0.02


@pytest.mark.parametrize("gape", [0.4, 1.5])
def test_nothing_folds_however_wide_the_mouth(sheets, gape: float):
    above, below = sheets.moved(skin_of(face_mesh(gape=gape)))
    assert at(below, 0.0, 0.74)[1] > 0.3
    for field, side in ((above, ~sheets.under), (below, sheets.under)):
        down = np.diff(field[..., 1], axis=0) / LATTICE.step
        assert down[side[1:] & side[:-1]].min() > -0.9


def test_brows_move_and_leave_the_eyes(lips):
    for sheets in (built(face_mesh(), lips), built(face_mesh(), None)):
        above, _ = sheets.moved(skin_of(face_mesh(brows=(0.1, 0.0))))
        assert at(above, 0.34, -0.28)[1] == pytest.approx(-0.1, abs=0.03)
        assert np.abs(at(above, -0.34, -0.28)).max() < 0.03
        assert np.abs(at(above, 0.32, 0.0)).max() < 0.015


def test_a_face_without_lips_keeps_its_mouth(lips):
    for field in built(face_mesh(), None).moved(skin_of(face_mesh(gape=0.4))):
        assert np.abs(field).max() < 1e-3


def test_lips_meet_and_never_part_by_a_hair(sheets):
    skin = np.zeros((len(SKIN), 2), np.float32)
    skin[places(INNER_LOWER[1:-1]), 1] = 0.004
    assert sheets.opening(sheets.parted(skin)).max() < 0.001
    skin[places(INNER_LOWER[1:-1]), 1] = -0.1
    assert sheets.opening(sheets.parted(skin)).min() > -0.03


def test_a_tilted_face_moves_along_its_own_axes():
    a = np.radians(20)
    turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]], np.float32)
    mesh = face_mesh()
    centre = mesh[:, :2].mean(axis=0)
    mesh[:, :2] = (mesh[:, :2] - centre) @ turn + centre
    frame = FaceFrame.of(mesh)
    line = frame.into(mesh[list(INNER_UPPER)])
    u = np.linspace(line[:, 0].min(), line[:, 0].max(), 65).astype(np.float32)
    seam = np.full(65, line[:, 1].mean(), np.float32)
    lips = Lips.of(u, seam, seam, 0.0, mesh, frame)
    margin = np.ones((LATTICE.rows, LATTICE.columns), np.float32)
    sheets = SkinSheets.build(lips, mesh, frame, LATTICE, margin)
    _, below = sheets.moved(frame.turn(*skin_of(face_mesh(gape=0.3)).T))
    uv = frame.into(LATTICE.nodes()) / frame.span
    nearest = np.argmin(((uv - (0.0, line[0, 1] / frame.span + 0.03)) ** 2).sum(axis=-1))
    assert FaceFrame(np.zeros(2, np.float32), frame.along, frame.span).into(
        below.reshape(-1, 2)[nearest]
    ) / frame.span == pytest.approx([0.0, 0.3], abs=0.05)


def test_both_brows_are_known():
    assert len(set(BROWS[0] + BROWS[1])) == 20
    assert len(set(SKIN)) == len(SKIN)
