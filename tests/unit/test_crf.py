import numpy as np
import pytest

from understudy.engines.puppet.crf import BilateralGrid, Reach, settle

REACH = Reach(space=4.0, light=8.0, colour=5.0, strength=5.0)


def totals_of_the_whole_grid(places, lab, values, reach):
    """The same sums by a grid of all cells, point by point."""
    cell = np.array([reach.space, reach.space, reach.light, reach.colour, reach.colour])
    at = np.concatenate([places, lab], 1) / cell
    at -= at.min(0)
    grid = np.zeros(np.floor(at).astype(int).max(0) + 4)
    corners = np.stack(np.meshgrid(*[[0, 1]] * 5, indexing="ij"), -1).reshape(-1, 5)
    low = np.floor(at).astype(int) + 1
    part = at - np.floor(at)
    shares = [np.where(corner, part, 1 - part).prod(1) for corner in corners]
    for corner, share in zip(corners, shares, strict=True):
        np.add.at(grid, tuple((low + corner).T), share * values)
    for axis in range(5):
        grid = 0.5 * grid + 0.25 * (np.roll(grid, 1, axis) + np.roll(grid, -1, axis))
    return sum(share * grid[tuple((low + c).T)] for c, share in zip(corners, shares, strict=True))


def test_few_cells_give_the_sums_of_the_whole_grid():
    """Of a patch of one colour's shades; pixels that differ by less are taken together."""
    y, x = np.mgrid[0:24, 0:24]
    places = np.stack([x.ravel(), y.ravel()], 1).astype(np.float32)
    random = np.random.default_rng(8)
    lab = random.normal((60, 10, 10), (6, 3, 3), (len(places), 3)).astype(np.float32)
    values = (random.random(len(places)) + (places[:, 0] > 12)).astype(np.float32)
    grid = BilateralGrid(places, lab, np.ones(len(places), np.float32), REACH)
    wanted = totals_of_the_whole_grid(places, lab, values, REACH)
    every = totals_of_the_whole_grid(places, lab, np.ones(len(places)), REACH)
    assert np.abs(grid.total(values) / wanted - 1).mean() < 0.1
    # what is not kept is missing from both sides of a mean
    assert np.abs(grid.mean(values) - wanted / every).mean() < 0.02
    assert np.abs(grid.mean(values) - wanted / every).max() < 0.1


def test_far_colours_do_not_hear_each_other():
    places = np.zeros((4, 2), np.float32)
    lab = np.array([[20, 0, 0], [20, 0, 0], [90, 0, 0], [90, 60, 0]], np.float32)
    weight = np.array([3, 1, 1, 1], np.float32)
    grid = BilateralGrid(places, lab, weight, REACH)
    np.testing.assert_allclose(
        grid.mean(np.array([1, 0, 0.2, 0.7], np.float32)), [0.75, 0.75, 0.2, 0.7], 1e-5
    )


@pytest.mark.parametrize("count", [1, 2])
def test_a_pixel_alone_hears_itself(count):
    lab = np.array([[50, 0, 0], [50, 90, -90]], np.float32)[:count]
    grid = BilateralGrid(np.zeros((count, 2), np.float32), lab, np.ones(count, np.float32), REACH)
    np.testing.assert_allclose(grid.mean(np.full(count, 0.4, np.float32)), 0.4, 1e-5)


def test_labels_follow_colour():
    lab = np.zeros((60, 60, 3), np.float32)
    lab[:, 30:, 0] = 60
    evidence = np.where(np.arange(60) > 36, 2.0, -0.2).astype(np.float32) * np.ones((60, 1), np.float32)
    weight = np.ones((60, 60), np.float32)
    label = settle(evidence, lab, weight, np.ones((60, 60), bool), (Reach(12, 8, 5, 5.0),))
    assert (label[:, 31:] > 0.5).all()
    assert (label[:, :29] < 0.5).all()


def test_outside_the_labels_are_the_evidence():
    evidence = np.full((20, 20), 2.0, np.float32)
    lab, weight = np.zeros((20, 20, 3), np.float32), np.ones((20, 20), np.float32)
    inside = np.zeros((20, 20), bool)
    alone = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(settle(evidence, lab, weight, inside, (REACH,)), alone, 1e-6)
    inside[5:10, 5:10] = True
    label = settle(evidence, lab, weight, inside, (REACH,))
    np.testing.assert_allclose(label[~inside], alone, 1e-6)
    assert (label[inside] > alone + 0.05).all()
