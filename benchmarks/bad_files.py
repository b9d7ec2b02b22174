"""Good files spoiled: at random places, and where their own structure says that it hurts.

``bad_file(seed, index)`` is always the same file for the same two numbers. What is done to it, in words:

- any file: cut short, bits flipped, bytes set, blocks dropped, doubled, put in or exchanged with another file's,
  numbers of 16, 32 and 64 bits set to the odd ones (0, 1, -1, the largest), one kind's content under another's name;
- PNG, JPEG, WebP, MP4, MOV, AVIF: parts dropped, doubled, exchanged, resized, filled with noise, with checksums and
  the lengths of what holds them put right again, so that readers do not stop at the first look; sides set to huge
  ones; the tables of samples set to odd counts and places (`bad_parts`);
- motion files: arrays of wrong shapes, kinds and numbers in an archive that is sound, archives whose index lies;
  joints files: wrong names, numbers and types, depth without end (`bad_numbers`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from bad_numbers import bad_joints, bad_motion
from bad_parts import spoil_boxes, spoil_jpeg, spoil_png, spoil_riff
from good_files import KINDS, good_files

ODD_NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# Of all files: how many are of each kind. Clips and pictures have the largest readers below them.
SHARES = {"picture": 40, "clip": 40, "motion": 12, "joints": 8}


@dataclass(frozen=True)
class BadFile:
    """One file: its kind, the good file that it was, what was done to it."""

    kind: str
    was: str
    done: str
    content: bytes


def bad_file(seed: int, index: int) -> BadFile:
    """The file with this number, of a kind drawn by ``SHARES``."""
    dice = random.Random(f"{seed} {index}")
    kind = dice.choices(KINDS, [SHARES[kind] for kind in KINDS])[0]
    was, content = dice.choice(good_files(kind))
    if kind == "motion" and dice.random() < 0.6:
        done, content = bad_motion(dice)
    elif kind == "joints" and dice.random() < 0.8:
        done, content = bad_joints(dice)
    elif dice.random() < 0.02:
        other = dice.choice([other for other in KINDS if other != kind])
        was, content = dice.choice(good_files(other))
        done = f"is no {kind}"
    else:
        steps = [_spoil(dice, kind, was, content) for _ in range(1)]
        done, content = steps[0]
        while dice.random() < 0.25 and len(content) > 16:
            more, content = _spoil(dice, kind, was, content)
            done = f"{done}; {more}"
    return BadFile(kind, was, done, content)


def _spoil(dice: random.Random, kind: str, was: str, content: bytes) -> tuple[str, bytes]:
    if dice.random() < 0.55:
        for begins, spoil in (
            (b"\x89PNG", spoil_png),
            (b"\xff\xd8", spoil_jpeg),
            (b"RIFF", spoil_riff),
        ):
            if content.startswith(begins):
                return spoil(dice, content)
        if content[4:8] == b"ftyp":
            return spoil_boxes(dice, content)
    return _spoil_blindly(dice, kind, was, content)


def _spoil_blindly(dice: random.Random, kind: str, was: str, content: bytes) -> tuple[str, bytes]:
    size = len(content)
    data = bytearray(content)
    at = dice.randrange(size)
    span = min(dice.choice((1, 2, 4, 16, 64, 512, 4096)), size - at)
    how = dice.choice(
        ("cut", "head cut", "bits", "bytes", "numbers", "drop", "double", "noise", "splice", "zeros")
    )
    if how == "cut":
        del data[at:]
    elif how == "head cut":
        del data[: min(at, 64)]
    elif how == "bits":
        for _ in range(dice.choice((1, 1, 2, 8, 64))):
            data[dice.randrange(size)] ^= 1 << dice.randrange(8)
    elif how == "bytes":
        for _ in range(dice.choice((1, 2, 8, 64))):
            data[dice.randrange(size)] = dice.choice((0, 0xFF, 0x7F, 0x80, dice.randrange(256)))
    elif how == "numbers":
        width, order = dice.choice((2, 4, 4, 8)), dice.choice(("big", "little"))
        for _ in range(dice.choice((1, 1, 3))):
            # Structure lies at the front more often than not.
            place = dice.randrange(max(size // dice.choice((1, 4, 16)), 1))
            number = dice.choice(ODD_NUMBERS) % (1 << 8 * width)
            data[place : place + width] = number.to_bytes(width, order)
    elif how == "drop":
        del data[at : at + span]
    elif how == "double":
        data[at:at] = data[at : at + span] * dice.choice((1, 1, 2, 50))
    elif how == "noise":
        data[at:at] = dice.randbytes(span)
    elif how == "splice":
        other = dice.choice(good_files(kind))[1]
        data = data[:at] + other[dice.randrange(len(other)) :]
    else:
        data[at : at + span] = bytes(span)
    return f"{how} at {at}", bytes(data)
