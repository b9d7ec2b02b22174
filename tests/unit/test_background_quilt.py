import numpy as np

from understudy.engines.puppet.quilt import choose
from understudy.engines.puppet.seams import shifts
from understudy.engines.puppet.stitch import stitch


def hidden(height, width, top, bottom, left, right):
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return hole


def tiled():
    """Tiles of 20 pixels, each with its own pattern of two colours, on light that grows from left to right."""
    tile = np.random.default_rng(3).uniform(60, 160, (20, 20, 3))
    return (np.tile(tile, (12, 10, 1)) + np.linspace(0, 40, 200)[None, :, None]).astype(np.float32)


def test_a_pattern_goes_on_in_step_and_in_its_light():
    picture = tiled()
    hole = hidden(240, 200, 90, 150, 70, 130)
    given = picture.copy()
    given[hole] = (250, 0, 250)
    quilt = choose(given, hole, np.where(hole[..., None], 130, given).astype(np.float32))
    filled = stitch(given, hole, quilt)
    assert np.abs(filled - picture)[hole].mean() < 6
    np.testing.assert_array_equal(filled[~hole], given[~hole])


def test_every_pixel_of_the_hole_is_taken_from_outside_it():
    picture = tiled()
    hole = hidden(240, 200, 60, 240, 80, 140)
    shift = shifts(hole, choose(picture, hole, picture))
    y, x = np.nonzero(hole)
    assert not hole[y + shift[y, x, 1], x + shift[y, x, 0]].any()
    assert not shift[~hole].any()


def test_an_island_in_the_hole_does_not_upset_the_levels():
    picture = np.random.default_rng(4).uniform(100, 140, (240, 200, 3)).astype(np.float32)
    hole = hidden(240, 200, 60, 200, 60, 150)
    hole[100:160:7, 100] = False
    picture[100:160:7, 100] = 255
    filled = stitch(picture, hole, choose(picture, hole, np.full_like(picture, 120)))
    assert filled.min() > 30
    assert filled.max() < 260


def test_a_picture_that_is_nearly_all_hole_has_no_pieces():
    hole = hidden(120, 100, 4, 116, 4, 96)
    assert choose(np.zeros((120, 100, 3), np.float32), hole, np.zeros((120, 100, 3), np.float32)) is None
