"""Assignments: what is written is read, in pieces; what nobody of ours would write is refused."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from understudy.engines.diffusion import assignment as module
from understudy.engines.diffusion.assignment import (
    NAME,
    Assignment,
    AssignmentWriter,
    finished,
    keep_segment,
    load_assignment,
    mapped,
    segment,
    segment_name,
    tail,
    tail_name,
)
from understudy.engines.diffusion.spec import FACE_SIDE, WAN_ANIMATE_1, WAN_ANIMATE_2
from understudy.errors import EngineError

BLANK = Assignment("wan-animate-2", 32, 48, 100, "a caption", 5, 3, "")


def written(
    folder: Path, blank: Assignment = BLANK, *, seed: int = 0
) -> tuple[Assignment, NDArray[np.uint8]]:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    driving = rng.integers(0, 255, blank.shape("driving"), np.uint8)
    writer = AssignmentWriter(folder, blank, np.full(blank.shape("reference"), 7, np.uint8))
    for entry in driving:
        writer.add("driving", entry)
    return writer.finish(), driving


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assignment, driving = written(tmp_path)
    assert load_assignment(tmp_path) == assignment
    assert (mapped(tmp_path, assignment, "driving") == driving).all()
    assert (mapped(tmp_path, assignment, "reference") == 7).all()
    assert assignment.segments == 2  # 81 frames, then 80 more


def test_the_digest_is_of_all_that_decides_the_outcome(tmp_path: Path) -> None:
    same = {written(tmp_path / name)[0].digest for name in ("a", "b")}
    assert len(same) == 1
    others = [replace(BLANK, seed=6), replace(BLANK, caption="another"), replace(BLANK, steps=4)]
    digests = {written(tmp_path / str(i), other)[0].digest for i, other in enumerate(others)}
    digests.add(written(tmp_path / "pixels", seed=1)[0].digest)
    assert len(digests | same) == 5


def test_shapes_of_both_models() -> None:
    scene = replace(BLANK, model="wan-animate-1")
    assert BLANK.shape("driving") == (100, 48, 32, 3)
    assert scene.shape("face") == (100, FACE_SIDE, FACE_SIDE, 3)
    assert scene.shape("mask") == (100, 48, 32)
    assert scene.segment_shape(0) == (77, 48, 32, 3)
    assert scene.segment_shape(1) == (76, 48, 32, 3)
    with pytest.raises(KeyError):
        BLANK.shape("pose")


@given(st.integers(1, 2000))
def test_segments_cover_the_frames_and_no_more_than_needed(frames: int) -> None:
    for spec in (WAN_ANIMATE_1, WAN_ANIMATE_2):
        count = spec.segments(frames)
        made = sum(spec.new_frames(number) for number in range(count))
        assert made >= frames
        assert count == 1 or made - spec.new_frames(count - 1) < frames


def test_missing_frames_are_no_assignment(tmp_path: Path) -> None:
    writer = AssignmentWriter(tmp_path, BLANK, np.zeros(BLANK.shape("reference"), np.uint8))
    writer.add("driving", np.zeros((48, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="1 entries instead of 100"):
        writer.finish()
    with pytest.raises(ValueError, match="not uint8"):
        writer.add("driving", np.zeros((32, 48, 3), np.uint8))


def test_segments_and_where_to_go_on(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path)
    assert finished(tmp_path, assignment) == 0
    for number in range(2):
        frames = np.full(assignment.segment_shape(number), number + 1, np.uint8)
        end = np.full(assignment.tail_shape(), number / 2, np.float32)
        keep_segment(tmp_path, number, frames, end)
        assert finished(tmp_path, assignment) == number + 1
    assert (segment(tmp_path, assignment, 1) == 2).all()
    assert (tail(tmp_path, assignment, 1) == 0.5).all()
    (tmp_path / tail_name(0)).unlink()  # a segment without what the next goes on from is not there
    assert finished(tmp_path, assignment) == 0


def test_a_segment_replaces_one_that_does_not_fit(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path)
    (tmp_path / segment_name(0)).write_bytes(b"half")
    frames = np.zeros(assignment.segment_shape(0), np.uint8)
    keep_segment(tmp_path, 0, frames, np.zeros(assignment.tail_shape(), np.float32))
    assert finished(tmp_path, assignment) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "another"},
        {"width": 40},
        {"width": 16 * 1000},
        {"height": 0},
        {"frames": 0},
        {"frames": 10**9},
        {"steps": 0},
        {"seed": -1},
        {"caption": "x" * 9000},
        {"digest": "../../../../../../etc/passwd...."},
        {"frames": True},
        {"frames": 1.5},
        {"caption": None},
    ],
)
def test_fields_that_no_engine_would_write(tmp_path: Path, changes: dict[str, Any]) -> None:
    assignment, _ = written(tmp_path)
    (tmp_path / NAME).write_text(json.dumps({**asdict(assignment), **changes}))
    with pytest.raises(EngineError) as caught:
        load_assignment(tmp_path)
    assert caught.value.code == "assignment_invalid"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_assignment_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("a")
    (folder / NAME).write_bytes(content)
    (folder / "driving.npy").write_bytes(b"\x93NUMPY" + content)
    with pytest.raises(EngineError):
        load_assignment(folder)
    with pytest.raises(EngineError):
        mapped(folder, BLANK, "driving")


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "driving.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(EngineError):
        mapped(tmp_path, BLANK, "driving")


def test_an_array_that_is_cut_off_or_too_long(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path)
    path = tmp_path / "driving.npy"
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"x"):
        path.write_bytes(content)
        with pytest.raises(EngineError):
            mapped(tmp_path, assignment, "driving")


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path / "one")
    other = tmp_path / "other"
    other.mkdir()
    for name in (NAME, "driving.npy", segment_name(0)):
        (other / name).symlink_to(tmp_path / "one" / name)
    os.mkfifo(other / "reference.npy")
    for read in (
        lambda: load_assignment(other),
        lambda: mapped(other, assignment, "driving"),
        lambda: mapped(other, assignment, "reference"),
        lambda: segment(other, assignment, 0),
    ):
        with pytest.raises(EngineError):
            read()


def test_a_planted_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    assignment, _ = written(tmp_path / "one")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in (segment_name(0), f".{segment_name(0)}.part", tail_name(0)):
        (tmp_path / "one" / name).symlink_to(victim)
    frames = np.zeros(assignment.segment_shape(0), np.uint8)
    keep_segment(tmp_path / "one", 0, frames, np.zeros(assignment.tail_shape(), np.float32))
    assert victim.read_bytes() == b"precious"
    assert finished(tmp_path / "one", assignment) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_disk_that_is_full_says_so_of_an_array_too() -> None:
    """NumPy's own writing does not tell why a file takes no more."""
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="space") as caught:
        module._write(full, np.zeros((100, 100), np.float32))
    assert caught.value.errno == errno.ENOSPC
