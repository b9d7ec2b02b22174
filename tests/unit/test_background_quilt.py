import numpy as np

from understudy.engines.puppet.mend import busyness, mend, worth_detail
from understudy.engines.puppet.quilt import choose
from understudy.engines.puppet.seams import shifts
from understudy.engines.puppet.stitch import levelled, stitch


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
    filled, _ = stitch(given, hole, quilt)
    assert np.abs(filled - picture)[hole].mean() < 8
    np.testing.assert_array_equal(filled[~hole], given[~hole])


def test_every_pixel_of_the_hole_is_taken_from_outside_it():
    picture = tiled()
    hole = hidden(240, 200, 60, 240, 80, 140)
    which, shift = shifts(hole, choose(picture, hole, picture))
    y, x = np.nonzero(hole)
    aside, down = shift[which[y, x]].T
    assert not hole[y + down, x + aside].any()
    assert not shift[which[~hole]].any()


def test_an_island_in_the_hole_does_not_upset_the_levels():
    picture = np.random.default_rng(4).uniform(100, 140, (240, 200, 3)).astype(np.float32)
    hole = hidden(240, 200, 60, 200, 60, 150)
    hole[100:160:7, 100] = False
    picture[100:160:7, 100] = 255
    filled, _ = stitch(picture, hole, choose(picture, hole, np.full_like(picture, 120)))
    assert filled.min() > 30
    assert filled.max() < 260


def test_a_picture_that_is_nearly_all_hole_has_no_pieces():
    hole = hidden(120, 100, 4, 116, 4, 96)
    assert choose(np.zeros((120, 100, 3), np.float32), hole, np.zeros((120, 100, 3), np.float32)) is None


def test_what_is_shown_again_and_again_gives_way_to_the_calm_fill():
    picture = np.full((240, 200, 3), 120, np.float32)
    picture += np.random.default_rng(5).normal(0, 8, picture.shape).astype(np.float32)
    hole = hidden(240, 200, 60, 180, 50, 150)
    plain = np.where(hole[..., None], np.float32(120), picture)
    expected = busyness(picture, hole, plain)
    for often, calm in ((1, False), (30, True)):
        shown = mend(picture, hole, picture, plain, plain, expected, np.full(hole.shape, often, np.float32))
        assert (shown[90:150, 80:120].std() < 2) == calm


def test_the_frame_of_a_plain_wall_makes_it_no_texture():
    picture = np.full((240, 200, 3), 120, np.float32)
    picture[:, 20:40] = 230
    hole = hidden(240, 200, 60, 180, 80, 150)
    assert not worth_detail(busyness(picture, hole, picture), hole).any()
    rough = picture + np.random.default_rng(6).normal(0, 30, picture.shape).astype(np.float32)
    assert worth_detail(busyness(rough, hole, picture), hole)[hole].mean() > 0.9


def test_a_fill_without_detail_takes_on_the_light_of_its_rim():
    picture = np.full((120, 100, 3), 120, np.float32)
    hole = hidden(120, 100, 30, 90, 25, 75)
    assert np.abs(levelled(picture, hole, np.full_like(picture, 105)) - picture)[hole].mean() < 10
