"""The message that asks for a thumbnail."""

from typing import Annotated, Literal

from pydantic import Field

from lookalike.messages.bounds import MAX_THUMBNAIL_PX
from lookalike.search.query import ImageByKey, ImageByPath
from lookalike.strict import Strict


class ThumbnailMessage(Strict):
    """Asks for a small upright picture in sRGB, at most `side_px` wide and high: of a file of the index, or of bytes.

    Of bytes that are sent it tells whether a worker can open them, which is all that is known of a file before it is
    put into the library.
    """

    v: Literal[1] = 1
    image: Annotated[ImageByPath | ImageByKey, Field(union_mode="smart")]
    side_px: Annotated[int, Field(ge=1, le=MAX_THUMBNAIL_PX)] = 256


class ThumbnailReply(Strict):
    """The picture as a JPEG in base64, and of the original its format and its upright size in pixels."""

    jpeg: str
    format: str
    width_px: int
    height_px: int
