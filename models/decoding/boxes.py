"""Reads the boxes that JPEG 2000 and JPEG XL are made of (ISO/IEC 15444-1, annex I; 18181-2). Pure."""

import struct
from collections.abc import Iterator


def boxes(blob: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, content and all bytes of each box; the last one may be cut off."""
    at = 0
    while at + 8 <= len(blob):
        length, kind = struct.unpack_from(">I4s", blob, at)
        begins = at + 8
        if length == 1 and at + 16 <= len(blob):
            begins, (length,) = at + 16, struct.unpack_from(">Q", blob, at + 8)
        end = len(blob) if length == 0 else at + length
        yield kind, blob[begins:end], blob[at:end]
        if end <= at:
            return
        at = end
