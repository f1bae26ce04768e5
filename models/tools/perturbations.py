"""The transformed copies of a photo that a search should still find. Images in, images out."""

import io
from collections.abc import Callable, Iterator, Sequence

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Transform = Callable[[Image.Image], Image.Image]
Colour = tuple[int, int, int]

COLLAGE = "collage"  # the one copy that other photos belong to
PAPER: Colour = (245, 245, 245)
INK: Colour = (20, 20, 20)
CAPTION = "WHEN THE CAMERA SEES YOU"


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """What is left of an image after it was written as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as copy:
        return copy.convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Both sides times `factor`, at least one pixel."""
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def cropped(image: Image.Image, side: float) -> Image.Image:
    """The middle `side` of each side."""
    width, height = max(1, round(image.width * side)), max(1, round(image.height * side))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def framed(image: Image.Image, width: float, colour: Colour) -> Image.Image:
    """A border around the image, `width` of its shorter side."""
    return ImageOps.expand(image, max(1, round(width * min(image.size))), colour)


def captioned(image: Image.Image, text: str, top: float, height: float, colour: Colour) -> Image.Image:
    """`text` over the image, centred, its line `height` of the image's height and `top` of it below the upper edge.

    Long text is set smaller, so that it stays within the image.
    """
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    size_px = max(1.0, height * image.height)
    length = draw.textlength(text, ImageFont.load_default(size_px))
    font = ImageFont.load_default(max(1.0, size_px * min(1.0, 0.96 * image.width / max(1.0, length))))
    outline = max(1, round(size_px / 12))
    opposite = (0, 0, 0) if sum(colour) > 3 * 127 else (255, 255, 255)
    at = (image.width / 2, top * image.height)
    draw.text(at, text, colour, font, anchor="ma", stroke_width=outline, stroke_fill=opposite)
    return copy


def screenshot(image: Image.Image, paper: Colour = PAPER, ink: Colour = INK) -> Image.Image:
    """The image as a program shows it on a telephone's screen: bars above and below, lines of text, a margin."""
    width, height = image.size
    above, below, margin = max(1, height // 6), max(1, height // 4), max(1, width // 24)
    screen = Image.new("RGB", (width + 2 * margin, height + above + below), paper)
    draw = ImageDraw.Draw(screen)
    font = ImageFont.load_default(max(1.0, above / 3))
    draw.text((margin, above / 3), "9:41   Photos   Edit", ink, font)
    for line in range(3):
        y = above + height + below * (line + 1) / 4
        draw.text((margin, y), "This was the day that we remember"[: 33 - 9 * line], ink, font, anchor="lm")
    screen.paste(image, (margin, above))
    return screen


def collage(image: Image.Image, others: Sequence[Image.Image]) -> Image.Image:
    """The image on the left, two thirds of the width, and the others below one another on the right, stretched."""
    width, height = image.size
    sheet = Image.new("RGB", (max(2, width * 3 // 2), height), PAPER)
    sheet.paste(image, (0, 0))
    row_px = max(1, height // max(1, len(others)))
    for row, other in enumerate(others):
        sheet.paste(other.resize((sheet.width - width, row_px)), (width, row * row_px))
    return sheet


# RGB in, RGB out. Crops keep that part of each side, around the centre; turn10 leaves black corners.
TRANSFORMS: dict[str, Transform] = {
    "q75": lambda image: jpeg(image, 75),
    "q10": lambda image: jpeg(image, 10),
    "half": lambda image: scaled(image, 0.5),
    "crop80": lambda image: cropped(image, 0.8),
    "crop50": lambda image: cropped(image, 0.5),
    "mirror": ImageOps.mirror,
    "turn10": lambda image: image.rotate(10, Image.Resampling.BICUBIC),
    "turn90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "frame": lambda image: framed(image, 0.1, (255, 255, 255)),
    "text": lambda image: captioned(image, CAPTION, 0.78, 0.14, (255, 255, 255)),
    "screenshot": screenshot,
}
KINDS = (*TRANSFORMS, COLLAGE)


def copied(kind: str, images: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """One copy of each image, in their order. A collage has the two images that follow next to its own."""
    for number, image in enumerate(images):
        if kind == COLLAGE:
            yield collage(image, [images[(number + step) % len(images)] for step in (1, 2)])
        else:
            yield TRANSFORMS[kind](image)
