"""Anchors, crops and the arithmetic about the networks, without the networks."""

from __future__ import annotations

from math import cos, hypot, pi, sin
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.tracking.body import paste, refine, region_about
from understudy.tracking.face import region_from_body
from understudy.tracking.followed_body import is_same, off
from understudy.tracking.hands import region_from_body as hand_region
from understudy.tracking.hands import region_from_hand
from understudy.tracking.one_euro import OneEuro
from understudy.tracking.pose_detection import anchors, merge
from understudy.tracking.region import Region

regions = st.builds(
    Region,
    x=st.floats(-500, 2500),
    y=st.floats(-500, 2500),
    size=st.floats(5, 3000),
    angle=st.floats(-3.1, 3.1),
)


def test_anchors_are_the_detectors() -> None:
    found = anchors()
    assert found.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2) == (2254, 2)
    assert found[0] == pytest.approx([0.5 / 28, 0.5 / 28])
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx([1.5 / 28, 0.5 / 28])
    assert found[-1] == pytest.approx([6.5 / 7, 6.5 / 7])


@given(regions)
def test_points_go_to_the_picture_and_back(region: Region) -> None:
    points = np.array([[0, 0], [1, 1], [0.25, 0.9]], np.float32)
    there = region.to_picture(points)
    assert np.allclose(region.from_picture(there), points, atol=2e-3)
    assert np.linalg.norm(there[1] - there[0]) == pytest.approx(region.size * np.sqrt(2), rel=1e-3)


def test_depth_scales_with_the_crop() -> None:
    assert Region(0, 0, 200, 1.0).to_picture(np.array([[0, 0, -0.5]], np.float32))[0, 2] == -100


@given(st.floats(-3.1, 3.1), st.floats(10, 500))
def test_alignment_points_give_their_circle(angle: float, radius: float) -> None:
    centre = np.array([300, 400], np.float32)
    rim = centre + np.array([radius * sin(angle), -radius * cos(angle)], np.float32)
    region = Region.around(centre, rim, up=pi / 2)
    assert region.size == pytest.approx(2 * radius, rel=1e-3)
    assert cos(region.angle - angle) == pytest.approx(1, abs=1e-4)
    # In the crop the rim lies straight above the middle.
    assert region.from_picture(rim[None])[0] == pytest.approx([0.5, 0], abs=1e-3)


def test_a_crop_shows_the_region_upright() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[40:60, 70:80] = 200  # right of the middle
    network = SimpleNamespace(width=32, height=32, input=np.zeros((32, 32, 3), np.float32))
    crop = Region(50, 50, 80, pi / 2).crop(frame, network)  # the crop's top shows the picture's right
    rows, columns = np.nonzero(crop[:, :, 0] > 100)
    assert rows.mean() < 9
    assert 14 < columns.mean() < 17
    assert network.input.max() == pytest.approx(200 / 255, abs=0.01)
    Region(50, 50, 80, 0).crop(frame, network, low=-1.0)
    assert network.input.min() == pytest.approx(-1)


@given(st.floats(-3.1, 3.1))
def test_enclosing_square_holds_its_points(angle: float) -> None:
    points = np.random.default_rng(1).uniform(0, 300, (20, 2)).astype(np.float32)
    inside = Region.enclosing(points, angle).from_picture(points)
    assert inside.min() > -1e-3
    assert inside.max() < 1 + 1e-3
    # The longer side touches both edges.
    assert (np.ptp(inside, axis=0)).max() == pytest.approx(1, abs=1e-3)


def test_boxes_that_overlap_become_one_weighted_by_score() -> None:
    places = np.zeros((3, 12), np.float32)
    places[:, :4] = [[0.5, 0.5, 0.2, 0.2], [0.52, 0.5, 0.2, 0.2], [0.9, 0.9, 0.1, 0.1]]
    merged = merge(places, np.array([0.9, 0.6, 0.5], np.float32))
    assert len(merged) == 2
    assert merged[0][0][0] == pytest.approx((0.5 * 0.9 + 0.52 * 0.6) / 1.5)
    assert merged[0][1] == pytest.approx(0.9)


