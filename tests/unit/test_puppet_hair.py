"""Long hair stays with the head: it is found, lies before the arm, and leaves nothing on it."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from capsule_figure import CapsuleFigure, draw, standing
from numpy.typing import NDArray

from understudy.engines.puppet.cut import corridors
from understudy.engines.puppet.hair import find_hair
from understudy.engines.puppet.hair_layer import part_hair
from understudy.engines.puppet.labels import TRUNK, label_pixels
from understudy.engines.puppet.parts import moving_limbs

BROWN, BLACK = (74, 44, 26), (14, 14, 16)


def haired(colour: tuple[int, int, int] = BROWN) -> tuple[CapsuleFigure, NDArray[np.bool_]]:
    """A figure with hair about its head, one lock of which hangs over the left shoulder and upper arm."""
    figure = draw(standing())
    nose = figure.joints[0]
    mask = np.zeros(figure.alpha.shape, np.uint8)
    head = (round(float(nose[0])), round(float(nose[1])) - 12)
    cv2.circle(mask, head, 44, 1, -1)
    cv2.ellipse(mask, (head[0], head[1] + 18), (24, 32), 0, 0, 360, 0, -1)
    left = figure.joints[11]
    lock = [(head[0] + 34, head[1]), (int(left[0]) - 8, int(left[1])), (int(left[0]) + 8, int(left[1]) + 56)]
    for a, b in pairwise(lock):
        cv2.line(mask, a, b, 1, 18)
    hair = mask.astype(bool)
    rgb = figure.foreground.copy()
    rgb[hair] = colour
    whole = CapsuleFigure(
        figure.joints, np.maximum(figure.alpha, mask.astype(np.float32)), rgb, figure.background, figure.truth
    )
    return whole, hair


def found(figure: CapsuleFigure) -> NDArray[np.bool_]:
    return find_hair(figure.foreground, figure.alpha > 0.5, figure.joints, moving_limbs(figure.shown))


def test_a_lock_over_the_shoulder_is_hair_to_its_tip() -> None:
    figure, hair = haired()
    mine = found(figure)
    assert float(mine[hair].mean()) > 0.9
    assert float((mine & ~hair).sum()) < 0.05 * float(hair.sum())


def test_hair_on_an_arm_is_the_trunks_and_the_arm_below_is_whole() -> None:
    figure, hair = haired()
    moving = moving_limbs(figure.shown)
    cut = corridors(figure.foreground, figure.alpha, figure.joints, moving, hair)
    labels = label_pixels(figure.alpha, cut, figure.joints, hair)
    assert (labels[hair] == TRUNK).all()
    left = next(c for c in cut if c.limb.name == "left arm")
    assert left.covered is not None
    assert left.covered.sum() > 300
    assert not (left.covered & ~hair).any()
    below = (figure.truth == 1) & hair
    below[: int(figure.joints[11][1]) + 24] = False  # below the armpit
    assert float(left.covered[below].mean()) > 0.65


def test_an_arm_without_the_hair_shows_its_own_colours() -> None:
    figure, hair = haired()
    cut = corridors(figure.foreground, figure.alpha, figure.joints, moving_limbs(figure.shown), hair)
    bare, layer = part_hair(figure.alpha, figure.foreground, hair, cut, figure.joints)
    left = next(c for c in cut if c.limb.name == "left arm")
    assert left.covered is not None
    plain = draw(standing()).foreground
    where = left.covered & (figure.truth == 1)
    assert float(np.abs(bare[where].astype(float) - plain[where]).mean()) < 12
    assert layer is not None
    x, y = layer.origin
    solid = layer.texture[..., 3] > 128
    placed = np.zeros_like(hair)
    placed[y : y + solid.shape[0], x : x + solid.shape[1]] = solid
    assert not (placed & ~hair).any()
    assert float(placed[left.covered].mean()) > 0.7


def test_hair_of_the_clothes_colour_is_left_alone() -> None:
    figure, hair = haired(BLACK)
    rgb = figure.foreground.copy()
    rgb[(figure.alpha > 0.5) & ~hair & (np.arange(rgb.shape[0])[:, None] > 170)] = BLACK
    dark = CapsuleFigure(figure.joints, figure.alpha, rgb, figure.background, figure.truth)
    assert not found(dark).any()


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_matte_that_shows_no_figure_is_no_crash(alpha: float) -> None:
    figure, _ = haired()
    flat = CapsuleFigure(
        figure.joints, np.full_like(figure.alpha, alpha), figure.foreground, figure.background, figure.truth
    )
    assert found(flat).shape == figure.alpha.shape


def test_a_face_in_one_point_is_no_crash() -> None:
    figure, _ = haired()
    figure.joints[:] = 240
    assert not found(figure).any()


def test_without_hair_the_picture_is_unchanged() -> None:
    figure = draw(standing())
    nothing = np.zeros(figure.alpha.shape, bool)
    cut = corridors(figure.foreground, figure.alpha, figure.joints, moving_limbs(figure.shown), nothing)
    bare, layer = part_hair(figure.alpha, figure.foreground, nothing, cut, figure.joints)
    assert layer is None
    assert bare is figure.foreground


def test_the_lines_of_a_drawing_are_no_hair() -> None:
    """Hair and every outline in one ink: an arm that loses its outline is worse than a lock that stays on it."""
    figure, hair = haired()
    outline = np.zeros(figure.alpha.shape, np.uint8)
    core = (figure.alpha > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(core, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outline, contours, -1, 1, 22)
    inked = figure.foreground.copy()
    inked[...] = (232, 228, 220)
    inked[hair | (outline > 0)] = BROWN
    drawing = CapsuleFigure(figure.joints, figure.alpha, inked, figure.background, figure.truth)
    assert not found(drawing).any()
