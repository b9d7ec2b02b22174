import numpy as np

from understudy.engines.puppet.straight_fill import straight_fill


def hidden(height, width, top, bottom, left, right):
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return hole


def test_a_door_seen_on_both_sides_of_the_figure_goes_on_behind_it():
    wall = np.full((300, 200, 3), 200, np.float32)
    wall[40:280, 60:140] = (40, 10, 15)
    hole = hidden(300, 200, 90, 250, 75, 125)
    given = wall.copy()
    given[hole] = (250, 0, 250)
    drawn = straight_fill(given, hole)
    assert np.abs(drawn - wall)[hole].max() < 30


def test_an_edge_hidden_with_all_its_right_side_stays_where_its_ends_show():
    wall = np.full((300, 200, 3), 200, np.float32)
    wall[:, :110] = (40, 10, 15)
    hole = hidden(300, 200, 110, 190, 70, 125)
    given = wall.copy()
    given[hole] = (250, 0, 250)
    wrong = np.abs(straight_fill(given, hole) - wall).max(2)[hole] > 60
    assert wrong.mean() < 0.1


def test_a_horizon_stays_sharp():
    view = np.full((240, 180, 3), (120, 180, 240), np.float32)
    view[130:] = (60, 120, 40)
    hole = hidden(240, 180, 60, 200, 60, 120)
    given = view.copy()
    given[hole] = 0
    drawn = straight_fill(given, hole)
    assert np.abs(drawn - view)[hole & (np.abs(np.arange(240) - 130) > 4)[:, None]].max() < 20


def test_nothing_known_and_nothing_hidden():
    picture = np.random.default_rng(1).uniform(0, 255, (40, 30, 3)).astype(np.float32)
    np.testing.assert_array_equal(straight_fill(picture, np.zeros((40, 30), bool)), picture)
    assert np.isfinite(straight_fill(picture, np.ones((40, 30), bool))).all()
