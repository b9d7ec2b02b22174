"""Views in real, confined child processes: pictures are checked, a video gives frames, and a render has them all."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_clips import make_clip, pattern
from PIL import Image
from test_renderer import TASK, render

from understudy import config
from understudy.config import Settings
from understudy.errors import ClipError, PictureError
from understudy.media.clip import probe, read_frames
from understudy.sample import character_path, clip_path
from understudy.tasks.renderer import ChildDied, Renderer
from understudy.tasks.submission import Stored

ELEMENT = 123456789012345
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With the real models, and a data folder of its own."""
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(config.models_dir()))
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return Settings(data_dir=tmp_path / "data", threads=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


def plain(path: Path, colour: tuple[int, int, int], width: int = 400, height: int = 300) -> None:
    Image.new("RGB", (width, height), colour).save(path, format="PNG")


def looked_at(settings: Settings, folder: Path, pictures: int) -> int:
    return asyncio.run(Renderer(settings).views(folder, ELEMENT, pictures))


def test_all_views_reach_the_engine(settings: Settings, folder: Path) -> None:
    """The fake engine shows the reference image and then each view."""
    plain(folder / "image", (90, 90, 90))
    for number, colour in enumerate(COLOURS, 1):
        plain(folder / f"view-{number}", colour)
    made = make_clip(folder / "clip.mp4", [pattern(340, 340)] * 92)
    made.rename(folder / "video")
    views = tuple(Stored(f"inputs/1/view-{number}") for number in range(1, 4))
    rendered = render(settings, folder, replace(TASK, views=views))
    frames = [frame for _, frame in read_frames(probe(rendered.video))]
    assert len(frames) == 92
    for quarter, colour in enumerate(((90, 90, 90), *COLOURS)):
        shown = frames[23 * quarter + 11][50:250, 50:350].reshape(-1, 3).mean(axis=0)
        assert np.abs(shown - colour).max() < 25, (quarter, shown)


def test_the_puppet_says_that_it_leaves_them_out(settings: Settings, folder: Path) -> None:
    shutil.copy(character_path(), folder / "image")
    shutil.copy(clip_path(), folder / "video")
    plain(folder / "view-1", COLOURS[0])
    rendered = render(settings, folder, replace(TASK, engine="puppet", views=(Stored("inputs/1/view-1"),)))
    assert [part.what for part in rendered.left_out if part.what == "views"] == ["views"]
    assert "(1)" in next(part.detail for part in rendered.left_out if part.what == "views")


def test_pictures_are_checked(settings: Settings, folder: Path) -> None:
    plain(folder / "view-1", COLOURS[0])
    plain(folder / "view-2", COLOURS[1])
    assert looked_at(settings, folder, 2) == 2
    plain(folder / "view-2", COLOURS[1], width=299)
    with pytest.raises(PictureError) as caught:
        looked_at(settings, folder, 2)
    assert caught.value.code == "picture_too_small"
    assert caught.value.message.startswith("The element's picture 2 of 2")
    (folder / "view-1").write_bytes(b"GIF89a" + bytes(100))
    with pytest.raises(PictureError, match="picture 1 of 2"):
        looked_at(settings, folder, 2)


def test_a_video_of_the_character_gives_views(settings: Settings, folder: Path) -> None:
    """The sample's performer, found by the tracker: the views are frames of it."""
    shutil.copy(clip_path(), folder / "video")
    count = looked_at(settings, folder, 0)
    assert 3 <= count <= 4
    clip = probe(folder / "video")
    for number in range(1, count + 1):
        with Image.open(folder / f"view-{number}") as view:
            assert (view.format, view.size) == ("PNG", (clip.width, clip.height))
    pictures = {(folder / f"view-{number}").read_bytes() for number in range(1, count + 1)}
    assert len(pictures) == count


def test_a_video_outside_the_limits(settings: Settings, folder: Path) -> None:
    make_clip(folder / "clip.mp4", [pattern(340, 340)] * 260).rename(folder / "video")
    with pytest.raises(ClipError) as caught:
        looked_at(settings, folder, 0)
    assert (caught.value.code, caught.value.limit) == ("clip_too_long", "at most 8 s")
    assert caught.value.message.startswith("The element's video has 8.67 s")


def test_a_view_must_be_a_file_of_the_child_s_own(
    settings: Settings,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = "import os, sys; os.symlink('/etc/passwd', 'view-1'); print('{\"result\": {\"views\": 1}}', flush=True)"
    monkeypatch.setattr("understudy.tasks.children.COMMAND", ("python3", "-c", script))
    with pytest.raises(ChildDied, match="no file of its own"):
        looked_at(settings, folder, 0)
