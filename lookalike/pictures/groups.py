"""Groups of duplicates to look at: each file with its difference to the one that is kept."""

from collections.abc import Callable, Sequence

from PIL import Image
from rich.filesize import decimal

from lookalike.duplicates.plan import PlannedFile, PlannedGroup
from lookalike.pictures.difference import difference_of
from lookalike.pictures.sheet import SIDE_PX, Part, Picture
from lookalike.pictures.thumbnails import Thumbnails, Unreadable
from lookalike.terminal import escaped_name

# Each is a row or more on the sheet; a difference takes about a tenth of a second.
MOST_GROUPS = 30
MOST_FILES = 21


def parts_of(groups: Sequence[PlannedGroup], thumbnails: Thumbnails) -> list[Part]:
    """A part of a sheet for each of the first groups: what is kept, then each other file and its difference to it."""
    return [_part(group, thumbnails) for group in groups[:MOST_GROUPS]]


def _part(group: PlannedGroup, thumbnails: Thumbnails) -> Part:
    shown = group.files[:MOST_FILES]
    first = shown[0]
    pictures = [Picture(_made(first.path, thumbnails), escaped_name(first.path), _line(first))]
    for file in shown[1:]:
        pictures.append(Picture(_made(file.path, thumbnails), escaped_name(file.path), _line(file)))
        pictures.append(_difference(first, file, thumbnails))
    rest = f", {len(shown)} of them here" if len(shown) < len(group.files) else ""
    saved = decimal(sum(file.facts.size_bytes for file in group.moved))
    return Part(f"{group.label}: {len(group.files)} files{rest}, {saved} to save; keep: {group.why}", pictures)


def _made(path: str, thumbnails: Thumbnails) -> Callable[[int], Image.Image]:
    return lambda side_px: thumbnails.of_path(path, side_px)


def _line(file: PlannedFile) -> str:
    facts = file.facts
    return f"{file.action}: {facts.width_px}x{facts.height_px}, {decimal(facts.size_bytes)}, {facts.format}"


def _difference(first: PlannedFile, other: PlannedFile, thumbnails: Thumbnails) -> Picture:
    try:
        found = difference_of(*(thumbnails.of_path(file.path, SIDE_PX) for file in (first, other)))
    except Unreadable:
        return Picture(_nothing, "no difference to show")
    return Picture(lambda _side_px: found.picture, "difference", found.words)


def _nothing(_side_px: int) -> Image.Image:
    raise Unreadable("one of both is not to be seen")
