"""Opens cameras' RAW files by LibRaw: the largest preview that the camera put in, else the sensor's own pixels."""

import io
from dataclasses import dataclass
from typing import Literal

import rawpy
from PIL import ExifTags, Image

from models.preprocess import Recipe, decode_size

# How RAW files begin that are no TIFF; those that are one are told by a tag.
SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb")
CANON_CR2, CANON_CRW, CANON_CR3 = b"CR\x02", b"HEAPCCDR", b"ftypcrx "
# DNG 1.7: DNGVersion; TIFF/EP: SubIFDs, where the sensor's pixels are beside a thumbnail.
# Of a tag: whole numbers of 16 bits.
SHORT = 3
DNG_VERSION, SUB_DIRECTORIES, NEW_SUBFILE_TYPE = 50706, 330, 254
# LibRaw's `flip` as an EXIF orientation.
ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}


@dataclass(frozen=True)
class RawPicture:
    """What was read of it: the picture as it lies in the file, its EXIF orientation, the size of the photo."""

    picture: Image.Image
    orientation: int
    size: tuple[int, int]


def is_raw(blob: bytes) -> bool:
    """Whether it is a camera's RAW file, by its first bytes."""
    if blob.startswith(SIGNATURES) or blob[4:12] == CANON_CR3 or blob[6:14] == CANON_CRW:
        return True
    if blob[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if blob[8:11] == CANON_CR2:
        return True
    tags = _first_tags(blob)
    return DNG_VERSION in tags or (SUB_DIRECTORIES in tags and tags.get(NEW_SUBFILE_TYPE, 0) & 1 == 1)


def open_raw(blob: bytes, recipe: Recipe | None) -> RawPicture:
    """The picture, large enough for the recipe if the file has one. Raises what LibRaw and Pillow raise."""
    with rawpy.imread(io.BytesIO(blob)) as raw:
        size = (raw.sizes.width, raw.sizes.height)
        orientation = ORIENTATIONS.get(raw.sizes.flip, 1)
        preview = _preview(raw)
        needed = size if recipe is None else decode_size(size, recipe)
        if preview is not None and min(preview.size) >= min(needed):
            turned = preview.getexif().get(ExifTags.Base.Orientation, 1)
            return RawPicture(preview, turned if turned != 1 else orientation, size)
        pixels = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8, user_flip=0)
        return RawPicture(Image.fromarray(pixels), orientation, size)


def _preview(raw: rawpy.RawPy) -> Image.Image | None:
    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if isinstance(found.data, bytes):
        image = Image.open(io.BytesIO(found.data))
        image.load()
        return image
    return Image.fromarray(found.data)


def _first_tags(blob: bytes) -> dict[int, int]:
    """Tags of the first directory of a TIFF with the first of their whole numbers."""
    order: Literal["little", "big"] = "little" if blob[:2] == b"II" else "big"
    first = int.from_bytes(blob[4:8], order)
    count = int.from_bytes(blob[first : first + 2], order)
    tags = {}
    for index in range(min(count, 512)):
        entry = blob[first + 2 + 12 * index : first + 14 + 12 * index]
        if len(entry) < 12:  # noqa: PLR2004
            break
        is_short = int.from_bytes(entry[2:4], order) == SHORT
        tags[int.from_bytes(entry[:2], order)] = int.from_bytes(entry[8 : 10 if is_short else 12], order)
    return tags
