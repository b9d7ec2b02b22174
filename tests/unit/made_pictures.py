"""Pictures that the tests of formats make: PNG by hand where Pillow cannot write it, and ICC profiles."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

RED, GREEN, BLUE, GREY = (220, 40, 40), (40, 220, 40), (40, 40, 220), (128, 128, 128)
# Chromaticities of the primaries, and what a code value of 0 to 1 means in light.
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
SRGB = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
ADOBE_GAMMA = 563 / 256
D65, D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def corners(width: int = 400, height: int = 300) -> Bytes:
    """Red upper left, green upper right, blue lower left, grey lower right."""
    rgb = np.full((height, width, 3), GREY, np.uint8)
    rgb[: height // 2, : width // 2] = RED
    rgb[: height // 2, width // 2 :] = GREEN
    rgb[height // 2 :, : width // 2] = BLUE
    return rgb


def saved(image: Image.Image | Bytes, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    pixels: NDArray[np.integer], depth: int, colour: int, *more: bytes, interlaced: bool = False
) -> bytes:
    """A PNG of ``(H, W, C)`` samples of ``depth`` bits; ``more`` are chunks between its header and its pixels."""
    height, width = pixels.shape[:2]
    passes = [(0, 0, 1, 1)]
    if interlaced:  # Adam7 (W3C PNG, 8.2): first column and row, steps
        passes = [
            *(
                (0, 0, 8, 8),
                (4, 0, 8, 8),
                (0, 4, 4, 8),
                (2, 0, 4, 4),
                (0, 2, 2, 4),
                (1, 0, 2, 2),
                (0, 1, 1, 2),
            ),
        ]
    rows = b"".join(
        b"\0" + _packed(row, depth)
        for x, y, across, down in passes
        for row in pixels[y::down, x::across]
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            *(chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")),
        ]
    )


def _packed(row: NDArray[np.integer], depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = (row.reshape(-1, 1).astype(np.uint8) >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits).tobytes()


def linear(code: NDArray[np.floating]) -> NDArray[np.floating]:
    """Light of sRGB's codes (IEC 61966-2-1)."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def coded(light: NDArray[np.floating]) -> NDArray[np.floating]:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def to_xyz(primaries: Sequence[tuple[float, float]]) -> NDArray[np.floating]:
    """RGB light to XYZ at D65, from the primaries' chromaticities."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, D65)


def in_srgb(rgb: Bytes, primaries: Sequence[tuple[float, float]], gamma: float | None) -> Bytes:
    """What an RGB picture of another space is in sRGB: by the textbook, without any library of colours."""
    code = rgb / 255
    light = linear(code) if gamma is None else code**gamma
    matrix = np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)
    return np.rint(255 * coded(light @ matrix.T)).astype(np.uint8)


def rgb_profile(primaries: Sequence[tuple[float, float]], gamma: float | None) -> bytes:
    """A matrix profile; ``gamma`` None is sRGB's curve."""
    adapt = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ D65)) @ BRADFORD
    columns = (adapt @ to_xyz(primaries)).T
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    curve = linear(np.arange(4096) / 4095) if gamma is None else (np.arange(4096) / 4095) ** gamma
    return _profile(b"RGB ", b"XYZ ", {**tags, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(curve))})


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve((np.arange(4096) / 4095) ** gamma)})


def cmyk_profile() -> bytes:
    """A printer whose inks are the opposite of the usual: cyan's channel prints yellow, and yellow's cyan.

    A table of two points for each ink (lut8Type, ICC.1:2001-04, 6.5.8), so that all between them is linear in Lab.
    """
    rows = []
    for number in range(16):  # the first ink changes slowest
        c, m, y, k = (number >> 3) & 1, (number >> 2) & 1, (number >> 1) & 1, number & 1
        light = (1 - c * 0.3) * (1 - m * 0.5) * (1 - y * 0.3) * (1 - k)
        rows.append((round(255 * light), 128 - 60 * y + 60 * m * (1 - k), 128 + 60 * c * (1 - k)))
    matrix = np.eye(3).reshape(-1)
    body = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    body += b"".join(struct.pack(">i", round(value * 65536)) for value in matrix)
    identity = bytes(range(256))
    body += identity * 4 + bytes(value for row in rows for value in row) + identity * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": body}, kind=b"prtr")


def _xyz(values: NDArray[np.floating]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _curve(values: NDArray[np.floating]) -> bytes:
    table = np.rint(values * 65535).astype(">u2").tobytes()
    return b"curv" + bytes(4) + struct.pack(">I", len(values)) + table


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    text = b"text" + bytes(4) + b"made by a test\0"
    named = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {**tags, b"wtpt": _xyz(D50), b"cprt": text, b"desc": named}
    at = 132 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += name + struct.pack(">II", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    header = struct.pack(">I4sI4s4s4s", at + len(bodies), b"test", 0x02400000, kind, space, connection)
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(D50)[8:] + bytes(48)
    assert len(header) == 128
    return header + table + bodies
