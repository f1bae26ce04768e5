"""Which formats each revision of the decoder concerns, so that an upgrade embeds those again and copies the others."""

from collections.abc import Iterable, Mapping

# Formats as the payload of a point has them: names of Pillow, and RAW.
ALL_FORMATS: frozenset[str] = frozenset({"*"})
CHANGED: Mapping[int, frozenset[str]] = {
    # Colour profiles, which every format may have.
    2: ALL_FORMATS,
    # 16-bit colours, planes and predictors of TIFFs, profiles of grey JPEGs and of JPEG 2000.
    3: frozenset({"JPEG", "MPO", "JPEG2000", "PNG", "PPM", "RAW", "SGI", "TIFF"}),
}


def is_older(found: str, wanted: str) -> bool:
    """Whether a revision is an older one."""
    return found.isdigit() and wanted.isdigit() and int(found) < int(wanted)


def formats_changed(found: str, wanted: str, changed: Mapping[int, frozenset[str]] = CHANGED) -> frozenset[str]:
    """The formats whose pixels differ between two revisions; ALL_FORMATS if any may, or if it is not known."""
    if found == wanted:
        return frozenset()
    if not is_older(found, wanted):
        return ALL_FORMATS
    return _union(changed.get(revision, ALL_FORMATS) for revision in range(int(found) + 1, int(wanted) + 1))


def concerns(formats: frozenset[str], of: str) -> bool:
    """Whether a format is one of them."""
    return formats is ALL_FORMATS or of in formats


def _union(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for part in parts:
        if part is ALL_FORMATS:
            return ALL_FORMATS
        found |= part
    return found
