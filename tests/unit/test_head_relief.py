from __future__ import annotations

import cv2
import numpy as np
import pytest
from capsule_figure import draw, poses, standing
from drawn_face import CENTRE, SPAN, face_mesh, face_picture

from understudy.engines.puppet.draw import Painter
from understudy.engines.puppet.head_relief import HeadRelief
from understudy.engines.puppet.order import drawing_order
from understudy.engines.puppet.rig import build_rig

YAWS, PITCHES = (-25, -12, 0, 12, 25), (-20, -8, 0, 8, 20)


def figure(mesh: np.ndarray) -> np.ndarray:
    """(420, 300) alpha of a head with hair about the face, a neck and shoulders."""
    ys, xs = np.mgrid[:420, :300].astype(np.float32)
    x, y = (xs - CENTRE[0]) / SPAN, (ys - CENTRE[1]) / SPAN
    head = np.hypot(x / 1.05, (y - 0.15) / 1.25) < 1
    neck = (np.abs(x) < 0.45) & (y > 0.8)
    shoulders = (y > 1.9) & (np.abs(x) < 1.6)
    return (head | neck | shoulders).astype(np.float32)


def relief(**turned: float) -> HeadRelief:
    mesh = face_mesh(**turned)
    made = HeadRelief.build(mesh, None, figure(mesh))
    assert made is not None
    return made


@pytest.fixture(scope="module")
def straight() -> HeadRelief:
    return relief()


def shift(made: HeadRelief, u: float, v: float, yaw: float, pitch: float) -> np.ndarray:
    """(2,) how far the turn moves a place given in eye distances from the middle of the eyes, over that distance."""
    field = made.displacement(*made.eased(yaw, pitch))
    nodes = made.lattice.nodes() - (CENTRE[0] + u * SPAN, CENTRE[1] + v * SPAN)
    row, column = np.unravel_index(np.argmin(np.hypot(nodes[..., 0], nodes[..., 1])), nodes.shape[:2])
    return field[row, column] / SPAN


@pytest.mark.parametrize(("own_yaw", "own_pitch"), [(0, 0), (22, 0), (-30, 8), (0, -18), (15, 15), (40, 0)])
def test_no_turn_folds_or_smears_the_picture(own_yaw: float, own_pitch: float):
    made = relief(yaw_deg=own_yaw, pitch_deg=own_pitch)
    for yaw in YAWS:
        for pitch in PITCHES:
            area, widest = made.gauge(*made.eased(yaw, pitch))
            assert area.min() > 0.02, (yaw, pitch)
            assert widest.max() < 2.4, (yaw, pitch)


def test_a_face_already_turned_has_less_room_on_that_side():
    left, right, *_ = relief(yaw_deg=30).room_deg
    assert right < left
    left, right, *_ = relief(yaw_deg=-30).room_deg
    assert left < right


def test_the_nose_leads_and_the_outline_stays(straight):
    for yaw, pitch, axis in ((12.0, 0.0, 0), (0.0, 10.0, 1)):
        nose = shift(straight, 0.0, 0.4, yaw, pitch)
        assert nose[axis] > 0.06
        assert abs(nose[1 - axis]) < 0.02
        back = shift(straight, 0.0, 0.4, -yaw, -pitch)
        assert back[axis] < -0.06
    brow, eye, hair = (shift(straight, u, v, 12.0, 0.0)[0] for u, v in ((0.0, -0.3), (0.45, 0.0), (1.0, 0.1)))
    assert brow > eye > abs(hair)


def test_hair_over_the_forehead_goes_with_it_and_the_crown_does_not(straight):
    fringe, crown = (shift(straight, 0.0, v, 14.0, 0.0)[0] for v in (-0.78, -1.05))
    forehead = shift(straight, 0.0, -0.5, 14.0, 0.0)[0]
    assert forehead > fringe > crown
    assert fringe > 0.15 * forehead


def test_the_chin_nods_over_a_neck_that_holds_on_to_the_shoulders(straight):
    chin, neck, shoulder = (shift(straight, 0.0, v, 0.0, 12.0)[1] for v in (1.0, 1.4, 2.0))
    assert chin > 0.03
    assert abs(neck) < 0.03
    assert abs(shoulder) < 0.01
    assert np.abs(shift(straight, 1.2, 2.2, 20.0, 15.0)).max() < 0.01


def test_at_rest_nothing_turns_and_it_is_approached_without_a_jump(straight):
    assert straight.turned(0.0, 0.0) is None
    turn = straight.turned(0.05, -0.05)
    assert turn is not None
    assert turn.reach < 0.002 * SPAN


def test_a_turn_comes_to_a_stop_without_a_kink(straight):
    angles = np.arange(0.0, 80.0, 0.5)
    drawn = np.array([straight.eased(a, 0.0)[0] for a in angles])
    steps = np.diff(drawn)
    assert drawn.max() <= straight.room_deg[1]
    assert (steps > 0).all()
    assert np.abs(np.diff(steps)).max() < 0.06
    assert drawn[8] == angles[8]


