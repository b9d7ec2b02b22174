"""Motion and joints files that are well formed and say the wrong things."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from typing import Any

import numpy as np

from good_files import good_files
from understudy.tracking.joints import BESIDE, REQUIRED
from understudy.tracking.template import NAMES

ODD_FLOATS = (0.0, -1.0, 1e-30, 1e6, 1.7e6, 3e38, float("inf"), float("-inf"), float("nan"))


def bad_motion(dice: random.Random) -> tuple[str, bytes]:
    """Arrays of a good motion file changed in number, shape, kind or name, or an archive whose index lies."""
    with np.load(io.BytesIO(dice.choice(good_files("motion"))[1])) as held:
        arrays: dict[str, Any] = {name: held[name].copy() for name in held.files}
    done = []
    for _ in range(dice.choice((1, 1, 2, 3))):
        name = dice.choice(sorted(arrays))
        array = arrays[name]
        if array.dtype.kind not in "iuf":  # changed already
            continue
        how = dice.choice(
            ("drop", "add", "kind", "shape", "number", "numbers", "frames", "times", "order", "text", "few")
        )
        done.append(f"{how} {name}")
        if how == "drop":
            del arrays[name]
        elif how == "add":
            arrays[dice.choice(("more", "../x", "", "fps", "tracked", "self", "path"))] = array
        elif how == "kind":
            with np.errstate(all="ignore"):
                kind = dice.choice(("f8", "f2", "i4", "u1", "?", "c8", ">f4"))
                arrays[name] = np.nan_to_num(array).astype(kind)
        elif how == "shape":
            arrays[name] = dice.choice(
                (array[None], array.reshape(-1), np.atleast_1d(array)[..., :1], array.T)
            )
        elif how == "number" and array.size:
            changed = array.astype(np.float64).reshape(-1)
            changed[dice.randrange(array.size)] = dice.choice(ODD_FLOATS)
            with np.errstate(all="ignore"):
                arrays[name] = changed.reshape(array.shape).astype(array.dtype)
        elif how == "numbers":
            with np.errstate(all="ignore"):
                arrays[name] = np.full_like(array, dice.choice(ODD_FLOATS))
        elif how == "frames":
            count = dice.choice((0, 1, 2, 23, 400))
            arrays = {
                key: np.resize(value, (count, *value.shape[1:])) if value.ndim and key != "cuts" else value
                for key, value in arrays.items()
            }
        elif how == "times" and "times_s" in arrays:
            arrays["times_s"] = (np.arange(24) * dice.choice((0, 1e-9, 1 / 500, 1.01, -0.1))).astype(
                np.float32
            )
        elif how == "order" and array.ndim > 1:
            arrays[name] = np.asfortranarray(array)
        elif how == "text":
            arrays[name] = np.array(dice.choice(("text", b"bytes", "9" * 2000)))
        elif how == "few":
            with np.errstate(all="ignore"):
                arrays = {
                    key: np.full_like(value, np.nan)
                    if value.dtype.kind == "f" and key != "times_s"
                    else value
                    for key, value in arrays.items()
                }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.writestr(f"{name}.npy", _odd_member(dice, member.getvalue()))
    return f"motion: {', '.join(done)}", _odd_index(dice, content.getvalue())


def _odd_member(dice: random.Random, member: bytes) -> bytes:
    """Once in a while, an array whose header lies."""
    if dice.random() > 0.03:
        return member
    header = dice.choice(
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (900000000,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-5,), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (5,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000, 1000000), }",
            "{'descr': '<U9', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
            "(" * 300,
            "{" + "9" * 5000,
            " " * 60_000,
        )
    )
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) % 65536) + header.encode() + member[128:]


def _odd_index(dice: random.Random, content: bytes) -> bytes:
    """Once in a while, an archive that declares other sizes than it has, or a way of packing that is not read."""
    if dice.random() > 0.15:
        return content
    data = bytearray(content)
    at = data.find(b"PK\1\2", dice.randrange(len(data)))
    if at < 0:
        return content
    which, width = dice.choice(((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)))
    number = dice.choice((0, 1, 8, 12, 14, 99, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)) % (1 << 8 * width)
    data[at + which : at + which + width] = number.to_bytes(width, "little")
    return bytes(data)


def bad_joints(dice: random.Random) -> tuple[str, bytes]:
    """A JSON text that is no joints file, or one of a body that cannot be."""
    odd: tuple[object, ...] = (
        *ODD_FLOATS,
        *(
            None,
            True,
            "12",
            [],
            [1],
            [1, 2, 3],
            {},
            {"x": 1},
            [None, 2],
            ["1", "2"],
            [[1], [2]],
            [True, False],
        ),
        *([10**400, 1], [-1e7, 1e7], [1e308, 1], [float("nan"), 1], 10**30),
    )
    places: dict[str, object] = {
        name: [dice.uniform(-50, 350), dice.uniform(-50, 450)]
        for name in (
            *REQUIRED,
            *dice.sample(NAMES, dice.randrange(10)),
            *dice.sample(BESIDE, dice.randrange(3)),
        )
    }
    how = dice.choice(
        ("wild", "value", "drop", "name", "one place", "far", "depth", "long", "twice", "coding", "root")
    )
    text: str | None = None
    coding = "utf-8"
    if how == "value":
        for name in dice.sample(sorted(places), dice.choice((1, 3))):
            places[name] = dice.choice(odd)
    elif how == "drop":
        for name in dice.sample(sorted(places), dice.choice((1, 5))):
            del places[name]
    elif how == "name":
        places[dice.choice(("", "Nose", "nose ", "\0", "\ud800", "x" * 3000, "left_eye\n\x1b[31m"))] = [1, 2]
    elif how == "one place":
        places = {name: [150.5, 50] for name in places}
    elif how == "far":
        scale = dice.choice((0.0, 1e-3, 3, 1e3, 1e6, -1))
        places = {name: [scale * 100 * dice.random(), scale * 100 * dice.random()] for name in places}
    elif how == "depth":
        many = dice.choice((50, 900, 20_000))
        text = dice.choice(("[" * many, '{"nose":' * many, '{"nose": ' + "[" * many + "]" * many + "}"))
    elif how == "long":
        text = json.dumps(places) + " " * dice.choice((60_000, 65_536, 70_000))
    elif how == "twice":
        text = json.dumps(places)[:-1] + ', "nose": [1, "x"]}'
    elif how == "coding":
        coding = dice.choice(("utf-16", "utf-32", "utf-8-sig"))
    elif how == "root":
        text = dice.choice(("", "null", "[]", "NaN", "{", '"nose"', "1" * 5000, "\0" * 99, "{}" * 9, "[1,2]"))
    written = json.dumps(places) if text is None else text
    return f"joints: {how}", written.encode(coding, "surrogatepass")
