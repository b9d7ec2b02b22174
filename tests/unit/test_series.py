"""Filters along an axis, against their definitions written as loops."""

import numpy as np
import pytest

from understudy.tracking import series

RANDOM = np.random.default_rng(6)


def windows(values: np.ndarray, size: int, *, zeros: bool = False) -> np.ndarray:
    """(T, size, ...) what each window holds, by the plain definition."""
    found = []
    for at in range(len(values)):
        places = [at - size // 2 + k for k in range(size)]
        held = [values[min(max(p, 0), len(values) - 1)] for p in places]
        if zeros:
            held = [v if 0 <= p < len(values) else 0 * v for v, p in zip(held, places, strict=True)]
        found.append(held)
    return np.array(found, np.float64)


@pytest.mark.parametrize("shape", [(1,), (2,), (40,), (40, 3), (7, 5, 2), (3, 4, 3), (130, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 9, 32])
def test_each_filter_is_its_definition(shape: tuple[int, ...], dtype: type, size: int) -> None:
    values = RANDOM.normal(size=shape).astype(dtype)
    weights = RANDOM.normal(size=size)
    held = windows(values, size)
    wanted = {
        "uniform": (series.uniform(values, size), held.mean(axis=1)),
        "median": (series.median(values, size), np.sort(held, axis=1)[:, size // 2]),
        "maximum": (series.maximum(values, size), held.max(axis=1)),
        "minimum": (series.minimum(values, size), held.min(axis=1)),
        "correlate": (series.correlate(values, weights), np.einsum("tk...,k->t...", held, weights)),
        "zeros": (
            series.correlate(values, weights, zeros=True),
            np.einsum("tk...,k->t...", windows(values, size, zeros=True), weights),
        ),
    }
    for name, (found, right) in wanted.items():
        assert found.dtype == dtype, name
        assert found.shape == shape, name
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("deviation", [0.2, 0.5, 1.0, 2.3, 12.0])
def test_a_gaussian_reaches_four_deviations(deviation: float) -> None:
    values = np.zeros(161)
    values[80] = 1.0
    reach = int(4 * deviation + 0.5)
    offsets = np.arange(-80, 81)
    bell = np.where(np.abs(offsets) <= reach, np.exp(-0.5 * (offsets / deviation) ** 2), 0.0)
    np.testing.assert_allclose(series.gaussian(values, deviation), bell / bell.sum(), rtol=1e-9)


def test_a_gaussian_of_no_width_changes_nothing() -> None:
    values = RANDOM.normal(size=(9, 2))
    found = series.gaussian(values, 0.0)
    np.testing.assert_array_equal(found, values)
    assert found is not values


def test_what_stands_still_stays() -> None:
    values = np.full((30, 2), 0.3, np.float32)
    for found in (series.gaussian(values, 5.0), series.uniform(values, 7), series.closing(values, 5)):
        np.testing.assert_allclose(found, 0.3, rtol=1e-6)


def test_a_closing_fills_short_dips_only() -> None:
    values = np.ones(40)
    values[10:14] = 0.2  # shorter than the window
    values[20:28] = 0.4  # longer
    found = series.closing(values, 5)
    np.testing.assert_array_equal(found[:20], 1.0)
    np.testing.assert_array_equal(found[20:28], 0.4)
    np.testing.assert_array_equal(found[28:], 1.0)


def test_any_axis_and_any_layout() -> None:
    values = RANDOM.normal(size=(6, 20, 3))[:, ::2]
    for axis in (0, 1, 2, -1):
        for work in (
            lambda v, a=0: series.gaussian(v, 1.4, a),
            lambda v, a=0: series.median(v, 3, a),
            lambda v, a=0: series.maximum(v, 4, a),
        ):
            right = np.moveaxis(work(np.moveaxis(values, axis, 0).copy()), 0, axis)
            np.testing.assert_allclose(work(values, axis), right, rtol=1e-12)


def test_columns_are_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RANDOM.normal(size=(50, 7))
    whole = series.gaussian(values, 2.0), series.median(values, 5), series.minimum(values, 6)
    monkeypatch.setattr(series, "BLOCK", 60)
    parts = series.gaussian(values, 2.0), series.median(values, 5), series.minimum(values, 6)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_unknown_value_spoils_no_more_than_its_windows() -> None:
    values = RANDOM.normal(size=60)
    values[30] = np.nan
    for found, reach in (
        (series.gaussian(values, 1.0), 4),
        (series.maximum(values, 5), 2),
        (series.uniform(values, 5), 2),
    ):
        away = np.abs(np.arange(60) - 30) > reach
        assert np.isfinite(found[away]).all()
        assert np.isnan(found[30])


def test_nothing_stays_nothing() -> None:
    for values in (np.zeros(0), np.zeros((0, 3), np.float32), np.zeros((4, 0))):
        for found in (series.gaussian(values, 2.0), series.median(values, 3), series.maximum(values, 3)):
            assert found.shape == values.shape
            assert found.dtype == values.dtype
