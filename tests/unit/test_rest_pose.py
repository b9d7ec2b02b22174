"""The rig in rest pose gives the reference image back; a layer that is lost or a pixel off does not go unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from capsule_figure import NOTHING, CapsuleFigure, arm, draw, standing
from numpy.typing import NDArray

from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.rest import rest_frame, rest_psnr
from understudy.engines.puppet.rig import Rig, build_rig
from understudy.engines.puppet.sheet import parts

WHOLE_DB = 40.0  # inside the figure's box; the soft cuts between the parts keep it from more
PART_DB = 32.0  # inside any one part, away from its edges: a hand is too small to count in the whole
EDGE = 3  # pixels beside a part's edge that belong to the cut
WEAVE = 26  # levels of 255, the standard deviation of the cloth's grain: what a shift of one pixel shows by

KINDS = ("arms free", "arms along the body", "hands on the hips", "skirt", "drawn with an outline")


def figure(kind: str) -> CapsuleFigure:
    joints = standing()
    skirt: tuple[tuple[float, float], ...] = ()
    if kind == "arms along the body":
        arm(joints, 0, (322, 300), (316, 385))
        arm(joints, 1, (158, 300), (164, 385))
    elif kind == "hands on the hips":
        arm(joints, 0, (372, 318), (300, 372))
        arm(joints, 1, (108, 318), (180, 372))
    elif kind == "skirt":
        skirt = ((190, 380), (290, 380), (340, 560), (140, 560))
    return woven(draw(joints, skirt=skirt), outline=kind == "drawn with an outline")


def woven(plain: CapsuleFigure, *, outline: bool) -> CapsuleFigure:
    """The figure in grainy cloth, and with a dark line about every limb where asked for."""
    grain = np.random.default_rng(1).normal(0, 1, plain.alpha.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.2)
    cloth = np.clip(plain.foreground + (WEAVE * grain / grain.std())[..., None], 0, 255)
    if outline:
        known = np.where(plain.truth == NOTHING, 9, plain.truth)
        edge = cv2.morphologyEx(known, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 3)
        line = np.clip(4 - away, 0, 1)[..., None]
        cloth = cloth * (1 - line) + 20 * line
    return replace(plain, foreground=np.rint(cloth).astype(np.uint8))


@cache
def rigged(kind: str) -> tuple[CapsuleFigure, Rig]:
    made = figure(kind)
    return made, build_rig(made.alpha, made.foreground, made.background, made.joints, made.shown)


def inside(layer: Layer, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) the layer's pixels that are `EDGE` away from its edge."""
    full = np.zeros(shape, np.uint8)
    x, y = layer.origin
    height, width = layer.texture.shape[:2]
    full[y : y + height, x : x + width] = layer.texture[..., 3] > 250
    size = 2 * EDGE + 1
    return np.asarray(cv2.erode(full, np.ones((size, size), np.uint8)) > 0)


def likeness(made: CapsuleFigure, rig: Rig, sound: Rig) -> tuple[float, float]:
    """Decibels in the figure's box, and in that part of the ``sound`` rig which is least like the picture."""
    frame = rest_frame(rig)
    error = ((frame.astype(np.float32) - made.picture) ** 2).mean(axis=2)
    areas = [inside(layer, made.alpha.shape) for layer in parts(sound)]
    worst = max(float(error[area].mean()) for area in areas if area.any())
    return rest_psnr(frame, made.picture, made.alpha), decibels(worst)


def decibels(square: float) -> float:
    return float(10 * np.log10(255**2 / max(square, 1e-3)))


def changed(rig: Rig, name: str, how: Callable[[Layer], Layer]) -> Rig:
    def one(layer: Layer) -> Layer:
        return how(layer) if layer.name == name else layer

    limbs = []
    for limb in rig.limbs:
        first, second, third = map(one, limb.layers)
        limbs.append(replace(limb, layers=(first, second, third)))
    return replace(rig, trunk=one(rig.trunk), limbs=tuple(limbs))


def moved(across: int, down: int) -> Callable[[Layer], Layer]:
    return lambda layer: replace(layer, origin=(layer.origin[0] + across, layer.origin[1] + down))


def lost(layer: Layer) -> Layer:
    return replace(layer, texture=np.zeros_like(layer.texture))


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_pose_is_the_reference_image(kind: str) -> None:
    made, rig = rigged(kind)
    whole, part = likeness(made, rig, rig)
    assert whole >= WHOLE_DB
    assert part >= PART_DB


NAMES = tuple(layer.name for layer in parts(rigged("arms free")[1]))
BREAKS = {"a pixel to the right": moved(1, 0), "a pixel down": moved(0, 1), "lost": lost}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_is_lost_or_a_pixel_off_is_noticed(kind: str, name: str, how: str) -> None:
    made, rig = rigged(kind)
    whole, part = likeness(made, changed(rig, name, BREAKS[how]), rig)
    assert whole < WHOLE_DB or part < PART_DB


def test_an_empty_alpha_has_no_likeness() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    assert np.isnan(rest_psnr(picture, picture, np.zeros((8, 8), np.float32)))
