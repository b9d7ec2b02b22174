"""Some of the fuzzer's files, the bombs that it cannot draw, and the fuzzer itself."""

from __future__ import annotations

import io
import os
import resource
import struct
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bad_files import SHARES, bad_file
from good_files import KINDS, good_files
from roads import ACCEPTED, ROADS, verdict
from understudy.errors import ClipError, InputError, RequestError, UnderstudyError
from understudy.media.boxes import MOST_EDITS, MOST_SAMPLES, check_boxes
from understudy.media.clip import probe, read_frames
from understudy.media.whole_file import check_places
from understudy.tracking.joints import read_joints
from understudy.tracking.motion import Motion

SEED, FILES = 6, 400


@pytest.mark.parametrize("kind", KINDS)
def test_good_files_are_accepted(tmp_path: Path, kind: str) -> None:
    unreadable = {"mpeg4.avi": "clip_format"}
    for name, content in good_files(kind):
        path = tmp_path / name
        path.write_bytes(content)
        went = verdict(kind, path)
        assert went.fault is None, name
        outcome = went.outcome.partition(",")[0]  # the clips are smaller and shorter than the limits
        assert outcome == unreadable.get(name, "performer_not_found" if name == "bare" else ACCEPTED), name


def test_a_bad_file_is_the_same_each_time() -> None:
    assert [bad_file(SEED, index) for index in range(30)] == [bad_file(SEED, index) for index in range(30)]
    kinds = Counter(bad_file(SEED, index).kind for index in range(FILES))
    assert set(kinds) == set(SHARES)


def test_bad_files_end_in_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    faults = {}
    refused = 0
    for index in range(FILES):
        made = bad_file(SEED, index)
        path.write_bytes(made.content)
        went = verdict(made.kind, path)
        refused += not went.outcome.startswith(ACCEPTED)
        if went.fault is not None:
            faults[f"{index} {made.was}: {made.done}"] = went.fault
    assert faults == {}
    assert FILES / 3 < refused < FILES


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert caught.value.fix
    return caught.value.code


