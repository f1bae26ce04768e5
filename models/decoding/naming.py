"""Says of bytes that no decoder took what they are. Pure; reads headers and nothing else.

For reasons that people read: "not an image" only of what is none, "incomplete" only of a file that ends too early, and
the name of the kind where an image is one that is not supported.
"""

import struct
from collections.abc import Callable

from models.decoding.tiff_tags import directories, is_cut_off, is_tiff, picture_of

# Begins, and what it is. Of what people keep with photos; containers of several kinds are told apart below.
OTHERS = (
    (b"%PDF-", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"PK\x03\x04", "an archive (ZIP)"),
    (b"\x1f\x8b", "an archive (gzip)"),
    (b"Rar!", "an archive (RAR)"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)"),
    (b"\x1aE\xdf\xa3", "a video (Matroska)"),
    (b"ID3", "an audio file"),
    (b"OggS", "an audio or video file (Ogg)"),
    (b"SQLite format 3\0", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"bplist", "a property list"),
)
JPEG_XL = "JPEG XL"
# As Pillow calls it.
JXL = "JXL"
PICTURES = (
    (b"\x8aMNG", "MNG"),
    (b"\x8bJNG", "JNG"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"gimp xcf", "GIMP's XCF"),
    (b"AT&TFORM", "DjVu"),
    (b"\xff\x0a", JPEG_XL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"II\xbc\x01", "JPEG XR"),
    (b"PF\n", "a Portable FloatMap in colour"),
    (b"P7\n", "a Portable Arbitrary Map"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI", "a PNG of Apple's own form (CgBI)"),
)
VIDEO_BRANDS = frozenset(
    {b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4A ", b"qt  ", b"3gp4", b"3gp5", b"dash"}
)
FLIC = (b"\x11\xaf", b"\x12\xaf")
JPEG_KINDS = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xC9: "JPEG with arithmetic coding",
    0xCA: "JPEG with arithmetic coding",
    0xCB: "lossless JPEG with arithmetic coding",
    0xF7: "JPEG-LS",
}
TIFF_COMPRESSIONS = {
    2: "CCITT RLE", 3: "CCITT fax 3", 4: "CCITT fax 4", 6: "old JPEG", 7: "JPEG", 34712: "JPEG 2000", 34887: "LERC",
    34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
TIFF_COLOURS = {9: "ICC Lab", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv"}
TIFF_SAMPLES = {1: "unsigned", 2: "signed", 3: "float", 4: "undefined", 5: "complex", 6: "complex float"}
EIGHT_BITS = 8
TEXT_SNIFFED_BYTES = 512


def kind_of(blob: bytes) -> str | None:
    """The kind of image that is not supported (`12-bit JPEG`, `TIFF with 5 bands`); None if that is not the trouble."""
    try:
        if blob[:2] == b"\xff\xd8":
            return _jpeg(blob)
        if is_tiff(blob):
            return _tiff(blob)
    except (struct.error, IndexError):
        return None
    if blob[4:6] in FLIC:
        return "an animation (FLIC)"
    return next((name for begins, name in PICTURES if blob.startswith(begins)), None)


def other_than_image(blob: bytes) -> str | None:
    """What the file is if it is no image: "a PDF document", "text"; None if nothing tells."""
    known = next((name for begins, name in OTHERS if blob.startswith(begins)), None)
    if known is None and blob[4:8] == b"ftyp" and blob[8:12] in VIDEO_BRANDS:
        known = "a video (MP4 or QuickTime)"
    if known is None and blob[:4] == b"RIFF":
        known = {b"AVI ": "a video (AVI)", b"WAVE": "an audio file (WAV)"}.get(blob[8:12])
    return known or _text(blob)


def is_incomplete(blob: bytes) -> bool | None:
    """Whether the file ends before the image does; None where its form does not tell."""
    try:
        return next((ends_early(blob) for begins, ends_early in _ENDS if blob.startswith(begins)), None)
    except (struct.error, IndexError):
        return True


def looks_like_image(blob: bytes) -> bool:
    """Whether it begins as the formats do that are opened here."""
    begins = (
        *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        *(b"8BPS", b"qoif", b"DDS ", b"\0\0\1\0"),
        *(b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "),
        *(b"\xff\x0a", b"\0\0\0\x0cJXL ", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"\x59\xa6\x6a\x95", b"\x01\xda"),
    )
    return blob.startswith(begins) or (blob[:4] == b"RIFF" and blob[8:12] == b"WEBP") or blob[4:8] == b"ftyp"


def _text(blob: bytes) -> str | None:
    start = blob[:TEXT_SNIFFED_BYTES]
    if not start or b"\0" in start:
        return None
    lowered = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if lowered.startswith((b"<svg", b"<?xml")) and b"<svg" in blob[:4096].lower():
        return "a drawing (SVG)"
    if lowered.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        # A letter that the end of what is looked at cuts in two.
        return "text" if error.start >= TEXT_SNIFFED_BYTES - 3 else None
    return "text"


def _has_png_end(blob: bytes) -> bool:
    at = 8
    while at + 8 <= len(blob):
        length, kind = struct.unpack_from(">I4s", blob, at)
        if kind == b"IEND":
            return True
        at += 12 + length
    return False


def _jpeg(blob: bytes) -> str | None:
    at = 2
    while at + 9 <= len(blob):
        if blob[at] != 0xFF:  # noqa: PLR2004 (every marker begins so)
            return None
        marker = blob[at + 1]
        if marker in JPEG_KINDS:
            return JPEG_KINDS[marker]
        if 0xC0 <= marker <= 0xC2:  # noqa: PLR2004 (frames of the usual kinds)
            bits, components = blob[at + 4], blob[at + 9]
            if bits != EIGHT_BITS:
                return f"{bits}-bit JPEG"
            return None if components in (1, 3, 4) else f"JPEG with {components} bands"
        (length,) = struct.unpack_from(">H", blob, at + 2)
        at += 2 + length
    return None


def _tiff(blob: bytes) -> str | None:
    pictures = directories(blob)
    if not pictures:
        return None
    picture = picture_of(pictures)
    bands, compression = picture.number(277, 1), picture.number(259, 1)
    bits, samples = picture.numbers(258) or (1,), picture.number(339, 1)
    kind = None
    if compression in TIFF_COMPRESSIONS and compression > 7:  # noqa: PLR2004 (what everybody reads)
        kind = f"compressed with {TIFF_COMPRESSIONS[compression]}"
    elif picture.number(262, 1) in TIFF_COLOURS:
        kind = f"with {TIFF_COLOURS[picture.number(262, 1)]}"
    elif bands not in (1, 3, 4):
        kind = f"with {bands} bands"
    elif samples != 1 or bits[0] > 16:  # noqa: PLR2004 (what Pillow reads of whole numbers)
        kind = f"with {bits[0]}-bit {TIFF_SAMPLES.get(samples, 'unknown')} values in {bands} bands"
    elif len(set(bits)) > 1:
        kind = f"with bands of {', '.join(map(str, bits))} bits"
    return None if kind is None else f"TIFF {kind}"


def _is_tiff_incomplete(blob: bytes) -> bool:
    pictures = directories(blob)
    return not pictures or any(is_cut_off(blob, picture) for picture in pictures)


_ENDS: tuple[tuple[tuple[bytes, ...], Callable[[bytes], bool]], ...] = (
    ((b"\x89PNG\r\n\x1a\n",), lambda blob: not _has_png_end(blob)),
    ((b"\xff\xd8",), lambda blob: b"\xff\xd9" not in blob[2:]),
    ((b"GIF87a", b"GIF89a"), lambda blob: not blob.rstrip(b"\0").endswith(b";")),
    ((b"RIFF",), lambda blob: int.from_bytes(blob[4:8], "little") + 7 > len(blob)),
    ((b"BM",), lambda blob: int.from_bytes(blob[2:6], "little") > len(blob)),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _is_tiff_incomplete),
)
