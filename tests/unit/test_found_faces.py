"""Faces that the face network does not see: found by eyes and mouth, refused where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.cartoon import EYES, MOUTH, eyes_of, figure

from understudy.engines.puppet.drawn_eye import DrawnEye
from understudy.engines.puppet.face_rig import FaceRig
from understudy.engines.puppet.look import Look
from understudy.engines.puppet.marked_mouth import marked_lips
from understudy.engines.puppet.relief import FaceFrame
from understudy.tracking.face_finding import find_face
from understudy.tracking.face_template import Features, at_rest, bent, moved_to, template
from understudy.tracking.found_face import FaceHints, FoundFace


@pytest.fixture(scope="module")
def found() -> FoundFace:
    face = find_face(*figure())
    assert face is not None
    return face


def rgba_of() -> np.ndarray:
    picture, shape, _ = figure()
    return np.dstack([picture.rgb, np.rint(255 * shape).astype(np.uint8)])


def test_a_cartoon_is_found_by_its_eyes_and_mouth(found: FoundFace) -> None:
    assert (found.by, found.mouth, found.drawn, found.human) == (
        "features",
        True,
        True,
        False,
    )
    assert np.abs(eyes_of(found.mesh) - EYES).max() < 3
    assert np.abs(found.mesh[[13, 14], :2].mean(axis=0) - MOUTH).max() < 12
    assert np.isfinite(found.mesh).all()
    assert found.mesh[13, 1] < found.mesh[152, 1] < 245  # the chin lies below the mouth, in the head


def test_eyes_alone_are_a_face_whose_mouth_rests() -> None:
    face = find_face(*figure(mouth=False))
    assert face is not None
    assert not face.mouth
    assert np.abs(eyes_of(face.mesh) - EYES).max() < 3


@pytest.mark.parametrize(
    "what", [{"eyes": False}, {"eyes": False, "mouth": False}, {"eyes": False, "buttons": True}]
)
def test_what_has_no_eyes_is_no_face(what: dict[str, bool]) -> None:
    assert find_face(*figure(**what)) is None


def test_a_mesh_of_the_network_is_kept_where_nothing_speaks_against_it(found: FoundFace) -> None:
    picture, shape, person = figure()
    known = replace(person, face=found.mesh, face_score=0.9)
    kept = find_face(picture, shape, known)
    assert kept is not None
    assert kept.by == "mesh"


def test_a_mesh_with_its_eyes_on_bare_skin_is_replaced(found: FoundFace) -> None:
    picture, shape, person = figure()
    wrong = found.mesh + np.array([0, 55, 0], np.float32)
    face = find_face(picture, shape, replace(person, face=wrong, face_score=0.9))
    assert face is not None
    assert face.by == "features"
    assert np.abs(eyes_of(face.mesh) - EYES).max() < 3


class _Sees:
    """A tracker whose network sees one face wherever it looks."""

    def __init__(self, mesh: np.ndarray) -> None:
        self.mesh = mesh

    def face_at(self, picture: object, region: object) -> tuple[np.ndarray, float]:
        return self.mesh, 0.9


def test_what_the_network_sees_where_no_eyes_are_does_not_count(found: FoundFace) -> None:
    wrong = _Sees(found.mesh + np.array([40, 60, 0], np.float32))
    picture, shape, person = figure(eyes=False, mouth=False)
    assert find_face(picture, shape, person, wrong) is None


def test_the_user_settles_where_the_face_is() -> None:
    picture, shape, person = figure()
    hints = FaceHints(
        eyes=np.array(EYES, np.float32) + 4,
        mouth=np.array([[180, 190], [240, 190]], np.float32),
        chin=np.array([210, 236], np.float32),
    )
    face = find_face(picture, shape, person, None, hints)
    assert face is not None
    assert (face.by, face.mouth) == ("joints_file", True)
    assert np.abs(eyes_of(face.mesh) - hints.eyes).max() < 1
    assert np.abs(face.mesh[[61, 291], :2] - hints.mouth).max() < 2
    assert abs(face.mesh[152, 1] - 236) < 4


def test_wild_bodies_and_pictures_give_no_face() -> None:
    picture, shape, person = figure()
    for body in (
        np.full((33, 3), np.nan, np.float32),
        np.zeros((33, 3), np.float32),
        person.body + 5000,
        person.body - 5000,
    ):
        assert find_face(picture, shape, replace(person, body=body.astype(np.float32))) is None
    tiny = replace(picture, rgb=picture.rgb[:10, :10])
    assert find_face(tiny, shape[:10, :10], person) is None


def test_a_head_at_the_picture_s_edge_is_calm() -> None:
    picture, shape, person = figure()
    cut = replace(picture, rgb=np.ascontiguousarray(picture.rgb[:, 200:]))
    body = person.body - np.array([200, 0, 0], np.float32)
    face = find_face(cut, np.ascontiguousarray(shape[:, 200:]), replace(person, body=body))
    assert face is None or np.isfinite(face.mesh).all()


def test_the_template_is_even_and_bends_to_the_features() -> None:
    face = template()
    assert face.shape == (468, 3)
    assert np.allclose(face[33] * [-1, 1, 1], face[263], atol=0.01)
    eyes = np.array([[100, 80, 20, 30], [160, 100, 20, 30]], np.float32)  # a tilted head
    features = Features(eyes, mouth=np.array([-10, 30, 50, 60], np.float32), chin=90.0)
    mesh = bent(features)
    assert np.abs(eyes_of(mesh) - eyes[:, :2]).max() < 0.5
    at = features.into(mesh[[61, 291, 152], :2])
    assert np.abs(at[0] - [-10, 55]).max() < 1
    assert np.abs(at[1] - [30, 55]).max() < 1
    assert abs(at[2, 1] - 90) < 2
    rest = at_rest(mesh)
    assert np.abs(eyes_of(rest) - eyes[:, :2]).max() < 0.5
    assert np.isfinite(rest).all()


def test_a_mouth_moves_and_the_outline_stays() -> None:
    mesh = bent(Features(np.array([[100, 80, 20, 12], [160, 80, 20, 12]], np.float32)))
    eyes = np.concatenate([eyes_of(mesh), np.ones((2, 2))], axis=1).astype(np.float32)
    moved = moved_to(mesh, Features(eyes, mouth=np.array([-12, 12, 30, 34], np.float32)), closed=True)
    assert abs(moved[13, 1] - 112) < 1
    assert np.abs(moved[[152, 234, 454, 33], :2] - mesh[[152, 234, 454, 33], :2]).max() < 1.5


def test_a_found_face_follows_its_picture(found: FoundFace) -> None:
    there = found.scaled(0.5).moved(np.array([3.0, -2.0], np.float32))
    assert np.allclose(there.mesh[:, :2], found.mesh[:, :2] / 2 + [3, -2], atol=1e-3)
    assert np.allclose(there.mesh[:, 2], found.mesh[:, 2] / 2, atol=1e-3)


def test_drawn_eyes_close_to_a_line_on_their_ground(found: FoundFace) -> None:
    rig = FaceRig.build(rgba_of(), found.mesh, found)
    assert rig is not None
    assert all(isinstance(lid, DrawnEye) for lid in rig.lids)
    x0, y0 = rig.box[:2]

    def tall(patch: np.ndarray, at: tuple[int, int]) -> int:
        x, y = at[0] - x0, at[1] - y0
        return int((patch[y - 16 : y + 17, x - 12 : x + 13, 0] < 130).any(axis=1).sum())

    shut = rig.draw(Look(lids=(1.0, 0.0)))
    left, right = EYES[1], EYES[0]  # own left is on the picture's right
    assert tall(shut, right) == tall(rig.rest, right) >= 20
    assert 2 <= tall(shut, left) <= 7
    x, y = left[0] - x0, left[1] - y0
    assert np.abs(shut[y - 10, x, :3].astype(int) - (236, 200, 120)).max() < 12
    assert np.array_equal(rig.draw(Look()), rig.rest)


def test_drawn_eyes_look_aside(found: FoundFace) -> None:
    rig = FaceRig.build(rgba_of(), found.mesh, found)
    assert rig is not None
    x, y = EYES[0][0] - rig.box[0], EYES[0][1] - rig.box[1]

    def middle(patch: np.ndarray) -> float:
        ink = patch[y - 16 : y + 17, x - 18 : x + 19, 0] < 130
        return float(np.argwhere(ink)[:, 1].mean())

    there = middle(rig.draw(Look(gaze=(0.2, 0.0))))
    assert 1.0 < there - middle(rig.rest) < 6.0


def test_eyes_of_which_one_is_hidden_both_rest(found: FoundFace) -> None:
    texture = rgba_of()
    texture[120:160, 225:265, :3] = (236, 200, 120)
    assert DrawnEye.pair(texture, found.mesh, FaceFrame.of(found.mesh)) == (None, None)


def test_an_eye_without_room_is_left_alone(found: FoundFace) -> None:
    texture = rgba_of()
    frame = FaceFrame.of(found.mesh)
    flat = found.mesh.copy()
    flat[:, 1] = 140
    assert DrawnEye.build(texture, flat, frame, 0) is None
    assert DrawnEye.build(texture, found.mesh + np.float32(9000), FaceFrame.of(found.mesh + 9000), 0) is None


def test_a_smile_parts_along_its_own_stroke(found: FoundFace) -> None:
    frame = FaceFrame.of(found.mesh)
    lips = marked_lips(rgba_of(), found.mesh, frame)
    assert lips is not None
    assert lips.gap == 0
    assert 40 < lips.width < 75
    middle, end = lips.upper[32], (lips.upper[3] + lips.upper[-4]) / 2
    assert middle > end + 4  # a smile's middle is lower than its ends
    bare = rgba_of()
    bare[165:215, 150:270, :3] = (236, 200, 120)
    assert marked_lips(bare, found.mesh, frame) is None


def test_no_lips_are_drawn_where_no_mouth_was_found(found: FoundFace) -> None:
    rig = FaceRig.build(rgba_of(), found.mesh, replace(found, mouth=False))
    assert rig is not None
    assert rig.mouth is None
