"""Captions: any prompt becomes one of the model's form, and of a length that it reads whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engines.diffusion.assignment import MOST_CAPTION
from understudy.engines.diffusion.caption import (
    APPEARANCE,
    BACKGROUND,
    IN_A_VIDEO,
    LIKE_REFERENCE,
    SAME_BACKGROUND,
    SAME_VIEW,
    caption,
    unread,
)
from understudy.request import Orientation, Scene

# From the README of the model's authors.
THEIRS = (
    "人物外观描述：穿着一件浅蓝色的校服衬衫，领口和袖口有白色边饰。胸前有一个圆形徽章。"
    "背景描述：背景为明亮、整洁的教室或办公室，氛围安静有序。"
)
MOST = 1600  # characters: far below what an assignment may hold
PROMPTS = st.text(max_size=4000) | st.lists(
    st.sampled_from(
        ["appearance:", "Background: ", "人物外观描述：", "背景描述：", "a red coat", " ; ", "\n", "\ud800"]
    ),
    max_size=12,
).map("".join)


def made(prompt: str, orientation: Orientation = Orientation.VIDEO) -> str:
    return caption(prompt, orientation, Scene.IMAGE)


@given(PROMPTS, st.sampled_from(Orientation))
def test_any_text_gives_two_parts_of_bounded_length(prompt: str, orientation: Orientation) -> None:
    text = made(prompt, orientation)
    assert text.startswith(APPEARANCE)
    assert (text.count(APPEARANCE), text.count(BACKGROUND)) == (1, 1)
    appearance, background = text.removeprefix(APPEARANCE).split(BACKGROUND)
    assert appearance.strip()
    assert background.strip()
    assert len(text) <= MOST < MOST_CAPTION
    assert text.encode()
    assert not any(character in text for character in "\n\r\t\0")


@given(PROMPTS)
def test_in_the_videos_scene_any_text_is_one_line_or_the_authors_own(prompt: str) -> None:
    text = caption(prompt, Orientation.VIDEO, Scene.VIDEO)
    assert 0 < len(text) <= MOST
    assert text.encode()
    assert "\n" not in text


def test_the_authors_form_stays_as_it_is() -> None:
    assert made(THEIRS) == THEIRS
    assert made(THEIRS, Orientation.IMAGE) == THEIRS


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", f"{APPEARANCE}{LIKE_REFERENCE}{BACKGROUND}{SAME_BACKGROUND}"),
        (" \n\0", f"{APPEARANCE}{LIKE_REFERENCE}{BACKGROUND}{SAME_BACKGROUND}"),
        ("a red coat", f"{APPEARANCE}a red coat。{BACKGROUND}{SAME_BACKGROUND}"),
        ("a red coat;\nbackground: a beach.", f"{APPEARANCE}a red coat。{BACKGROUND}a beach."),
        ("Appearance: a red coat; Background: a beach", f"{APPEARANCE}a red coat。{BACKGROUND}a beach。"),
        (
            "Character appearance description: a cat.\nBackground description: white.",
            f"{APPEARANCE}a cat.{BACKGROUND}white.",
        ),
        ("background: a beach", f"{APPEARANCE}{LIKE_REFERENCE}{BACKGROUND}a beach。"),
        ("一只小猫", f"{APPEARANCE}一只小猫。{BACKGROUND}{SAME_BACKGROUND}"),
    ],
)
def test_prompts_become_captions(prompt: str, expected: str) -> None:
    assert made(prompt) == expected


def test_the_orientation_of_the_picture_is_asked_for_in_words() -> None:
    assert made("a red coat", Orientation.IMAGE) == made("a red coat") + SAME_VIEW


def test_a_long_appearance_ends_between_two_words_and_leaves_the_background() -> None:
    text = made("crimson " * 2000 + "background: a beach")
    assert text.endswith(f"crimson。{BACKGROUND}a beach。")
    assert len(text) > 900


def test_letters_that_cost_the_text_encoder_more_are_fewer() -> None:
    lengths = [len(made(letter * 4000)) for letter in ("a", "衣", "\U0001f3a9")]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[2] < 200


def test_in_the_videos_scene_the_prompt_stands_for_itself() -> None:
    assert caption("", Orientation.VIDEO, Scene.VIDEO) == IN_A_VIDEO
    assert caption("a woman\nin red", Orientation.VIDEO, Scene.VIDEO) == "a woman in red"


@pytest.mark.parametrize("scene", list(Scene))
def test_what_is_cut_off_is_counted(scene: Scene) -> None:
    assert unread("a knight", scene) == unread("", scene) == 0
    long = "silver " * 1000
    read = caption(long, Orientation.VIDEO, scene).count("silver")
    assert 1000 - read == pytest.approx(unread(long, scene) / 7, abs=1)
    both = f"appearance: {long}; background: {long}"
    if scene is Scene.IMAGE:
        assert unread(both, scene) > unread(long, scene) + 6000
