"""The mask's cells and the hull about the joints."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.engines.diffusion.performer_mask import BONES, TOKEN_PX, cell_px, filled_cells, hull
from understudy.tracking.motion import BODY

HIGH, WIDE = 320, 240


def figure() -> np.ndarray:
    joints = np.zeros((BODY, 2), np.float32)
    joints[:11] = (120, 50)
    joints[[11, 12]] = (150, 90), (90, 90)
    joints[[23, 24]] = (140, 170), (100, 170)
    joints[[13, 14, 15, 16]] = (180, 110), (60, 110), (210, 90), (30, 90)
    joints[[17, 18, 19, 20, 21, 22]] = (220, 85), (20, 85), (222, 85), (18, 85), (215, 80), (25, 80)
    joints[[25, 26, 27, 28]] = (145, 220), (95, 220), (150, 270), (90, 270)
    joints[[29, 30, 31, 32]] = (148, 280), (92, 280), (160, 285), (80, 285)
    return joints


@pytest.mark.parametrize(
    ("height", "width", "cell"),
    [(800, 640, 32), (1280, 720, 32), (480, 832, 32), (160, 160, 16), (1088, 1920, 48)],
)
def test_a_cell_is_whole_tokens_and_about_a_twentieth(height: int, width: int, cell: int) -> None:
    assert cell_px(height, width) == cell
    assert cell % TOKEN_PX == 0


def test_a_cell_is_filled_by_one_pixel_of_the_mask() -> None:
    mask = np.zeros((70, 100), np.uint8)
    mask[40, 31], mask[69, 99] = 255, 255
    cells = filled_cells(mask, 32)
    assert cells.shape == (3, 4)
    assert np.argwhere(cells).tolist() == [[1, 0], [2, 3]]


def test_the_hull_holds_every_joint_and_reaches_further_where_it_may() -> None:
    joints = figure()
    every = np.ones(BODY, np.bool_)
    sure = hull((HIGH, WIDE), joints, every, [], 80.0, reach=False)
    reach = hull((HIGH, WIDE), joints, every, [], 80.0, reach=True)
    for x, y in joints.astype(int):
        assert sure[y, x] == 255
    assert (reach[sure > 0] == 255).all()
    assert (reach > 0).sum() > 1.5 * (sure > 0).sum()
    assert not reach[300:, :20].any()  # somebody else may stand there


def test_a_bone_to_an_unseen_joint_is_left_out() -> None:
    seen = np.ones(BODY, np.bool_)
    seen[[25, 27, 29, 31]] = False
    part = hull((HIGH, WIDE), figure(), seen, [], 80.0, reach=False)
    assert not part[260:, 130:].any()
    assert part[260:, :110].any()
    assert {25, 27} <= {joint for bone, _, _ in BONES for joint in bone}


def test_landmarks_beyond_all_bounds_can_be_drawn() -> None:
    far = figure() * 1000
    assert hull((HIGH, WIDE), far, np.ones(BODY, np.bool_), [far[:21]], 1e6, reach=True).shape == (HIGH, WIDE)
