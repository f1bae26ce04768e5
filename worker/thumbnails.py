"""The thumbnail task: small pictures for people, made by the decoders that ingest uses, within their bounds."""

import base64
import hashlib
import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from PIL import Image

from lookalike.errors import Refused
from lookalike.library.errors import Changing, ReadFailed, Rejected, Unavailable
from lookalike.library.paths import validate_path
from lookalike.library.reader import Content
from lookalike.messages import ImageByKey, ThumbnailMessage, ThumbnailReply
from models.decoding import DecodedFile, Limits
from worker.delivery.poison import DEATHS_TO_BLAME, PoisonDetector
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import open_image

JPEG_QUALITY = 82


@dataclass(frozen=True)
class _WholePicture:
    """A decoder delivers enough pixels for this side of the whole picture, whatever its proportions."""

    width_px: int
    height_px: int
    resize: str = "stretch"


@dataclass(frozen=True)
class ThumbnailMaker:
    """The task's logic. `read_library` is None on a worker without the library; `armed` limits the time of a decoder.

    `poison` remembers what a process was decoding: bytes over which two of them died are not opened again.
    """

    index: QdrantIndex
    limits: Limits
    max_bytes: int
    poison: PoisonDetector
    armed: Callable[[], AbstractContextManager[None]]
    read_library: Callable[[str], Content | None] | None

    def make(self, message: ThumbnailMessage, images: Mapping[str, bytes]) -> ThumbnailReply:
        """The thumbnail. Raises Refused for what is not in the index, cannot be read or cannot be opened, Unavailable.

        A file that was rejected is not opened: its reason is told.
        """
        if isinstance(message.image, ImageByKey):
            blob = images.get(message.image.key)
            if blob is None:
                raise Refused("The image is gone: it lives only as long as its job. Send it again.")
            if len(blob) > self.max_bytes:
                raise Refused(f"The image has more than {self.max_bytes} bytes (LOOKALIKE_MAX_QUERY_BYTES).")
            return self._drawn(blob, hashlib.sha256(blob).hexdigest(), message.side_px, "The image")
        path = validate_path(message.image.path)
        file = self.index.get_files([path]).get(path)
        if file is None:
            raise Refused(f"{path!r} is not in the index.")
        if file.status == "rejected":
            raise Refused(f"{path!r} was rejected: {file.reason}.")
        content = self._read(path)
        return self._drawn(content.blob, content.sha256, message.side_px, repr(path))

    def _read(self, path: str) -> Content:
        if self.read_library is None:
            raise Refused("The search worker has no library: set LOOKALIKE_LIBRARY for it.")
        try:
            content = self.read_library(path)
        except (Unavailable, ReadFailed, Rejected) as error:
            raise Refused(f"{path!r} cannot be read: {error}.") from error
        except Changing as error:
            raise Refused(f"{path!r} is being written: ask again when that is done.") from error
        if content is None:
            raise Refused(f"{path!r} is not in the library any more.")
        return content

    def _drawn(self, blob: bytes, sha256: str, side_px: int, name: str) -> ThumbnailReply:
        # The bytes and not the task: each look at the page asks with another one.
        mark = f"thumbnail:{sha256}"
        if self.poison.crash_marks(mark, alone=True).dead >= DEATHS_TO_BLAME:
            raise Refused(f"{name} cannot be opened: the worker's process died or hung twice while opening it.")
        try:
            with self.poison.guard(mark), self.armed():
                file = open_image(blob, _WholePicture(side_px, side_px), self.limits)
                jpeg = _small_jpeg(file, side_px)
        except Rejected as error:
            raise Refused(f"{name} cannot be opened: {error}.") from error
        width_px, height_px = file.size
        return ThumbnailReply(
            jpeg=base64.b64encode(jpeg).decode("ascii"), format=file.format, width_px=width_px, height_px=height_px
        )


def _small_jpeg(file: DecodedFile, side_px: int) -> bytes:
    picture = file.image
    picture.thumbnail((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return written.getvalue()
