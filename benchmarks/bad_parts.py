"""Files of parts, spoiled part by part: PNG chunks, JPEG segments, RIFF chunks, the boxes of MP4, MOV and AVIF."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

ODD_SIDES = (0, 1, 31, 4096, 9999, 10_001, 16_384, 20_000, 65_500, 65_535)
ODD_COUNTS = (0, 1, 2, 100, 65_535, 1_000_001, 0x4000000, 0x7FFFFFFF, 0xFFFFFFFF)
HOLDERS = {
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"moof", b"traf", b"mvex", b"udta"),
    *(b"meta", b"iprp", b"ipco"),
}

Part = tuple[bytes, bytes]


def spoil_png(dice: random.Random, content: bytes) -> tuple[str, bytes]:
    """Chunks changed, with their checksums right."""
    parts: list[Part] = []
    at = 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        parts.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    header = [
        index for index, (name, _) in enumerate(parts) if name == b"IHDR" and len(parts[index][1]) == 13
    ]
    how = dice.random()
    if how < 0.25 and header:
        sides = list(struct.unpack(">IIBBBBB", parts[header[0]][1]))
        which = dice.randrange(7)
        sides[which] = (
            dice.choice((*ODD_SIDES, 0x7FFFFFFF)) if which < 2 else dice.choice((0, 1, 3, 7, 16, 255))
        )
        parts[header[0]] = (b"IHDR", struct.pack(">IIBBBBB", *sides))
        done = f"IHDR {sides}"
    elif how < 0.4:
        name, body = dice.choice(
            (
                (b"zTXt", b"comment\0\0" + zlib.compress(bytes(20_000_000), 1)),
                (b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000), 1)),
                (b"iCCP", b"profile\0\0" + zlib.compress(dice.randbytes(300))),
                (b"tRNS", dice.randbytes(dice.choice((0, 1, 2, 6, 300)))),
                (b"PLTE", dice.randbytes(dice.choice((0, 3, 4, 768, 900)))),
                (b"gAMA", dice.choice((bytes(4), b"\xff" * 4, struct.pack(">I", 100_000), b"\1"))),
                (b"eXIf", dice.randbytes(dice.choice((0, 6, 40)))),
                (b"acTL", struct.pack(">II", dice.choice(ODD_COUNTS), 0)),
                (b"IDAT", dice.randbytes(20)),
            )
        )
        parts.insert(dice.randrange(len(parts) + 1), (name, body))
        done = f"{name.decode()} put in"
    else:
        done, parts = _shuffled(dice, parts)
    body = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return f"png: {done}", content[:8] + body


def spoil_jpeg(dice: random.Random, content: bytes) -> tuple[str, bytes]:
    """Segments changed; a scan's data goes with its segment."""
    parts: list[Part] = []
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        name = content[at : at + 2]
        stop = at + 2 if name == b"\xff\xd9" else at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if name == b"\xff\xda":  # up to the next marker that is none of the data's own
            while stop + 1 < len(content) and not (
                content[stop] == 0xFF and content[stop + 1] not in (0, *range(0xD0, 0xD8))
            ):
                stop += 1
        parts.append((name, content[at + 2 : stop]))
        at = max(stop, at + 2)
    frames = [i for i, (name, _) in enumerate(parts) if name in (b"\xff\xc0", b"\xff\xc2")]
    scans = [i for i, (name, _) in enumerate(parts) if name == b"\xff\xda"]
    how = dice.random()
    if how < 0.25 and frames and len(parts[frames[0]][1]) > 12:
        name, body = parts[frames[0]]
        changed = bytearray(body)
        if dice.random() < 0.6:
            changed[3:7] = struct.pack(">HH", dice.choice(ODD_SIDES), dice.choice((*ODD_SIDES, 40)))
        else:
            changed[dice.randrange(2, len(changed))] = dice.choice((0, 1, 2, 3, 4, 0x11, 0x22, 0x44, 255))
        name = dice.choice(
            (name, name, name, b"\xff\xc1", b"\xff\xc3", b"\xff\xc9", b"\xff\xca", b"\xff\xc2")
        )
        parts[frames[0]] = (name, bytes(changed))
        done = f"frame {changed[:7].hex()} as {name[1]:x}"
    elif how < 0.35 and scans:
        scan = dice.choice(scans)
        times = dice.choice((2, 10, 300, 3000))
        parts[scan:scan] = [parts[scan]] * times
        done = f"scan {scan} {times} times"
    else:
        done, parts = _shuffled(dice, parts)
    return f"jpeg: {done}", content[:2] + b"".join(name + body for name, body in parts) + content[at:]