def test_a_sure_heatmap_moves_its_point_and_a_vague_one_does_not() -> None:
    heatmap = np.full((64, 64, 2), -20, np.float32)
    heatmap[34, 31, 0] = 8
    heatmap[34, 31, 1] = -1  # a peak under one half
    places = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1]], np.float32)
    refined = refine(places, heatmap)
    assert refined[0] == pytest.approx([31 / 64, 34 / 64, 0.1], abs=1e-3)
    assert refined[1] == pytest.approx(places[1])


@pytest.mark.parametrize("place", [[-0.2, 0.5], [1.4, 0.5], [0.999, 0.001]])
def test_a_point_at_the_edge_of_the_heatmap_is_no_trouble(place: list[float]) -> None:
    refined = refine(np.array([[*place, 0]], np.float32), np.zeros((64, 64, 1), np.float32))
    assert np.isfinite(refined).all()


def test_the_mask_comes_back_where_the_crop_was() -> None:
    frame = np.zeros((200, 300, 3), np.uint8)
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = 1
    pasted = paste(mask, Region(200, 80, 100, 0.4), frame)
    rows, columns = np.nonzero(pasted > 0.5)
    assert pasted.shape == (200, 300)
    assert (columns.mean(), rows.mean()) == pytest.approx((200, 80), abs=1.5)
    assert len(rows) == pytest.approx(50 * 50, rel=0.06)


def test_hand_squares_follow_the_fingers() -> None:
    wrist, pinky, index = np.array([[100, 200], [90, 160], [105, 158]], np.float32)
    region = hand_region(np.stack([wrist, pinky, index]))
    assert abs(region.angle) < 0.1  # fingers up: hardly turned
    assert region.y < 160
    assert region.size == pytest.approx(2.7 * 2 * hypot(0, 41.3), rel=0.05)

    upside_down = np.stack([wrist, 2 * wrist - pinky, 2 * wrist - index])
    assert abs(abs(hand_region(upside_down).angle) - pi) < 0.1

    hand = np.zeros((21, 3), np.float32)
    hand[:, 0] = np.linspace(80, 120, 21)
    hand[:, 1] = 150
    hand[0] = [100, 200, 0]
    assert abs(region_from_hand(hand).angle) < 0.3


def test_the_face_square_turns_with_the_head() -> None:
    body = np.zeros((33, 3), np.float32)
    body[[2, 5], :2] = [[120, 100], [80, 100]]
    body[[7, 8], :2] = [[150, 105], [50, 105]]
    body[[9, 10], :2] = [[110, 150], [90, 150]]
    level = region_from_body(body)
    assert level.angle == pytest.approx(0, abs=1e-6)
    turned = body.copy()
    c, s = cos(0.6), sin(0.6)
    turned[:, :2] = body[:, :2] @ np.array([[c, s], [-s, c]], np.float32)
    assert region_from_body(turned).angle == pytest.approx(0.6, abs=1e-3)
    assert region_from_body(turned).size == pytest.approx(level.size, rel=1e-3)


def test_the_same_person_is_near_and_of_like_size() -> None:
    last = Region(500, 500, 400, 0)
    assert is_same(Region(560, 500, 420, 0), last, reach=100)
    assert not is_same(Region(700, 500, 400, 0), last, reach=100)
    assert not is_same(Region(500, 500, 200, 0), last, reach=100)
    assert not off(Region(520, 500, 420, 0.1), last)
    assert off(Region(500, 900, 400, 0), last)


def test_one_euro_is_calm_at_rest_and_quick_when_fast() -> None:
    calm = OneEuro(0.01, 10.0)
    rest = [float(calm(np.array([5 + 0.5 * (-1) ** i], np.float32), 500.0)[0]) for i in range(40)]
    assert np.ptp(rest[20:]) < 0.2
    calm.reset()
    for i in range(10):
        value = calm(np.array([i * 60.0], np.float32), 500.0)
    assert abs(float(value[0]) - 540) < 60


def test_the_square_about_the_body_has_its_margin() -> None:
    region = region_about(np.array([[100, 100], [100, 20]], np.float32))
    assert region.size == pytest.approx(160 * 1.25)
