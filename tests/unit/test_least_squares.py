import numpy as np
import pytest

from understudy.engines.puppet.least_squares import Grid, LeastSquares
from understudy.engines.puppet.straight_fill import spread


def dense(nodes, demands, channels):
    """The same by one dense matrix of all demands."""
    rows, wanted = [], []
    for places, shares, weights, goal in demands:
        count = len(places)
        row = np.zeros((count, nodes))
        for k, share in enumerate(np.broadcast_to(shares, places.shape).T):
            row[np.arange(count), places[:, k]] += share
        root = np.sqrt(np.broadcast_to(weights, count))[:, None]
        rows.append(row * root)
        wanted.append(root * (np.zeros((count, channels)) if goal is None else goal))
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0]


@pytest.mark.parametrize(("rows", "columns"), [(9, 5), (5, 9), (7, 1), (2, 2)])
def test_a_bent_sheet_through_points_is_what_one_dense_matrix_gives(rows, columns):
    random = np.random.default_rng(rows)
    grid, nodes = Grid(rows, columns), rows * columns
    edges = np.concatenate(grid.edges())
    whole = random.random(len(edges)) > 0.2
    points = random.integers(0, nodes, (6, 1))
    demands = [
        (*grid.bends(whole), 1.0, None),
        (edges, np.array([-1.0, 1.0]), random.random(len(edges)), None),
        (points, np.ones(1), random.random(6) + 0.5, random.normal(size=(6, 3))),
    ]
    energy = LeastSquares(*grid.blocks(2, 2), 3)
    for demand in demands:
        energy.add(*demand)
    np.testing.assert_allclose(energy.solve(), dense(nodes, demands, 3), atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(9, 5), (5, 9), (7, 1)])
def test_nodes_that_hear_their_neighbours_alone_are_what_one_dense_matrix_gives(rows, columns):
    random = np.random.default_rng(columns)
    grid, nodes = Grid(rows, columns), rows * columns
    edges = np.concatenate(grid.edges())[random.permutation(2 * nodes - rows - columns)[: 3 * nodes // 2]]
    points = random.integers(0, nodes, (4, 1))
    demands = [
        (edges, np.array([-1.0, 1.0]), random.random(len(edges)), None),
        (np.arange(nodes)[:, None], np.ones(1), 0.01, None),
        (points, np.ones(1), random.random(4) + 0.5, random.normal(size=(4, 2))),
    ]
    energy = LeastSquares(*grid.blocks(1, 1), 2)
    for demand in demands:
        energy.add(*demand)
    np.testing.assert_allclose(energy.solve(), dense(nodes, demands, 2), atol=1e-6)


def test_what_nobody_demands_anything_of_is_zero():
    energy = LeastSquares(*Grid(3, 4).blocks(1, 1), 1)
    energy.add(np.array([[5]]), np.ones(1), 2.0, np.array([[7.0]]))
    expected = np.zeros((12, 1))
    expected[5] = 7
    np.testing.assert_allclose(energy.solve(), expected, atol=1e-6)


def test_a_flat_sheet_does_not_bend_but_where_it_is_cut():
    places, shares = Grid(4, 6).bends()
    tilted = (np.arange(24) // 6 + 2.0 * (np.arange(24) % 6))[places]
    inner = np.pad(np.ones((2, 4), bool), 1).ravel()
    assert np.abs((shares * tilted).sum(axis=1))[inner].max() == 0
    cut = np.ones(4 * 5 + 3 * 6, bool)
    cut[5 + 2] = False  # between the third and the fourth node of the second row
    places, shares = Grid(4, 6).bends(cut)
    assert shares[8].tolist().count(-1.0) == 3
    assert shares[8, 0] == 3


@pytest.mark.parametrize("turned", [False, True])
def test_shading_goes_on_over_the_wall_and_stops_at_the_door(turned):
    wall = np.linspace(100, 140, 30)[None, :, None].repeat(20, 0)
    view = np.where(np.arange(30)[None, :, None] < 18, wall, 10).repeat(3, 2).astype(np.float32)
    hole = np.zeros((20, 30), bool)
    hole[5:16, 8:24] = True
    within = np.where(np.arange(30)[None, :, None] < 18, 100, 10) * np.ones((20, 1, 3), np.float32)
    given = np.where(hole[..., None], 77, view).astype(np.float32)
    if turned:
        hole, given, within = hole.T, given.transpose(1, 0, 2), within.transpose(1, 0, 2)
    filled = spread(given, hole, within)
    right = view.transpose(1, 0, 2) if turned else view
    assert np.abs(filled - right).max() < 6
    assert np.abs(filled - right)[~hole].max() == 0
