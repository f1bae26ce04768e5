"""A thumbnail as a worker made it."""

import base64
import uuid
from dataclasses import dataclass
from typing import Any

from lookalike.messages import ImageByKey, ImageByPath, ThumbnailMessage, ThumbnailReply


@dataclass(frozen=True)
class Thumbnail:
    """A small upright JPEG in sRGB, and of the original its format ("JPEG") and its upright size in pixels."""

    jpeg: bytes
    format: str
    width_px: int
    height_px: int


def thumbnail_message(image: str | bytes, side_px: int) -> tuple[ThumbnailMessage, dict[str, bytes]]:
    """The message about a path of the index or about bytes, and those bytes by their key. Raises ValidationError."""
    if isinstance(image, str):
        return ThumbnailMessage(image=ImageByPath(path=image), side_px=side_px), {}
    key = str(uuid.uuid4())
    return ThumbnailMessage(image=ImageByKey(key=key), side_px=side_px), {key: image}


def thumbnail_of(reply: Any) -> Thumbnail:
    """The thumbnail in a worker's reply."""
    read = ThumbnailReply.model_validate(reply)
    return Thumbnail(base64.b64decode(read.jpeg), read.format, read.width_px, read.height_px)
