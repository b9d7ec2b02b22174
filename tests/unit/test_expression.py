from __future__ import annotations

import numpy as np
import pytest
from drawn_face import face_mesh, face_motion

from understudy.engines.puppet.expression import expressions
from understudy.engines.puppet.face_measures import measure
from understudy.engines.puppet.look import Look


def test_a_still_clip_of_the_reference_leaves_the_face_alone():
    for gape in (0.0, 0.2):
        mesh = face_mesh(gape=gape)
        found = expressions(face_motion([mesh] * 30), mesh)
        for name in ("mouth_open", "mouth_wide", "lids", "brows", "yaw_deg", "pitch_deg"):
            assert np.abs(getattr(found, name)).max() < 1e-4, name


def test_the_mouth_opens_with_the_performer_and_a_little_is_not_noise():
    gapes = np.r_[np.zeros(20), np.full(20, 0.1), np.full(20, 0.3)]
    found = expressions(face_motion([face_mesh(gape=g) for g in gapes])).mouth_open
    assert abs(found[5]) < 0.02
    assert found[30] == pytest.approx(0.25, abs=0.04)
    assert found[50] == pytest.approx(0.78, abs=0.08)


def test_a_reference_with_an_open_mouth_closes_it_with_the_performer():
    open_reference = face_mesh(gape=0.2)
    found = expressions(face_motion([face_mesh()] * 30), open_reference).mouth_open
    assert (found < -0.2).all()


def test_a_performer_who_never_closes_the_mouth_is_not_taken_for_neutral():
    found = expressions(face_motion([face_mesh(gape=0.25)] * 30), face_mesh()).mouth_open
    assert (found > 0.25).all()


def test_a_blink_closes_and_lasts_as_long_as_the_performers():
    lids = np.ones(60)
    lids[30:35] = 0.4
    found = expressions(face_motion([face_mesh(lids=v) for v in lids])).lids
    assert found.shape == (60, 2)
    assert (found[31:34] > 0.9).all()
    assert (found[:28] < 0.05).all()
    assert (found[37:] < 0.05).all()


def test_a_narrow_eyed_performer_is_not_half_asleep():
    lids = np.full(60, 0.5)
    lids[30:35] = 0.2
    found = expressions(face_motion([face_mesh(lids=v) for v in lids])).lids
    assert (found[:28] < 0.05).all()
    assert found[32].min() > 0.9


@pytest.mark.parametrize(("yaw", "pitch"), [(12.0, 0.0), (-12.0, 0.0), (0.0, 10.0), (0.0, -10.0)])
def test_turns_have_their_sign_and_size(yaw: float, pitch: float):
    still, turned = face_mesh(), face_mesh(yaw_deg=yaw, pitch_deg=pitch)
    found = expressions(face_motion([still] * 40 + [turned] * 20))
    assert found.yaw_deg[50] == pytest.approx(yaw, abs=2.0)
    assert found.pitch_deg[50] == pytest.approx(pitch, abs=2.5)
    assert np.sign(yaw) == np.sign(turned[1, 0] - still[1, 0]) or yaw == 0


def test_a_lost_face_eases_out_and_in_and_a_short_gap_is_bridged():
    mesh = face_mesh(gape=0.1)
    shown: list = [mesh] * 90
    shown[20:22] = [None] * 2
    shown[45:70] = [None] * 25
    weight = expressions(face_motion(shown)).weight
    assert weight[:38].min() == 1
    assert weight[45:70].max() == 0
    assert np.abs(np.diff(weight)).max() < 0.3
    assert weight[80:].min() == 1


def test_no_face_at_all_is_no_expression():
    found = expressions(face_motion([None] * 10), face_mesh())
    assert len(found) == 10
    assert found.at(3) == Look()


def test_a_profile_is_lost():
    assert expressions(face_motion([face_mesh(yaw_deg=75)] * 10)).weight.max() == 0


def test_roll_does_not_change_a_measure():
    mesh = face_mesh(gape=0.1, yaw_deg=8)
    a = np.radians(25)
    rolled = mesh.copy()
    rolled[:, :2] = mesh[:, :2] @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]], np.float32)
    one, other = measure(mesh[None]), measure(rolled[None])
    for name in ("gape", "width", "lids", "brows", "yaw"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=0.02), name
