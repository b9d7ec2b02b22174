"""A network of two layers in ONNX's own bytes: it finds what is redder than green. For the tests of the learned matte.

The format is that of onnx.proto (opset 13, IR 8), written by hand: fields are numbers, lengths and bytes, and a package
that weighs 50 MB for thirty lines does not pay.
"""

from __future__ import annotations

import struct
from pathlib import Path

FLOAT, INTS_ATTRIBUTE = 1, 7
GAIN, EDGE = 40.0, 0.15  # of the sigmoid; how much redder than green, of 1


def write_network(path: Path, side: int | None = 64) -> Path:
    """Input (1, 3, side, side), -0.5..0.5; outputs (1, 1, side, side) 0..1, the second one not to be used.

    ``side`` None leaves the size open.
    """
    weights = struct.pack("<3f", GAIN, -GAIN, 0.0)
    bias = struct.pack("<f", -GAIN * EDGE)
    graph = b"".join(
        [
            _sub(
                1,
                _node("Conv", ("picture", "weights", "bias"), "sum") + _sub(5, _ints("kernel_shape", (1, 1))),
            ),
            _sub(1, _node("Sigmoid", ("sum",), "alpha")),
            _sub(1, _node("Neg", ("sum",), "nonsense")),
            _text(2, "reds"),
            _sub(5, _tensor("weights", (1, 3, 1, 1), weights)),
            _sub(5, _tensor("bias", (1,), bias)),
            _sub(11, _value("picture", (1, 3, side, side))),
            _sub(12, _value("alpha", (1, 1, side, side))),
            _sub(12, _value("nonsense", (1, 1, side, side))),
        ]
    )
    path.write_bytes(_number(1, 8) + _sub(7, graph) + _sub(8, _text(1, "") + _number(2, 13)))
    return path


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _sub(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _sub(field, text.encode())


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)


def _ints(name: str, values: tuple[int, ...]) -> bytes:
    return _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, INTS_ATTRIBUTE)


def _tensor(name: str, dims: tuple[int, ...], raw: bytes) -> bytes:
    return b"".join(_number(1, n) for n in dims) + _number(2, FLOAT) + _text(8, name) + _sub(9, raw)


def _value(name: str, dims: tuple[int | None, ...]) -> bytes:
    shape = b"".join(_sub(1, _text(2, "side") if n is None else _number(1, n)) for n in dims)
    return _text(1, name) + _sub(2, _sub(1, _number(1, FLOAT) + _sub(2, shape)))
