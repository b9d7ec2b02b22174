"""Finding the character in real pictures, against places of joints judged by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.errors import CharacterError
from understudy.media.picture import load_picture
from understudy.tracking.finding import find_character
from understudy.tracking.mediapipe_tracker import MediaPipeTracker

OFF = 0.07  # of the picture's height

# Shares of width and height of nose (0), wrists (15, 16) and ankles (27, 28).
PLACES: dict[str, dict[int, tuple[float, float]]] = {
    "drw_photo_stickman_exif6.png": {0: (0.46, 0.48), 15: (0.56, 0.46), 16: (0.33, 0.45), 27: (0.46, 0.86)},
    "drw_purple_crown_boy.png": {0: (0.45, 0.21), 15: (0.95, 0.43), 16: (0.04, 0.48), 27: (0.85, 0.95)},
    "drw_stick_girl.png": {0: (0.49, 0.15), 15: (0.94, 0.37), 16: (0.07, 0.38), 27: (0.59, 0.96)},
    "sty_block_robot_rgba.png": {0: (0.52, 0.38), 15: (0.74, 0.75), 16: (0.25, 0.75), 28: (0.37, 0.93)},
    "sty_juice_cup.png": {
        0: (0.50, 0.50),
        15: (0.84, 0.54),
        16: (0.19, 0.56),
        27: (0.63, 0.82),
        28: (0.37, 0.80),
    },
    "sty_cat_in_suit.png": {0: (0.49, 0.25), 15: (0.78, 0.62), 16: (0.24, 0.62), 27: (0.60, 0.80)},
    "sty_dwarf_rgba.png": {
        0: (0.48, 0.24),
        15: (0.82, 0.61),
        16: (0.13, 0.65),
        27: (0.58, 0.87),
        28: (0.33, 0.86),
    },
    "sty_anime_full_body_white.png": {0: (0.47, 0.17), 15: (0.64, 0.41), 16: (0.29, 0.49), 27: (0.51, 0.87)},
    "sty_lineart_pink_hair.jpeg": {0: (0.44, 0.20), 15: (0.77, 0.82), 16: (0.25, 0.81)},
    "fb_ai_tokyo_woman.jpg": {0: (0.43, 0.18), 15: (0.53, 0.49), 16: (0.31, 0.48), 27: (0.44, 0.80)},
    "fb_man_red_jacket.png": {
        0: (0.49, 0.11),
        15: (0.66, 0.51),
        16: (0.34, 0.52),
        27: (0.58, 0.92),
        28: (0.42, 0.91),
    },
    "drw_lineart_hat_girl.png": {0: (0.43, 0.32), 16: (0.09, 0.38)},
}
FITTED = ("drw_photo_stickman", "drw_purple", "drw_stick", "sty_block_robot", "sty_juice")


@pytest.fixture(scope="module")
def tracker() -> MediaPipeTracker:
    return MediaPipeTracker()


@pytest.mark.parametrize("name", PLACES)
def test_joints_lie_where_the_eye_sees_them(media: Path, tracker: MediaPipeTracker, name: str) -> None:
    picture = load_picture(media / "images" / name)
    character = find_character(picture, tracker)
    assert (character.found_by == "silhouette") == name.startswith(FITTED)
    for joint, (x, y) in PLACES[name].items():
        place = np.array([x * picture.width, y * picture.height])
        away = np.linalg.norm(character.person.body[joint, :2] - place)
        assert away < OFF * picture.height, (joint, character.person.body[joint, :2], place)
        assert character.shown[joint], joint
    at = character.person.body
    assert at[11, 0] > at[12, 0], "the character's left is at the picture's right"
    assert character.silhouette.shape == (picture.height, picture.width)
    assert np.isfinite(at).all()
    assert np.isfinite(character.person.world).all()


@pytest.mark.parametrize(
    "name", ["ub_flux_man_window.png", "ub_ai_white_tshirt.png", "sty_anime_crypko_rgba.png"]
)
def test_half_figures_show_no_legs(media: Path, tracker: MediaPipeTracker, name: str) -> None:
    character = find_character(load_picture(media / "images" / name), tracker)
    assert character.shown[[0, 11, 12, 13, 14]].all()
    assert not character.shown[25:33].any()


def test_heads_alone_are_characters(media: Path, tracker: MediaPipeTracker) -> None:
    for name in ("sty_3d_boy_bust.jpg", "hd_ai_woman_street_landscape.png"):
        character = find_character(load_picture(media / "images" / name), tracker)
        assert character.shown[[0, 2, 5]].all()
        assert not character.shown[13:33].any()


def test_a_boat_is_refused(media: Path, tracker: MediaPipeTracker) -> None:
    with pytest.raises(CharacterError) as caught:
        find_character(load_picture(media / "images" / "neg_img_boat_no_person.png"), tracker)
    assert caught.value.code == "character_not_found"


def test_of_six_people_the_largest_is_meant(media: Path, tracker: MediaPipeTracker) -> None:
    picture = load_picture(media / "images" / "neg_img_six_people.jpg")
    assert find_character(picture, tracker).person.body[0, 0] < 0.3 * picture.width
