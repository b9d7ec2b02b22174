"""Pictures: formats, turns, colours, limits, hostile files."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from understudy.errors import PictureError
from understudy.media.limits import API_PICTURES
from understudy.media.picture import Picture, load_picture, output_size
from understudy.request import Mode


def corners(width: int = 400, height: int = 300) -> NDArray[np.uint8]:
    rgb = np.full((height, width, 3), 128, np.uint8)
    rgb[: height // 2, : width // 2] = (220, 40, 40)
    rgb[: height // 2, width // 2 :] = (40, 220, 40)
    rgb[height // 2 :, : width // 2] = (40, 40, 220)
    return rgb


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *more,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        ]
    )


def refused(path: Path, **options: bool) -> str:
    with pytest.raises(PictureError) as caught:
        load_picture(path, **options)
    assert caught.value.fix
    return caught.value.code


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_every_exif_orientation_comes_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    upright = Image.fromarray(corners())
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if back is None else upright.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned"
    stored.save(path, kind, exif=exif, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    picture = load_picture(path)
    assert (picture.width, picture.height) == (400, 300)
    assert np.abs(picture.rgb.astype(int) - corners()).mean() < 3


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(corners()).save(path, "JPEG")
    assert load_picture(path).width == 400
    other = tmp_path / "photo.jpg"
    Image.fromarray(corners()).save(other, "WEBP", lossless=True)
    assert np.array_equal(load_picture(other).rgb, corners())
    with pytest.raises(PictureError, match="is WebP") as caught:  # the service takes what Kling's API takes
        load_picture(other, kinds=API_PICTURES)
    assert (caught.value.code, caught.value.limit) == ("picture_format", "JPEG, PNG")


def test_double_jpeg_of_phones(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    image = Image.fromarray(corners())
    image.save(path, "MPO", save_all=True, append_images=[image.rotate(180)], quality=95)
    assert np.abs(load_picture(path).rgb.astype(int) - corners()).mean() < 4


def test_alpha_is_kept_and_an_opaque_one_is_none(tmp_path: Path) -> None:
    alpha = np.full((300, 400), 255, np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([corners(), alpha])).save(path)
    assert load_picture(path).alpha is None
    alpha[:, :100] = 7
    Image.fromarray(np.dstack([corners(), alpha])).save(path)
    picture = load_picture(path)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha)
    assert np.array_equal(picture.rgb, corners())


def test_grey_with_alpha_and_palette_with_alpha(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1))
    alpha = np.full_like(grey, 255)
    alpha[:50] = 0
    path = tmp_path / "g.png"
    Image.fromarray(np.dstack([grey, alpha])).save(path)
    picture = load_picture(path)
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 0
    assert np.array_equal(picture.rgb, np.dstack([grey] * 3))

    palette = Image.fromarray(corners()).quantize(8)
    index = palette.getpixel((0, 0))
    palette.save(path, transparency=index)
    picture = load_picture(path)
    assert picture.alpha is not None
    assert picture.alpha[10, 10] == 0
    assert picture.alpha[-1, -1] == 255
    assert np.abs(picture.rgb[-10, -10].astype(int) - 128).max() < 3


def test_one_bit(tmp_path: Path) -> None:
    path = tmp_path / "b.png"
    Image.fromarray(corners()[..., 0] > 100).save(path)
    assert set(np.unique(load_picture(path).rgb)) == {0, 255}


def test_grey_of_16_bits_is_scaled_not_cut(tmp_path: Path) -> None:
    deep = np.tile(np.linspace(0, 65535, 400).astype(np.uint16), (300, 1))
    path = tmp_path / "deep.png"
    Image.fromarray(deep).save(path)
    rgb = load_picture(path).rgb
    assert np.abs(rgb[0, :, 0].astype(float) - deep[0] / 257).max() <= 0.51


def test_transparent_level_of_16_bit_grey(tmp_path: Path) -> None:
    deep = np.full((300, 400), 30000, ">u2")
    deep[:, :200] = 40000
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    path = tmp_path / "deep.png"
    path.write_bytes(png(400, 300, 16, 0, rows, png_chunk(b"tRNS", struct.pack(">H", 40000))))
    picture = load_picture(path)
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 0
    assert picture.alpha[0, -1] == 255


def test_colour_of_16_bits(tmp_path: Path) -> None:
    deep = np.zeros((300, 400, 3), ">u2")
    deep[...] = (65535, 32768, 257)
    path = tmp_path / "deep.png"
    path.write_bytes(png(400, 300, 16, 2, b"".join(b"\0" + row.tobytes() for row in deep)))
    assert np.abs(load_picture(path).rgb[0, 0].astype(int) - (255, 128, 1)).max() <= 1


def test_cmyk(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(corners()).convert("CMYK").save(path, quality=95)
    rgb = load_picture(path).rgb.astype(int)
    assert rgb[10, 10, 0] > 150
    assert rgb[10, 10, 2] < 100
    assert rgb[-10, 10, 2] > 150
    assert rgb[-10, 10, 0] < 100


def test_icc_profile_is_honoured_and_a_broken_one_ignored(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The same profile with red and blue exchanged: a picture tagged with it changes colour if it is used.
    tags = {
        lab[132 + 12 * i : 136 + 12 * i]: 132 + 12 * i for i in range(struct.unpack(">I", lab[128:132])[0])
    }
    swapped = bytearray(lab)
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    swapped[red + 4 : red + 12], swapped[blue + 4 : blue + 12] = (
        lab[blue + 4 : blue + 12],
        lab[red + 4 : red + 12],
    )
    path = tmp_path / "icc.png"
    Image.fromarray(corners()).save(path, icc_profile=bytes(swapped))
    assert np.abs(load_picture(path).rgb.astype(int) - corners()[..., ::-1]).max() <= 3
    Image.fromarray(corners()).save(path, icc_profile=b"not a profile at all")
    assert np.array_equal(load_picture(path).rgb, corners())
    Image.fromarray(corners()[..., 0]).save(path, icc_profile=lab)
    assert np.abs(load_picture(path).rgb[..., 0].astype(int) - corners()[..., 0]).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated_files_are_one_clear_error(tmp_path: Path, kind: str) -> None:
    whole = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 255, (320, 320, 3), np.uint8)
    Image.fromarray(noise).save(whole, kind)
    data = whole.getvalue()
    path = tmp_path / "cut"
    for share in (0.9, 0.5, 0.1, 0.001):
        path.write_bytes(data[: max(int(len(data) * share), 12)])
        assert refused(path) == "picture_damaged"


def test_damaged_bytes_never_escape_as_other_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    path = tmp_path / "fuzz"
    for kind in ("JPEG", "PNG"):
        whole = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(corners()).save(whole, kind, exif=exif)
        for _ in range(60):
            data = bytearray(whole.getvalue())
            for place in random.integers(3, len(data), 6):
                data[place] = random.integers(256)
            path.write_bytes(data)
            with suppress(PictureError):
                load_picture(path)


def test_missing_folder_and_empty(tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing.png") == "picture_unreadable"
    assert refused(tmp_path) == "picture_unreadable"
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert refused(empty) == "picture_format"


@pytest.mark.parametrize("side", [12_000, 60_000, 2**31 - 1])
def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, 8, 2, b"\0" * 100))
    assert refused(path) == "picture_too_many_pixels"
    assert refused(path, limits=False) == "picture_too_many_pixels"


def test_jpeg_bomb(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(corners()).save(whole, "JPEG")
    data = bytearray(whole.getvalue())
    start = data.index(b"\xff\xc0") + 5
    path = tmp_path / "bomb.jpg"
    for side in (11_000, 65_000):
        data[start : start + 4] = struct.pack(">HH", side, side)
        path.write_bytes(data)
        assert refused(path) == "picture_too_many_pixels"


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (31, 31), (40, 401)])
def test_slivers_are_refused_without_the_limits_too(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "x.png")
    with pytest.raises(PictureError) as caught:
        load_picture(tmp_path / "x.png", limits=False)
    assert caught.value.code == "picture_sliver"
    assert caught.value.value == f"{size[0]}x{size[1]} px"


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="it is a folder"):
        load_picture(tmp_path)


def test_limits(tmp_path: Path) -> None:
    path = tmp_path / "p.png"

    def save(width: int, height: int) -> Path:
        Image.new("L", (width, height), 9).save(path)
        return path

    assert refused(save(299, 400)) == "picture_too_small"
    assert refused(save(751, 300)) == "picture_aspect"
    assert refused(save(300, 751)) == "picture_aspect"
    assert load_picture(save(300, 750)).height == 750
    assert load_picture(save(750, 300)).width == 750
    assert load_picture(save(90, 60), limits=False).width == 90
    data = save(300, 300).read_bytes()
    path.write_bytes(data + b"\0" * (10 * 2**20 - len(data)))
    assert load_picture(path).width == 300
    path.write_bytes(data + b"\0" * (10 * 2**20 - len(data) + 1))
    assert refused(path) == "picture_file_size"
    assert load_picture(path, limits=False).width == 300


def test_the_error_tells_value_and_limit(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    Image.new("L", (257, 279)).save(path)
    with pytest.raises(PictureError, match="257x279") as caught:
        load_picture(path)
    assert (caught.value.value, caught.value.limit) == ("257x279 px", "300 px")


@pytest.mark.parametrize(
    ("width", "height", "mode", "expected"),
    [
        (720, 1280, Mode.STD, (720, 1280)),
        (1280, 720, Mode.PRO, (1920, 1080)),
        (500, 500, Mode.PRO, (1080, 1080)),
        (622, 913, Mode.STD, (720, 1056)),
        (300, 750, Mode.PRO, (1080, 2700)),
        (100, 2000, Mode.STD, (204, 4096)),
        (5000, 3, Mode.STD, (4096, 2)),
    ],
)
def test_output_size(width: int, height: int, mode: Mode, expected: tuple[int, int]) -> None:
    assert output_size(Picture(np.zeros((height, width, 3), np.uint8), None), mode) == expected
