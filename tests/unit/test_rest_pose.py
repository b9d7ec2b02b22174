"""The rig in rest pose gives the reference image back; a layer that is lost or a pixel off does not go unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from capsule_figure import HEIGHT, NOTHING, WIDTH, CapsuleFigure, arm, draw, standing

from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.rest import parts, parts_psnr, rest_frame, rest_psnr
from understudy.engines.puppet.rig import Rig, build_rig

WHOLE_DB = 40.0  # inside the figure's box; the soft cuts between the parts keep it from more
PART_DB = 32.0  # inside any one part, away from its edges: a hand is too small to count in the whole
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


def likeness(made: CapsuleFigure, rig: Rig, sound: Rig) -> tuple[float, float]:
    """Decibels in the figure's box, and in that part of the ``sound`` rig which is least like the picture."""
    frame = rest_frame(rig)
    worst = min(parts_psnr(sound, frame, made.picture).values())
    return rest_psnr(frame, made.picture, made.alpha), worst


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
HIDDEN = {("skirt", "left thigh"), ("skirt", "right thigh")}  # what does not show cannot be missed
PARTS = [(kind, name) for kind in KINDS for name in NAMES if (kind, name) not in HIDDEN]
BREAKS = {"a pixel to the right": moved(1, 0), "a pixel down": moved(0, 1), "lost": lost}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_part_that_is_lost_or_a_pixel_off_is_noticed(kind: str, name: str, how: str) -> None:
    made, rig = rigged(kind)
    whole, part = likeness(made, changed(rig, name, BREAKS[how]), rig)
    assert whole < WHOLE_DB or part < PART_DB


def test_a_part_that_reaches_over_the_pictures_edge_counts_inside_it() -> None:
    _, rig = rigged("arms free")
    texture = np.full((60, 80, 4), 255, np.uint8)
    for origin in ((-30, -20), (WIDTH - 40, HEIGHT - 30)):
        only = replace(rig, trunk=Layer("trunk", texture, origin), limbs=())
        frame, reference = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
        assert parts_psnr(only, frame, reference)["trunk"] > 70
        frame[: HEIGHT // 2, : WIDTH // 2] = 255
        frame[HEIGHT // 2 :, WIDTH // 2 :] = 255
        assert parts_psnr(only, frame, reference)["trunk"] == pytest.approx(0, abs=1e-3)
    away = replace(rig, trunk=Layer("trunk", texture, (-500, 0)), limbs=())
    assert parts_psnr(away, frame, reference) == {}


def test_a_made_forearm_is_not_the_pictures() -> None:
    made, rig = rigged("arms free")
    limbs = tuple(replace(limb, made=limb.limb.name == "left arm") for limb in rig.limbs)
    inside = parts_psnr(replace(rig, limbs=limbs), rest_frame(rig), made.picture)
    assert set(NAMES) - set(inside) == {"left forearm"}


def test_an_empty_alpha_has_no_likeness() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    assert np.isnan(rest_psnr(picture, picture, np.zeros((8, 8), np.float32)))
