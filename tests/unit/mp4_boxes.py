"""The boxes of an MP4 file (ISO 14496-12), taken apart and put together again, for tests that change one of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta"}


@dataclass
class Box:
    kind: bytes
    data: bytes = b""
    inside: list[Box] = field(default_factory=list)

    def __bytes__(self) -> bytes:
        content = self.data + b"".join(map(bytes, self.inside))
        return struct.pack(">I4s", 8 + len(content), self.kind) + content

    def find(self, *path: bytes) -> Box:
        here = self
        for kind in path:
            here = next(box for box in here.inside if box.kind == kind)
        return here


def taken_apart(data: bytes) -> Iterator[Box]:
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, place + 8)[0], 16
        content = data[place + head : place + size]
        yield Box(kind, inside=list(taken_apart(content))) if kind in HOLDERS else Box(kind, content)
        place += size


def changed(path: Path, change: Callable[[Box], None]) -> Path:
    """Rewrite the file with its ``moov`` changed. The index must lie last, so that no offset moves."""
    boxes = list(taken_apart(path.read_bytes()))
    assert boxes[-1].kind == b"moov"
    change(boxes[-1])
    path.write_bytes(b"".join(map(bytes, boxes)))
    return path


def tracks(moov: Box, handler: bytes) -> list[Box]:
    """The ``vide`` or ``soun`` tracks."""
    return [
        box for box in moov.inside if box.kind == b"trak" and box.find(b"mdia", b"hdlr").data[8:12] == handler
    ]


def timescale(track: Box) -> int:
    return int(struct.unpack_from(">I", track.find(b"mdia", b"mdhd").data, 12)[0])


Edit = tuple[Fraction | float, Fraction | float | None]


def with_edits(path: Path, handler: bytes, edits: Sequence[Edit]) -> Path:
    """Give a track an edit list of (seconds on the movie's clock, seconds of the media's, None for nothing)."""

    def change(moov: Box) -> None:
        movie = struct.unpack_from(">I", moov.find(b"mvhd").data, 12)[0]
        for track in tracks(moov, handler):
            media = timescale(track)
            rows = b"".join(
                struct.pack(">iihh", round(length * movie), -1 if at is None else round(at * media), 1, 0)
                for length, at in edits
            )
            table = Box(b"elst", struct.pack(">II", 0, len(edits)) + rows)
            track.inside = [box for box in track.inside if box.kind != b"edts"]
            track.inside.insert(1, Box(b"edts", inside=[table]))

    return changed(path, change)


def without_edits(path: Path) -> Path:
    def change(moov: Box) -> None:
        for track in moov.inside:
            track.inside = [box for box in track.inside if box.kind != b"edts"]

    return changed(path, change)
