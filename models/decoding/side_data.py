"""Drops from an image file what carries no pixels: text, previews, resolution, comments, what is unknown.

For files that a decoder refuses. A chunk that is too large, short, of a wrong checksum or unknown must not cost the
picture if it has nothing to do with the picture. What stays is what carries pixels, palette, transparency and
orientation, copied byte by byte and not judged here, and a profile that is whole. Formats: PNG (W3C, third edition),
JPEG (ITU T.81), WebP (RFC 9649), TIFF 6.0, GIF 89a, Photoshop's, JPEG XL.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from models.decoding.boxes import boxes

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CARRIES = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
# Orientation, and ImageMagick's older ways to keep it.
PNG_EXIF = b"eXIf"
PNG_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
PNG_ORIENTATION_TEXTS = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
MOST_TEXT_BYTES = 256 * 1024
PNG_PROFILE = b"iCCP"
# Of what Pillow inflates.
MOST_PROFILE_BYTES = 2**20

JPEG_START = b"\xff\xd8"
# APP14 says how the colours are coded (Adobe, Technical Note 5116).
JPEG_ADOBE, JPEG_EXIF = 0xEE, 0xE1
JPEG_EXIF_BEGINS = b"Exif\0\0"
# ICC.1, annex B: number and count of the parts follow.
JPEG_PROFILE, JPEG_PROFILE_BEGINS, JPEG_PROFILE_BYTES = 0xE2, b"ICC_PROFILE\0", 4 + 14
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Frames, tables and what else a picture is made of; all other segments describe it.
JPEG_CARRIES = frozenset({*range(0xC0, 0xD0), *range(0xD8, 0xE0), 0xF7, 0xF8})
# "Adobe", versions and flags, and the transform.
JPEG_ADOBE_BYTES = 4 + 12

WEBP_CARRIES = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
WEBP_EXIF, WEBP_EXTENDED, WEBP_PROFILE = b"EXIF", b"VP8X", b"ICCP"
WEBP_KNOWN = frozenset({*WEBP_CARRIES, WEBP_EXIF, WEBP_EXTENDED, WEBP_PROFILE, b"XMP "})
WEBP_KEPT = frozenset({*WEBP_CARRIES, WEBP_EXIF, WEBP_EXTENDED, WEBP_PROFILE})
# Flags of VP8X.
WEBP_FLAGS = {WEBP_PROFILE: 0x20, WEBP_EXIF: 0x08, b"XMP ": 0x04}
GIF_SCREEN_BYTES, GIF_EXTENSION, GIF_CONTROL, GIF_CONTROL_BYTES = 13, 0x21, 0xF9, 4
PSD_HEADER_BYTES = 26
JXL_BEGINS = b"\0\0\0\x0cJXL \r\n\x87\n"
JXL_CARRIES = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp"})

# Baseline and extension tags that say where pixels are and what they mean, and the profile.
TIFF_CARRIES = frozenset({
    *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 321),
    *(322, 323, 324, 325, 332, 334, 338, 339, 340, 341, 347, 529, 530, 531, 532, 34675),
})  # fmt: skip
TIFF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}
# An offset of the first directory.
TIFF_CLASSIC_HEADER, TIFF_ENTRY = 8, 12


def without_side_data(blob: bytes) -> bytes | None:
    """The same picture without side data; None if there is none, or the format is another one."""
    for begins, strip in _STRIPPED:
        if begins(blob):
            try:
                bare = strip(blob)
            except (struct.error, IndexError):
                return None
            return None if bare == blob else bare
    return None


def _png(blob: bytes) -> bytes:
    kept = [PNG_SIGNATURE]
    for kind, content, whole in _png_chunks(blob):
        is_whole = len(whole) == len(content) + 12 and zlib.crc32(kind + content) == int.from_bytes(whole[-4:], "big")
        if (
            kind in PNG_CARRIES
            or (is_whole and kind == PNG_EXIF)
            or (is_whole and kind == PNG_PROFILE and _inflates(content))
            or (
                is_whole
                and kind in PNG_TEXTS
                and content.startswith(PNG_ORIENTATION_TEXTS)
                and len(content) <= MOST_TEXT_BYTES
            )
        ):
            kept.append(whole)
        if kind == b"IEND":
            break
    return b"".join(kept)


def _inflates(content: bytes) -> bool:
    """Whether a profile of a PNG, behind its name and how it is compressed, is whole and not too large."""
    compressed = content.partition(b"\0")[2]
    try:
        inflated = zlib.decompressobj().decompress(compressed[1:], MOST_PROFILE_BYTES + 1)
    except zlib.error:
        return False
    return compressed[:1] == b"\0" and 0 < len(inflated) <= MOST_PROFILE_BYTES


def _png_chunks(blob: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, content and all bytes of each chunk; the last one may be cut off."""
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(blob):
        length, kind = struct.unpack_from(">I4s", blob, at)
        yield kind, blob[at + 8 : at + 8 + length], blob[at : at + 12 + length]
        at += 12 + length


