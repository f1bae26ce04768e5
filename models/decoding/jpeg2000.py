"""Finds the colour profile of a JPEG 2000 file, which Pillow leaves out (ISO/IEC 15444-1, annex I)."""

from models.decoding.boxes import boxes

BEGINS = b"\0\0\0\x0cjP  "
HEADER, COLOUR = b"jp2h", b"colr"
# METH: the profile itself follows, behind PREC and APPROX.
RESTRICTED, ANY = 2, 3
PROFILE_AT = 3


def jpeg2000_profile(blob: bytes) -> bytes | None:
    """The ICC profile that the file carries; None if it names a colour space or is broken."""
    if not blob.startswith(BEGINS):
        return None
    for kind, content, _ in boxes(blob):
        if kind == HEADER:
            colours = (inner for name, inner, _ in boxes(content) if name == COLOUR and len(inner) > PROFILE_AT)
            return next((inner[PROFILE_AT:] for inner in colours if inner[0] in (RESTRICTED, ANY)), None)
    return None