def boxed(name: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I4s", len(body) + 8, name) + body


def handler(kind: bytes, of: bytes = bytes(4)) -> bytes:
    return boxed(b"hdlr", bytes(4), of, kind, bytes(12))


def indexed(
    *tables: bytes,
    number: int = 1,
    kind: bytes = b"vide",
    edits: int = 1,
    holders: tuple[bytes, ...] = (b"stbl",),
    more: bytes = b"",
    index: bytes = b"moov",
    fragment: bytes = b"",
) -> bytes:
    """A file that is all index: one track with these tables, in holders one within the other."""
    head = boxed(b"tkhd", struct.pack(">IIIII", 0, 0, 0, number, 0))
    cuts = boxed(b"edts", boxed(b"elst", struct.pack(">II", 0, edits)))
    inside = b"".join(tables)
    for holder in reversed(holders):
        inside = boxed(holder, inside)
    track = boxed(b"trak", head, cuts, boxed(b"mdia", handler(kind), boxed(b"minf", more, inside)))
    return boxed(b"ftyp", b"isom", bytes(4)) + boxed(index, boxed(b"mvhd", bytes(9)), track) + fragment


def plain_sound(
    samples: int, chunks: int, *, length: int = 1, more: bytes = b"", again: bytes = b""
) -> bytes:
    """The index of sound in chunks of so many samples, each a tick long."""
    return indexed(
        boxed(b"stts", struct.pack(">IIII", 0, 1, samples * chunks % 2**32, length)),
        boxed(b"stsc", struct.pack(">IIIII", 0, 1, 1, samples, 1)),
        boxed(b"stsz", struct.pack(">III", 0, 1, samples * chunks % 2**32)),
        boxed(b"stco", struct.pack(">II", 0, chunks)),
        again,
        kind=b"soun",
        more=more,
    )


def sizes(samples: int) -> bytes:
    return boxed(b"stsz", struct.pack(">III", 0, 9, samples))


def video(samples: int, **changes: object) -> bytes:
    return indexed(sizes(samples), **changes)  # type: ignore[arg-type]


def described(*inside: bytes, longer: int = 0) -> bytes:
    """The description of samples with boxes in it, which says that it is longer than it is."""
    entry = boxed(b"avc1", bytes(78), *inside)
    return boxed(b"stsd", struct.pack(">III", 0, 1, len(entry) + longer), entry[4:])


def framed(samples: int, kind: bytes = b"sowt") -> bytes:
    """The description of plain sound with so many samples in a frame."""
    entry = boxed(kind, bytes(8), struct.pack(">H", 1), bytes(18), struct.pack(">I", samples), bytes(12))
    return boxed(b"stsd", struct.pack(">II", 0, 1), entry)


RUNS = boxed(b"stsc", struct.pack(">IIIII", 0, 1, 1, 1, 1))
HOUR_OF_SOUND = (48_000, 3600)
SETTINGS = boxed(b"avcC", bytes(9))


def fragment(samples: int) -> bytes:
    return indexed(fragment=boxed(b"moof", boxed(b"traf", boxed(b"trun", struct.pack(">II", 0, samples)))))


@pytest.mark.parametrize(
    ("bomb", "harmless"),
    [
        (video(MOST_SAMPLES + 1), video(MOST_SAMPLES)),
        (fragment(MOST_SAMPLES + 1), fragment(MOST_SAMPLES)),
        (plain_sound(2**31, 9), plain_sound(*HOUR_OF_SOUND)),
        (plain_sound(2**31, 2**11, length=2**32 - 1), plain_sound(1, 48_000, length=2**32 - 1)),
        (indexed(number=2**31), indexed(number=2**31 - 1)),
        (indexed(boxed(b"cmov", bytes(9))), indexed()),
        (
            plain_sound(*HOUR_OF_SOUND, more=handler(b"vide", b"dhlr")),
            plain_sound(*HOUR_OF_SOUND, more=handler(b"alis", b"dhlr")),
        ),
        (plain_sound(*HOUR_OF_SOUND, again=RUNS), plain_sound(*HOUR_OF_SOUND)),
        (indexed(sizes(9), boxed(b"stz2", bytes(12))), indexed(sizes(9), boxed(b"stco", bytes(8)))),
        (video(MOST_SAMPLES // 50, edits=51), video(MOST_SAMPLES // 50, edits=50)),
        (video(1, edits=MOST_EDITS + 1), video(1, edits=MOST_EDITS)),
        (indexed(described(sizes(9))), indexed(described(SETTINGS))),
        (
            plain_sound(48_000, 9 * 3600, again=framed(160)),
            plain_sound(48_000, 9 * 3600, again=framed(1)),
        ),
        (
            plain_sound(48_000, 9 * 3600, again=framed(1, b"agsm")),
            plain_sound(48_000, 3 * 3600, again=framed(1, b"agsm")),
        ),
        (
            indexed(struct.pack(">I4sQ", 1, b"udta", 8), sizes(9)),
            indexed(struct.pack(">I4sQ", 1, b"udta", 16), sizes(9)),
        ),
        (indexed(described(SETTINGS, longer=1)), indexed(described(SETTINGS))),
        (indexed(described(boxed(b"udta", boxed(b"cmov")))), indexed(described(boxed(b"udta")))),
        (video(MOST_SAMPLES + 1, index=b"hoov"), video(MOST_SAMPLES, index=b"hoov")),
        (video(MOST_SAMPLES + 1, index=b"free"), indexed(boxed(b"free", sizes(9), sizes(9)))),
    ],
    ids=[
        "samples",
        "fragment",
        "plain sound",
        "plain sound of an impossible length",
        "track's number",
        "packed index",
        "two handlers",
        "two tables of runs",
        "two tables of sizes",
        "samples in edits",
        "edits",
        "table in a description",
        "sound in small frames",
        "GSM",
        "length of nothing",
        "description that overruns",
        "packed index in a description",
        "hidden index",
        "freed index",
    ],
)
def test_an_index_that_takes_all_memory_or_time(tmp_path: Path, bomb: bytes, harmless: bytes) -> None:
    path = tmp_path / "bomb.mp4"
    path.write_bytes(bomb)
    with pytest.raises(ClipError) as caught:
        check_boxes(path)
    assert caught.value.code == "clip_damaged"
    assert code_of(probe, path) == "clip_damaged"
    path.write_bytes(harmless)
    check_boxes(path)


@pytest.mark.parametrize(
    "holder",
    [
        "dinf",
        "udta",
        "tref",
        "sinf",
        "schi",
        "wave",
        "ilst",
        "iref",
        "iprp ipco",
        "meta",
        "traf",
        "mdia",
        "stbl stbl",
    ],
)
def test_a_table_where_none_belongs(tmp_path: Path, holder: str) -> None:
    """FFmpeg believes it there too, even where it is small and another follows."""
    path = tmp_path / "bomb.mp4"
    before = {"meta": bytes(4) + handler(b"mdta"), "iref": bytes(4)}.get(holder, b"")
    path.write_bytes(indexed(before, sizes(9), holders=tuple(map(str.encode, holder.split()))))
    assert code_of(check_boxes, path) == "clip_damaged"
    title = boxed(b"\xa9nam", struct.pack(">HH", 19, 0), b"trunks and stsz tables")
    path.write_bytes(indexed(sizes(9), more=boxed(b"udta", title, bytes(4))))
    check_boxes(path)


def test_a_motion_file_that_unpacks_to_more_than_memory(tmp_path: Path) -> None:
    """Arrays of zeros pack a thousandfold, so that a small file could fill any memory."""
    path = tmp_path / "bomb.npz"
    rows = np.lib.format.header_data_from_array_1_0(np.zeros((1, 33, 3), np.float32))
    rows["shape"] = (8_000_000, 33, 3)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("body.npy", "w") as member:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, rows)
        member.write(head.getvalue())
        for _ in range(64):
            member.write(bytes(2**20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert code_of(Motion.load, path) == "motion_unreadable"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_no_ordinary_file_is_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "gone", Path("/dev/zero"), Path("/dev/null")):
        assert code_of(probe, path) == "clip_unreadable"
        assert code_of(Motion.load, path) == "motion_unreadable"
        assert code_of(read_joints, path, 300, 400) == "joints_unreadable"


def test_a_loop_of_links_is_the_input_s_fault(tmp_path: Path) -> None:
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    check_places((tmp_path / "made.mp4",), (loop,))
    with pytest.raises(RequestError, match="loop") as caught:
        check_places((loop,), ())
    assert caught.value.code == "output_unwritable"


def test_a_word_on_stderr_and_an_odd_error_are_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "joints.json"
    path.write_bytes(good_files("joints")[0][1])

    def talks(_: Path) -> str:
        os.write(2, b"a library's warning")
        return ACCEPTED

    def escapes(_: Path) -> str:
        raise KeyError("inside")

    def mumbles(_: Path) -> str:
        raise UnderstudyError("some_code", "Something is wrong.", fix="Do something.")

    for road, fault in ((talks, "noise"), (escapes, "escaped"), (mumbles, "unclear")):
        monkeypatch.setitem(ROADS, "joints", road)
        assert (verdict("joints", path).fault or "").partition(":")[0] == fault


def test_motion_s_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    path.write_bytes(b"PK\3\4")
    with pytest.raises(RequestError, match=r"some\.npz"):
        Motion.load(path)


def test_a_frame_whose_unit_of_time_is_none_comes_at_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(bad_file(33, 706).content)
    times = [time_s for time_s, _ in read_frames(probe(path), threads=1)]
    assert times
    assert np.isfinite(times).all()
