from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_face import CENTRE, SPAN, face_mesh, face_motion, face_picture

from understudy.engines.puppet.expression import expressions
from understudy.engines.puppet.eyes import LOWER, UPPER, find_eyes
from understudy.engines.puppet.face_rig import FaceRig
from understudy.engines.puppet.lips import Lips
from understudy.engines.puppet.look import Look
from understudy.engines.puppet.relief import FaceFrame, Lattice


@pytest.fixture(scope="module")
def mesh():
    return face_mesh()


@pytest.fixture(scope="module")
def picture(mesh):
    return face_picture(mesh)


@pytest.fixture(scope="module")
def rig(mesh, picture):
    rig = FaceRig.build(picture, mesh)
    assert rig is not None
    return rig


def opened(gape: float, own: float = 0.0) -> tuple[float, ...]:
    """The skin of a performer who opens the mouth, on a character whose mouth is open by ``own``."""
    meshes = [face_mesh()] * 20 + [face_mesh(gape=gape)] * 5
    return expressions(face_motion(meshes), face_mesh(gape=own)).at(22).skin


def at(rig: FaceRig, patch: np.ndarray, u: float, v: float) -> np.ndarray:
    """Colour at a place given in eye distances from the middle of the eyes."""
    x, y = round(CENTRE[0] + u * SPAN) - rig.box[0], round(CENTRE[1] + v * SPAN) - rig.box[1]
    return patch[y, x].astype(int)


def test_at_rest_the_patch_is_the_texture_to_the_byte(rig, picture):
    x0, y0, x1, y1 = rig.box
    patch = rig.draw(Look())
    assert patch.dtype == np.uint8
    assert np.array_equal(patch, picture[y0:y1, x0:x1])
    patch[:] = 0
    assert np.array_equal(rig.draw(Look()), picture[y0:y1, x0:x1])


def test_a_hair_of_expression_is_a_hair_of_change(rig):
    rest = rig.draw(Look()).astype(int)
    little = rig.draw(Look(skin=tuple(0.01 * v for v in opened(0.2)), lids=(0.021, 0.021), yaw_deg=0.02))
    shown = (rest[..., 3] > 0) & (little[..., 3] > 0)
    assert np.abs(little.astype(int) - rest)[..., :3][shown].max() < 40
    assert np.abs(little.astype(int) - rest)[..., :3][shown].mean() < 0.5


def test_the_mouth_opens_dark_between_lips_that_stay_lips(rig):
    patch = rig.draw(Look(skin=opened(0.4)))
    assert at(rig, patch, 0.0, 0.88)[:3].mean() < 110
    below = patch[:, round(CENTRE[0]) - rig.box[0], :3].astype(int)
    redness = below[:, 0] - below[:, 1]
    lip_rows = np.flatnonzero(redness > 75)
    assert lip_rows.max() + rig.box[1] > CENTRE[1] + 1.0 * SPAN  # the lower lip went down with the jaw
    assert lip_rows.min() + rig.box[1] < CENTRE[1] + 0.72 * SPAN  # the upper one did not


def test_the_drawn_mouth_is_in_step_with_the_performer(rig):
    gapes = 0.12 * (1 - np.cos(2 * np.pi * 4 * np.arange(45) / 30))
    looks = expressions(face_motion([face_mesh(gape=g) for g in gapes]), face_mesh())
    column = round(CENTRE[0]) - rig.box[0]

    def drawn(t: int) -> int:
        """Rows of the inside between the lips."""
        patch = rig.draw(looks.at(t))[:, column, :3].astype(int)
        lip = np.flatnonzero(patch[:, 0] - patch[:, 1] > 75)
        return int(np.diff(lip).max())

    shown = np.array([drawn(t) for t in range(10, 40)])
    scores = [np.corrcoef(shown, gapes[10 + lag : 40 + lag])[0, 1] for lag in (-1, 0, 1)]
    assert int(np.argmax(scores)) == 1
    assert scores[1] > 0.97
    assert np.ptp(shown) > 0.8 * SPAN * np.ptp(gapes)


def test_the_chin_drops_with_the_mouth(rig):
    def bottom(patch: np.ndarray) -> int:
        return int(np.flatnonzero(patch[:, round(CENTRE[0]) - rig.box[0], 3] > 127).max())

    assert bottom(rig.draw(Look(skin=opened(0.4)))) > bottom(rig.draw(Look())) + 10


def test_an_open_mouth_closes():
    mesh = face_mesh(gape=0.15)
    rig = FaceRig.build(face_picture(mesh), mesh)
    assert rig is not None
    closed = rig.draw(Look(skin=opened(0.0, own=0.15)))
    before = rig.draw(Look())
    column = round(CENTRE[0]) - rig.box[0]
    rows = slice(round(CENTRE[1] + 0.70 * SPAN) - rig.box[1], round(CENTRE[1] + 0.9 * SPAN) - rig.box[1])

    def dark(patch: np.ndarray) -> int:
        return int((patch[rows, column, :3].mean(axis=-1) < 80).sum())

    assert dark(closed) <= 0.35 * dark(before)


