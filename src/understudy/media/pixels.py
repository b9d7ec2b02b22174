"""A decoded image's pixels as upright sRGB arrays, whatever its mode, depth, profile and turn.

An image is converted in strips, so that no second copy of it is ever whole in memory, and one with more pixels than
any output can show is shrunk on the way.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, ImageFile

Bytes = NDArray[np.uint8]

# The largest output has 1080 x 2700 pixels within the limits; twice that on each side is left to scale down from.
MOST_KEPT_PIXELS = 25_000_000
STRIP_PIXELS = 4_000_000
EXIF_ORIENTATION = 0x0112
TURNS: dict[int, Callable[[Bytes], Bytes]] = {  # EXIF 2.32, 4.6.4: from what is stored to upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
DEPTH_SCALES = {"L;2": 85, "L;4": 17}  # Pillow's names of how a PNG stores grey
USUAL_GAMMA = 1 / 2.2  # of a PNG's gAMA chunk: what sRGB is close to
GAMMAS = (0.1, 2.5)  # of a sane chunk

Converter = Callable[[Image.Image], Image.Image]


def upright_pixels(image: Image.Image) -> tuple[Bytes, Bytes | None, int]:
    """Decode an opened image: its sRGB ``(H, W, 3)``, its alpha ``(H, W)`` where it has one, and by how much it was
    shrunk (1: not at all).

    Raises whatever Pillow's decoders do.
    """
    shrunk = math.ceil(math.sqrt(image.width * image.height / MOST_KEPT_PIXELS))
    wanted = (math.ceil(image.width / shrunk), math.ceil(image.height / shrunk))
    if shrunk > 1:
        image.draft(None, (image.width // shrunk, image.height // shrunk))  # JPEG's decoder shrinks by itself
    _scale_clear_level(image)
    image.load()
    turn = TURNS.get(_orientation(image))
    factor = shrunk if image.size != wanted else 1
    rgb = np.empty((wanted[1], wanted[0], 3), np.uint8)
    alpha = np.empty((wanted[1], wanted[0]), np.uint8) if _has_alpha(image) else None
    convert = _converter(image)
    rows = max(STRIP_PIXELS // image.width // factor, 1)  # of the arrays
    for top in range(0, wanted[1], rows):
        part = slice(top, top + rows)
        box = (0, top * factor, image.width, min((top + rows) * factor, image.height))
        strip = _eight_bit(image if image.height <= rows * factor else image.crop(box))
        if alpha is not None:
            strip = strip.convert("LA" if strip.mode in {"1", "L", "LA"} else "RGBA")
            cover = strip.getchannel("A")
            strip = strip.convert(strip.mode[:-1])
            alpha[part] = np.asarray(cover.reduce(factor) if factor > 1 else cover)
        colours = convert(strip)
        rgb[part] = np.asarray(colours.reduce(factor) if factor > 1 else colours)
    if turn is not None:
        rgb = np.ascontiguousarray(turn(rgb))
        alpha = None if alpha is None else np.ascontiguousarray(turn(alpha))
    return rgb, alpha, shrunk


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a damaged EXIF block counts as upright."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:
        return 1


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"LA", "PA", "RGBA"} or "transparency" in image.info


def _scale_clear_level(image: Image.Image) -> None:
    """A PNG's transparent grey of fewer than 8 bits, put on the scale that Pillow puts the pixels on."""
    level = image.info.get("transparency")
    stored = image.tile[0].args if isinstance(image, ImageFile.ImageFile) and image.tile else None
    scale = DEPTH_SCALES.get(stored) if isinstance(stored, str) else None
    if scale and isinstance(level, int) and level <= 255 // scale:
        image.info["transparency"] = level * scale


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of any depth scaled to 8 bits, its transparent level made alpha; others as they are.

    Inks whose file has no Adobe segment are 255 where they are full, which Pillow takes the other way round.
    """
    if image.mode == "CMYK" and "adobe" not in image.info:
        return ImageChops.invert(image)
    clear = image.info.get("transparency")
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.uint32)
        grey = ((levels * 255 + 32767) // 65535).astype(np.uint8)
    elif image.mode in {"1", "L"}:
        levels = grey = np.asarray(image.convert("L"))
    else:
        return image
    plain = Image.fromarray(grey)
    if isinstance(clear, int):
        plain.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return plain


def _converter(image: Image.Image) -> Converter:
    """What turns strips of this image, with 8 bits and without alpha, into sRGB: through the file's ICC profile where
    it has one that fits, by its gamma where a PNG tells that alone, else they are taken as sRGB."""
    profile = image.info.get("icc_profile")
    through = _profiled(image, profile) if profile else None
    if through is not None:
        return through
    gamma = image.info.get("gamma")
    if "srgb" in image.info or profile or not isinstance(gamma, float):
        return lambda strip: strip.convert("RGB")
    if not GAMMAS[0] <= gamma <= GAMMAS[1] or abs(gamma / USUAL_GAMMA - 1) < 0.02:
        return lambda strip: strip.convert("RGB")
    power = USUAL_GAMMA / gamma
    table = [round(255 * (level / 255) ** power) for level in range(256)]
    return lambda strip: strip.convert("RGB").point(table * 3)


def _profiled(image: Image.Image, profile: bytes) -> Converter | None:
    """The way through the profile; None for a broken one, which says nothing about the pixels."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        grey = image.mode in {"1", "L", "LA"} or image.mode.startswith("I")
        of_grey = grey and source.profile.xcolor_space.strip() == "GRAY"
        mode = "L" if of_grey else "CMYK" if image.mode == "CMYK" else "RGB"
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None

    def convert(strip: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(strip if strip.mode == mode else strip.convert(mode), transform)
        return converted if converted is not None else strip.convert("RGB")

    return convert
