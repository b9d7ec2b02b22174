import cv2
import numpy as np
import pytest

from understudy.engines.puppet.closed_form import carry_over, solve_alpha
from understudy.engines.puppet.crf import Reach, settle
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


def test_labels_follow_colour():
    lab = np.zeros((60, 60, 3), np.float32)
    lab[:, 30:, 0] = 60
    evidence = np.where(np.arange(60) > 36, 2.0, -0.2).astype(np.float32) * np.ones((60, 1), np.float32)
    weight = np.ones((60, 60), np.float32)
    label = settle(evidence, lab, weight, np.ones((60, 60), bool), (Reach(12, 8, 5, 5.0),))
    assert (label[:, 31:] > 0.5).all()
    assert (label[:, :29] < 0.5).all()


def test_closed_form_recovers_a_ramp():
    truth = np.clip((np.arange(60) - 20) / 20, 0, 1).astype(np.float32) * np.ones((30, 1), np.float32)
    picture = truth[..., None] * np.array([0.9, 0.2, 0.1], np.float32) + (1 - truth[..., None]) * 0.5
    band = (truth > 0) & (truth < 1)
    guess = np.where(band, 0.5, truth).astype(np.float32)
    alpha = solve_alpha(picture.astype(np.float32), guess, band, trust=0.001, steps=400)
    assert np.abs(alpha - truth)[band].mean() < 0.06
    large = cv2.resize(picture.astype(np.float32), (120, 60))
    assert np.abs(carry_over(picture, truth, large) - cv2.resize(truth, (120, 60))).mean() < 0.02


@pytest.mark.parametrize("shape", [(32, 24), (31, 47), (9, 300)])
def test_tiny_and_odd_pictures_pass(shape):
    picture = np.random.default_rng(3).integers(0, 255, (*shape, 3), dtype=np.uint8)
    result = matte(picture, None, nobody(), nothing)
    assert result.alpha.shape == shape
    assert np.isfinite(result.alpha).all()


def test_fake_gives_what_it_was_given():
    alpha = np.ones((4, 4), np.float32)
    assert FakeMatter(alpha)(np.zeros((4, 4, 3), np.uint8), None, nobody(), nothing).alpha is alpha
