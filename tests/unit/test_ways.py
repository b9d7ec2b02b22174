import numpy as np
import pytest

from understudy.tracking.ways import Ways

INF = np.inf


def field(rows, columns):
    shape = np.zeros((rows, columns), bool)
    shape[1:-1, 1:-1] = True
    return shape


def table_of_distances(shape, price):
    """Between all pixels, by Floyd and Warshall."""
    width = shape.shape[1]
    pixels = np.flatnonzero(shape)
    rows, columns = np.divmod(pixels, width)
    apart = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
    table = np.where(apart < 1.5, apart * price(pixels[:, None], pixels), INF)
    np.fill_diagonal(table, 0)
    for k in range(len(pixels)):
        table = np.minimum(table, table[:, k, None] + table[k])
    return pixels, table


def test_over_an_open_field_the_way_is_straight_and_diagonal():
    shape = field(12, 20)
    ways = Ways(shape)
    lengths = ways.start()
    ways.lead(np.array([5 * 20 + 7]), lengths)
    y, x = np.mgrid[0:12, 0:20]
    down, across = abs(y - 5), abs(x - 7)
    wanted = np.maximum(down, across) + (np.sqrt(2) - 1) * np.minimum(down, across)
    np.testing.assert_allclose(lengths.reshape(12, 20)[shape], wanted[shape])
    assert (lengths.reshape(12, 20)[~shape] == INF).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lengths_are_those_of_a_table_of_all_ways(seed):
    random = np.random.default_rng(seed)
    shape = field(11, 13) & (random.random((11, 13)) < 0.75)
    dear = random.random(11 * 13) * 9

    def price(one, other):
        return 1 + dear[one] + dear[other]

    pixels, table = table_of_distances(shape, price)
    ways = Ways(shape, price)
    lengths = ways.start()
    before = ways.lead(pixels[:1], lengths)
    np.testing.assert_allclose(lengths[pixels], table[0])
    ways.lead(pixels[-2:], lengths)
    np.testing.assert_allclose(lengths[pixels], np.minimum(table[0], table[-2:].min(axis=0)))
    for number, pixel in enumerate(pixels.tolist()):
        if not 0 < table[0, number] < INF:
            assert before[pixel] == -1
            continue
        last = int(np.searchsorted(pixels, before[pixel]))
        step = np.hypot(*(np.array(divmod(pixel, 13)) - divmod(int(before[pixel]), 13)))
        np.testing.assert_allclose(table[0, last] + step * price(before[pixel], pixel), table[0, number])


def test_a_wall_is_walked_round():
    shape = field(9, 9)
    shape[1:7, 4] = False
    ways = Ways(shape)
    lengths = ways.start()
    ways.lead(np.array([1 * 9 + 3]), lengths)
    np.testing.assert_allclose(lengths[1 * 9 + 5], 10 + 2 * np.sqrt(2))


def test_a_shape_of_one_pixel_leads_nowhere():
    shape = np.zeros((3, 3), bool)
    shape[1, 1] = True
    ways = Ways(shape)
    lengths = ways.start()
    assert (ways.lead(np.array([4]), lengths) == -1).all()
    assert lengths[4] == 0
