"""The disk that fills: what is needed of it, counted and documented; what is told of it."""

from __future__ import annotations

import asyncio
import errno
import shutil
from pathlib import Path

import pytest
from test_diffusion_assignment import BLANK, written

from understudy.engines.diffusion import assignment
from understudy.engines.diffusion.assignment import NAME, Assignment, take_over
from understudy.engines.diffusion.room import arrays_bytes, check_room, segments_bytes
from understudy.engines.diffusion.spec import SPECS
from understudy.errors import EngineError
from understudy.folder_storage import FolderStorage
from understudy.tasks.kept_segments import KeptSegments
from understudy.tasks.wording import for_the_sender

GPU_PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"


def disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, free))


@pytest.mark.parametrize(
    ("model", "scene"), [("wan-animate-2", ""), ("wan-animate-1", "with `--scene video` ")]
)
def test_the_page_has_the_figures_of_the_code(model: str, scene: str) -> None:
    """Of 30 s in std and pro: on the command line, and in the service with its files on the same disk."""
    figures = []
    for kept in (1, 2):
        for width, height in ((640, 800), (720, 1280)):
            blank = Assignment(model, width, height, 30 * SPECS[model].fps, "", 0, 4, "")
            needed = arrays_bytes(blank) + kept * segments_bytes(blank)
            figures.append(f"{needed / 1e9:.1f}")
    text = " ".join(GPU_PAGE.read_text(encoding="utf-8").split())
    assert f"{scene}{figures[0]} GB in `std` and {figures[1]} in `pro`" in text
    assert f"{scene}{figures[2]} and {figures[3]}" in text


def test_small_figures_are_told_in_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, 2_400_000)
    check_room(tmp_path, 2_400_000)
    with pytest.raises(EngineError) as caught:
        check_room(tmp_path, 2_400_001)
    assert (caught.value.limit, caught.value.value) == ("3 MB", "2 MB")
    with pytest.raises(EngineError) as caught:
        check_room(tmp_path, 1_010_000_000)
    assert (caught.value.limit, caught.value.value) == ("1.1 GB", "2 MB")


def test_a_service_counts_its_stored_segments_on_the_same_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice what is to be made; once what lies in the storage already, since it is there."""
    storage, (told, _) = FolderStorage(tmp_path / "files"), written(tmp_path / "given")
    kept = KeptSegments(storage, 7, told, "weights")
    disk(monkeypatch, 2 * segments_bytes(told) - 1)
    with pytest.raises(EngineError) as caught:
        asyncio.run(kept.fetch(tmp_path / "given"))
    assert caught.value.code == "segments_room"
    for name in ("tail-000.npy", "segment-000.npy"):
        (tmp_path / name).write_bytes(b"x")
    asyncio.run(kept.keep(tmp_path, 0))
    assert asyncio.run(kept.fetch(tmp_path / "given")) == 0  # it does not fit, but there was room


@pytest.mark.parametrize("at", ["reference.npy", "driving.npy", NAME])
def test_a_disk_that_fills_while_an_assignment_is_taken_over_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    written(tmp_path / "given", BLANK)
    ours = tmp_path / "ours"
    ours.mkdir()
    new_file = assignment._new_file

    def full(path: Path) -> object:
        if path == ours / at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return new_file(path)

    monkeypatch.setattr(assignment, "_new_file", full)
    with pytest.raises(EngineError, match="No space left") as caught:
        take_over(tmp_path / "given", ours)
    assert caught.value.code == "segments_unwritable"
    said = for_the_sender(caught.value)
    assert "no room on its disk" in said.message
    assert str(ours) not in str(said)


def test_what_a_child_left_out_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    written(tmp_path / "given", BLANK)
    (tmp_path / "given" / "driving.npy").unlink()
    with pytest.raises(EngineError) as caught:
        take_over(tmp_path / "given", tmp_path)
    assert caught.value.code == "assignment_invalid"
