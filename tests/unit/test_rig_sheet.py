"""The page that shows a rig's insides, and the exercises on it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from capsule_figure import CapsuleFigure, draw, standing

from understudy.engines.puppet import sheet
from understudy.engines.puppet.engine import Puppet
from understudy.engines.puppet.exercises import EXERCISES, Exercise, exercise_poses
from understudy.engines.puppet.layer import Layer
from understudy.engines.puppet.matte import Matte
from understudy.engines.puppet.rest import parts
from understudy.engines.puppet.rig import Rig, build_rig
from understudy.media.picture import Picture
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import nobody

MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(j + 1 if j % 2 else j - 1 for j in range(11, 33))]


@cache
def rigged() -> tuple[CapsuleFigure, Puppet]:
    made = draw(standing())
    rig = build_rig(made.alpha, made.foreground, made.background, made.joints, made.shown)
    character = Character(nobody(), "tracker", made.shown, made.alpha)
    matte = Matte(made.alpha, made.foreground)
    return made, Puppet(Picture(made.picture, None), character, rig, None, matte)


def posed(exercise: Exercise, joints: Floats | None = None) -> Floats:
    rig: Rig = rigged()[1].rig
    if joints is not None:
        rig = replace(rig, joints=joints)
    joints_then: Floats = exercise_poses(rig, (exercise,)).joints[0]
    return joints_then


def test_the_page_has_every_part_in_its_own_colour() -> None:
    _, puppet = rigged()
    colours = sheet.part_colours(puppet.rig)
    assert len(set(colours)) == len(parts(puppet.rig)) == 13
    told: list[tuple[str, int, int]] = []
    page = sheet.rig_sheet(puppet, lambda *report: told.append(report))
    assert page.dtype == np.uint8
    assert page.shape[1] <= sheet.SHEET_PX
    # The caption of each turned part is written in the part's colour; captions' strokes are a pixel wide or more.
    for colour in colours:
        low, high = (tuple(np.clip(np.add(colour, by), 0, 255).tolist()) for by in (-40, 40))
        assert cv2.countNonZero(cv2.inRange(page, low, high)) > 5, colour
    assert told[0] == ("sheet", 0, told[-1][2])
    assert told[-1][1] == told[-1][2]


def test_parts_are_shown_where_they_are() -> None:
    made, puppet = rigged()
    names = [layer.name for layer in parts(puppet.rig)]
    colours = sheet.part_colours(puppet.rig)
    flat = np.full_like(made.picture, 128)
    shown = sheet.parts_over(flat, puppet.rig).astype(int)
    for name, at in (
        ("left forearm", (made.joints[13] + made.joints[15]) / 2),
        ("right shin", (made.joints[26] + made.joints[28]) / 2),
        ("trunk", made.joints[[11, 12, 23, 24]].mean(axis=0)),
    ):
        x, y = np.rint(at).astype(int)
        wanted = sheet.TINT * np.array(colours[names.index(name)]) + (1 - sheet.TINT) * 128
        assert np.abs(shown[y, x] - wanted).max() <= 3, name
    assert np.abs(shown[5, 5] - (1 - sheet.TINT) * 128).max() <= 1


def test_a_layer_in_front_is_a_part_too() -> None:
    _, puppet = rigged()
    scarf = Layer("scarf", np.full((40, 40, 4), 255, np.uint8), (220, 180))
    rig = replace(puppet.rig, front=scarf)
    assert scarf in parts(rig)
    x, y = 240, 200
    dye = np.array(sheet.part_colours(rig)[1]) * sheet.TINT
    shown = sheet.parts_over(np.zeros_like(rig.background), rig)[y, x]
    assert np.abs(shown - dye).max() <= 2
    assert sheet.rig_sheet(replace(puppet, rig=rig)).shape[1] <= sheet.SHEET_PX


@pytest.mark.parametrize(
    ("height", "width"), [(1280, 720), (720, 720), (720, 1280), (720, 4000), (4000, 720)]
)
def test_pictures_of_any_shape_fit_on_the_page(height: int, width: int) -> None:
    _, puppet = rigged()
    rig = replace(puppet.rig, background=np.zeros((height, width, 3), np.uint8))
    empty = np.zeros((height, width), np.float32)
    blank = replace(
        puppet, picture=Picture(rig.background, None), rig=rig, matte=Matte(empty, rig.background)
    )
    page = sheet.rig_sheet(blank)
    assert page.shape[1] <= sheet.SHEET_PX


def test_captions_are_as_wide_as_their_cells() -> None:
    narrow = sheet.Cell(
        "a caption that is a good deal longer than its picture", np.zeros((400, 40, 3), np.uint8)
    )
    drawn = sheet._drawn(narrow, 430)
    ink = np.nonzero((drawn[: sheet.CAPTION_PX] > 120).any(axis=(0, 2)))[0]
    assert len(ink)
    assert ink.max() < drawn.shape[1] - 1


def test_every_exercise_moves_the_figure_and_stays_finite() -> None:
    made, puppet = rigged()
    poses = exercise_poses(puppet.rig)
    assert len(poses) == len(EXERCISES)
    assert np.isfinite(poses.joints).all()
    for joints, exercise in zip(poses.joints, EXERCISES, strict=True):
        away = np.hypot(*(joints - made.joints).T)
        assert away.max() > 60, exercise.name
        for bone in ((11, 13), (12, 14), (23, 25), (24, 26), (19, 15), (20, 16)):
            was, now = (float(np.hypot(*(j[bone[0]] - j[bone[1]]))) for j in (made.joints, joints))
            assert now == pytest.approx(was, rel=1e-3)


def test_arms_go_to_their_own_sides_in_front_and_from_behind() -> None:
    out = Exercise("arms out", arms=((90, 90), (90, 90)))
    joints = posed(out)
    assert joints[15, 0] > joints[11, 0] + 100
    assert joints[16, 0] < joints[12, 0] - 100
    assert np.abs(joints[[13, 15], 1] - joints[11, 1]).max() < 4
    behind = posed(out, standing()[MIRROR].astype(np.float32))
    assert behind[15, 0] < behind[11, 0] - 100
    assert behind[16, 0] > behind[12, 0] + 100


def test_a_lean_takes_the_upper_body_along_and_leaves_the_legs() -> None:
    made, _ = rigged()
    joints = posed(Exercise("leaning", lean_deg=20, nod_deg=10))
    assert joints[0, 0] > made.joints[0, 0] + 60
    np.testing.assert_allclose(joints[23:], made.joints[23:], atol=1e-3)


def test_a_shortened_forearm_is_given_its_length() -> None:
    short = standing()
    short[15] = short[13] + (2, 2)
    short[[17, 19, 21]] = short[15] + (3, 8)
    joints = posed(Exercise("arms out", arms=((90, 90), (90, 90))), short)
    upper, lower = (float(np.hypot(*(joints[a] - joints[b]))) for a, b in ((11, 13), (13, 15)))
    assert lower == pytest.approx(0.6 * upper, rel=1e-3)


def test_a_turned_part_is_shown_whole() -> None:
    texture = np.zeros((60, 20, 4), np.uint8)
    texture[...] = (0, 200, 0, 255)
    shown = sheet._turned(Layer("stick", texture, (0, 0)))
    green = (shown == (0, 200, 0)).all(axis=2)
    assert 0.85 * 60 * 20 < green.sum() <= 60 * 20
    assert (shown[0, 0] == sheet.MAGENTA).all()
    (_, _), (wide, tall), angle = cv2.minAreaRect(np.argwhere(green)[:, ::-1].astype(np.float32))
    assert sorted((round(wide), round(tall))) == pytest.approx([19, 59], abs=2)
    assert angle % 30 == pytest.approx(0, abs=2) or angle % 30 == pytest.approx(30, abs=2)
