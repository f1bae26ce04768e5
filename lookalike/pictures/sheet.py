"""A sheet: the pictures of a query and of what it found on one page, with names and scores."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from lookalike.pictures.lettering import Lettering
from lookalike.pictures.thumbnails import WHITE, Unreadable

COLUMNS = 5
SIDE_PX = 200
GAP_PX = 16
LINE_PX = 18
TEXT_PX = 13
TITLE_PX = 30
INK, PALE, GROUND, MARK = "#202020", "#707070", "#f3f3f3", "#d01010"
# More would be a page too long to look at, of 11 million pixels.
MOST_PICTURES = 200
LINES = 2
# Of a box of a hair's breadth something must be seen.
LEAST_BOX_PX = 3


@dataclass(frozen=True)
class Picture:
    """One picture: how it is made, its name, a line below that, and the part of it that is marked, in fractions."""

    make: Callable[[int], Image.Image]
    name: str
    line: str = ""
    box: Sequence[float] | None = None


@dataclass(frozen=True)
class Part:
    """Pictures below a title."""

    title: str
    pictures: Sequence[Picture]


def draw_sheet(parts: Sequence[Part]) -> Image.Image:
    """The parts below each other; what cannot be read is an empty place with its name and the reason."""
    shown = [part.pictures[:MOST_PICTURES] for part in parts]
    rows = [math.ceil(len(pictures) / COLUMNS) for pictures in shown]
    cell_px = SIDE_PX + LINES * LINE_PX + GAP_PX
    width = GAP_PX + COLUMNS * (SIDE_PX + GAP_PX)
    sheet = Image.new("RGB", (width, GAP_PX + sum(TITLE_PX + count * cell_px for count in rows)), WHITE)
    pen = _Pen(sheet)
    top = GAP_PX
    for part, pictures, count in zip(parts, shown, rows, strict=True):
        rest = len(part.pictures) - len(pictures)
        pen.title(top, f"{part.title}, the first {len(pictures)}" if rest else part.title)
        top += TITLE_PX
        for at, picture in enumerate(pictures):
            left = GAP_PX + at % COLUMNS * (SIDE_PX + GAP_PX)
            pen.picture(left, top + at // COLUMNS * cell_px, picture)
        top += count * cell_px
    return sheet


class _Pen:
    def __init__(self, sheet: Image.Image) -> None:
        self._sheet = sheet
        self._draw = ImageDraw.Draw(sheet)
        self._text = Lettering(TEXT_PX)

    def title(self, top: int, text: str) -> None:
        fitted = self._text.fitted(text, self._sheet.width - 2 * GAP_PX)
        self._text.draw(self._draw, (GAP_PX, top + TEXT_PX), fitted, INK)

    def picture(self, left: int, top: int, picture: Picture) -> None:
        # Of a picture that is small, narrow or white its place is seen.
        self._draw.rectangle((left, top, left + SIDE_PX - 1, top + SIDE_PX - 1), fill=GROUND)
        try:
            image = picture.make(SIDE_PX)
        except Unreadable as error:
            self._nothing(left, top, str(error))
        else:
            self._image(left, top, image, picture.box)
        base = top + SIDE_PX + LINE_PX - (LINE_PX - TEXT_PX)
        self._text.draw(self._draw, (left, base), self._text.fitted(picture.name, SIDE_PX), INK)
        self._text.draw(self._draw, (left, base + LINE_PX), self._text.fitted(picture.line, SIDE_PX), PALE)

    def _image(self, left: int, top: int, image: Image.Image, box: Sequence[float] | None) -> None:
        at = left + (SIDE_PX - image.width) // 2, top + (SIDE_PX - image.height) // 2
        self._sheet.paste(image, at)
        if box is not None:
            begin = at[0] + box[0] * image.width, at[1] + box[1] * image.height
            end = at[0] + box[2] * image.width - 1, at[1] + box[3] * image.height - 1
            end = max(end[0], begin[0] + LEAST_BOX_PX), max(end[1], begin[1] + LEAST_BOX_PX)
            self._draw.rectangle((*begin, *end), outline=MARK, width=2)

    def _nothing(self, left: int, top: int, reason: str) -> None:
        fitted = self._text.fitted(reason, SIDE_PX - GAP_PX)
        middle = left + (SIDE_PX - self._text.width(fitted)) / 2
        self._text.draw(self._draw, (middle, top + SIDE_PX / 2), fitted, PALE)
