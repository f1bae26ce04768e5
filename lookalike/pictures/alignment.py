"""How one picture lies on another that it is a copy of: turned, mirrored, and which part. With Pillow alone.

For the eyes: what is drawn from it shows a person where two pictures differ. It is no verdict. Small grey pictures are
compared in the eight orientations, each as the whole and as a part of several sizes; the best is refined.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from PIL import Image, ImageChops, ImageStat

# Left, top, right, bottom in fractions.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# To bring the second picture upright as the first; None leaves it.
ORIENTATIONS = (None, *Image.Transpose)
WORDS = {
    Image.Transpose.FLIP_LEFT_RIGHT: "mirrored",
    Image.Transpose.FLIP_TOP_BOTTOM: "upside down, mirrored",
    Image.Transpose.ROTATE_90: "turned right",
    Image.Transpose.ROTATE_180: "upside down",
    Image.Transpose.ROTATE_270: "turned left",
    Image.Transpose.TRANSPOSE: "turned, mirrored",
    Image.Transpose.TRANSVERSE: "turned, mirrored",
}
# Compared at this size, parts being cut out of a picture of that one.
SIDE_PX, CUT_PX = 32, 128
SCALES = (0.86, 0.74, 0.64, 0.55, 0.47)
STEPS = 5
REFINEMENTS = 6
# A part must be so much nearer than the whole: parts have more chances.
WORTH = 0.8


@dataclass(frozen=True)
class Alignment:
    """The second picture, oriented, shows the `box` of the `whole` one; `distance` is the mean difference, 0 to 1."""

    orientation: Image.Transpose | None
    whole: Literal["first", "second"]
    box: Box
    distance: float

    @property
    def words(self) -> str:
        """What was done to the second picture, in a few words; empty for nothing."""
        share = (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])
        part = f"{share:.0%} of {'it' if self.whole == 'first' else 'this'}" if self.box != WHOLE else ""
        return ", ".join(filter(None, ("" if self.orientation is None else WORDS[self.orientation], part)))


def align(first: Image.Image, second: Image.Image) -> Alignment:
    """The nearest of all that are tried."""
    grounds = _small(first), _small(second)
    best = min((_as_whole(grounds, orientation) for orientation in ORIENTATIONS), key=lambda each: each.distance)
    parts = min(_as_parts(grounds), key=lambda each: each.distance, default=best)
    if parts.distance >= WORTH * best.distance:
        return best
    for refinement in range(1, REFINEMENTS + 1):
        parts = min([parts, *_nearby(grounds, parts, 0.16 / 2**refinement)], key=lambda each: each.distance)
    return parts


def oriented(image: Image.Image, orientation: Image.Transpose | None) -> Image.Image:
    """The picture, turned and mirrored so."""
    return image if orientation is None else image.transpose(orientation)


Grounds = tuple[Image.Image, Image.Image]


def _small(image: Image.Image) -> Image.Image:
    grey = image.convert("L")
    grey.thumbnail((CUT_PX, CUT_PX), Image.Resampling.BILINEAR)
    return grey


def _as_whole(grounds: Grounds, orientation: Image.Transpose | None) -> Alignment:
    first, second = grounds
    distance = _distance(_cut(first, WHOLE), _cut(oriented(second, orientation), WHOLE))
    return Alignment(orientation, "first", WHOLE, distance)


def _as_parts(grounds: Grounds) -> Iterator[Alignment]:
    for orientation in ORIENTATIONS:
        first, second = grounds[0], oriented(grounds[1], orientation)
        yield from _tried(orientation, "first", first, second, _boxes(first, second))
        yield from _tried(orientation, "second", second, first, _boxes(second, first))


def _nearby(grounds: Grounds, found: Alignment, step: float) -> Iterator[Alignment]:
    """Parts a little larger or smaller, and a little elsewhere."""
    first, second = grounds[0], oriented(grounds[1], found.orientation)
    whole, part = (first, second) if found.whole == "first" else (second, first)
    left, top, right, bottom = found.box
    boxes = []
    for wider, across, down in product((-step, 0.0, step), repeat=3):
        width, height = (right - left) * (1 + wider), (bottom - top) * (1 + wider)
        if width <= 1 and height <= 1:
            # One that would stick out is moved in: parts often begin at an edge.
            begin = min(max(0.0, (left + right - width) / 2 + across * width), 1 - width)
            upper = min(max(0.0, (top + bottom - height) / 2 + down * height), 1 - height)
            boxes.append((begin, upper, begin + width, upper + height))
    yield from _tried(found.orientation, found.whole, whole, part, boxes)


def _tried(
    orientation: Image.Transpose | None,
    which: Literal["first", "second"],
    whole: Image.Image,
    part: Image.Image,
    boxes: Iterable[Box],
) -> Iterator[Alignment]:
    wanted = _cut(part, WHOLE)
    for box in boxes:
        yield Alignment(orientation, which, box, _distance(_cut(whole, box), wanted))


def _boxes(whole: Image.Image, part: Image.Image) -> Iterator[Box]:
    """Parts of the whole that have the shape of the other picture, in several sizes and places."""
    shape = part.width / part.height * whole.height / whole.width
    for scale in (1.0, *SCALES):
        width, height = min(1.0, shape) * scale, min(1.0, 1 / shape) * scale
        for across, down in product(_places(1 - width), _places(1 - height)):
            yield across, down, across + width, down + height


def _places(room: float) -> list[float]:
    return [room * step / (STEPS - 1) for step in range(STEPS)] if room > 1 / SIDE_PX else [room / 2]


def _cut(image: Image.Image, box: Box) -> Image.Image:
    left, top, right, bottom = box
    edges = (left * image.width, top * image.height, right * image.width, bottom * image.height)
    inside = (max(0.0, edges[0]), max(0.0, edges[1]), min(edges[2], image.width), min(edges[3], image.height))
    return image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=inside)


def _distance(one: Image.Image, other: Image.Image) -> float:
    return ImageStat.Stat(ImageChops.difference(one, other)).mean[0] / 255
