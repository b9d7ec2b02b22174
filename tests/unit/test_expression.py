from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_face import CENTRE, SPAN, face_mesh, face_motion

from understudy.engines.puppet.expression import expressions
from understudy.engines.puppet.face_measures import Measures, measure
from understudy.engines.puppet.lid_signal import lids
from understudy.engines.puppet.look import Look
from understudy.engines.puppet.skin_points import BROWS, LIPS, MOUTH, PLACE, mirrored, places
from understudy.engines.puppet.skin_signal import SkinSignal
from understudy.engines.puppet.turn_signal import NOD, angles, turns


def test_a_still_clip_of_the_reference_leaves_the_face_alone():
    for gape in (0.0, 0.2):
        mesh = face_mesh(gape=gape)
        found = expressions(face_motion([mesh] * 30), mesh)
        for name in ("skin", "lids", "yaw_deg", "pitch_deg"):
            assert np.abs(getattr(found, name)).max() < 1e-4, name


def test_in_the_frames_that_the_reference_is_the_face_is_the_references() -> None:
    rng = np.random.default_rng(5)
    reference = face_mesh(gape=0.03, yaw_deg=4, smile=(0.05, 0.02))
    odd = (reference + rng.normal(0, 1.5, reference.shape)).astype(
        np.float32
    )  # as the tracker sees it in the clip
    clip = face_motion([face_mesh(gape=0.02 * (t % 9), yaw_deg=t - 20) for t in range(40)] + [odd] * 10)
    home = np.r_[np.zeros(40), np.full(10, 0.1)].astype(np.float32)
    found = expressions(clip, reference, home=home)
    assert np.abs(found.skin[44:]).max() < 0.005
    assert np.abs(found.yaw_deg[46:]).max() < 0.3
    assert np.abs(expressions(clip, reference).skin[44:]).max() > 0.01


def gap(skin: np.ndarray) -> np.ndarray:
    """How far the lips part in the middle, over the eyes' distance."""
    return skin[:, PLACE[14], 1] - skin[:, PLACE[13], 1]


def test_the_mouth_opens_with_the_performer_and_a_little_is_not_noise():
    gapes = np.r_[np.zeros(20), np.full(20, 0.1), np.full(20, 0.3)]
    found = gap(expressions(face_motion([face_mesh(gape=g) for g in gapes]), face_mesh()).skin)
    assert abs(found[5]) < 0.005
    assert found[30] == pytest.approx(0.1, abs=0.02)
    assert found[50] == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("rate_hz", [2.0, 5.0, 8.0])
def test_the_mouth_is_in_step_with_the_performer_and_fast_speech_is_not_blunted(rate_hz: float):
    gapes = 0.12 * (1 - np.cos(2 * np.pi * rate_hz * np.arange(90) / 30))
    found = gap(expressions(face_motion([face_mesh(gape=g) for g in gapes]), face_mesh()).skin)
    assert np.corrcoef(found, gapes)[0, 1] > 0.99
    assert np.ptp(found) > 0.9 * np.ptp(gapes)


def test_a_reference_with_an_open_mouth_closes_it_with_the_performer():
    open_reference = face_mesh(gape=0.2)
    found = expressions(face_motion([face_mesh()] * 30), open_reference).skin
    assert (gap(found) < -0.12).all()


def test_a_performer_who_never_closes_the_mouth_is_not_taken_for_neutral():
    found = expressions(face_motion([face_mesh(gape=0.25)] * 30), face_mesh()).skin
    assert (gap(found) > 0.18).all()
    assert (found[:, PLACE[152], 1] > 0.1).all()  # the chin goes with it


def test_a_performer_who_never_stops_smiling_smiles():
    found = expressions(face_motion([face_mesh(smile=(0.15, 0.15))] * 30), face_mesh()).skin
    assert (found[:, PLACE[291], 0] - found[:, PLACE[61], 0] > 0.15).all()
    assert (found[:, PLACE[291], 1] < -0.05).all()


def test_one_corner_smiles_alone():
    meshes = [face_mesh()] * 30 + [face_mesh(smile=(0.1, 0.0))] * 15
    found = expressions(face_motion(meshes), face_mesh()).skin[40]
    assert found[PLACE[291], 0] > 0.08
    assert found[PLACE[291], 1] < -0.08
    assert np.abs(found[PLACE[61]]).max() < 0.02


