"""Files appear whole or not at all, and a wrong place is one error before any work."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from made_motion import performance

from understudy.errors import RequestError
from understudy.evaluation.command import evaluate_one
from understudy.media.whole_file import check_places, make_folder, write_whole
from understudy.request import Orientation


def code(outputs: list[Path | None], inputs: list[Path | None] | None = None) -> str:
    with pytest.raises(RequestError) as caught:
        check_places(outputs, inputs or [])
    assert caught.value.fix.endswith(".")
    return caught.value.code


def test_bytes_and_callbacks_are_written_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", lambda file: file.write(b"two"))
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_the_older_file(tmp_path: Path) -> None:
    def breaks(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    write_whole(tmp_path / "a", b"one")
    with pytest.raises(RequestError) as caught:
        write_whole(tmp_path / "a", breaks)
    assert caught.value.code == "output_unwritable"
    assert "No space left" in caught.value.message
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_folders_devices_and_places_that_take_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/full"), Path("/proc/x"), tmp_path / ("a" * 400), tmp_path / "zero\0"):
        assert code([path]) == "output_unwritable"
        with pytest.raises(RequestError):
            write_whole(path, b"x")
        with pytest.raises(RequestError):
            performance(3, 10).save(path)
    assert Path("/dev/full").is_char_device()
    assert list(tmp_path.iterdir()) == []


def test_inputs_and_other_outputs_are_kept(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"picture")
    (tmp_path / "link.png").symlink_to(picture)
    for name in ("a.png", "link.png", "x/../a.png"):
        (tmp_path / "x").mkdir(exist_ok=True)
        assert code([None, tmp_path / name], [None, picture]) == "output_is_input"
    assert code([tmp_path / "b", tmp_path / "b"]) == "outputs_collide"
    assert code([tmp_path / "nowhere" / "b"]) == "output_folder"
    assert code([picture / "b"]) == "output_folder"
    check_places([tmp_path / "b", None, tmp_path / "c"], [picture])
    assert picture.read_bytes() == b"picture"


def test_a_folder_with_a_file_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RequestError) as caught:
        make_folder(tmp_path / "file" / "deeper")
    assert caught.value.code == "output_folder"


def test_a_sheet_of_figures_replaces_no_input(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "b.mp4", "c.mp4")]
    for file in files:
        file.write_bytes(b"x")
    for file in files:
        with pytest.raises(RequestError) as caught:
            evaluate_one(*files, Orientation.VIDEO, sheet=file)
        assert caught.value.code == "output_is_input"
    with pytest.raises(RequestError) as caught:
        evaluate_one(*files, Orientation.VIDEO, sheet=tmp_path)
    assert caught.value.code == "output_unwritable"


def test_a_sheet_of_the_rig_replaces_no_input(tmp_path: Path) -> None:
    from understudy.engines.puppet.sheet import write_rig_sheet

    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    for sheet, wanted in (
        (picture, "output_is_input"),
        (tmp_path, "output_unwritable"),
        (tmp_path / "nowhere" / "s.png", "output_folder"),
    ):
        with pytest.raises(RequestError) as caught:
            write_rig_sheet(picture, sheet)
        assert caught.value.code == wanted


def test_a_motion_is_still_read_back(tmp_path: Path) -> None:
    kept = performance(3, 10)
    kept.save(tmp_path / "m.npz")
    assert np.load(tmp_path / "m.npz")["body"].shape == kept.body.shape
