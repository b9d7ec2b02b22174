from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_face import SPAN, face_mesh, face_motion, face_picture

from understudy.engines.puppet.expression import expressions
from understudy.engines.puppet.eye_shape import drawn_eyes
from understudy.engines.puppet.eyes import LOWER, UPPER
from understudy.engines.puppet.face_rig import FaceRig
from understudy.engines.puppet.gaze_signal import gaze
from understudy.engines.puppet.look import Look
from understudy.engines.puppet.relief import FaceFrame
from understudy.tracking.iris import CORNERS, find_irises
from understudy.tracking.motion import Motion

EYE = 0.36 * SPAN  # width of an eye of the drawn face
DARK, WHITE = (40, 28, 24), (244, 242, 238)


def looking(mesh: np.ndarray, aside: float = 0.0) -> np.ndarray:
    """The drawn face with irises of human size, ``aside`` of the eye's width to the right."""
    rgba = face_picture(mesh)
    for side in (0, 1):
        lids = np.rint(mesh[list(UPPER[side] + LOWER[side][::-1]), :2] * 16).astype(np.int32)
        inside = np.zeros(rgba.shape[:2], np.uint8)
        cv2.fillPoly(inside, [lids], 1, shift=4)
        eye = rgba.copy()
        eye[...] = (*WHITE, 255)
        x, y = mesh[[UPPER[side][4], LOWER[side][4]], :2].mean(axis=0)
        at = np.rint([(x + aside * EYE) * 16, y * 16]).astype(int).tolist()
        cv2.circle(eye, at, round(0.2 * EYE * 16), (*DARK, 255), -1, cv2.LINE_AA, 4)
        rgba[inside > 0] = eye[inside > 0]
        upper = np.rint(mesh[list(UPPER[side]), :2] * 16).astype(np.int32)
        cv2.polylines(rgba, [upper], False, (*DARK, 255), 2, cv2.LINE_AA, 4)
    return rgba


