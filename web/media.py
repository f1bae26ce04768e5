"""What a browser is told of an original: its type, by its first bytes and never by its name. Pure."""

# What browsers show as a picture, and in which no script can be.
SHOWN = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (0, b"BM", "image/bmp"),
)
SNIFFED_BYTES = 16
UNKNOWN = "application/octet-stream"


def media_type(first: bytes) -> str:
    """The type of what begins so; the unknown one for what a browser should rather save."""
    return next((kind for at, begins, kind in SHOWN if first[at:].startswith(begins)), UNKNOWN)
