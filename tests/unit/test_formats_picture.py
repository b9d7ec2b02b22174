"""Every kind of picture that is read, right to the pixel, and the name of every kind that is not."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from made_pictures import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    DISPLAY_P3,
    Bytes,
    chunk,
    cmyk_profile,
    coded,
    corners,
    grey_profile,
    in_srgb,
    png,
    rgb_profile,
    saved,
)
from PIL import Image

from understudy.errors import PictureError
from understudy.media import pixels
from understudy.media.picture import load_picture

TURNED_BACK = {  # from upright to what a camera with this EXIF orientation stores
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Row:
    """A file, and what it shows: ``rgb`` to within ``off`` levels a pixel (and half that on average), ``alpha``."""

    content: bytes
    rgb: Bytes
    alpha: Bytes | None = None
    off: int = 0


RGB = corners()
FLAT = Image.fromarray(RGB)
GREY = FLAT.convert("L")
GREYS = np.dstack([np.asarray(GREY)] * 3)
RAMP = np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1))
CLEAR = np.tile(np.linspace(0, 255, 300).astype(np.uint8)[:, None], (1, 400))
WITH_ALPHA = Image.fromarray(np.dstack([RGB, CLEAR]))
LEFT = np.where(np.arange(400) < 200, 0, 255).astype(np.uint8)[None].repeat(300, 0)  # clear on the left
HIGH = {"quality": 98, "subsampling": 0}
NEAR, LOSSY = 4, 24  # levels: of JPEG's rounding, and of halved colours at the corners' edges


def cmyk_of(rgb: Bytes) -> Bytes:
    return np.dstack([255 - rgb, np.zeros(rgb.shape[:2], np.uint8)])


def ycck() -> bytes:
    """Adobe's YCCK (Adobe TN 5116): the inks as YCbCr of their opposite, the black beside it."""
    inks = np.asarray(Image.fromarray(cmyk_of(RGB)[..., :3]).convert("YCbCr"))
    channels = np.dstack([255 - inks, np.zeros(RGB.shape[:2], np.uint8)])
    data = bytearray(saved(Image.fromarray(channels, "CMYK"), "JPEG", **HIGH))
    at = data.index(b"Adobe")
    data[at + 11] = 2
    return bytes(data)