def offsets(found: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    return (found[:, 0] - mesh[CORNERS, 0].mean(axis=1)) / EYE


def irises(asides: np.ndarray, score: np.ndarray | None = None) -> np.ndarray:
    """(T, 2, 3) as the tracker would give them for `face_mesh`."""
    middle = face_mesh()[CORNERS][..., :2].mean(axis=1)
    out = np.ones((len(asides), 2, 3), np.float32)
    out[..., :2] = middle
    out[..., 0] += (asides * EYE)[:, None]
    if score is not None:
        out[..., 2] = score[:, None]
        out[score == 0, :, :2] = np.nan
    return out


@pytest.mark.parametrize("aside", [-0.15, 0.0, 0.12])
def test_irises_are_found_where_they_are(aside: float):
    mesh = face_mesh()
    picture = np.ascontiguousarray(looking(mesh, aside)[..., :3])
    found = find_irises(picture, mesh)
    assert (found[:, 2] > 0.8).all()
    assert offsets(found, mesh) == pytest.approx([aside, aside], abs=0.03)


def test_small_irises_are_found_too():
    mesh = face_mesh() * np.float32(0.45)
    picture = cv2.resize(
        looking(face_mesh(), 0.12)[..., :3], None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA
    )
    found = find_irises(np.ascontiguousarray(picture), mesh)
    assert offsets(found, mesh) / 0.45 == pytest.approx([0.12, 0.12], abs=0.05)


@pytest.mark.parametrize("wild", ["shut", "tiny", "lost", "outside", "plain"])
def test_no_iris_is_no_error(wild: str):
    mesh, picture = face_mesh(), np.ascontiguousarray(looking(face_mesh())[..., :3])
    if wild == "shut":
        mesh = face_mesh(lids=0.1)
    elif wild == "tiny":
        mesh = mesh * np.float32(0.1)
    elif wild == "lost":
        mesh = np.full_like(mesh, np.nan)
    elif wild == "outside":
        mesh[:, 0] += 1000
    else:
        picture[:] = 128
    assert find_irises(picture, mesh)[:, 2] == pytest.approx([0, 0])


def test_the_gaze_follows_the_irises_against_the_usual():
    asides = np.r_[np.full(40, 0.05), np.full(10, 0.17), np.full(10, 0.05)]
    found = gaze(replace(face_motion([face_mesh()] * 60), irises=irises(asides)))
    assert np.abs(found[:36]).max() < 0.02
    assert found[42:48, 0] == pytest.approx(np.full(6, 0.11), abs=0.03)
    assert np.abs(found[54:]).max() < 0.02


def test_a_blink_does_not_move_the_gaze_and_a_lost_face_lets_it_go():
    asides = np.r_[np.zeros(50), np.full(25, 0.12), np.full(45, 0.12)]
    score = np.ones(120)
    score[60:64] = 0
    score[75:] = 0
    found = gaze(replace(face_motion([face_mesh()] * 120), irises=irises(asides, score)))
    assert found[58:68, 0].min() > 0.07
    assert np.abs(found[-5:]).max() == pytest.approx(0, abs=1e-3)


def test_no_gaze_of_unsure_or_small_eyes():
    asides = np.r_[np.zeros(30), np.full(30, 0.12)]
    motion = face_motion([face_mesh()] * 60)
    assert not gaze(motion).any()
    assert not gaze(replace(motion, irises=irises(asides, np.full(60, 0.2)))).any()
    small = replace(
        motion, face=motion.face * np.float32(0.25), irises=irises(asides) * np.float32([0.25, 0.25, 1])
    )
    assert not gaze(small).any()
    assert not gaze(replace(face_motion([face_mesh()]), irises=irises(np.zeros(1)))).any()


def test_lids_that_follow_a_look_down_are_told_from_a_blink_by_the_iris():
    opening = np.ones(90)
    opening[30:34] = 0.55  # a blink
    opening[50:80] = 0.7  # a look down
    score = np.ones(90)
    score[31:33] = 0
    motion = face_motion([face_mesh(lids=v) for v in opening])
    found = expressions(replace(motion, irises=irises(np.zeros(90), score))).lids
    assert found[31:33].max() > 0.95
    assert found[60:70].min() > 0.15
    assert found[60:70].max() < 0.6


def test_a_motion_keeps_its_irises(tmp_path):
    motion = replace(face_motion([face_mesh()] * 5), irises=irises(np.zeros(5)))
    motion.save(tmp_path / "new.npz")
    again = Motion.load(tmp_path / "new.npz")
    assert again.irises is not None
    assert np.array_equal(again.irises, motion.irises)
    assert again.cut_to(replace(again.shots[0], start=2)).irises.shape == (3, 2, 3)
    face_motion([face_mesh()] * 5).save(tmp_path / "old.npz")
    assert Motion.load(tmp_path / "old.npz").irises is None


@pytest.fixture(scope="module")
def rig():
    mesh = face_mesh()
    rig = FaceRig.build(looking(mesh), mesh)
    assert rig is not None
    return rig


def dark_middle(rig: FaceRig, look: Look) -> np.ndarray:
    """(2,) where the dark of the own left eye lies, x and y, in eye widths."""
    mesh, patch = face_mesh(), rig.draw(look)
    lines = mesh[list(UPPER[0] + LOWER[0]), :2] - np.array(rig.box[:2])
    (x0, y0), (x1, y1) = lines.min(axis=0).astype(int), lines.max(axis=0).astype(int) + 1
    part = patch[(y0 + y1) // 2 : y1, x0:x1, :3].astype(float).mean(axis=-1)
    y, x = np.nonzero(part < 90)
    return np.array([x.mean(), y.mean()]) / EYE


def test_the_characters_irises_move_with_the_gaze_and_stop_in_the_eye(rig):
    rest = dark_middle(rig, Look())
    right, left = dark_middle(rig, Look(gaze=(0.12, 0.0))), dark_middle(rig, Look(gaze=(-0.12, 0.0)))
    assert 0.03 < right[0] - rest[0] < 0.15
    assert 0.03 < rest[0] - left[0] < 0.15
    down = np.abs(rig.draw(Look(gaze=(0.0, 0.1))).astype(int) - rig.draw(Look(gaze=(0.0, -0.1))))
    assert down[..., :3].max() > 60
    far, farther = rig.draw(Look(gaze=(1.0, 0.0))), rig.draw(Look(gaze=(3.0, 0.0)))
    assert np.abs(far.astype(int) - farther).max() < 3


def test_eyes_open_wide_where_they_look(rig):
    aside = dark_middle(rig, Look(gaze=(0.12, 0.0)))[0] - dark_middle(rig, Look())[0]
    wide = dark_middle(rig, Look(gaze=(0.12, 0.0), lids=(-0.2, -0.2)))[0]
    assert wide - dark_middle(rig, Look(lids=(-0.2, -0.2)))[0] > 0.7 * aside


def test_a_gaze_changes_nothing_outside_the_eyes(rig):
    rest, moved = rig.draw(Look()).astype(int), rig.draw(Look(gaze=(0.2, 0.1))).astype(int)
    x, y = np.array(rig.box[:2])
    apart = np.abs(moved - rest)[..., :3].max(axis=-1) * (rest[..., 3] > 0)
    changed = np.argwhere(apart > 8)[:, ::-1] + (x, y)
    lines = face_mesh()[list(UPPER[0] + LOWER[0] + UPPER[1] + LOWER[1]), :2]
    assert len(changed) > 20
    assert (changed >= lines.min(axis=0) - 4).all()
    assert (changed <= lines.max(axis=0) + 4).all()


def test_eyes_without_white_keep_their_gaze():
    mesh = face_mesh()
    picture = face_picture(mesh)
    for side in (0, 1):
        lids = np.rint(mesh[list(UPPER[side] + LOWER[side][::-1]), :2] * 16).astype(np.int32)
        cv2.fillPoly(picture, [lids], (*DARK, 255), cv2.LINE_AA, 4)
    rig = FaceRig.build(picture, mesh)
    assert rig is not None
    assert rig.irises == (None, None)


def test_drawn_eyes_that_are_larger_than_the_meshs_are_found_and_only_eyes():
    mesh = face_mesh()
    picture = face_picture(mesh)
    for side in (0, 1):
        x, y = mesh[list(UPPER[side] + LOWER[side]), :2].mean(axis=0).round().astype(int).tolist()
        cv2.ellipse(picture, (x, y + 3), (21, 17), 0, 0, 360, (*DARK, 255), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, y + 4), (19, 14), 0, 0, 360, (*WHITE, 255), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, y + 4), (8, 13), 0, 0, 360, (30, 60, 140, 255), -1, cv2.LINE_AA)
    frame = FaceFrame.of(mesh)
    found = drawn_eyes(picture, mesh, frame)
    assert found is not None
    for eye in found:
        assert 36 < eye.width < 52
        assert 26 < eye.tall < 44
    for side in (0, 1):
        x, y = mesh[list(UPPER[side] + LOWER[side]), :2].mean(axis=0).round().astype(int).tolist()
        picture[y - 24 : y + 28, x - 26 : x + 26, :3] = (38, 30, 34)
    assert drawn_eyes(picture, mesh, frame) is None  # sunglasses


def test_closed_lids_are_skin_without_the_iris(rig):
    mesh, closed = face_mesh(), rig.draw(Look(lids=(1.0, 1.0)))
    x, y = (mesh[[UPPER[0][4], LOWER[0][4]], :2].mean(axis=0) - np.array(rig.box[:2])).round().astype(int)
    lid = closed[y - 2 : y + 1, x - 6 : x + 7, :3].astype(float)
    assert np.abs(lid - (224, 172, 150)).max() < 40
    assert lid.std(axis=(0, 1)).max() < 8
    wide = rig.draw(Look(lids=(-0.3, -0.3))).astype(int)
    assert (wide[..., :3].min(axis=-1) > 225).sum() > (rig.draw(Look())[..., :3].min(axis=-1) > 225).sum()
