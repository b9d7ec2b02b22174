"""The thin-plate spline: what it meets, what it leaves straight, and what smoothing trades."""

import numpy as np
import pytest

from understudy.tracking.thin_plate import ThinPlate

RANDOM = np.random.default_rng(4)
POINTS = RANDOM.normal(size=(14, 2))
VALUES = RANDOM.normal(size=(14, 3))


def test_without_smoothing_every_value_is_met() -> None:
    found = ThinPlate.through(POINTS, VALUES, smoothing=0.0)(POINTS)
    np.testing.assert_allclose(found, VALUES, atol=1e-9)


def test_a_straight_map_stays_straight_everywhere() -> None:
    def straight(at: np.ndarray) -> np.ndarray:
        return at @ np.array([[1.2, -0.3], [0.4, 0.9]]) + [5.0, -2.0]

    far = 30 * RANDOM.normal(size=(20, 2))
    found = ThinPlate.through(POINTS, straight(POINTS), smoothing=0.01)(far)
    np.testing.assert_allclose(found, straight(far), atol=1e-8)


def test_smoothing_misses_by_its_share_of_each_bend() -> None:
    plate = ThinPlate.through(POINTS, VALUES, smoothing=0.05)
    np.testing.assert_allclose(VALUES - plate(POINTS), 0.05 * plate.bends, atol=1e-10)
    np.testing.assert_allclose(plate.bends.sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(POINTS.T @ plate.bends, 0, atol=1e-10)


def test_a_bump_is_r_squared_ln_r() -> None:
    plate = ThinPlate(
        np.array([[1.0, 1.0]]), np.array([[2.0]]), np.array([[0.0], [0.0], [0.0]]), np.array([1.0, 1.0])
    )
    found = plate(np.array([[1.0, 1.0], [1.0, 2.0], [4.0, 5.0]]))
    np.testing.assert_allclose(found[:, 0], [0.0, 0.0, 2 * 25 * np.log(5.0)], atol=1e-12)


def test_much_smoothing_leaves_the_straight_line_of_least_squares() -> None:
    plain = np.concatenate([np.ones((14, 1)), POINTS], axis=1)
    line = plain @ np.linalg.lstsq(plain, VALUES, rcond=None)[0]
    np.testing.assert_allclose(ThinPlate.through(POINTS, VALUES, smoothing=1e9)(POINTS), line, atol=1e-6)


def test_points_on_a_line_tell_nothing_aside() -> None:
    row = np.stack([np.arange(4.0), np.zeros(4)], axis=1)
    with pytest.raises(np.linalg.LinAlgError):
        ThinPlate.through(row, row, smoothing=0.1)