def test_the_inverse_takes_the_turn_back(straight):
    for yaw, pitch in ((25.0, 0.0), (-14.0, 9.0), (20.0, -20.0)):
        turn = straight.turned(yaw, pitch)
        assert turn is not None
        nodes = straight.lattice.nodes()
        there = nodes + straight.displacement(*straight.eased(yaw, pitch))
        inside = (slice(4, -4), slice(4, -4))
        off = np.abs(turn.source(there) - nodes)[inside]
        assert off.max() < 0.05 * SPAN
        assert off.mean() < 0.2


def test_beyond_the_head_nothing_moves(straight):
    turn = straight.turned(20.0, 10.0)
    assert turn is not None
    lattice = straight.lattice
    beyond = np.array(
        [[lattice.x0 - 40, lattice.y0 + 30], [lattice.x0 + 50, lattice.y0 + lattice.height + 30]], np.float32
    )
    assert np.array_equal(turn.source(beyond), beyond)
    rim = np.concatenate([turn.back[0], turn.back[-1], turn.back[:, 0], turn.back[:, -1]])
    assert np.abs(rim).max() < 0.01 * SPAN


def test_a_face_at_the_pictures_edge_or_without_a_matte_is_calm():
    mesh = face_mesh()
    mesh[:, :2] -= (140.0, 150.0)
    for alpha in (np.ones((80, 90), np.float32), np.zeros((420, 300), np.float32)):
        made = HeadRelief.build(mesh, None, alpha)
        if made is not None:
            turn = made.turned(25.0, -20.0)
            assert turn is not None
            assert np.isfinite(turn.back).all()


def test_no_face_and_no_landmarks_is_no_relief():
    alpha = figure(face_mesh())
    lost = np.full((33, 2), np.nan, np.float32)
    assert HeadRelief.build(None, None, alpha) is None
    assert HeadRelief.build(None, lost, alpha) is None
    assert HeadRelief.build(None, np.zeros((33, 2), np.float32), alpha) is None
    assert HeadRelief.build(face_mesh() * 0.05, None, alpha) is None


def test_a_head_known_by_its_landmarks_alone_turns_a_little():
    joints = np.zeros((33, 2), np.float32)
    for index, x, y in (
        (2, 0.3, 0),
        (5, -0.3, 0),
        (7, 0.63, 0.1),
        (8, -0.63, 0.1),
        (9, 0.2, 0.71),
        (10, -0.2, 0.71),
    ):
        joints[index] = CENTRE[0] + x * SPAN, CENTRE[1] + y * SPAN
    made = HeadRelief.build(None, joints, figure(face_mesh()))
    assert made is not None
    assert max(made.room_deg) <= 15.0
    assert shift(made, 0.0, 0.35, 8.0, 0.0)[0] > 0.03
    assert abs(shift(made, 1.0, 0.1, 8.0, 0.0)[0]) < 0.03
    joints[[7, 8]] = joints[[8, 7]]
    assert HeadRelief.build(None, joints, figure(face_mesh())) is None


def test_the_drawn_face_is_where_its_own_turned_mesh_is():
    mesh, made = face_mesh(), relief()
    assert face_picture(mesh).shape[:2] == (320, 300)
    for yaw, pitch in ((10.0, 0.0), (0.0, 8.0), (-8.0, -6.0)):
        turned = face_mesh(yaw_deg=yaw, pitch_deg=pitch)
        for point in (13, 105, 334, 2):
            u, v = (mesh[point, :2] - CENTRE) / SPAN
            wanted = (turned[point] - mesh[point])[:2] / SPAN
            between = (turned[[33, 263]] - mesh[[33, 263]])[:, :2].mean(axis=0) / SPAN
            eyes = (
                shift(made, *((mesh[33, :2] - CENTRE) / SPAN), yaw, pitch)
                + shift(made, *((mesh[263, :2] - CENTRE) / SPAN), yaw, pitch)
            ) / 2
            assert shift(made, u, v, yaw, pitch) - eyes == pytest.approx(wanted - between, abs=0.035)


def test_the_drawn_figure_turns_its_head_and_nothing_else():
    made = draw(standing())
    marked = made.foreground.copy()
    cv2.circle(marked, (240, 125), 5, (250, 0, 0), -1)
    rig = build_rig(made.alpha, marked, made.background, made.joints, made.shown)
    performance = poses(rig.joints, rig.shown)
    order = drawing_order(performance, tuple(limb.limb for limb in rig.limbs), rig.joints, 30.0)
    painter = Painter(rig, performance, order)
    head = HeadRelief.build(None, made.joints, made.alpha)
    assert head is not None
    rest, right = painter.frame(0), painter.frame(0, None, head.turned(12.0, 0.0))

    def mark(frame: np.ndarray) -> float:
        red = (frame[..., 0].astype(int) - frame[..., 1] > 150)[60:180]
        return float(np.nonzero(red)[1].mean())

    assert mark(right) > mark(rest) + 2.0
    assert np.array_equal(painter.frame(0, None, head.turned(0.0, 0.0)), rest)
    changed = np.abs(right.astype(int) - rest).max(axis=2) > 12
    assert not changed[240:].any()
    assert changed[60:200, 180:300].any()
