import cv2
import numpy as np
import pytest

from understudy.engines.puppet.foreground import estimate_foreground
from understudy.engines.puppet.matte import FakeMatter, matte
from understudy.tracking.backdrop import find_backdrop, plain_background_mask
from understudy.tracking.tracker import nobody


def nothing(crop):
    return np.zeros(crop.shape[:2], np.float32)


def paper_with_ring():
    """A ring of ink on shaded paper: an outline drawing."""
    shade = np.linspace(205, 235, 200)[None, :, None] * np.ones((260, 1, 3))
    picture = shade.astype(np.uint8)
    cv2.circle(picture, (100, 130), 60, (40, 30, 120), 9)
    return picture


def studio_with_disc():
    """A red disc with a hole in it before a grey wall that darkens downwards, with grain."""
    wall = np.linspace(220, 180, 520)[:, None, None] * np.ones((1, 400, 3))
    wall = wall + np.random.default_rng(1).normal(0, 1.0, wall.shape)
    picture = np.clip(wall, 0, 255).astype(np.uint8)
    mask = np.zeros((520, 400), np.uint8)
    cv2.circle(mask, (200, 260), 120, 1, -1)
    cv2.circle(mask, (200, 260), 50, 0, -1)
    picture[mask > 0] = (190, 40, 50)
    return picture, mask > 0


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_given_alpha_is_trusted():
    alpha = np.zeros((60, 50), np.uint8)
    alpha[20:40, 10:30] = 255
    alpha[20, 10:30] = 102
    result = matte(np.full((60, 50, 3), 90, np.uint8), alpha, nobody(), nothing)
    np.testing.assert_allclose(result.alpha, alpha / 255, atol=1e-6)
    assert result.alpha.dtype == np.float32
    assert result.foreground.dtype == np.uint8


def test_photo_before_a_plain_wall_keeps_its_hole_open():
    picture, figure = studio_with_disc()
    result = matte(picture, None, nobody(), nothing)
    assert iou(result.alpha > 0.5, figure) > 0.95
    assert result.alpha[260, 200] == 0


def test_outline_drawing_keeps_its_inside():
    result = matte(paper_with_ring(), None, nobody(), nothing)
    assert result.alpha[130, 100] == 1
    assert result.alpha[5, 5] == 0


def test_backdrop_is_found_only_where_plain():
    picture, figure = studio_with_disc()
    assert iou(~plain_background_mask(picture), figure) > 0.93
    noise = np.random.default_rng(2).integers(0, 255, (520, 400, 3), dtype=np.uint8)
    assert find_backdrop(noise) is None


def test_foreground_has_no_halo():
    red, green = np.array([200.0, 20, 20]), np.array([20.0, 200, 20])
    alpha = np.zeros((80, 80), np.float32)
    alpha[20:60, 20:60] = 1
    alpha = cv2.GaussianBlur(alpha, (0, 0), 2)
    picture = (alpha[..., None] * red + (1 - alpha[..., None]) * green).astype(np.uint8)
    fore = estimate_foreground(picture, alpha).astype(float)
    soft = (alpha > 0.1) & (alpha < 0.9)
    assert np.abs(fore[soft] - red).mean() < 12
    assert np.abs(picture[soft] - red).mean() > 40


@pytest.mark.parametrize("shape", [(32, 24), (31, 47), (9, 300)])
def test_tiny_and_odd_pictures_pass(shape):
    picture = np.random.default_rng(3).integers(0, 255, (*shape, 3), dtype=np.uint8)
    result = matte(picture, None, nobody(), nothing)
    assert result.alpha.shape == shape
    assert np.isfinite(result.alpha).all()


def test_fake_gives_what_it_was_given():
    alpha = np.ones((4, 4), np.float32)
    assert FakeMatter(alpha)(np.zeros((4, 4, 3), np.uint8), None, nobody(), nothing).alpha is alpha
