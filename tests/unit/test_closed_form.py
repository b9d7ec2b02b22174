import cv2
import numpy as np
import pytest

from understudy.engines.puppet.closed_form import carry_over, conjugate_gradients, solve_alpha


def ramp():
    """A picture (30, 60, 3) from grey to red, its alpha and where that is neither 0 nor 1."""
    truth = np.clip((np.arange(60) - 20) / 20, 0, 1).astype(np.float32) * np.ones((30, 1), np.float32)
    picture = truth[..., None] * np.array([0.9, 0.2, 0.1], np.float32) + (1 - truth[..., None]) * 0.5
    return picture.astype(np.float32), truth, (truth > 0) & (truth < 1)


def dense_laplacian(rgb, smooth):
    """The matting Laplacian of all 3 x 3 windows, by the paper's own formula, one pair of pixels at a time."""
    height, width = rgb.shape[:2]
    matrix = np.zeros((height * width, height * width))
    for y in range(height - 2):
        for x in range(width - 2):
            pixels = [(y + dy) * width + x + dx for dy in range(3) for dx in range(3)]
            colours = rgb.reshape(-1, 3)[pixels].astype(np.float64)
            mean = colours.mean(0)
            covariance = (colours - mean).T @ (colours - mean) / 9 + smooth / 9 * np.eye(3)
            alike = (colours - mean) @ np.linalg.inv(covariance) @ (colours - mean).T
            matrix[np.ix_(pixels, pixels)] += np.eye(9) - (1 + alike) / 9
    return matrix


@pytest.mark.parametrize("at", [(slice(3, 8), slice(2, 9)), (slice(0, 4), slice(6, 12))])
def test_alpha_is_what_the_dense_matrix_gives(at):
    random = np.random.default_rng(5)
    rgb = random.random((10, 12, 3), np.float32)
    guess = random.random((10, 12), np.float32)
    band = np.zeros((10, 12), bool)
    band[at] = True
    alpha = solve_alpha(rgb, guess, band, trust=0.05, steps=400)
    matrix = dense_laplacian(rgb, 1e-4)
    asked = band.ravel()
    pull = matrix[asked][:, ~asked] @ guess.ravel()[~asked]
    system = matrix[asked][:, asked] + 0.05 * np.eye(asked.sum())
    wanted = np.linalg.solve(system, 0.05 * guess.ravel()[asked] - pull)
    assert np.abs(alpha[band] - np.clip(wanted, 0, 1)).max() < 0.01
    assert (alpha[~band] == guess[~band]).all()


def test_ramp_is_recovered():
    picture, truth, band = ramp()
    guess = np.where(band, 0.5, truth).astype(np.float32)
    alpha = solve_alpha(picture, guess, band, trust=0.001, steps=400)
    assert np.abs(alpha - truth)[band].mean() < 0.06


def test_search_ends_where_the_system_is_solved():
    random = np.random.default_rng(6)
    root = random.random((20, 20))
    matrix = root @ root.T + np.eye(20)
    right = random.random(20)
    found = conjugate_gradients(lambda x: matrix @ x, right, np.zeros(20), np.diag(matrix), 200)
    assert np.linalg.norm(matrix @ found - right) <= 1e-3 * np.linalg.norm(right)
    begun = conjugate_gradients(lambda x: matrix @ x, right, np.zeros(20), np.diag(matrix), 2)
    assert np.linalg.norm(matrix @ begun - right) > 1e-3 * np.linalg.norm(right)
    nothing = conjugate_gradients(lambda x: matrix @ x, np.zeros(20), np.zeros(20), np.diag(matrix), 5)
    assert (nothing == 0).all()


def test_large_picture_gets_the_small_ones_alpha_by_its_colours():
    picture, truth, _ = ramp()
    large = cv2.resize(picture, (120, 60))
    wanted = (large[..., 0] - 0.5) / 0.4
    full = carry_over(picture, truth, np.ones((30, 60), bool), np.rint(255 * large).astype(np.uint8))
    assert np.abs(full - wanted).max() < 0.05


def test_outside_the_band_alpha_is_enlarged():
    picture, truth, _ = ramp()
    large = np.random.default_rng(7).integers(0, 255, (60, 120, 3), dtype=np.uint8)
    band = np.zeros((30, 60), bool)
    band[10:20, 25:30] = True
    full = carry_over(picture, truth, band, large)
    beside = cv2.resize(band.astype(np.uint8), (120, 60), interpolation=cv2.INTER_NEAREST) == 0
    assert (full[beside] == cv2.resize(truth, (120, 60))[beside]).all()
    assert np.abs(full - cv2.resize(truth, (120, 60)))[~beside].max() > 0.1
    assert (carry_over(picture, truth, np.zeros((30, 60), bool), large) == cv2.resize(truth, (120, 60))).all()
