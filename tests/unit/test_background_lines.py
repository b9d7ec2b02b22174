import numpy as np

from understudy.engines.puppet.lines import hidden_lines
from understudy.engines.puppet.straight_fill import straight_fill


def door():
    """A door whose right edge a figure hides in the middle, and the hole of the figure."""
    view = np.full((480, 360, 3), 205, np.float32)
    view[60:, 100:240] = (60, 20, 20)
    hole = np.zeros((480, 360), bool)
    hole[150:330, 150:260] = True
    given = view.copy()
    given[hole] = (240, 240, 250)
    return view, given, hole


def test_an_edge_seen_above_and_below_the_figure_is_found():
    _, given, hole = door()
    lines = hidden_lines(given, hole)
    assert len(lines) == 1
    assert np.abs(lines[0, [0, 2]] - 239.5).max() < 2
    assert sorted(lines[0, [1, 3]].round(-1)) == [150, 330]


def test_the_hole_is_filled_up_to_the_hidden_edge_on_both_sides():
    view, given, hole = door()
    wrong = np.abs(straight_fill(given, hole, hidden_lines(given, hole)) - view).max(2)[hole] > 60
    assert wrong.mean() < 0.04


def test_edges_that_do_not_meet_are_not_joined():
    view = np.full((480, 360, 3), 205, np.float32)
    view[:240, 200:] = (60, 20, 20)
    view[240:, 160:] = (60, 20, 20)
    hole = np.zeros((480, 360), bool)
    hole[180:300, 120:240] = True
    lines = hidden_lines(view, hole)
    assert not [line for line in lines if abs(line[1] - line[3]) > 60]


def test_a_plain_picture_has_no_hidden_lines():
    hole = np.zeros((200, 150), bool)
    hole[50:150, 50:100] = True
    assert hidden_lines(np.full((200, 150, 3), 128, np.float32), hole).shape == (0, 4)
