"""Values between key moments: through every key, never beyond its neighbours, smooth in slope."""

import numpy as np

from understudy.sample.between import between

RANDOM = np.random.default_rng(3)
MOMENTS = np.cumsum(RANDOM.uniform(0.2, 1.5, 12))
KEYS = np.round(RANDOM.normal(size=(12, 5)), 1)


def test_keys_are_met() -> None:
    np.testing.assert_allclose(between(MOMENTS, KEYS, MOMENTS), KEYS, atol=1e-12)
    np.testing.assert_allclose(between(MOMENTS, KEYS[:, 0], MOMENTS), KEYS[:, 0], atol=1e-12)


def test_nothing_goes_beyond_the_keys_beside_it() -> None:
    for k in range(len(MOMENTS) - 1):
        found = between(MOMENTS, KEYS, np.linspace(MOMENTS[k], MOMENTS[k + 1], 60))
        low, high = np.minimum(KEYS[k], KEYS[k + 1]), np.maximum(KEYS[k], KEYS[k + 1])
        assert (found >= low - 1e-9).all()
        assert (found <= high + 1e-9).all()


def test_slopes_go_on_over_keys() -> None:
    tiny = 1e-6
    inner = MOMENTS[1:-1]
    before = (KEYS[1:-1] - between(MOMENTS, KEYS, inner - tiny)) / tiny
    after = (between(MOMENTS, KEYS, inner + tiny) - KEYS[1:-1]) / tiny
    np.testing.assert_allclose(before, after, atol=1e-4)


def test_a_slope_is_the_weighted_harmonic_mean_of_both_sides() -> None:
    # Parts of 1 and 3 with slopes 2 and 1: (w1 + w2) / (w1 / 2 + w2 / 1), w1 = 2 * 3 + 1, w2 = 3 + 2 * 1.
    tiny = 1e-6
    found = (between([0, 1, 4], [0.0, 2.0, 5.0], [1 + tiny]) - 2.0) / tiny
    np.testing.assert_allclose(found, 12 / (7 / 2 + 5), rtol=1e-4)


def test_a_straight_row_stays_straight() -> None:
    times = np.linspace(0, 7, 30)
    np.testing.assert_allclose(between([0, 1, 4, 7], [1.0, 3.0, 9.0, 15.0], times), 1 + 2 * times, atol=1e-12)
