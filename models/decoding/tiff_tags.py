"""Reads what a TIFF or BigTIFF says of its pictures: whole numbers and bytes of the tags. Pure; decodes no pixels.

What points out of the file or is of no known type is left out: a broken tag says nothing (TIFF 6.0, section 2).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WIDTH, HEIGHT, SUBFILE_TYPE, PHOTOMETRIC, SUB_DIRECTORIES = 256, 257, 254, 262, 330
# Where strips and tiles are, and their bytes.
PIECES = ((273, 279), (324, 325))
# Bits of NewSubfileType: a smaller version of another picture, a transparency mask.
REDUCED, MASK = 1, 4
# The last of the meanings that are colours to look at; those above are masks of sensors and the like.
MOST_PHOTOMETRIC = 10
# Of a file with hundreds of pictures the first few tell.
MOST_PICTURES = 16
MOST_ENTRIES = 1024
# Of a tag: strips of a very large picture; a profile. Layers of another program's are no part of the picture.
MOST_NUMBERS, MOST_BYTES = 2**20, 8 * 2**20
# A tag of single bytes that has more of them is no list of numbers.
MOST_SMALL_NUMBERS = 64
# A small first picture before one of the same proportions, at least three times as long, is its thumbnail.
THUMBNAIL_PX, THUMBNAIL_SCALE, SAME_PROPORTIONS = 640, 3, 0.05
BYTE = 1
_FORMS = {BYTE: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}


@dataclass(frozen=True)
class Directory:
    """One picture of the file: where its directory is, and its tags."""

    offset: int
    tags: Mapping[int, tuple[int, ...] | bytes]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag; none if it is absent or text."""
        found = self.tags.get(tag, ())
        return () if isinstance(found, bytes) else found

    def number(self, tag: int, default: int) -> int:
        """The first of them."""
        return next(iter(self.numbers(tag)), default)

    def bytes_of(self, tag: int) -> bytes:
        """The bytes of a tag of text or of bytes."""
        found = self.tags.get(tag, b"")
        return found if isinstance(found, bytes) else bytes(value & 0xFF for value in found)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)


def is_tiff(blob: bytes) -> bool:
    """Whether it begins as a TIFF or BigTIFF does."""
    return blob[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_big(blob: bytes) -> bool:
    """Whether a TIFF is a BigTIFF, whose offsets have 64 bits."""
    return blob[2:4] in (b"+\0", b"\0+")


def byte_order(blob: bytes) -> str:
    """Of a TIFF, as `struct` writes it."""
    return "<" if blob[:2] == b"II" else ">"


def directories(blob: bytes) -> list[Directory]:
    """The pictures of the file in order, those of SubIFDs after theirs; at most MOST_PICTURES. Empty for no TIFF."""
    if not is_tiff(blob):
        return []
    first, word = (8, "Q") if is_big(blob) else (4, "I")
    try:
        (offset,) = struct.unpack_from(byte_order(blob) + word, blob, first)
    except struct.error:
        return []
    found: dict[int, Directory] = {}
    for directory in _chain(blob, offset):
        if directory.offset in found or len(found) >= MOST_PICTURES:
            break
        found[directory.offset] = directory
        for sub in directory.numbers(SUB_DIRECTORIES)[:MOST_PICTURES]:
            inner = next(_chain(blob, sub), None)
            if inner is not None and inner.offset not in found:
                found[inner.offset] = inner
    return [*found.values()]


def picture_of(pictures: list[Directory]) -> Directory:
    """The picture to show: the first one, but for a thumbnail the largest that it stands for. Needs at least one."""
    first, *others = pictures
    larger = [one for one in others if _is_picture(one) and _stands_for(first, one)]
    return max([first, *larger], key=lambda one: one.size[0] * one.size[1])


def with_first(blob: bytes, picture: Directory) -> bytes:
    """The same file with that picture as its first."""
    at, word = (8, "Q") if is_big(blob) else (4, "I")
    return blob[:at] + struct.pack(byte_order(blob) + word, picture.offset) + blob[at + struct.calcsize(word) :]


def is_cut_off(blob: bytes, picture: Directory) -> bool:
    """Whether the file ends before the picture's strips or tiles do."""
    pieces = ((picture.numbers(offsets), picture.numbers(counts)) for offsets, counts in PIECES)
    return any(offset + count > len(blob) for pair in pieces for offset, count in zip(*pair, strict=False))


def _is_picture(directory: Directory) -> bool:
    is_mask = directory.number(SUBFILE_TYPE, 0) & MASK
    return not is_mask and directory.number(PHOTOMETRIC, MOST_PHOTOMETRIC + 1) <= MOST_PHOTOMETRIC


def _stands_for(first: Directory, other: Directory) -> bool:
    if first.number(SUBFILE_TYPE, 0) & REDUCED:
        return True
    (width, height), (other_width, other_height) = first.size, other.size
    if min(width, height, other_width, other_height) < 1 or max(width, height) > THUMBNAIL_PX:
        return False
    if other_width < THUMBNAIL_SCALE * width:
        return False
    # A thumbnail's sides are whole pixels: of a small one the proportions are told roughly.
    return abs(other_width * height / (other_height * width) - 1) <= SAME_PROPORTIONS + 1 / min(width, height)


def _chain(blob: bytes, offset: int) -> Iterator[Directory]:
    seen: set[int] = set()
    order = byte_order(blob)
    counted, entry, word = ("Q", "HHQ8s", "Q") if is_big(blob) else ("H", "HHI4s", "I")
    while offset and offset not in seen:
        seen.add(offset)
        try:
            (count,) = struct.unpack_from(order + counted, blob, offset)
        except (struct.error, OverflowError):
            return
        at = offset + struct.calcsize(order + counted)
        size = struct.calcsize(order + entry)
        known = min(count, MOST_ENTRIES, max(0, len(blob) - at) // size)
        entries = [struct.unpack_from(order + entry, blob, at + size * index) for index in range(known)]
        yield Directory(offset, dict(_tags(blob, order, entries)))
        try:
            (offset,) = struct.unpack_from(order + word, blob, at + size * count)
        except (struct.error, OverflowError):
            return


def _tags(
    blob: bytes, order: str, entries: list[tuple[int, int, int, bytes]]
) -> Iterator[tuple[int, tuple[int, ...] | bytes]]:
    for tag, kind, number, value in entries:
        form = "s" if kind == BYTE and number > MOST_SMALL_NUMBERS else _FORMS.get(kind)
        if form is None or not 0 < number <= (MOST_BYTES if form == "s" else MOST_NUMBERS):
            continue
        whole = f"{order}{number}{form}"
        size = struct.calcsize(whole)
        place = value if size <= len(value) else blob
        start = 0 if size <= len(value) else int.from_bytes(value, "little" if order == "<" else "big")
        if start + size <= len(place):
            unpacked = struct.unpack_from(whole, place, start)
            yield tag, unpacked[0] if form == "s" else unpacked