def without_adobe() -> bytes:
    """CMYK as printers mean it, 255 for full ink, without the segment that says otherwise."""
    data = saved(Image.fromarray(255 - cmyk_of(RGB), "CMYK"), "JPEG", **HIGH)
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def with_thumbnail() -> bytes:
    """A JPEG whose EXIF holds another, small JPEG, as cameras write them."""
    small = saved(Image.new("RGB", (160, 120), "yellow"), "JPEG")
    first = struct.pack("<HHHIHH", 1, 0x0112, 3, 1, 1, 0) + struct.pack("<I", 26)
    second = struct.pack("<HHHII", 2, 0x0201, 4, 1, 56) + struct.pack("<HHIII", 0x0202, 4, 1, len(small), 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + first + second + small
    return saved(FLAT, "JPEG", exif=exif, **HIGH)


def palette(**options: object) -> bytes:
    return saved(FLAT.quantize(8), "PNG", **options)


def first_of_two(kind: str, **options: object) -> bytes:
    return saved(FLAT, kind, save_all=True, append_images=[FLAT.rotate(180)], **options)


def sixteen(values: np.ndarray) -> np.ndarray:
    return values.astype(np.uint16) * 257


ROWS: dict[str, Callable[[], Row]] = {
    "jpeg-444": lambda: Row(saved(FLAT, "JPEG", **HIGH), RGB, off=NEAR),
    "jpeg-422": lambda: Row(saved(FLAT, "JPEG", quality=95, subsampling=1), RGB, off=LOSSY),
    "jpeg-420": lambda: Row(saved(FLAT, "JPEG", quality=95, subsampling=2), RGB, off=LOSSY),
    "jpeg-progressive": lambda: Row(saved(FLAT, "JPEG", progressive=True, **HIGH), RGB, off=NEAR),
    "jpeg-restarts": lambda: Row(saved(FLAT, "JPEG", restart_marker_rows=1, **HIGH), RGB, off=NEAR),
    "jpeg-grey": lambda: Row(saved(GREY, "JPEG", quality=98), GREYS, off=NEAR),
    "jpeg-thumbnail": lambda: Row(with_thumbnail(), RGB, off=NEAR),
    "jpeg-cmyk-adobe": lambda: Row(
        saved(Image.fromarray(cmyk_of(RGB), "CMYK"), "JPEG", **HIGH), RGB, off=NEAR
    ),
    "jpeg-cmyk-plain": lambda: Row(without_adobe(), RGB, off=NEAR),
    "jpeg-ycck": lambda: Row(ycck(), RGB, off=NEAR),
    "jpeg-mpo": lambda: Row(first_of_two("MPO", **HIGH), RGB, off=NEAR),
    "jpeg-then-video": lambda: Row(saved(FLAT, "JPEG", **HIGH) + b"\0\0\0\x18ftypmp42" * 99, RGB, off=NEAR),
    "png": lambda: Row(saved(FLAT, "PNG"), RGB),
    "png-palette": lambda: Row(palette(), RGB, off=1),
    "png-palette-clear": lambda: Row(
        palette(transparency=FLAT.quantize(8).getpixel((0, 0))),
        RGB,
        np.where((np.arange(300)[:, None] < 150) & (np.arange(400) < 200), 0, 255).astype(np.uint8),
        1,
    ),
    "png-palette-half-clear": lambda: Row(
        png(
            LEFT[..., None] // 255, 8, 3, chunk(b"PLTE", b"\x10\x20\x30\xc0\xd0\xe0"), chunk(b"tRNS", b"\x66")
        ),
        np.where(LEFT[..., None] == 0, (0x10, 0x20, 0x30), (0xC0, 0xD0, 0xE0)).astype(np.uint8),
        np.where(LEFT == 0, 0x66, 255).astype(np.uint8),
    ),
    "png-grey": lambda: Row(saved(Image.fromarray(RAMP), "PNG"), np.dstack([RAMP] * 3)),
    "png-grey-alpha": lambda: Row(saved(np.dstack([RAMP, CLEAR]), "PNG"), np.dstack([RAMP] * 3), CLEAR),
    "png-grey-clear-level": lambda: Row(
        png(LEFT[..., None] // 2, 8, 0, chunk(b"tRNS", struct.pack(">H", 0))),
        np.dstack([LEFT // 2] * 3),
        LEFT,
    ),
    "png-rgb-clear-colour": lambda: Row(
        png(RGB, 8, 2, chunk(b"tRNS", struct.pack(">3H", 220, 40, 40))),
        RGB,
        np.where((RGB == (220, 40, 40)).all(axis=2), 0, 255).astype(np.uint8),
    ),
    "png-1": lambda: Row(png(LEFT[..., None] // 255, 1, 0), np.dstack([LEFT] * 3)),
    "png-1-clear-level": lambda: Row(
        png(LEFT[..., None] // 255, 1, 0, chunk(b"tRNS", struct.pack(">H", 1))),
        np.dstack([LEFT] * 3),
        255 - LEFT,
    ),
    "png-2": lambda: Row(png(RAMP[..., None] // 64, 2, 0), np.dstack([RAMP // 64 * 85] * 3)),
    "png-4": lambda: Row(png(RAMP[..., None] // 16, 4, 0), np.dstack([RAMP // 16 * 17] * 3)),
    "png-4-clear-level": lambda: Row(
        png(LEFT[..., None] // 17, 4, 0, chunk(b"tRNS", struct.pack(">H", 15))),
        np.dstack([LEFT] * 3),
        255 - LEFT,
    ),
    "png-16-grey": lambda: Row(png(sixteen(RAMP)[..., None], 16, 0), np.dstack([RAMP] * 3)),
    "png-16-grey-alpha": lambda: Row(
        png(sixteen(np.dstack([RAMP, CLEAR])), 16, 4), np.dstack([RAMP] * 3), CLEAR, 1
    ),
    "png-16-rgb": lambda: Row(png(sixteen(RGB), 16, 2), RGB, off=1),
    "png-16-rgb-clear-colour": lambda: Row(
        png(sixteen(RGB), 16, 2, chunk(b"tRNS", struct.pack(">3H", *sixteen(RGB[0, 0])))),
        RGB,
        np.where((RGB == (220, 40, 40)).all(axis=2), 0, 255).astype(np.uint8),
        1,
    ),
    "png-16-rgba": lambda: Row(png(sixteen(np.dstack([RGB, CLEAR])), 16, 6), RGB, CLEAR, 1),
    "png-interlaced": lambda: Row(png(RGB, 8, 2, interlaced=True), RGB),
    "png-interlaced-16": lambda: Row(
        png(sixteen(RAMP)[..., None], 16, 0, interlaced=True), np.dstack([RAMP] * 3)
    ),
    "png-gamma-1": lambda: Row(  # linear light
        png(RAMP[..., None], 8, 0, chunk(b"gAMA", struct.pack(">I", 100_000))),
        np.dstack([np.rint(255 * (RAMP / 255) ** (1 / 2.2)).astype(np.uint8)] * 3),
        off=1,
    ),
    "png-gamma-usual": lambda: Row(png(RGB, 8, 2, chunk(b"gAMA", struct.pack(">I", 45_455))), RGB),
    "png-gamma-beside-srgb": lambda: Row(
        png(RGB, 8, 2, chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 100_000))), RGB
    ),
    "png-gamma-nonsense": lambda: Row(png(RGB, 8, 2, chunk(b"gAMA", bytes(4))), RGB),
    "png-alpha": lambda: Row(saved(WITH_ALPHA, "PNG"), RGB, CLEAR),
    "png-all-clear": lambda: Row(
        saved(np.dstack([RGB, np.zeros((300, 400), np.uint8)]), "PNG"), RGB, np.zeros((300, 400), np.uint8)
    ),
    "png-animated": lambda: Row(first_of_two("PNG"), RGB),
    "webp-lossy": lambda: Row(saved(FLAT, "WEBP", quality=95), RGB, off=2 * LOSSY),
    "webp-lossless": lambda: Row(saved(FLAT, "WEBP", lossless=True), RGB),
    "webp-alpha": lambda: Row(saved(WITH_ALPHA, "WEBP", lossless=True, exact=True), RGB, CLEAR),
    "webp-animated": lambda: Row(first_of_two("WEBP", lossless=True), RGB),
    "avif": lambda: Row(saved(FLAT, "AVIF", quality=95, subsampling="4:4:4", speed=10), RGB, off=LOSSY),
    "avif-alpha": lambda: Row(
        saved(WITH_ALPHA, "AVIF", quality=95, subsampling="4:4:4", speed=10), RGB, CLEAR, LOSSY
    ),
    "bmp": lambda: Row(saved(FLAT, "BMP"), RGB),
    "bmp-palette": lambda: Row(saved(FLAT.quantize(8), "BMP"), RGB, off=1),
    "bmp-1": lambda: Row(saved(Image.fromarray(LEFT).convert("1"), "BMP"), np.dstack([LEFT] * 3)),
    "gif": lambda: Row(saved(FLAT.quantize(8), "GIF"), RGB, off=1),
    "gif-animated": lambda: Row(first_of_two("GIF"), RGB, off=3),
    "icc-display-p3": lambda: Row(
        saved(FLAT, "PNG", icc_profile=rgb_profile(DISPLAY_P3, None)), in_srgb(RGB, DISPLAY_P3, None), off=2
    ),
    "icc-display-p3-jpeg": lambda: Row(
        saved(FLAT, "JPEG", icc_profile=rgb_profile(DISPLAY_P3, None), **HIGH),
        in_srgb(RGB, DISPLAY_P3, None),
        off=NEAR,
    ),
    "icc-display-p3-webp": lambda: Row(
        saved(FLAT, "WEBP", lossless=True, icc_profile=rgb_profile(DISPLAY_P3, None)),
        in_srgb(RGB, DISPLAY_P3, None),
        off=2,
    ),
    "icc-display-p3-avif": lambda: Row(
        saved(
            FLAT, "AVIF", quality=95, subsampling="4:4:4", speed=10, icc_profile=rgb_profile(DISPLAY_P3, None)
        ),
        in_srgb(RGB, DISPLAY_P3, None),
        off=LOSSY,
    ),
    "icc-display-p3-alpha": lambda: Row(
        saved(WITH_ALPHA, "PNG", icc_profile=rgb_profile(DISPLAY_P3, None)),
        in_srgb(RGB, DISPLAY_P3, None),
        CLEAR,
        2,
    ),
    "icc-display-p3-palette": lambda: Row(
        palette(icc_profile=rgb_profile(DISPLAY_P3, None)), in_srgb(RGB, DISPLAY_P3, None), off=3
    ),
    "icc-adobe-rgb": lambda: Row(
        saved(FLAT, "PNG", icc_profile=rgb_profile(ADOBE_RGB, ADOBE_GAMMA)),
        in_srgb(RGB, ADOBE_RGB, ADOBE_GAMMA),
        off=2,
    ),
    "icc-grey": lambda: Row(
        saved(Image.fromarray(RAMP), "PNG", icc_profile=grey_profile(1.8)),
        np.dstack([np.rint(255 * coded((RAMP / 255) ** 1.8)).astype(np.uint8)] * 3),
        off=2,
    ),
    "icc-grey-alpha": lambda: Row(
        saved(np.dstack([RAMP, CLEAR]), "PNG", icc_profile=grey_profile(1.8)),
        np.dstack([np.rint(255 * coded((RAMP / 255) ** 1.8)).astype(np.uint8)] * 3),
        CLEAR,
        2,
    ),
    "icc-grey-16": lambda: Row(
        saved(Image.fromarray(sixteen(RAMP)), "PNG", icc_profile=grey_profile(1.8)),
        np.dstack([np.rint(255 * coded((RAMP / 255) ** 1.8)).astype(np.uint8)] * 3),
        off=2,
    ),
    "icc-of-rgb-in-grey": lambda: Row(
        saved(GREY, "PNG", icc_profile=rgb_profile(ADOBE_RGB, 2.2)), GREYS, off=4
    ),
    "icc-of-cmyk-in-rgb": lambda: Row(saved(FLAT, "PNG", icc_profile=cmyk_profile()), RGB),
    "icc-broken": lambda: Row(saved(FLAT, "PNG", icc_profile=rgb_profile(DISPLAY_P3, None)[:200]), RGB),
    "icc-no-profile": lambda: Row(
        saved(FLAT, "JPEG", icc_profile=b"not a profile at all", **HIGH), RGB, off=NEAR
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_picture_of_every_kind_is_read_right(tmp_path: Path, name: str) -> None:
    row = ROWS[name]()
    path = tmp_path / "picture"
    path.write_bytes(row.content)
    picture = load_picture(path)
    assert picture.rgb.shape == row.rgb.shape
    off = np.abs(picture.rgb.astype(int) - row.rgb)
    assert np.percentile(off, 99) <= row.off  # a hundredth for the edges of JPEG's blocks
    assert off.mean() <= row.off / 2
    assert (picture.alpha is None) == (row.alpha is None)
    if picture.alpha is not None and row.alpha is not None:
        assert np.abs(picture.alpha.astype(int) - row.alpha).max() <= row.off


def test_inks_go_through_their_profile(tmp_path: Path) -> None:
    """The profile's printer has yellow where others have cyan: only who reads it sees yellow."""
    cyan = Image.new("CMYK", (400, 300), (255, 0, 0, 0))
    path = tmp_path / "print.jpg"
    cyan.save(path, quality=95, icc_profile=cmyk_profile())
    red, green, blue = load_picture(path).rgb[9, 9].astype(int)
    assert min(red, green) > blue + 60
    cyan.save(path, quality=95)
    red, green, blue = load_picture(path).rgb[9, 9].astype(int)
    assert min(green, blue) > red + 60


@pytest.mark.parametrize("orientation", TURNED_BACK)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_every_turn_of_every_kind_comes_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    back = TURNED_BACK[orientation]
    stored = WITH_ALPHA if back is None else WITH_ALPHA.transpose(back)
    if kind == "JPEG":
        stored = stored.convert("RGB")
    exif = Image.Exif()
    exif[pixels.EXIF_ORIENTATION] = orientation
    options = {
        "JPEG": HIGH,
        "PNG": {},
        "WEBP": {"lossless": True, "exact": True},
        "AVIF": {"quality": 95, "subsampling": "4:4:4", "speed": 10},
    }[kind]
    path = tmp_path / "turned"
    path.write_bytes(saved(stored, kind, exif=exif, **options))
    picture = load_picture(path)
    assert picture.rgb.shape == RGB.shape
    assert np.abs(picture.rgb.astype(int) - RGB).mean() < 3
    if kind != "JPEG":
        assert picture.alpha is not None
        assert np.abs(picture.alpha.astype(int) - CLEAR).mean() < 1


@pytest.mark.parametrize(
    "name", ["a.JPG", "a.png", "a.jpeg", "a.gif", "a", "a.jpg.txt", ".png", "a b\n\t'\".jpg"]
)
def test_a_name_says_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(saved(FLAT, "JPEG", **HIGH))
    assert load_picture(path).width == 400


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")
    Path(path).write_bytes(saved(FLAT, "PNG"))
    assert load_picture(path).width == 400


def test_colours_under_clear_pixels_do_not_show(tmp_path: Path) -> None:
    """Edges as they come from straight alpha: black under the clear part must not darken what is half clear."""
    rgb, alpha = np.zeros((300, 400, 3), np.uint8), LEFT.copy()
    rgb[:, 199:] = (250, 120, 0)
    alpha[:, 199] = 128
    path = tmp_path / "cut.png"
    path.write_bytes(saved(np.dstack([rgb, alpha]), "PNG"))
    shown = load_picture(path).on_white()
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert np.abs(shown[0, 199].astype(int) - (252, 187, 127)).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_of_more_pixels_than_any_output_shows_is_shrunk(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "MOST_KEPT_PIXELS", 400 * 301)
    monkeypatch.setattr(pixels, "STRIP_PIXELS", 20_000)
    large = corners(801, 601)
    content = (
        saved(large, "JPEG", **HIGH) if kind == "JPEG" else saved(np.dstack([large, large[..., 0]]), "PNG")
    )
    path = tmp_path / "large"
    path.write_bytes(content)
    cut = []
    monkeypatch.setattr(
        Image.Image, "crop", lambda self, box, cut_=Image.Image.crop: cut.append(box) or cut_(self, box)
    )
    picture = load_picture(path)
    assert (picture.width, picture.height, picture.shrunk) == (401, 301, 2)
    assert cut[-1][3] == {"JPEG": 301, "PNG": 601}[kind]  # JPEG's decoder has shrunk it already
    assert np.abs(picture.rgb[::7, ::7].astype(int) - large[::14, ::14]).mean() < 2
    if kind == "PNG":
        assert picture.alpha is not None
        assert np.abs(picture.alpha[::7, ::7].astype(int) - large[::14, ::14, 0]).mean() < 2


def heic(*brands: bytes) -> bytes:
    return (
        struct.pack(">I", 8 + 4 * (len(brands) + 1)) + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    )


OTHERS = {
    "HEIC": heic(b"heic", b"mif1", b"heic"),
    "HEIC-general": heic(b"mif1", b"mif1", b"heic"),
    "TIFF": b"II*\0\x08\0\0\0",
    "TIFF-big-endian": b"MM\0*\0\0\0\x08",
    "camera raw": b"II*\0\x10\0\0\0CR\x02\0",
    "JPEG XL": b"\xff\x0a\xfa",
    "JPEG XL-boxed": b"\0\0\0\x0cJXL \r\n\x87\n",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "Photoshop": b"8BPS\0\1",
    "GIMP": b"gimp xcf v011",
    "PDF": b"%PDF-1.7",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0",
    "SVG": b'<?xml version="1.0"?>\n<!-- made by -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "web page": b"\n<!DOCTYPE HTML><html><head>",
    "MP4 or MOV video": heic(b"isom", b"mp41"),
    "Matroska or WebM video": b"\x1aE\xdf\xa3",
    "icon": b"\0\0\1\0\1\0",
    "ZIP": b"PK\3\4",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_read_is_called_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(OTHERS[name] + bytes(100))
    with pytest.raises(PictureError) as caught:
        load_picture(path)
    assert caught.value.code == "picture_format"
    assert caught.value.value == name.partition("-")[0]
    assert str(caught.value.value) in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(
    "content", [b"", b"hello", bytes(1000), b"RIFF\0\0\0\0WAVE", b"\xff\xd8", b"<?xml?><a/>"]
)
def test_what_is_no_picture_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(PictureError) as caught:
        load_picture(path)
    assert caught.value.code == "picture_format"


def refused(path: Path | str) -> PictureError:
    with pytest.raises(PictureError) as caught:
        load_picture(path, limits=False)
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    return caught.value


def huge(kind: str) -> bytes:
    """A small file that says it has far too many pixels."""
    if kind == "PNG":
        return png(np.zeros((40, 40, 3), np.uint8), 8, 2).replace(struct.pack(">II", 40, 40), b"\0\1\0\0" * 2)
    if kind == "BMP":
        data = bytearray(saved(FLAT, "BMP"))
        data[18:26] = struct.pack("<ii", 65_000, 65_000)
        return bytes(data)
    if kind == "GIF":
        data = bytearray(saved(FLAT.quantize(8), "GIF"))
        data[6:10] = struct.pack("<HH", 65_000, 65_000)
        return bytes(data)
    if kind == "JPEG":
        data = bytearray(saved(FLAT, "JPEG"))
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 12_000, 12_000)
        return bytes(data)
    return saved(Image.new("RGB", (7000, 6000)), kind, lossless=True, quality=0, method=0, speed=10)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_bombs_of_every_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(huge(kind))
    assert refused(path).code == "picture_too_many_pixels"


def test_a_jpeg_of_thousands_of_scans(tmp_path: Path) -> None:
    data = saved(FLAT, "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xc4", first)
    path = tmp_path / "scans.jpg"
    path.write_bytes(data[:first] + data[first:second] * 501 + data[second:])
    error = refused(path)
    assert error.code == "picture_damaged"
    assert error.limit == "500 scans"


@pytest.mark.parametrize(
    ("marker", "bits"), [(0xC1, 12), (0xC3, 8), (0xC7, 8)], ids=["12 bits", "lossless", "steps"]
)
def test_a_jpeg_of_a_rare_kind_is_not_called_damaged(tmp_path: Path, marker: int, bits: int) -> None:
    data = bytearray(saved(FLAT, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    path = tmp_path / "rare.jpg"
    path.write_bytes(bytes(data))
    error = refused(path)
    assert error.code == "picture_format"
    assert "rare kind" in error.message


def test_no_ordinary_file_is_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    gone = tmp_path / "gone.png"
    gone.symlink_to(tmp_path / "nowhere")
    for path in (pipe, loop, gone, tmp_path, Path("/dev/zero"), Path("/dev/null"), "a\0b.png", "x" * 5000):
        assert refused(path).code == "picture_unreadable"
    link = tmp_path / "link.png"
    (tmp_path / "real.png").write_bytes(saved(FLAT, "PNG"))
    link.symlink_to(tmp_path / "real.png")
    assert load_picture(link).width == 400


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    path.write_bytes(saved(FLAT, "PNG"))
    os.truncate(path, 600 * 2**20)
    assert refused(path).code == "picture_file_size"


def test_nothing_is_written_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad"
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP"):
        content = saved(FLAT, kind)
        for cut in (12, 100, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:cut] + b"\xff" * 9)
            with suppress(PictureError):
                load_picture(path)
    assert capfd.readouterr().err == ""
