"""The difference of two pictures, to look at: white where they agree, the darker the more they differ."""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageStat

from lookalike.pictures.alignment import WHOLE, Box, align, oriented

# So that what an eye would miss is seen: a tenth of the range is nearly half black.
GAIN = 4
OUTSIDE = (214, 226, 240)


@dataclass(frozen=True)
class Difference:
    """A picture of the size of the first one, and what it shows in a few words."""

    picture: Image.Image
    words: str


def difference_of(first: Image.Image, second: Image.Image) -> Difference:
    """How the second picture differs from the first once it lies on it; what only the first has is light blue."""
    found = align(first, second)
    turned = oriented(second, found.orientation)
    on_first, on_second = (found.box, WHOLE) if found.whole == "first" else (WHOLE, found.box)
    left, top, right, bottom = _pixels(first, on_first)
    size = right - left, bottom - top
    part = first.crop((left, top, right, bottom))
    other = turned.crop(_pixels(turned, on_second)).resize(size, Image.Resampling.BILINEAR)
    apart = ImageChops.difference(part.convert("RGB"), other.convert("RGB"))
    red, green, blue = apart.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    picture = Image.new("RGB", first.size, OUTSIDE)
    picture.paste(most.point([255 - min(255, GAIN * value) for value in range(256)]).convert("RGB"), (left, top))
    mean = sum(ImageStat.Stat(apart).mean) / 3 / 255
    return Difference(picture, ", ".join(filter(None, (found.words, f"{mean:.1%} apart"))))


def _pixels(image: Image.Image, box: Box) -> tuple[int, int, int, int]:
    """The box in whole pixels, at least one wide and high."""
    left, top = (min(int(edge * size), size - 1) for edge, size in zip(box[:2], image.size, strict=True))
    right, bottom = (round(edge * size) for edge, size in zip(box[2:], image.size, strict=True))
    return left, top, max(right, left + 1), max(bottom, top + 1)
