"""Finds the colour profile of a JPEG 2000 file, which Pillow leaves out (ISO/IEC 15444-1, annex I)."""

import struct
from collections.abc import Iterator

BEGINS = b"\0\0\0\x0cjP  "
HEADER, COLOUR = b"jp2h", b"colr"
# METH: the profile itself follows, behind PREC and APPROX.
RESTRICTED, ANY = 2, 3
PROFILE_AT = 3


def jpeg2000_profile(blob: bytes) -> bytes | None:
    """The ICC profile that the file carries; None if it names a colour space or is broken."""
    if not blob.startswith(BEGINS):
        return None
    for kind, content in _boxes(blob):
        if kind == HEADER:
            colours = (inner for name, inner in _boxes(content) if name == COLOUR and len(inner) > PROFILE_AT)
            return next((inner[PROFILE_AT:] for inner in colours if inner[0] in (RESTRICTED, ANY)), None)
    return None


def _boxes(blob: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(blob):
        length, kind = struct.unpack_from(">I4s", blob, at)
        begins = at + 8
        if length == 1 and at + 16 <= len(blob):
            begins, (length,) = at + 16, struct.unpack_from(">Q", blob, at + 8)
        end = len(blob) if length == 0 else at + length
        yield kind, blob[begins:end]
        if end <= at:
            return
        at = end
