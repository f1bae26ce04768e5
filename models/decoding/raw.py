"""Opens cameras' RAW files by LibRaw: the largest preview that the camera put in, else the sensor's own pixels."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import rawpy
from PIL import ExifTags, Image

from models.decoding.tiff_tags import PHOTOMETRIC, REDUCED, SUB_DIRECTORIES, SUBFILE_TYPE, directories, is_cut_off
from models.preprocess import Recipe, decode_size

# How RAW files begin that are no TIFF; those that are one are told by a tag.
SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb")
CANON_CR2, CANON_CRW, CANON_CR3 = b"CR\x02", b"HEAPCCDR", b"ftypcrx "
# DNG 1.7: DNGVersion.
DNG_VERSION = 50706
# PhotometricInterpretation of a sensor's pixels: behind a filter of colours, or linear.
SENSOR = frozenset({32803, 34892})
# LibRaw's `flip` as an EXIF orientation.
ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}


@dataclass(frozen=True)
class RawPicture:
    """What was read of it: the picture as it lies in the file, its EXIF orientation, the size of the photo."""

    picture: Image.Image
    orientation: int
    size: tuple[int, int]


class CutOff(Exception):
    """The file ends before the sensor's pixels do, of which LibRaw would make a black picture."""


def is_raw(blob: bytes) -> bool:
    """Whether it is a camera's RAW file, by its first bytes."""
    if blob.startswith(SIGNATURES) or blob[4:12] == CANON_CR3 or blob[6:14] == CANON_CRW:
        return True
    if blob[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if blob[8:11] == CANON_CR2:
        return True
    # TIFF/EP: the sensor's pixels are in a SubIFD, behind a thumbnail.
    first = next(iter(directories(blob)), None)
    if first is None:
        return False
    is_thumbnail = first.number(SUBFILE_TYPE, 0) & REDUCED
    return DNG_VERSION in first.tags or (SUB_DIRECTORIES in first.tags and bool(is_thumbnail))


def open_raw(blob: bytes, recipe: Recipe | None, *, check: Callable[[tuple[int, int]], None]) -> RawPicture:
    """The picture, large enough for the recipe if the file has one. `check` refuses a size before it is decoded.

    Raises CutOff, ValueError with LibRaw's words, and what Pillow raises.
    """
    try:
        return _opened(blob, recipe, check)
    except rawpy.LibRawIOError as error:
        # It was asked for bytes behind the end.
        raise CutOff("the file is truncated") from error
    except rawpy.LibRawError as error:
        words = error.args[0] if error.args else ""
        raise ValueError(words.decode() if isinstance(words, bytes) else str(words)) from error


def _opened(blob: bytes, recipe: Recipe | None, check: Callable[[tuple[int, int]], None]) -> RawPicture:
    with rawpy.imread(io.BytesIO(blob)) as raw:
        size = (raw.sizes.width, raw.sizes.height)
        orientation = ORIENTATIONS.get(raw.sizes.flip, 1)
        preview = _preview(raw, check)
        needed = size if recipe is None else decode_size(size, recipe)
        if preview is not None and min(preview.size) >= min(needed):
            turned = preview.getexif().get(ExifTags.Base.Orientation, 1)
            return RawPicture(preview, turned if turned != 1 else orientation, size)
        if any(is_cut_off(blob, one) for one in directories(blob) if one.number(PHOTOMETRIC, 0) in SENSOR):
            raise CutOff("the file is truncated")
        check((size[0] // 2, size[1] // 2))
        pixels = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8, user_flip=0)
        return RawPicture(Image.fromarray(pixels), orientation, size)


def _preview(raw: rawpy.RawPy, check: Callable[[tuple[int, int]], None]) -> Image.Image | None:
    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if isinstance(found.data, bytes):
        image = Image.open(io.BytesIO(found.data))
        check(image.size)
        image.load()
        return image
    return Image.fromarray(found.data)
