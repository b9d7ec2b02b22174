import cv2
import numpy as np

from understudy.engines.puppet.background import clean_background, find_hole
from understudy.engines.puppet.membrane import membrane


def box(height, width, top, bottom, left, right):
    alpha = np.zeros((height, width), np.float32)
    alpha[top:bottom, left:right] = 1
    return alpha


def test_pixels_outside_the_hole_keep_their_bytes():
    picture = np.random.default_rng(1).integers(0, 255, (160, 120, 3), dtype=np.uint8)
    alpha = box(160, 120, 60, 100, 40, 80)
    result = clean_background(picture, alpha)
    outside = ~find_hole(alpha)
    outside[92:125, 20:100] = False  # about the feet the ground is never clean
    np.testing.assert_array_equal(result[outside], picture[outside])


def test_nothing_of_the_figure_stays():
    wall = np.linspace(120, 200, 240)[:, None, None] * np.ones((1, 180, 3))
    wall = (wall + np.random.default_rng(2).normal(0, 2, wall.shape)).astype(np.uint8)
    picture = wall.copy()
    alpha = box(240, 180, 60, 200, 60, 120)
    picture[alpha > 0] = (250, 0, 250)
    result = clean_background(picture, alpha)
    assert np.abs(result.astype(int) - wall)[alpha > 0].mean() < 6
    grain = (result.astype(float) - np.roll(result, 1, 1).astype(float))[100:160, 70:110]
    assert 1.0 < grain.std() < 5.0


def test_stripes_continue_through_the_hole():
    rows = (np.arange(240) // 12 % 2 * 150 + 50).astype(np.uint8)
    stripes = np.repeat(np.repeat(rows[:, None, None], 200, 1), 3, 2)
    picture = stripes.copy()
    alpha = box(240, 200, 80, 160, 70, 130)
    picture[alpha > 0] = (250, 0, 0)
    result = clean_background(picture, alpha)
    wrong = np.abs(result.astype(int) - stripes).max(2)[alpha > 0] > 60
    assert wrong.mean() < 0.15


def test_shadow_at_the_feet_goes():
    picture = np.full((240, 200, 3), 210, np.uint8)
    picture[190:204, 60:140] = 150
    alpha = box(240, 200, 60, 195, 80, 120)
    picture[alpha > 0] = (20, 60, 20)
    result = clean_background(picture, alpha)
    assert result[190:204, 60:140].mean() > 195


def walled(shadow):
    """A wall that darkens to the right, a figure, and its soft shadow beside it."""
    wall = np.repeat(np.repeat(np.linspace(225, 190, 360)[None, :, None], 480, 0), 3, 2)
    dark = np.zeros((480, 360, 1))
    dark[120:420, 90:180] = shadow
    dark = cv2.GaussianBlur(dark, (0, 0), 6)[..., None]
    picture = np.clip(wall - dark, 0, 255).astype(np.uint8)
    alpha = box(480, 360, 110, 430, 150, 220)
    picture[alpha > 0] = (150, 20, 20)
    return wall, picture, alpha


def test_a_cast_shadow_on_a_plain_wall_goes_with_its_figure():
    wall, picture, alpha = walled(22)
    result = clean_background(picture, alpha)
    assert np.abs(result[150:400, 60:260] - wall[150:400, 60:260]).mean() < 4


def test_far_from_the_figure_a_dark_shadow_is_only_lightened():
    wall, picture, alpha = walled(60)
    result = clean_background(picture, alpha).astype(int)
    far = cv2.distanceTransform((alpha == 0).astype(np.uint8), cv2.DIST_L2, 5) > 20
    assert np.abs(result - picture)[far].max() <= 25
    steps = np.abs(np.diff(cv2.blur(result.astype(np.float32), (1, 15)), axis=1))
    assert steps[200:350, 130:240].max() < 6  # what is left of it has no border where the figure was
    assert np.abs(result - wall)[200:350, 95:110].mean() < np.abs(picture - wall)[200:350, 95:110].mean() - 12


def test_a_shadow_that_goes_on_to_the_edge_of_the_picture_stays():
    _, picture, alpha = walled(0)
    picture[200:, :150] = picture[200:, :150] // 2
    hole = find_hole(alpha)
    result = clean_background(picture, alpha)
    hole[400:] = True
    np.testing.assert_array_equal(result[~hole], picture[~hole])


def test_empty_and_full_mattes():
    picture = np.random.default_rng(4).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(clean_background(picture, np.zeros((40, 30), np.float32)), picture)
    assert clean_background(picture, np.ones((40, 30), np.float32)).shape == picture.shape


def test_same_input_same_fill():
    picture = np.random.default_rng(5).integers(0, 255, (120, 100, 3), dtype=np.uint8)
    alpha = box(120, 100, 40, 80, 30, 60)
    np.testing.assert_array_equal(clean_background(picture, alpha), clean_background(picture, alpha))


def test_membrane_is_linear_between_its_rims():
    ramp = np.linspace(0, 100, 64, dtype=np.float32)[None, :, None] * np.ones((64, 1, 1), np.float32)
    hole = np.zeros((64, 64), bool)
    hole[20:44, 20:44] = True
    given = np.where(hole[..., None], 0, ramp).astype(np.float32)
    assert np.abs(membrane(given, hole) - ramp)[hole].mean() < 2.0
