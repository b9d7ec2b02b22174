"""What a picture's file is, told by its first bytes: those that can be read, and the names of the rest."""

from __future__ import annotations

HEAD_BYTES = 512

# Pillow's names of what it is told to open. HEIC is not here, since Pillow's wheels bring no decoder for HEVC, nor is
# TIFF, whose library writes to stderr as it likes and holds whatever a camera or a scanner thought of.
READABLE = {"JPEG": "JPEG", "PNG": "PNG", "WebP": "WEBP", "AVIF": "AVIF", "BMP": "BMP", "GIF": "GIF"}

_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0\x10\0\0\0CR", "camera raw"),
    (b"II*\0", "TIFF"),  # and most cameras' raw files
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"IIU\0", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\0\0\1\0", "icon"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"PK\3\4", "ZIP"),
)
# Brands of the files that begin with an "ftyp" box (ISO/IEC 23008-12 for pictures).
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_FIXES = {
    "HEIC": "Export it as JPEG or PNG; an iPhone writes JPEG with Settings, Camera, Formats, Most Compatible.",
    "camera raw": "Develop it to JPEG or PNG first.",
    "SVG": "Export it as PNG, 1080 pixels or more on the short side.",
    "web page": "Save the picture itself, not the page that shows it.",
    "MP4 or MOV video": "Give a picture of the character here, and the video as the driving video.",
    "Matroska or WebM video": "Give a picture of the character here, and the video as the driving video.",
}


def kind_of(head: bytes) -> str | None:
    """The name of the format that ``head``, the file's first bytes, begins with; None for one that is not known."""
    if head[:4] == b"RIFF":
        return "WebP" if head[8:12] == b"WEBP" else None
    if head[4:8] == b"ftyp":
        return _boxed(head)
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "web page"
    if text.startswith((b"<?xml", b"<svg", b"<!--", b"<!doctype svg")):
        return "SVG" if b"<svg" in text or b"doctype svg" in text else "XML"
    return None


def fix_for(kind: str | None, taken: tuple[str, ...]) -> str:
    """What to do about a file of this kind where only ``taken`` are."""
    wanted = " or ".join(taken[:2])
    return _FIXES.get(kind or "", f"Save it as {wanted}.")


def _boxed(head: bytes) -> str:
    """A picture or a video in boxes: its main brand decides, and for the general ones those that it goes with."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    if brands[0] == b"crx ":
        return "camera raw"
    return "HEIC" if brands[0] in _HEIC_BRANDS else "MP4 or MOV video"