def test_brows_rise_one_by_one_and_frown():
    meshes = [face_mesh()] * 30 + [face_mesh(brows=(0.08, 0.0))] * 10 + [face_mesh(frown=0.05)] * 10
    found = expressions(face_motion(meshes), face_mesh()).skin
    left, right = (found[:, places(ids)] for ids in BROWS)
    assert left[35, :, 1].mean() == pytest.approx(-0.08, abs=0.02)
    assert np.abs(right[35]).max() < 0.01
    for brow, inward in ((left, -1), (right, 1)):
        assert brow[45, 4, 1] > 0.03
        assert abs(brow[45, 0, 1]) < 0.02
        assert inward * brow[45, 4, 0] > 0.01


def test_a_turning_head_does_not_move_the_mouth():
    turning = [face_mesh(yaw_deg=15 * np.sin(k / 5), pitch_deg=8 * np.cos(k / 7)) for k in range(60)]
    found = expressions(face_motion(turning), face_mesh()).skin
    assert np.abs(found).max() < 0.02


def test_a_mesh_whose_lower_face_slides_with_the_nose_does_not_move_the_mouth():
    def slid(by: float) -> np.ndarray:
        mesh = face_mesh()
        low = np.clip((mesh[:, 1] - CENTRE[1] + 0.1 * SPAN) / (0.4 * SPAN), 0.0, 1.0)
        mesh[list(MOUTH), 1] += (by * SPAN * low)[list(MOUTH)]
        return mesh

    meshes = [face_mesh()] * 20 + [slid(0.03 * k) for k in (-3, -2, -1, 1, 2, 3)]
    found = expressions(face_motion(meshes), face_mesh()).skin
    assert np.abs(found[:, places(LIPS)]).max() < 0.06


def test_a_larger_jaw_moves_more():
    meshes = [face_mesh()] * 30 + [face_mesh(gape=0.2)] * 10
    long = face_mesh()
    below = long[:, 1] > CENTRE[1] + 0.5 * SPAN
    long[below, 1] += 0.2 * (long[below, 1] - CENTRE[1] - 0.5 * SPAN)
    same, more = (gap(expressions(face_motion(meshes), mesh).skin)[35] for mesh in (face_mesh(), long))
    assert 1.05 * same < more < 1.35 * same


def test_a_single_frame_and_a_wild_mesh_are_calm():
    wild = face_mesh()
    wild[:, :] = 7.0
    for meshes in ([face_mesh(gape=0.1)], [wild], [face_mesh()] * 5 + [wild]):
        for reference in (None, face_mesh(), wild):
            assert np.isfinite(SkinSignal.of(np.stack(meshes), reference).shifts).all()


def test_irises_of_an_odd_score_do_not_keep_the_lids_from_closing():
    lids = np.ones(60)
    lids[30:35] = 0.4
    motion = face_motion([face_mesh(lids=v) for v in lids])
    for score in (np.nan, -2.0, 1e6):
        irises = np.full((60, 2, 3), 100.0, np.float32)
        irises[::5, :, 2] = score
        assert np.isfinite(expressions(replace(motion, irises=irises)).lids).all()


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
    assert found.pitch_deg[50] == pytest.approx(NOD * pitch, abs=2.5)
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
    for name in ("gape", "width", "lids", "yaw"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=0.02), name


def seen_from(yaw: float, pitch: float = 0.0) -> np.ndarray:
    return face_mesh(yaw_deg=yaw, pitch_deg=pitch)


def test_a_performer_who_faces_as_the_character_does_is_followed_exactly():
    found = expressions(face_motion([seen_from(yaw) for yaw in np.linspace(-14, 14, 57)]), seen_from(10))
    assert found.yaw_deg[48] == pytest.approx(0.0, abs=0.6)
    assert found.yaw_deg[8] == pytest.approx(-20.0, abs=2.5)


def test_a_character_that_faces_elsewhere_comes_only_some_way():
    clip = face_motion([seen_from(20.0)] * 30)
    found = expressions(clip, seen_from(-20.0)).yaw_deg
    assert (found > 8).all()
    assert (found < 14).all()
    assert np.abs(expressions(clip, seen_from(-20.0), facing=False).yaw_deg).max() < 0.5
    assert np.abs(expressions(clip, seen_from(-20.0), human=False).yaw_deg).max() < 0.5


def test_a_performer_who_is_mostly_turned_looks_ahead_when_seen_from_the_front():
    clip = face_motion([seen_from(0.0)] * 20 + [seen_from(-35.0)] * 60)
    found = expressions(clip, face_mesh(gape=0.08)).yaw_deg
    assert np.abs(found[:15]).max() < 5
    assert (found[40:] < -25).all()


