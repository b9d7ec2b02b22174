"""The fill of hidden pixels: the part goes on as it is, never what lies beside it."""

from __future__ import annotations

import cv2
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


def test_far_from_what_is_seen_the_other_half_comes_first() -> None:
    rgb, own, hidden = part()
    filled = fill_hidden(rgb, own, hidden, AXIS, mirror=5.0)
    np.testing.assert_array_equal(filled[60:80, 60:80], rgb[60:80, 20:40][:, ::-1])


def striped() -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """A striped shirt over plain trousers; a strip of both is hidden on the right, with a ragged border."""
    rgb = np.empty((100, 100, 3), np.uint8)
    rgb[:] = MAGENTA
    stripes = np.where(np.arange(60) // 5 % 2, 200, 40)
    rgb[:60, 20:80] = stripes[:, None, None]
    rgb[60:, 20:80] = (30, 60, 160)
    own = np.zeros((100, 100), bool)
    own[:, 20:80] = True
    hidden = own.copy()
    border = 68 + np.random.default_rng(3).integers(-2, 3, 100)
    hidden &= np.arange(100)[None] >= border[:, None]
    rgb[hidden] = MAGENTA
    return rgb, own & ~hidden, hidden


def test_stripes_go_on_and_each_height_keeps_its_garment() -> None:
    rgb, own, hidden = striped()
    filled = fill_hidden(rgb, own, hidden, AXIS)
    whole = np.broadcast_to(rgb[:, 40:41], rgb.shape)
    assert float(np.abs(filled[hidden].astype(int) - whole[hidden]).mean()) < 1


def test_the_rows_of_a_leaning_part_lean_with_it() -> None:
    rgb, own, hidden = striped()
    turn = cv2.getRotationMatrix2D((50, 50), 30, 1)
    turned = cv2.warpAffine(rgb, turn, (100, 100), flags=cv2.INTER_NEAREST)
    seen, gap = (cv2.warpAffine(m.astype(np.uint8), turn, (100, 100)) > 0 for m in (own, hidden))
    inner = seen & (np.hypot(*(np.mgrid[:100, :100] - 50)) < 45)
    gap &= np.hypot(*(np.mgrid[:100, :100] - 50)) < 40
    axis = tuple((turn @ np.append(p, 1)).astype(np.float32) for p in AXIS)
    filled = fill_hidden(turned, inner & ~gap, gap, (axis[0], axis[1]))
    whole = np.ascontiguousarray(np.broadcast_to(rgb[:, 40:41], rgb.shape))
    wanted = cv2.warpAffine(whole, turn, (100, 100), flags=cv2.INTER_LINEAR)
    assert float(np.median(np.abs(filled[gap].astype(int) - wanted[gap]).max(axis=1))) < 20


def test_colours_do_not_jump_at_the_border() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (100, 100)).cumsum(axis=1)
    rgb = np.clip(120 + 4 * noise[..., None], 0, 255).repeat(3, axis=2).astype(np.uint8)
    own = np.zeros((100, 100), bool)
    own[:, :60] = True
    hidden = np.zeros_like(own)
    hidden[:, 60:75] = True
    filled = fill_hidden(rgb, own, hidden, AXIS).astype(int)
    inside = np.abs(np.diff(rgb[:, :60].astype(int), axis=1)).mean()
    assert np.abs(filled[:, 60] - filled[:, 59]).mean() < 2 * inside


def test_what_is_there_once_is_not_there_twice() -> None:
    rgb = np.full((300, 360, 3), (180, 50, 40), np.uint8)
    rgb[:, 160:167] = 240  # a string beside what is hidden
    own = np.zeros((300, 360), bool)
    own[:, 15:180] = True
    hidden = np.zeros_like(own)
    hidden[:, 180:230] = True
    filled = fill_hidden(rgb, own, hidden, AXIS)
    assert np.abs(filled[hidden].astype(int) - (180, 50, 40)).max() < 40
    np.testing.assert_array_equal(filled[own], rgb[own])


def test_where_the_mirror_is_hidden_too_the_part_grows() -> None:
    rgb, own, hidden = part()
    both = hidden | hidden[:, ::-1]
    filled = fill_hidden(rgb, own & ~both, both, AXIS)
    assert looks_like_the_part(filled[both])


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