def _jpeg(blob: bytes) -> bytes:
    kept, at = [JPEG_START], 2
    while at + 4 <= len(blob):
        if blob[at] != 0xFF:  # noqa: PLR2004 (every marker begins so)
            # A segment told a wrong length: on to the next marker that may stand between segments.
            at = _next_marker(blob, at)
            continue
        marker = blob[at + 1]
        if marker == 0xFF or marker in JPEG_STANDALONE:  # noqa: PLR2004 (fill bytes)
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        if marker in (JPEG_SCAN, JPEG_END):
            kept.append(blob[at:])
            return b"".join(kept)
        (length,) = struct.unpack_from(">H", blob, at + 2)
        segment = blob[at : at + 2 + length]
        is_side = marker not in JPEG_CARRIES
        if is_side and (length < 2 or not _is_marker(blob, at + 2 + length)):  # noqa: PLR2004 (the length itself)
            at = _next_marker(blob, at + 2)
            continue
        is_adobe = marker == JPEG_ADOBE and segment[4:9] == b"Adobe" and len(segment) >= JPEG_ADOBE_BYTES
        is_exif = marker == JPEG_EXIF and segment[4:10] == JPEG_EXIF_BEGINS
        if not is_side or is_adobe or is_exif or _is_part_of_profile(marker, segment):
            kept.append(segment)
        at += 2 + length
    return b"".join([*kept, blob[at:]])


def _is_part_of_profile(marker: int, segment: bytes) -> bool:
    is_long_enough = len(segment) > JPEG_PROFILE_BYTES
    return marker == JPEG_PROFILE and is_long_enough and segment[4:16] == JPEG_PROFILE_BEGINS


def _is_marker(blob: bytes, at: int) -> bool:
    return blob[at : at + 1] == b"\xff" and blob[at + 1 : at + 2] not in (b"", b"\0")


def _next_marker(blob: bytes, at: int) -> int:
    """Where the next segment begins that carries pixels (tables, frame or scan) or EXIF."""
    while (at := blob.find(b"\xff", at)) >= 0:
        marker = blob[at + 1 : at + 2]
        if marker and (0xC0 <= marker[0] <= 0xCF or marker[0] in (0xDA, 0xDB, 0xDD)):  # noqa: PLR2004
            return at
        if marker == b"\xe1" and blob[at + 4 : at + 10] == JPEG_EXIF_BEGINS:
            return at
        at += 1
    return len(blob)


