"""Crop sheets of small made-up clips: what they show, and how large they get."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_clips import make_clip
from made_motion import performance
from PIL import Image

from understudy.errors import CharacterError
from understudy.evaluation import crops
from understudy.evaluation.crops import Pages, crop_sheets, frame_numbers, places, with_rest_head
from understudy.media.clip import Clip, probe
from understudy.media.picture import Picture
from understudy.tracking.character import Character
from understudy.tracking.motion import Motion
from understudy.tracking.tracker import FakeTracker, nobody

SIDE = 340
FRAMES = 48
RED = (220, 30, 30)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A red square of 40 px that walks to the right over grey, 4 px a frame, 24 frames a second."""
    frames = []
    for number in range(FRAMES):
        frame = np.full((SIDE, SIDE, 3), 90, np.uint8)
        frame[100:140, 40 + 4 * number : 80 + 4 * number] = RED
        frames.append(frame)
    path = tmp_path_factory.mktemp("crops") / "walk.mp4"
    return probe(make_clip(path, frames, fps=Fraction(24), options={"crf": "10"}))


def following(scale: float = 1.0) -> Motion:
    """A motion at 12 Hz whose left hand is that square; the right one is never found, nor is a face."""
    motion = performance(FRAMES // 2, 12.0, round(SIDE * scale), round(SIDE * scale))
    hands, score = motion.hands.copy(), motion.hand_score.copy()
    for sample in range(len(motion)):
        wrist = np.array([60 + 8 * sample, 134, 0], np.float32)
        hands[sample, 0] = wrist
        hands[sample, 0, 9] = wrist - np.array([0, 20, 0], np.float32)
    score[:, 0] = 1
    return replace(motion, hands=hands * np.float32(scale), hand_score=score)


def red_in(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return int(((picture[..., 0] > 150) & (picture[..., 1] < 100)).sum())


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_part_is_shown_whole_and_at_full_size(clip: Clip, tmp_path: Path, scale: float) -> None:
    motion = following(scale)
    paths = crop_sheets((clip, motion, 0.0), (clip, motion, 0.0), tmp_path, every=12)
    assert [path.name for path in paths] == ["left-hand-1.png"]
    with Image.open(paths[0]) as sheet:
        pixels = np.asarray(sheet)
    # Four cells, each twice the 60 px of the square about the hand: it was tiny.
    assert pixels.shape == (crops.LABEL_PX + 2 * 124, 4 * 124, 3)
    for column in range(4):
        for top in (crops.LABEL_PX, crops.LABEL_PX + 124):
            cell = pixels[top : top + 120, column * 124 : column * 124 + 120]
            assert red_in(cell) == pytest.approx(80 * 80, rel=0.08)


def test_where_a_part_was_not_found_the_sheet_says_so(clip: Clip, tmp_path: Path) -> None:
    motion = following()
    score = motion.hand_score.copy()
    score[12:, 0] = 0
    sheets = []
    for name, shown in (("found", motion), ("lost", replace(motion, hand_score=score))):
        (path,) = crop_sheets((clip, motion, 0.0), (clip, shown, 0.0), tmp_path / name, every=24)
        with Image.open(path) as sheet:
            sheets.append(np.asarray(sheet).astype(int))
    changed = np.abs(sheets[0] - sheets[1]).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert rows.min() > crops.LABEL_PX + 120  # only below, and only in the second cell
    assert columns.min() >= 124


def test_a_body_that_is_never_found_gives_no_sheet(clip: Clip, tmp_path: Path) -> None:
    motion = performance(FRAMES // 2, 12.0, SIDE, SIDE)
    unseen = replace(motion, body=np.full_like(motion.body, np.nan))
    assert crop_sheets((clip, unseen, 0.0), (clip, unseen, 0.0), tmp_path) == []
    assert not places((clip, unseen, 0.0), "face").found.any()


def test_pages_of_an_earlier_run_do_not_stay(clip: Clip, tmp_path: Path) -> None:
    others = [
        tmp_path / name for name in ("left-hand-1.png", "left-hand-2.png", "face-1.png", "face-of-mine.png")
    ]
    for path in others:
        path.write_bytes(b"old")
    motion = following()
    crop_sheets((clip, motion, 0.0), (clip, motion, 0.0), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face-of-mine.png", "left-hand-1.png"]


def test_a_gap_is_crossed_in_a_straight_line(clip: Clip) -> None:
    motion = following()
    hands, body = motion.hands.copy(), motion.body.copy()
    hands[5:9], body[5:9] = np.nan, np.nan
    place = places((clip, replace(motion, hands=hands, body=body), 0.0), "left-hand")
    assert np.diff(place.centres[3:11, 0]) == pytest.approx(8, abs=2)
    centre, _ = place.at(0.5)
    assert centre[0] == pytest.approx(60 + 48, abs=7)


def test_long_clips_are_spread_over_the_cells_there_are() -> None:
    assert frame_numbers(48, 10) == [0, 10, 20, 30, 40]
    assert frame_numbers(1, 10) == [0]
    many = frame_numbers(5000, 1)
    assert len(many) == crops.MOST_CELLS
    assert many[0] == 0
    assert many[-1] > 4900


def test_pages_are_turned_when_full(tmp_path: Path) -> None:
    pages = Pages(tmp_path, "face", [400, 300], 20)
    crop = [(np.full((side, side, 3), 128, np.uint8), True) for side in (400, 300)]
    for number in range(20):
        pages.add(number, crop)
    paths = pages.finish()
    assert len(paths) == 7
    for path in paths:
        with Image.open(path) as sheet:
            assert sheet.width <= crops.PAGE_WIDTH_PX
            assert sheet.height <= crops.PAGE_HEIGHT_PX


def test_a_head_that_is_never_seen_is_shown_where_the_picture_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = performance(6, 12.0, SIDE, SIDE)
    unseen = replace(seen, body=np.full_like(seen.body, np.nan))
    small = Picture(np.full((SIDE // 2, SIDE // 2, 3), 200, np.uint8), None)
    person = replace(nobody(), body=seen.body[0] / 2)
    found = Character(person, "silhouette", np.ones(33, bool), np.ones((4, 4), np.float32))
    monkeypatch.setattr(crops, "find_character", lambda picture, tracker: found)
    tracker = FakeTracker([None])
    standing = with_rest_head(unseen, small, tracker)
    assert standing.body[3, :11, :2] == pytest.approx(seen.body[0, :11, :2], abs=0.01)
    assert np.isnan(standing.body[:, 11:]).all()
    assert with_rest_head(seen, small, tracker) is seen

    def refuse(picture: Picture, tracker: FakeTracker) -> Character:
        raise CharacterError("character_not_found", "Nobody.", fix="Another picture.")

    monkeypatch.setattr(crops, "find_character", refuse)
    assert with_rest_head(unseen, small, tracker) is unseen
