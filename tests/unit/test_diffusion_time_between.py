"""A frame between two others: where things are, and what is never mixed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from understudy.engines.diffusion.interpolation import Between
from understudy.engines.diffusion.timeline import Frame

HEIGHT, WIDTH = 200, 240


def textured(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Frame:
    """Soft blots of all sizes, as in a picture."""
    generator = np.random.default_rng(seed)
    layers = [
        cv2.resize(generator.uniform(0, 255, (side, side, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        for side in (5, 15, 45)
    ]
    return np.clip(np.mean(layers, axis=0) * 1.6 - 76, 0, 255).astype(np.uint8)


WALL, SQUARE = textured(1) // 4 + 20, textured(2, 48, 48) // 2 + 127


def with_square(left: int, top: int = 70) -> Frame:
    frame = WALL.copy()
    frame[top : top + 48, left : left + 48] = SQUARE
    return frame


def place(frame: Frame) -> tuple[float, float]:
    """The middle of what is brighter than the wall."""
    rows, columns = np.nonzero(frame.max(2) > 110)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize("part", [0.2, 0.25, 0.5, 0.6, 0.8])
def test_a_moving_square_is_where_it_is_at_that_time(part: float) -> None:
    first, second = with_square(60, 70), with_square(80, 60)
    x, y = place(Between(first, second).at(part))
    start = place(first)
    assert x == pytest.approx(start[0] + 20 * part, abs=1)
    assert y == pytest.approx(start[1] - 10 * part, abs=1)


def test_neither_the_square_nor_what_it_uncovers_is_a_ghost() -> None:
    truth, made = with_square(70), Between(with_square(60), with_square(80)).at(0.5)
    wrong = np.abs(made.astype(int) - truth).max(2)
    assert np.mean(wrong > 40) < 0.01
    mixed = cv2.addWeighted(with_square(60), 0.5, with_square(80), 0.5, 0)
    assert np.mean(np.abs(mixed.astype(int) - truth).max(2) > 40) > 0.03


def test_a_moving_camera_is_followed_to_the_edges() -> None:
    wide = textured(3, HEIGHT, WIDTH + 20)
    made = Between(wide[:, :WIDTH].copy(), wide[:, 16 : 16 + WIDTH].copy()).at(0.5)
    wrong = np.abs(made.astype(int) - wide[:, 8 : 8 + WIDTH]).max(2)
    assert np.mean(wrong > 20) < 0.02


def test_what_does_not_change_stays_as_it_is() -> None:
    made = Between(WALL, WALL.copy()).at(0.3)
    assert np.abs(made.astype(int) - WALL).max() <= 1


@pytest.mark.parametrize(("part", "shown"), [(0.1, 0), (0.5, 0), (0.51, 1), (0.9, 1)])
def test_a_cut_is_never_mixed(part: float, shown: int) -> None:
    shots = (textured(4), textured(5))
    between = Between(*shots)
    assert between.is_cut
    assert between.at(part) is shots[shown]


def test_movement_is_no_cut() -> None:
    assert not Between(with_square(60), with_square(110)).is_cut
    assert not Between(WALL, WALL).is_cut


def test_a_fade_is_mixed() -> None:
    bright = textured(6)
    dark = (bright * 0.96).astype(np.uint8)
    made = Between(bright, dark).at(0.5)
    assert np.abs(made.astype(int) - (bright * 0.98).astype(int)).mean() < 2


def test_what_is_not_found_again_is_the_nearer_frames_own() -> None:
    """A thing that is gone in the next frame is there whole, or not at all."""
    there, gone = with_square(60), WALL
    between = Between(there, gone)
    inside = np.s_[76:112, 66:102]
    assert np.abs(between.at(0.4)[inside].astype(int) - there[inside]).mean() < 6
    assert np.abs(between.at(0.6)[inside].astype(int) - gone[inside]).mean() < 6


def test_nothing_is_shown_from_beyond_the_edge() -> None:
    """Where a moving camera meets something that is not found again: what is at the edge stays there."""
    wide = textured(3, HEIGHT, WIDTH + 20)
    there, other = wide[:, 20:].copy(), wide[:, :WIDTH].copy()
    there[:, :16], other[:, :36] = textured(8, HEIGHT, 16) // 8, textured(9, HEIGHT, 36) // 8 + 220
    there[:, :4] = 120
    made = Between(there, other).at(0.45)
    assert np.abs(made[20:-20, :2].astype(int) - 120).mean() < 15
    assert made[20:-20, 8:12].max() < 60


@pytest.mark.parametrize("size", [(16, 16), (17, 401), (401, 17), (33, 47)])
def test_small_and_narrow_frames_work(size: tuple[int, int]) -> None:
    height, width = size
    first = textured(7, height, width)
    made = Between(first, np.roll(first, 1, axis=1)).at(0.5)
    assert made.shape == (height, width, 3)
    assert made.dtype == np.uint8


def test_the_frames_given_are_left_alone() -> None:
    first, second = with_square(60), with_square(80)
    kept = first.copy(), second.copy()
    Between(first, second).at(0.5)
    assert np.array_equal(first, kept[0])
    assert np.array_equal(second, kept[1])
    mapped = first.view()
    mapped.flags.writeable = False
    Between(mapped, second).at(0.5)
