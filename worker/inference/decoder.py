"""Opens image files: bytes in, model input out, or the reason why not. Knows nothing of paths, queues or the index."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from lookalike.library.errors import Rejected
from models.contract import ModelCard
from models.decoding import DecodedFile, Limits, TooLarge, decode_file, register_formats
from models.decoding.exif import taken_at
from models.decoding.naming import JPEG_XL, JXL, is_incomplete, kind_of, looks_like_image, other_than_image
from models.preprocess import Box, PixelBox, Recipe, prepare
from worker.duplicates.small import small_jpeg
from worker.errors import NotEmbeddedHere, TooLargeToDecode

# Less than a pixel, more than rounding in any picture.
ROUNDING_PX = 1e-6


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image: model input uint8 [H, W, 3], and what its payload says of it (size upright)."""

    pixels: npt.NDArray[np.uint8]
    format: str
    width_px: int
    height_px: int
    taken_at: str | None
    # The JPEG of worker/duplicates/small.py; empty if it was not asked for.
    small: bytes = b""


def enable_formats() -> None:
    """Registers all formats and leaves the size limit to `decode_image`, which knows the setting."""
    register_formats()
    Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class BoxedRecipe:
    """What must be decoded so that a box of the picture has the pixels that the model's input takes of a whole one.

    The same on both sides: decoding comes before the picture is turned upright.
    """

    side_px: int
    resize: str

    @classmethod
    def of(cls, card: ModelCard, box: Box) -> "BoxedRecipe":
        """The recipe for this box."""
        left, top, right, bottom = box
        return cls(math.ceil(max(card.width_px / (right - left), card.height_px / (bottom - top))), card.resize)

    @property
    def width_px(self) -> int:
        """As wide as high."""
        return self.side_px

    @property
    def height_px(self) -> int:
        """As high as wide."""
        return self.side_px


def decode_image(
    blob: bytes,
    card: ModelCard,
    box: Box | None = None,
    *,
    max_pixels: int,
    max_memory_bytes: int | None = None,
    keeps_small: bool = False,
) -> DecodedImage:
    """Decodes an image for the model of this card. Raises Rejected with a reason for people.

    With a box (left, top, right, bottom as fractions of the upright picture, or a PixelBox) what is in it is the
    model's picture; for a PixelBox the picture is decoded whole, because its size is known only then.
    `max_pixels` counts what is decoded, which of a JPEG is an eighth of its sides at best; `max_memory_bytes` is for
    progressive ones, of which all coefficients are kept until the last scan. `keeps_small` makes the small picture by
    which duplicates are compared, too.
    """
    if not card.has_network:
        raise NotEmbeddedHere(
            f"the vectors of this index were imported ({card.name!r}), and no model is here that could embed an image; "
            "search by a path of the index"
        )
    file = open_image(blob, _recipe(card, box), Limits(max_pixels, max_memory_bytes))
    width, height = file.size
    if isinstance(box, PixelBox) and (box.right > width or box.bottom > height):
        raise Rejected(f"the box {[*box]} reaches outside the picture, which is {width} x {height} pixels")
    picture = file.image if box is None else file.image.crop(pixels_in(box, file.image.size))
    small = small_jpeg(picture) if keeps_small else b""
    return DecodedImage(prepare(picture, card), file.format, width, height, taken_at(file.exif), small)


def open_image(blob: bytes, recipe: Recipe | None, limits: Limits) -> DecodedFile:
    """The picture in the bytes of a file, no smaller than the recipe needs. Raises Rejected with its reason."""
    if not blob:
        raise Rejected("the file is empty")
    try:
        return decode_file(blob, recipe, limits)
    except TooLarge as error:
        raise TooLargeToDecode(str(error)) from None
    except MemoryError:
        # There may be more when others have ended.
        raise TooLargeToDecode("it needs more memory than there is", may_pass=True) from None
    except Exception as error:
        raise Rejected(_reason(error, blob)) from error


def _recipe(card: ModelCard, box: Box | None) -> Recipe | None:
    if isinstance(box, PixelBox):
        return None
    return card if box is None else BoxedRecipe.of(card, box)


def pixels_in(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels that a box touches, at least one: left, top, right, bottom of an image of `size` (width, height)."""
    if isinstance(box, PixelBox):
        return box
    width, height = size
    left, top, right, bottom = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    # A fraction that was made of pixels gives the same pixels: 57 / 100 * 100 is less than 57.
    first, upper = math.floor(left + ROUNDING_PX), math.floor(top + ROUNDING_PX)
    first, upper = min(first, width - 1), min(upper, height - 1)
    return first, upper, max(first + 1, math.ceil(right - ROUNDING_PX)), max(upper + 1, math.ceil(bottom - ROUNDING_PX))


def _reason(error: Exception, blob: bytes) -> str:
    kind = kind_of(blob)
    if kind == JPEG_XL and JXL not in Image.OPEN:
        return f"it is {kind}, which takes pip install 'lookalike[jxl]' on the worker's machine"
    if kind is not None and kind != JPEG_XL:
        return f"it is {kind}, which is not supported"
    if isinstance(error, UnidentifiedImageError) and not looks_like_image(blob):
        other = other_than_image(blob)
        return (
            "it is not an image of a known format"
            if other is None
            else f"it is not an image of a known format but {other}"
        )
    words = str(error).strip() or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        words = "its header cannot be read"
    sounds_cut = "truncated" in words.lower() or "unexpected end" in words.lower() or isinstance(error, EOFError)
    ends_early = is_incomplete(blob)
    if ends_early or (ends_early is None and sounds_cut):
        return "the file is incomplete: it ends before the image does"
    return f"the image is broken ({words[:200]})"