def test_closed_lids_hide_the_iris_and_leave_the_rest(rig):
    rest, closed = rig.draw(Look()), rig.draw(Look(lids=(1.0, 0.0)))
    assert at(rig, closed, 0.32, -0.025)[:3].mean() > at(rig, rest, 0.32, -0.025)[:3].mean() + 40
    other_eye = np.s_[:, : round(CENTRE[0]) - rig.box[0]]
    shown = rest[other_eye][..., 3] > 0
    assert np.array_equal(closed[other_eye][shown], rest[other_eye][shown])
    half = rig.draw(Look(lids=(0.5, 0.5)))
    white = (rest[..., :3].min(axis=-1) > 225).sum()
    assert 0.1 * white < (half[..., :3].min(axis=-1) > 225).sum() < 0.8 * white


def test_a_turn_is_the_heads_and_leaves_the_face_as_it_is(rig):
    assert np.array_equal(rig.draw(Look(yaw_deg=15, pitch_deg=-8)), rig.draw(Look()))


def test_colours_under_clear_pixels_never_show(mesh, picture):
    dirty = picture.copy()
    dirty[picture[..., 3] == 0, :3] = (0, 255, 0)
    rig = FaceRig.build(dirty, mesh)
    assert rig is not None
    patch = rig.draw(Look(yaw_deg=15, skin=opened(0.4))).astype(int)
    seen = patch[patch[..., 3] > 8]
    assert (seen[:, 1] - seen[:, 0]).max() < 30


def test_float_textures_are_taken_too(mesh, picture, rig):
    for layer in (picture.astype(np.float32), picture.astype(np.float32) / 255):
        other = FaceRig.build(layer, mesh)
        assert other is not None
        assert np.array_equal(other.draw(Look()), rig.draw(Look()))


def test_a_face_beyond_the_pictures_edge_is_cut_there(mesh, picture):
    cut = np.ascontiguousarray(picture[:230, 60:])
    moved = mesh.copy()
    moved[:, 0] -= 60
    rig = FaceRig.build(cut, moved)
    assert rig is not None
    x0, y0, x1, y1 = rig.box
    assert (x0, y0) >= (0, 0)
    assert (x1, y1) <= (cut.shape[1], cut.shape[0])
    assert rig.draw(Look(skin=opened(0.4), yaw_deg=10, lids=(1.0, 1.0))).shape == (y1 - y0, x1 - x0, 4)


@pytest.mark.parametrize("scale", [0.02, 0.1])
def test_a_face_too_small_to_move_is_left(mesh, picture, scale: float):
    assert FaceRig.build(picture, mesh * scale) is None


def test_a_face_larger_than_its_picture_is_a_mistake(mesh, picture):
    assert FaceRig.build(picture, mesh * 3.0 - np.array([300, 260, 0], np.float32)) is None


@pytest.mark.parametrize("roll_deg", [-90, -45, 30, 60, 90, 150])
def test_a_lying_face_opens_its_mouth_and_closes_its_eyes(mesh, picture, roll_deg: float):
    matrix = cv2.getRotationMatrix2D((150.0, 160.0), roll_deg, 1.0)
    lying = mesh.copy()
    lying[:, :2] = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    size = (picture.shape[1], picture.shape[0])
    turned = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    rig = FaceRig.build(turned, lying.astype(np.float32))
    assert rig is not None
    for gape in (0.1, 0.3, 0.6):
        open_eyed = rig.draw(Look(skin=opened(gape))).astype(int)
        shut = rig.draw(Look(skin=opened(gape), lids=(1.0, 1.0))).astype(int)
        assert np.abs(shut - open_eyed).max() > 60


def test_no_face_no_rig(mesh, picture):
    assert FaceRig.build(picture, None) is None
    assert FaceRig.build(picture, np.full_like(mesh, np.nan)) is None
    assert FaceRig.build(picture, mesh + 5000) is None


def test_sunglasses_keep_their_eyes(mesh, picture):
    worn = picture.copy()
    for side in (0, 1):
        x, y = mesh[list(UPPER[side] + LOWER[side]), :2].mean(axis=0).astype(int)
        worn[y - 20 : y + 20, x - 24 : x + 24, :3] = (38, 30, 34)
    frame = FaceFrame.of(mesh)
    assert find_eyes(worn, mesh, frame) == (None, None)
    assert None not in find_eyes(picture, mesh, frame)


def test_a_mesh_that_parts_closed_lips_does_not_open_them(picture):
    parted = face_mesh(gape=0.04)
    found = Lips.find(picture, parted, FaceFrame.of(parted))
    assert found is not None
    assert found.gap == 0
    assert abs(float(found.upper[32]) - 0.72 * SPAN) < 3.0


def test_no_lips_where_there_is_only_skin(picture, mesh):
    blank = picture.copy()
    y = round(CENTRE[1] + 0.5 * SPAN)
    blank[y:, :, :3] = (224, 172, 150)
    assert Lips.find(blank, mesh, FaceFrame.of(mesh)) is None


def test_the_inverse_of_a_displacement_takes_it_back():
    lattice = Lattice(0, 0, 4, 40, 40)
    x, y = np.meshgrid(np.arange(40), np.arange(40))
    bump = 9 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 120)
    forward = np.stack([bump, -0.5 * bump], axis=-1).astype(np.float32)
    back = lattice.back(forward)
    px, py = (20 + back[20, 20] / 4).tolist()
    gx, gy = round(px), round(py)
    assert forward[gy, gx] + back[20, 20] == pytest.approx([0, 0], abs=0.8)