def spoil_riff(dice: random.Random, content: bytes) -> tuple[str, bytes]:
    """Chunks of a WebP or AVI file changed, with the whole's length right as often as not."""
    parts: list[Part] = []
    at = 12
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        parts.append((content[at : at + 4], content[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    wide = [index for index, (name, body) in enumerate(parts) if name == b"VP8X" and len(body) == 10]
    if wide and dice.random() < 0.3:
        body = bytearray(parts[wide[0]][1])
        which = dice.choice((0, 4, 7))
        number = dice.choice((*ODD_SIDES, 0xFFFFFF))
        body[which : which + 3] = number.to_bytes(3, "little")
        parts[wide[0]] = (b"VP8X", bytes(body[:10]))
        done = f"VP8X {number} at {which}"
    else:
        done, parts = _shuffled(dice, parts)
    body = b"".join(name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for name, body in parts)
    length = len(body) + 4 if dice.random() < 0.7 else dice.choice(ODD_COUNTS)
    return f"riff: {done}", b"RIFF" + struct.pack("<I", length) + content[8:12] + body


def _shuffled(dice: random.Random, parts: list[Part]) -> tuple[str, list[Part]]:
    """One part dropped, doubled, moved, cut, filled with noise or changed in a byte or a number."""
    if not parts:
        return "nothing", parts
    index = dice.randrange(len(parts))
    name, body = parts[index]
    how = dice.choice(("drop", "double", "move", "cut", "noise", "byte", "number", "grow", "rename"))
    changed = bytearray(body)
    place = dice.randrange(len(body)) if body else 0
    if how == "drop":
        parts = parts[:index] + parts[index + 1 :]
    elif how == "double":
        parts = parts[:index] + [parts[index]] * dice.choice((2, 3, 100)) + parts[index + 1 :]
    elif how == "move":
        parts = parts[:index] + parts[index + 1 :]
        parts.insert(dice.randrange(len(parts) + 1), (name, body))
    else:
        if how == "cut":
            del changed[place:]
        elif how == "noise":
            changed[place : place + 16] = dice.randbytes(min(16, len(body) - place))
        elif how == "byte" and body:
            changed[place] = dice.randrange(256)
        elif how == "number":
            changed[place : place + 4] = dice.choice(ODD_COUNTS).to_bytes(4, dice.choice(("big", "little")))
        elif how == "grow":
            changed += dice.randbytes(dice.choice((1, 64, 4096)))
        elif how == "rename":
            name = dice.choice(parts)[0]
        parts[index] = (name, bytes(changed))
    return f"{how} {name!r} at {place}", parts


@dataclass
class Box:
    """A box of ISO/IEC 14496-12: its name, and its content or the boxes that it holds after ``lead`` bytes."""

    name: bytes
    body: bytes = b""
    lead: bytes = b""
    inner: list[Box] = field(default_factory=list)
    told: int | None = None  # the length that is written, where it is not the right one

    def written(self) -> bytes:
        body = self.lead + b"".join(box.written() for box in self.inner) + self.body
        length = len(body) + 8 if self.told is None else self.told
        return struct.pack(">I", length % 2**32) + self.name + body


def _boxes(content: bytes, depth: int = 0) -> list[Box]:
    boxes = []
    at = 0
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        if length < 8 or at + length > len(content):
            boxes.append(Box(name, content[at + 8 :], told=length))
            break
        body = content[at + 8 : at + length]
        lead = body[:4] if name == b"meta" else b""
        if name in HOLDERS and depth < 8:
            boxes.append(Box(name, lead=lead, inner=_boxes(body[len(lead) :], depth + 1)))
        else:
            boxes.append(Box(name, body))
        at += length
    return boxes


def _all(boxes: list[Box]) -> list[tuple[list[Box], Box]]:
    return [pair for box in boxes for pair in ((boxes, box), *_all(box.inner))]


def spoil_boxes(dice: random.Random, content: bytes) -> tuple[str, bytes]:
    """One or two boxes changed; those around them have the right length again, unless that is what is changed."""
    boxes = _boxes(content)
    done = []
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        found = _all(boxes)
        if not found:
            break
        tables = [pair for pair in found if pair[1].name in _TABLES]
        if tables and dice.random() < 0.6:
            _, box = dice.choice(tables)
            _TABLES[box.name](dice, box)
            done.append(f"table {box.name!r}")
        else:
            around, box = dice.choice([pair for pair in found if pair[1].name != b"mdat"] or found)
            done.append(_change_box(dice, around, box))
    return f"boxes: {', '.join(done)}", b"".join(box.written() for box in boxes)


def _change_box(dice: random.Random, around: list[Box], box: Box) -> str:
    how = dice.choice(("length", "drop", "double", "move", "rename", "cut", "number", "nest", "noise"))
    place = dice.randrange(len(box.body)) if box.body else 0
    if how == "length":
        right = len(box.written())
        box.told = dice.choice((0, 1, 7, 8, right - 1, right + 1, right + 100, 0x7FFFFFFF, 0xFFFFFFFF))
    elif how == "drop":
        around.remove(box)
    elif how == "double":
        around += [box] * dice.choice((1, 2, 100))
    elif how == "move":
        around.remove(box)
        around.insert(dice.randrange(len(around) + 1), box)
    elif how == "rename":
        box.name = dice.choice(
            (b"free", b"moov", b"trak", b"mdat", b"stsd", b"stts", b"meta", dice.randbytes(4))
        )
    elif how == "cut":
        box.body = box.body[:place]
    elif how == "number":
        box.body = box.body[:place] + struct.pack(">I", dice.choice(ODD_COUNTS)) + box.body[place + 4 :]
    elif how == "nest":
        content = box.written()
        for _ in range(dice.choice((1, 10, 400))):
            box.name = dice.choice((b"moov", b"trak", b"udta", b"meta"))
            content = struct.pack(">I", len(content) + 8) + box.name + content
        box.body, box.lead, box.inner, box.told = content[8:], b"", [], None
    else:
        box.body = box.body[:place] + dice.randbytes(8) + box.body[place + 8 :]
    return f"{how} {box.name!r} at {place}"


def _numbers(width: int, count_at: int = 4) -> Callable[[random.Random, Box], None]:
    """Changes a table's count, or numbers of ``width`` bytes in it; the place of its count is ``count_at``."""

    def change(dice: random.Random, box: Box) -> None:
        body = bytearray(box.body)
        if dice.random() < 0.4:
            body[count_at : count_at + 4] = struct.pack(">I", dice.choice(ODD_COUNTS))
        else:
            for _ in range(dice.choice((1, 1, 4, 40))):
                first = min(count_at + 4, max(len(body) - width, 0))
                entries = max((len(body) - first) // width, 1)
                at = first + width * dice.randrange(entries)
                number = dice.choice((*ODD_COUNTS, dice.randrange(2 ** (8 * width)), -1, -90_000))
                body[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, "big")
        box.body = bytes(body)

    return change


_TABLES: dict[bytes, Callable[[random.Random, Box], None]] = {
    b"stts": _numbers(4),
    b"ctts": _numbers(4),
    b"stsc": _numbers(4),
    b"stco": _numbers(4),
    b"co64": _numbers(8),
    b"stss": _numbers(4),
    b"stsz": _numbers(4, 4),  # one size for all, which makes the count below it stand alone
    b"elst": _numbers(4),
    b"trun": _numbers(4),
    b"tfhd": _numbers(4, 4),
    b"tfdt": _numbers(4, 4),
    b"trex": _numbers(4, 4),
    b"mvhd": _numbers(4, 12),
    b"mdhd": _numbers(4, 12),
    b"tkhd": _numbers(4, 12),
    b"stsd": _numbers(2, 4),
    b"ispe": _numbers(4, 4),
    b"iloc": _numbers(2, 4),
    b"ipma": _numbers(1, 4),
}