def test_a_turn_is_measured_without_the_performers_own_depth():
    flat = [seen_from(0.0)] * 40 + [seen_from(12.0)] * 20
    for mesh in flat:
        mesh[:, 2] = 0.0
    assert angles(np.stack(flat), seen_from(0.0)).yaw[50] == pytest.approx(12.0, abs=1.0)


def test_a_turn_of_three_degrees_is_seen_and_a_trembling_is_not():
    still = np.random.default_rng(3).normal(0, 0.15, 60)
    found = expressions(face_motion([seen_from(yaw) for yaw in still])).yaw_deg
    assert np.abs(found).max() < 0.15
    found = expressions(
        face_motion([seen_from(yaw) for yaw in np.r_[np.zeros(40), np.full(20, 3.0)]])
    ).yaw_deg
    assert found[50] > 2.6


def test_a_profile_stays_turned_and_a_long_loss_comes_to_rest():
    yaws = np.r_[np.zeros(60), np.linspace(0, 50, 10), np.full(20, 75.0), np.full(110, np.nan)]
    shown = [None if np.isnan(yaw) else seen_from(yaw) for yaw in yaws]
    found = expressions(face_motion(shown)).yaw_deg
    assert found[72] > 40
    assert np.abs(found[180:]).max() < 1e-3
    assert np.abs(np.diff(found)).max() < 8


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_odd_faces_give_calm_angles(frames: int):
    for mesh in (np.zeros((468, 3), np.float32), np.full((468, 3), 7.0, np.float32)):
        found = angles(np.stack([mesh] * frames), face_mesh())
        assert np.isfinite(found.yaw).all()
        assert np.isfinite(found.pitch).all()
        assert np.isfinite(turns(np.stack([mesh] * frames), face_mesh()).yaw).all()
        assert np.isfinite(turns(np.stack([face_mesh()] * frames), mesh).pitch).all()


def test_a_turned_head_does_not_wink_and_small_eyes_are_rather_open():
    frames = 200
    opening = np.full((frames, 2), 0.3, np.float32)
    opening[20:30, 0] = 0.12
    opening[60:100] = 0.21
    still = np.zeros(frames, np.float32)
    irises = np.where(opening < 0.15, 0.1, 0.9).astype(np.float32)

    def closing(yaw: float, eye_px: float) -> np.ndarray:
        return lids(Measures(still, still, opening, still + yaw, still), None, 30.0, irises, eye_px)

    assert np.ptp(closing(0.0, 60.0)[25]) > 0.5
    assert np.ptp(closing(20.0, 60.0)[25]) < 0.05
    assert closing(0.0, 8.0)[80].max() < 0.5 * closing(0.0, 60.0)[80].max()


def test_the_skin_of_a_small_face_trembles_less():
    def trembling(size: float) -> float:
        rng = np.random.default_rng(5)
        meshes = [face_mesh(gape=0.15 + 0.1 * np.sin(k / 6) + rng.normal(0, 0.03)) for k in range(90)]
        motion = face_motion([np.asarray(size * mesh, np.float32) for mesh in meshes])
        found = gap(expressions(motion, face_mesh()).skin)
        return float(np.abs(np.diff(found, n=2)).mean())

    assert trembling(20.0 / SPAN) < 0.5 * trembling(1.0)


def test_a_turned_face_smiles_with_both_corners_and_no_mouth_is_endless():
    def corners(yaw_deg: float, smile: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        meshes = [face_mesh(yaw_deg=yaw_deg)] * 30 + [face_mesh(yaw_deg=yaw_deg, smile=smile)] * 15
        found = expressions(face_motion(meshes), face_mesh()).skin[40]
        return found[PLACE[291]], found[PLACE[61]]

    left, right = corners(45.0, (0.1, 0.0))
    assert left * [-1, 1] == pytest.approx(right, abs=0.02)
    left, right = corners(0.0, (0.3, 0.3))
    assert 0.2 < left[0] - right[0] < 0.3


def test_every_point_about_the_mouth_has_one_on_the_other_side():
    other = mirrored()
    assert [other[i] for i in other] == list(range(len(MOUTH)))
    assert [MOUTH[i] for i in range(len(MOUTH)) if other[i] == i] == [
        0,
        17,
        13,
        14,
        164,
        18,
        200,
        199,
        175,
        2,
        152,
    ]
