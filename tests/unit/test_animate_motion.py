"""The motion file: kept and read back whole; anything else is one error."""

from __future__ import annotations

import gc
import io
import pickle
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_motion import performance

from understudy.errors import RequestError
from understudy.tracking.motion import Motion, Shot

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def arrays(motion: Motion) -> dict[str, object]:
    held = {f.name: getattr(motion, f.name) for f in fields(motion)}
    return {"format": np.int32(1), **{k: v for k, v in held.items() if v is not None}}


def written(path: Path, **changed: object) -> Path:
    """A motion file with some entries changed, or left out where None."""
    held = {k: v for k, v in (arrays(performance(4, 10)) | changed).items() if v is not None}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **held)
    return path


def refused(path: Path) -> RequestError:
    with pytest.raises(RequestError) as caught:
        Motion.load(path)
    return caught.value


@given(
    frames=st.integers(1, 12),
    fps=st.floats(1, 120),
    cuts=st.lists(st.integers(1, 11), unique=True).map(sorted),
    camera=st.booleans(),
)
@few
def test_what_is_saved_is_loaded(
    tmp_path: Path, frames: int, fps: float, cuts: list[int], camera: bool
) -> None:
    moves = np.random.default_rng(frames).random((frames, 2, 3), np.float32) if camera else None
    kept = replace(performance(frames, fps), cuts=tuple(c for c in cuts if c < frames), camera=moves)
    path = tmp_path / "kept.npz"
    kept.save(path)
    again = Motion.load(path)
    for field in fields(Motion):
        was, now = getattr(kept, field.name), getattr(again, field.name)
        if isinstance(was, np.ndarray):
            assert now.dtype == was.dtype
            np.testing.assert_array_equal(now, was)
        else:
            assert now == was
            assert type(now) is type(was)


def test_the_name_is_kept_as_given(tmp_path: Path) -> None:
    for name in ("a", "a.npz", "-a b.motion", "line\nbreak"):
        performance(3, 10).save(tmp_path / name)
        assert len(Motion.load(tmp_path / name)) == 3
    assert len(list(tmp_path.iterdir())) == 4


@given(st.binary(max_size=300).filter(lambda data: not data.startswith(b"PK")))
@few
def test_random_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    error = refused(path)
    assert error.code == "motion_unreadable"
    assert "x.npz" in error.message


@pytest.fixture
def files_left_open() -> Iterator[None]:
    """Those that NumPy leaves open for a damaged archive are closed without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def outcome(path: Path) -> str:
    """What loading gives: "read", or the error's name."""
    try:
        Motion.load(path)
    except Exception as error:
        return type(error).__name__
    return "read"


@pytest.mark.usefixtures("files_left_open")
@pytest.mark.parametrize("begin", [b"PK\x03\x04", b"PK\x05\x06"])
def test_random_bytes_that_begin_as_an_archive_are_refused(tmp_path: Path, begin: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(begin + bytes(range(200)))
    assert outcome(path) == "RequestError"


@pytest.mark.usefixtures("files_left_open")
def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Cut short, or with some bytes changed: never anything but a RequestError."""
    path = tmp_path / "x.npz"
    performance(4, 10).save(path)
    whole = path.read_bytes()
    chance = np.random.default_rng(5)
    outcomes = set()
    for _ in range(40):
        data = bytearray(whole[: chance.integers(1, len(whole))] if chance.random() < 0.3 else whole)
        for at in chance.integers(0, len(data), 6):
            data[at] = chance.integers(256)
        path.write_bytes(bytes(data))
        outcomes.add(outcome(path))
    assert outcomes <= {"read", "RequestError"}


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Armed:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'fired')!r}, 'w').close()",)

    path = tmp_path / "x.npz"
    path.write_bytes(pickle.dumps(Armed()))
    refused(path)
    refused(written(path, camera=np.array([Armed()], dtype=object)))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Armed()], dtype=object), allow_pickle=True)
    path.write_bytes(buffer.getvalue())
    refused(path)
    assert not (tmp_path / "fired").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"format": np.int32(2)},
        {"format": None},
        {"body": None},
        {"body": np.zeros((4, 33, 2), np.float32)},
        {"body": np.zeros((4, 33, 3), np.float64)},
        {"body": np.zeros((3, 33, 3), np.float32)},
        {"face": np.zeros((4, 478, 3), np.float32)},
        {"times_s": np.float32(3)},
        {"times_s": np.zeros(0, np.float32)},
        {"width": np.arange(3)},
        {"width": np.array("wide")},
        {"cuts": np.array(["a"])},
        {"extra": np.zeros(3)},
    ],
    ids=lambda changed: ", ".join(f"{k}: {getattr(v, 'shape', v)}" for k, v in changed.items()),
)
def test_other_contents_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    assert refused(written(tmp_path / "x.npz", **changed)).code == "motion_unreadable"


@pytest.mark.parametrize(
    "changed",
    [
        {"width": np.int32(0)},
        {"height": np.int32(-5)},
        {"cuts": np.array([99, -3])},
        {"times_s": np.array([3, 2, 1, 0], np.float32)},
        {"times_s": np.zeros(4, np.float32)},
        {"times_s": np.full(4, np.nan, np.float32)},
        {"camera": np.zeros(3)},
        {"body": np.full((4, 33, 3), np.inf, np.float32)},
    ],
    ids=["no width", "negative height", "cuts outside", "backwards", "standing", "nan", "camera", "infinite"],
)
def test_contents_that_no_motion_has_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    refused(written(tmp_path / "x.npz", **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"times_s": np.arange(4, dtype=np.float32) * 1e3},
        {"times_s": np.arange(4, dtype=np.float32) * 1e-5},
        {"times_s": np.array([0, 0.1, 0.2, 3700], np.float32)},
        {"start_s": np.float64(-1)},
        {"start_s": np.float64("nan")},
    ],
    ids=["slow", "fast", "long", "begins before", "begins never"],
)
def test_times_that_no_video_has_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    refused(written(tmp_path / "x.npz", **changed))


def test_a_small_file_that_unpacks_to_more_than_a_motion_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("format.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (200_001, 1)}
        )
        for _ in range(200_001 // 1000 + 1):
            file.write(bytes(4000))
    error = refused(path)
    assert "200001" in str(error.__cause__)
    many = {f"a{number}": np.zeros(1) for number in range(40)}
    assert "more than" in str(refused(written(path, **many)).__cause__)


def test_an_array_that_is_larger_than_its_member_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("format.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (9, 10**12)}
        )
    assert "an array of" in str(refused(path).__cause__)


def test_files_from_before_the_beginning_was_kept_are_read(tmp_path: Path) -> None:
    assert Motion.load(written(tmp_path / "x.npz", start_s=None)).start_s == 0


def test_a_part_knows_where_it_begins() -> None:
    part = replace(performance(10, 10), start_s=0.5).cut_to(Shot(4, 8))
    assert part.start_s == pytest.approx(0.9)
    assert part.times_s[0] == 0
    assert part.duration_s == pytest.approx(0.4)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere.npz").code == "motion_unreadable"
    assert refused(tmp_path).code == "motion_unreadable"