def _webp(blob: bytes) -> bytes:
    chunks = [(kind, whole) for kind, whole in _webp_chunks(blob) if kind in WEBP_KEPT]
    there = {kind for kind, _ in chunks}
    dropped = sum(flag for kind, flag in WEBP_FLAGS.items() if kind not in there)
    kept = [
        whole[:8] + bytes([whole[8] & ~dropped]) + whole[9:] if kind == WEBP_EXTENDED else whole
        for kind, whole in chunks
    ]
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_chunks(blob: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and all bytes of each chunk; one outside the picture that tells a wrong length is left out."""
    at = 12
    while at + 8 <= len(blob):
        kind, length = struct.unpack_from("<4sI", blob, at)
        end = at + 8 + length + length % 2
        is_picture = kind in WEBP_CARRIES or kind == WEBP_EXTENDED
        is_followed = end + 8 > len(blob) or blob[end : end + 4] in WEBP_KNOWN
        further = None if is_picture or (is_followed and at + 8 + length <= len(blob)) else _pixels_from(blob, at + 8)
        if further is None and (is_picture or at + 8 + length <= len(blob)):
            yield kind, blob[at:end]
        at = end if further is None else further


def _pixels_from(blob: bytes, start: int) -> int | None:
    """Where the next chunk that carries pixels begins."""
    return min((at for at in (blob.find(kind, start) for kind in WEBP_CARRIES) if at >= 0), default=None)


def _tiff(blob: bytes) -> bytes:
    """With a first directory of its own at the end, which has nothing but what carries pixels."""
    order = "<" if blob[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", blob, 4)
    (count,) = struct.unpack_from(order + "H", blob, first)
    entries = []
    for index in range(count):
        entry = blob[first + 2 + TIFF_ENTRY * index : first + 2 + TIFF_ENTRY * (index + 1)]
        if len(entry) < TIFF_ENTRY:
            break
        tag, kind, number, value = struct.unpack(order + "HHII", entry)
        size = TIFF_TYPE_BYTES.get(kind, 0) * number
        if tag in TIFF_CARRIES and size and (size <= 4 or value + size <= len(blob)):  # noqa: PLR2004 (in the entry)
            entries.append(entry)
    padding = b"\0" * (len(blob) % 2)
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", 0)
    head = blob[:4] + struct.pack(order + "I", len(blob) + len(padding))
    return head + blob[TIFF_CLASSIC_HEADER:] + padding + directory


def _gif(blob: bytes) -> bytes:
    """Without the extensions before the first picture, but for the one that says which colour is transparent."""
    table = 3 << ((blob[10] & 7) + 1) if blob[10] & 0x80 else 0
    at = GIF_SCREEN_BYTES + table
    kept = [blob[:at]]
    while blob[at] == GIF_EXTENSION:
        begins, at = at, at + 2
        while blob[at]:
            at += 1 + blob[at]
        at += 1
        if blob[begins + 1] == GIF_CONTROL and at - begins == GIF_CONTROL_BYTES + 4:
            kept.append(blob[begins:at])
    return b"".join([*kept, blob[at:]])


def _psd(blob: bytes) -> bytes:
    """Without the resources, which are resolution, previews, paths and the like."""
    (palette,) = struct.unpack_from(">I", blob, PSD_HEADER_BYTES)
    at = PSD_HEADER_BYTES + 4 + palette
    (resources,) = struct.unpack_from(">I", blob, at)
    return blob[:at] + bytes(4) + blob[at + 4 + resources :]


def _jxl(blob: bytes) -> bytes:
    return b"".join(whole for kind, _, whole in boxes(blob) if kind in JXL_CARRIES)


_STRIPPED: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], bytes]], ...] = (
    (lambda blob: blob.startswith(PNG_SIGNATURE), _png),
    (lambda blob: blob.startswith(JPEG_START), _jpeg),
    (lambda blob: blob[:4] == b"RIFF" and blob[8:12] == b"WEBP", _webp),
    (lambda blob: blob[:4] in (b"II*\0", b"MM\0*"), _tiff),
    (lambda blob: blob[:4] == b"GIF8", _gif),
    (lambda blob: blob[:4] == b"8BPS", _psd),
    (lambda blob: blob.startswith(JXL_BEGINS), _jxl),
)
