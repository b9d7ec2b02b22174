"""Finding the character with a made-up tracker: what is believed, what is refused, what comes back where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy.errors import CharacterError, InputError
from understudy.media.picture import Picture
from understudy.tracking.finding import find_character
from understudy.tracking.joints import REQUIRED
from understudy.tracking.template import INDEX, mirrored
from understudy.tracking.tracker import FakeTracker, Frame, Person, nobody

HEIGHT, WIDTH = 600, 400
MARK = 80  # side of the magenta square by which the made-up tracker knows where the picture went
JOINTS = {
    0: (200, 90), 1: (207, 80), 2: (212, 80), 3: (218, 80), 4: (193, 80), 5: (188, 80), 6: (182, 80),
    7: (228, 84), 8: (172, 84), 9: (210, 105), 10: (190, 105), 11: (245, 160), 12: (155, 160),
    13: (270, 230), 14: (130, 230), 15: (280, 300), 16: (120, 300), 17: (284, 318), 18: (116, 318),
    19: (282, 322), 20: (118, 322), 21: (274, 312), 22: (126, 312), 23: (225, 310), 24: (175, 310),
    25: (228, 420), 26: (172, 420), 27: (230, 530), 28: (170, 530), 29: (228, 540), 30: (172, 540),
    31: (240, 552), 32: (160, 552),
}  # fmt: skip


def standing(*, score: float = 0.99) -> Person:
    """A frontal person in a picture of 400 x 600; eyes and shoulders in their right order."""
    body = np.zeros((33, 3), np.float32)
    for joint, place in JOINTS.items():
        body[joint, :2] = place
    body[:11, 2] = -50
    body[7:9, 2] = 0
    world = (body - body[23:25].mean(axis=0)) / 300
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    for joint in range(33):
        cv2.circle(mask, JOINTS[joint], 40, 1.0, -1)
    return replace(
        nobody(),
        body=body,
        visibility=np.full(33, score, np.float32),
        world=world.astype(np.float32),
        mask=mask,
    )


def busy() -> Picture:
    """A picture without any shape: green noise."""
    noise = np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH, 3)) * (0, 1, 0)
    return Picture(noise.astype(np.uint8), None)


class Mirroring(FakeTracker):
    """Sees the same standing person wherever the picture goes, as a real tracker would: flipped and moved with it."""

    def __init__(self, person: Person, *, only_flipped: bool = False) -> None:
        super().__init__([person])
        self._only_flipped = only_flipped
        self.looks = 0

    def find(self, picture: Frame, *, mask: bool = False) -> Person | None:
        self.looks += 1
        height, width = picture.shape[:2]
        marks = np.argwhere(np.abs(picture.astype(int) - (255, 0, 255)).max(axis=2) < 100)
        if len(marks) < 100:
            return None
        flipped = bool(marks[:, 1].mean() > width / 2)
        if self._only_flipped and not flipped:
            return None
        person = self._people[0]
        assert person is not None
        assert person.mask is not None
        scale = (np.ptp(marks[:, 0]) + 1) / MARK
        left = marks[:, 1].max() + 1 - WIDTH * scale if flipped else marks[:, 1].min()
        top = marks[:, 0].min()
        body = person.body * np.float32(scale)
        if flipped:
            body[:, 0] = WIDTH * scale - 1 - body[:, 0]
            body = mirrored(body)
        body[:, 0] += left
        body[:, 1] += top
        shape = np.ones((height, width), np.float32)
        return replace(person, body=body, mask=shape)


def marked() -> Picture:
    picture = busy()
    picture.rgb[:MARK, :MARK] = (255, 0, 255)
    return picture


def test_a_person_that_two_looks_confirm_is_the_character() -> None:
    tracker = Mirroring(standing())
    character = find_character(marked(), tracker)
    assert character.found_by == "tracker"
    assert tracker.looks == 2
    assert np.abs(character.person.body[11:, :2] - standing().body[11:, :2]).max() < 8
    assert character.shown.all()
    assert character.silhouette.shape == (HEIGHT, WIDTH)


def test_an_answer_from_the_flipped_picture_comes_back_with_its_own_left() -> None:
    character = find_character(marked(), Mirroring(standing(), only_flipped=True))
    assert character.found_by == "tracker_flipped"
    assert np.abs(character.person.body[11:, :2] - standing().body[11:, :2]).max() < 8
    assert character.person.body[11, 0] > character.person.body[12, 0]


def test_nobody_is_a_clear_error() -> None:
    with pytest.raises(CharacterError) as caught:
        find_character(busy(), FakeTracker([None]))
    assert caught.value.code == "character_not_found"
    assert "front" in caught.value.fix
    assert "--joints" in caught.value.fix


def test_answers_that_contradict_each_other_are_not_believed() -> None:
    class Fickle(FakeTracker):
        looks = 0

        def find(self, picture: Frame, *, mask: bool = False) -> Person | None:
            self.looks += 1
            if self.looks % 3:
                return None
            person = standing()
            moved = person.body.copy()
            moved[:, :2] = moved[:, :2] * 0.3 + (self.looks * 16, self.looks * 5)
            return replace(person, body=moved, mask=np.ones(picture.shape[:2], np.float32))

    with pytest.raises(CharacterError):
        find_character(busy(), Fickle([None]))


def test_what_lies_outside_the_picture_is_not_shown() -> None:
    person = standing()
    picture = Picture(marked().rgb[:440].copy(), None)
    character = find_character(picture, Mirroring(person))
    assert character.shown[[0, 11, 12, 15, 16, 23, 24]].all()
    assert not character.shown[27:33].any()


def test_hidden_legs_are_not_shown() -> None:
    person = standing()
    person.visibility[25:33] = 0.2
    assert not find_character(marked(), Mirroring(person)).shown[25:33].any()


def test_a_joints_file_settles_it(tmp_path: Path) -> None:
    file = tmp_path / "joints.json"
    file.write_text(json.dumps({name: JOINTS[INDEX[name]] for name in REQUIRED}))
    character = find_character(busy(), FakeTracker([None]), joints=file)
    assert character.found_by == "joints_file"
    assert character.shown[:29].all()
    with pytest.raises(InputError):
        find_character(busy(), FakeTracker([None]), joints=tmp_path / "none.json")


def drawn_figure() -> Picture:
    """A figure with a round head, a trunk and four thick limbs, arms raised sideways, on white."""
    rgb = np.full((500, 400, 3), 250, np.uint8)
    ink = (40, 90, 160)
    cv2.circle(rgb, (200, 90), 45, ink, -1)
    cv2.rectangle(rgb, (188, 120), (212, 160), ink, -1)
    cv2.rectangle(rgb, (155, 155), (245, 310), ink, -1)
    cv2.line(rgb, (240, 175), (350, 230), ink, 26)
    cv2.line(rgb, (160, 175), (50, 230), ink, 26)
    cv2.line(rgb, (225, 300), (250, 460), ink, 30)
    cv2.line(rgb, (175, 300), (150, 460), ink, 30)
    return Picture(rgb, None)


def test_a_drawing_gets_its_skeleton_from_its_silhouette() -> None:
    character = find_character(drawn_figure(), FakeTracker([None]))
    assert character.found_by == "silhouette"
    at = character.person.body[:, :2]
    for joint, place, off in (
        (0, (200, 95), 25), (11, (235, 178), 35), (12, (165, 178), 35), (15, (333, 222), 25), (16, (67, 222), 25),
        (23, (215, 300), 30), (24, (185, 300), 30), (27, (248, 445), 25), (28, (152, 445), 25),
    ):  # fmt: skip
        assert np.hypot(*(at[joint] - place)) < off, joint
    assert character.shown.all()
    assert np.isfinite(character.person.world).all()
    assert (character.person.body[:, 2] == 0).all()


def test_a_transparent_picture_is_fitted_by_its_alpha() -> None:
    drawing = drawn_figure()
    alpha = np.where((drawing.rgb == 250).all(axis=2), 0, 255).astype(np.uint8)
    noise = np.random.default_rng(1).integers(0, 255, drawing.rgb.shape).astype(np.uint8)
    character = find_character(Picture(noise, alpha), FakeTracker([None]))
    assert character.found_by == "silhouette"
    assert character.silhouette[90, 200] > 0.5 > character.silhouette[20, 20]


@pytest.mark.parametrize("left", [0, 1])
def test_a_picture_that_is_transparent_all_over_is_refused(tmp_path: Path, left: int) -> None:
    """Even where the joints are told: nothing could be seen of it."""
    drawing = drawn_figure()
    alpha = np.full(drawing.rgb.shape[:2], 100 * left, np.uint8)
    alpha[:10, : 10 * left] = 255
    with pytest.raises(CharacterError) as caught:
        find_character(Picture(drawing.rgb, alpha), FakeTracker([None]), joints=tmp_path / "nowhere.json")
    assert caught.value.code == "character_not_found"
    assert "transparent" in caught.value.message


@pytest.mark.parametrize("shape", ["circle", "tree"])
def test_things_without_limbs_are_refused(shape: str) -> None:
    rgb = np.full((250, 200, 3), 245, np.uint8)
    if shape == "circle":
        cv2.circle(rgb, (100, 125), 60, (30, 30, 30), 3)
    else:
        cv2.rectangle(rgb, (85, 130), (115, 235), (120, 80, 40), -1)
        cv2.circle(rgb, (100, 90), 55, (40, 140, 50), -1)
    with pytest.raises(CharacterError):
        find_character(Picture(rgb, None), FakeTracker([None]))


@pytest.mark.parametrize("size", [(1, 1), (3, 300), (300, 3), (24, 24)])
def test_odd_sizes_end_in_a_refusal(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(2).integers(0, 255, (*size, 3)).astype(np.uint8)
    for alpha in (None, np.zeros(size, np.uint8), np.full(size, 200, np.uint8)):
        with pytest.raises(CharacterError):
            find_character(Picture(rgb, alpha), FakeTracker([None]))
