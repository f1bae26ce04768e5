"""Small upright pictures of image files, for people to look at: not what a model gets."""

import io
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from lookalike.errors import LookalikeError
from lookalike.library.errors import Changing, ReadFailed, Rejected, Unavailable
from lookalike.library.kinds import Reader
from lookalike.library.opening import reader_of
from lookalike.library.paths import unescape_path
from lookalike.settings import Settings

WHITE = (255, 255, 255)
BITS_OF_A_BYTE = 256


class Unreadable(Exception):
    """No picture can be made of it; the message is the reason, in a few words."""


@dataclass(frozen=True)
class Thumbnails:
    """Makes thumbnails of files with at most so many bytes and pixels, `library` being the folder of the library.

    Without a folder `reader` reads files of the library, if there is one.
    """

    library: Path | None
    max_bytes: int
    max_pixels: int
    reader: Reader | None = None

    @property
    def has_library(self) -> bool:
        """Whether the library can be read here."""
        if self.library is None:
            return self.reader is not None
        return os.access(self.library, os.R_OK | os.X_OK)

    def of_path(self, path: str, side_px: int) -> Image.Image:
        """That of a path of the library. Raises Unreadable."""
        if self.library is not None:
            return self.of_file(self.library / unescape_path(path), side_px)
        if self.reader is None:
            raise Unreadable("the library is not here")
        try:
            content = self.reader.read(path)
        except Rejected:
            raise Unreadable("it cannot be read") from None
        except (Unavailable, ReadFailed, Changing, LookalikeError):
            raise Unreadable("the library cannot be read now") from None
        if content is None:
            raise Unreadable("there is no file")
        return self.of_bytes(content.blob, side_px)

    def of_file(self, file: Path, side_px: int) -> Image.Image:
        """That of a file here. Raises Unreadable."""
        # Opening a pipe would block.
        if not os.path.isfile(file):  # noqa: PTH113 (a name that is too long is no file, and no error)
            raise Unreadable("there is no file")
        try:
            size = file.stat().st_size
            blob = b"" if size > self.max_bytes else file.read_bytes()
        except OSError as error:
            raise Unreadable(str(error.strerror)) from error
        if size > self.max_bytes:
            raise Unreadable("too many bytes")
        return self.of_bytes(blob, side_px)

    def of_bytes(self, blob: bytes, side_px: int) -> Image.Image:
        """That of the bytes of an image: RGB, upright, at most `side_px` wide and high. Raises Unreadable."""
        _enable_heif()
        try:
            # Too many pixels are looked for here, a warning of Pillow's would be printed.
            with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(blob)) as image:
                if image.width * image.height > self.max_pixels:
                    raise Unreadable("too many pixels")  # noqa: TRY301 (of the same kind as what Pillow finds)
                image.draft("RGB", (side_px, side_px))
                upright = ImageOps.exif_transpose(image)
                # Before the colours: a part of the work for large pictures.
                upright.thumbnail((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
                return _flattened(upright)
        except Unreadable:
            raise
        except UnidentifiedImageError:
            raise Unreadable("Pillow does not open this format") from None
        except Exception as error:
            # Decoders raise anything over a broken file, also SyntaxError and struct.error.
            raise Unreadable("it cannot be decoded") from error


def thumbnails_of(settings: Settings) -> Thumbnails:
    """Of the library that is set, within its bounds."""
    folder = settings.library_folder
    reader = reader_of(settings) if folder is None else None
    return Thumbnails(folder, settings.max_image_bytes, settings.max_image_pixels, reader)


def _flattened(image: Image.Image) -> Image.Image:
    """In RGB, transparency over white, 16 bits a channel cut to 8."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / BITS_OF_A_BYTE, "L")
    if image.mode in {"I", "F"}:
        low, high = image.getextrema()
        scale = 255 / ((high - low) or 1)  # type: ignore[operator]
        image = image.point(lambda value: (value - low) * scale).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (*WHITE, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")


@cache
def _enable_heif() -> None:
    """Photos of phones, where the package of the workers is installed."""
    with suppress(ImportError):
        import pi_heif  # noqa: PLC0415 (not of the client's own dependencies)

        pi_heif.register_heif_opener()
