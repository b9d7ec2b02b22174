"""Painting only where a layer can be seen gives what painting everywhere gives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from understudy.engines.puppet.blends import Blends
from understudy.engines.puppet.box import Box
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.paint import Canvas, Field
from understudy.engines.puppet.warp import rotation
from understudy.tracking.motion import Floats

WIDTH, HEIGHT = 300, 400


@pytest.fixture
def background() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def strip(width: int = 160, height: int = 220) -> Layer:
    """A slanting stripe with soft ends, premultiplied."""
    alpha = np.zeros((height, width), np.uint8)
    cv2.line(alpha, (20, 20), (width - 20, height - 20), 255, 17, cv2.LINE_AA)
    rgb = np.full((height, width, 3), (200, 120, 40)) * (alpha[..., None] / 255)
    return Layer("strip", np.dstack([np.rint(rgb), alpha]).astype(np.uint8), (70, 60))


def draw(canvas: Canvas, layer: Layer, field: Field, box: Box) -> None:
    begun = canvas.begin(Blends(), layer, field, box)
    placed = None if begun is None else canvas.place(begun)
    if placed is not None:
        canvas.paint(placed)


def plain(background: NDArray[np.uint8], layer: Layer, matrix: Floats, shift: Floats) -> NDArray[np.uint8]:
    """The layer over the whole background, pixel by pixel."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    source = np.stack([xs, ys], axis=-1) @ matrix.T + shift - np.array(layer.origin, np.float32)
    patch = cv2.remap(layer.texture, source.astype(np.float32), None, cv2.INTER_LINEAR)
    over = background * (1 - patch[..., 3:] / 255) + patch[..., :3]
    return np.asarray(np.rint(over), np.uint8)


@pytest.mark.parametrize("turn_deg", [0, 35, -120])
@pytest.mark.parametrize("size", [1.0, 0.4, 1.7])
@pytest.mark.parametrize("box", [(0, 0, WIDTH, HEIGHT), (-50, -80, 900, 900), (120, 90, 170, 140)])
def test_a_layer_is_painted_whole(
    background: NDArray[np.uint8], turn_deg: float, size: float, box: tuple[int, int, int, int]
) -> None:
    matrix = (rotation(np.radians(turn_deg)) / size).astype(np.float32)
    shift = np.array([150, 170], np.float32) - matrix @ np.array([150, 200], np.float32)
    layer = strip()
    canvas = Canvas(background)
    canvas.clear()
    draw(canvas, layer, lambda grid, _: lambda: grid @ matrix.T + shift, box)
    wanted = plain(background, layer, matrix, shift)
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), box[2], box[3]
    painted = canvas.picture().astype(int)
    assert np.abs(painted - wanted)[y0:y1, x0:x1].max() <= 3
    painted[y0:y1, x0:x1] = background[y0:y1, x0:x1]
    np.testing.assert_array_equal(painted, background)


def test_frames_do_not_share_pixels(background: NDArray[np.uint8]) -> None:
    canvas = Canvas(background)
    canvas.clear()
    draw(canvas, strip(), lambda grid, _: lambda: grid, (0, 0, WIDTH, HEIGHT))
    first = canvas.picture()
    kept = first.copy()
    canvas.clear()
    np.testing.assert_array_equal(canvas.picture(), background)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("box", [(-90, 0, -10, 50), (WIDTH, 0, WIDTH + 9, 50), (20, 30, 20, 90)])
def test_nothing_is_painted_beside_the_picture(
    background: NDArray[np.uint8], box: tuple[int, int, int, int]
) -> None:
    canvas = Canvas(background)
    canvas.clear()
    draw(canvas, strip(), lambda grid, _: lambda: grid, box)
    np.testing.assert_array_equal(canvas.picture(), background)
