"""The fill of hidden pixels: mirrors first, then the part's own colours, never what lies beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from understudy.engines.puppet.fill import fill_hidden

MAGENTA = (255, 0, 255)
AXIS = (np.array([49.5, 10], np.float32), np.array([49.5, 90], np.float32))


def part(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """A part of greenish noise among magenta, whose lower right quarter is hidden."""
    noise = np.random.default_rng(seed).integers(0, 40, (100, 100))
    rgb = np.empty((100, 100, 3), np.uint8)
    rgb[:] = MAGENTA
    body = np.zeros((100, 100), bool)
    body[20:80, 20:80] = True
    rgb[body] = np.stack([40 + noise, 150 + noise, 60 + noise], axis=-1)[body]
    hidden = np.zeros_like(body)
    hidden[50:80, 50:80] = True
    rgb[hidden] = MAGENTA  # what hides it
    return rgb, body & ~hidden, hidden


def looks_like_the_part(pixels: NDArray[np.uint8]) -> bool:
    low, high = np.array([40, 150, 60]), np.array([80, 190, 100])
    return bool(((pixels >= low - 2) & (pixels <= high + 2)).all())


@pytest.mark.parametrize("axis", [None, AXIS])
def test_colours_come_from_the_part_alone(
    axis: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> None:
    rgb, own, hidden = part()
    filled = fill_hidden(rgb, own, hidden, axis)
    assert looks_like_the_part(filled[hidden])


def test_the_mirror_image_comes_first() -> None:
    rgb, own, hidden = part()
    filled = fill_hidden(rgb, own, hidden, AXIS)
    np.testing.assert_array_equal(filled[50:80, 50:80], rgb[50:80, 20:50][:, ::-1])


def test_where_the_mirror_is_hidden_too_the_part_grows() -> None:
    rgb, own, hidden = part()
    both = hidden | hidden[:, ::-1]
    filled = fill_hidden(rgb, own & ~both, both, AXIS)
    assert looks_like_the_part(filled[both])


def test_a_mirror_across_a_slanted_axis() -> None:
    rgb, own, _ = part()
    hidden = np.zeros_like(own)
    hidden[30, 25], own[30, 25] = True, False
    diagonal = (np.array([0, 0], np.float32), np.array([99, 99], np.float32))
    np.testing.assert_array_equal(fill_hidden(rgb, own, hidden, diagonal)[30, 25], rgb[25, 30])


def test_everything_else_keeps_its_colours_and_the_input_is_left_alone() -> None:
    rgb, own, hidden = part()
    before = rgb.copy()
    filled = fill_hidden(rgb, own, hidden, AXIS)
    np.testing.assert_array_equal(rgb, before)
    np.testing.assert_array_equal(filled[~hidden], rgb[~hidden])


def test_nothing_hidden_or_nothing_known_changes_nothing() -> None:
    rgb, own, hidden = part()
    nothing = np.zeros_like(own)
    np.testing.assert_array_equal(fill_hidden(rgb, own, nothing, AXIS), rgb)
    np.testing.assert_array_equal(fill_hidden(rgb, nothing, hidden, AXIS), rgb)


def test_an_axis_without_length_is_no_crash() -> None:
    rgb, own, hidden = part()
    point = np.array([50, 50], np.float32)
    assert looks_like_the_part(fill_hidden(rgb, own, hidden, (point, point))[hidden])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
@example(10472, 1, False)  # a hole far from everything that is known
def test_no_foreign_colour_whatever_the_shape(seed: int, holes: int, mirrored: bool) -> None:
    rgb, own, _ = part(seed)
    own[20:80, 20:80] = True
    generator = np.random.default_rng(seed)
    hidden = np.zeros_like(own)
    for _ in range(holes):
        y, x = generator.integers(0, 70, 2)
        h, w = generator.integers(1, 30, 2)
        hidden[y : y + h, x : x + w] = True
    rgb[20:80, 20:80] = (60, 170, 80)
    rgb[hidden] = MAGENTA
    own &= ~hidden
    assert own.sum() > 100
    assert looks_like_the_part(fill_hidden(rgb, own, hidden, AXIS if mirrored else None)[hidden])
