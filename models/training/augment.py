"""Varies training photos: lightly, as the same photo, and strongly, as the copies of it that people make.

Images in, arrays out. Photos are squares here: they were stretched when they were stored, as the model's input is.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from models.tools.perturbations import Colour, captioned, framed, jpeg, scaled, screenshot

# The test shows whole pictures, so crops that show much less teach the wrong scale.
SMALLEST_SIDE = 0.75
SMALLEST_SIDE_OF_A_COPY = 0.42  # a fifth of the area
SIDES_OF_A_PART = 0.45, 0.7
LARGEST_TURN_DEGREES = 25
TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
LETTERS = np.array(list("AEIOUBCDFGHLMNPRSTVWaeioubcdfghlmnprst    "))
BLACK, WHITE, DARK, LIGHT = (0, 0, 0), (255, 255, 255), (18, 18, 18), (250, 250, 250)


def lightly(photo: NDArray[np.uint8], px: int, rng: Generator) -> NDArray[np.uint8]:
    """Crops by at most a quarter of each side, mirrors half of the time, lights: [s, s, 3] -> uint8 [px, px, 3].

    Width and height are drawn apart: the network meets other proportions too.
    """
    image = _crop(Image.fromarray(photo), SMALLEST_SIDE, rng)
    image = ImageOps.mirror(image) if _happens(0.5, rng) else image
    image = _relit(image, 0.25, rng) if _happens(0.5, rng) else image
    return _sized(image, px)


def as_copy(photo: NDArray[np.uint8], other: NDArray[np.uint8], px: int, rng: Generator) -> NDArray[np.uint8]:
    """What a search for copies must know again: uint8 [s, s, 3] -> uint8 [px, px, 3]. `other` is laid next to it.

    After the list of SSCD (Pizzi et al., arXiv:2202.10261, section 5.2) and of what people do: changes of shape,
    colour and sharpness, each drawn apart, and one thing laid over or around.
    """
    image = _reshaped(Image.fromarray(photo), rng)
    image = _recoloured(image, rng)
    image = _surrounded(image, Image.fromarray(other), rng)
    return _sized(_worn(image, rng), px)


def as_part(photo: NDArray[np.uint8], px: int, rng: Generator) -> NDArray[np.uint8]:
    """About half of each side, from anywhere in it, as JPEG: uint8 [s, s, 3] -> uint8 [px, px, 3]."""
    side = rng.uniform(*SIDES_OF_A_PART)
    image = _crop(Image.fromarray(photo), 0.9 * side, rng, side)
    return _sized(jpeg(image, int(rng.integers(40, 95))), px)


def as_grey(photo: NDArray[np.uint8], px: int, rng: Generator) -> NDArray[np.uint8]:
    """In grey, a little lighter or darker, and nothing else: uint8 [s, s, 3] -> uint8 [px, px, 3]."""
    return _sized(_relit(ImageOps.grayscale(Image.fromarray(photo)).convert("RGB"), 0.2, rng), px)


def as_blurred(photo: NDArray[np.uint8], px: int, rng: Generator) -> NDArray[np.uint8]:
    """Out of focus, and nothing else: uint8 [s, s, 3] -> uint8 [px, px, 3]."""
    return _sized(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.5))), px)


def shrunk(pixels: NDArray[np.uint8], px: int) -> NDArray[np.uint8]:
    """uint8 [n, s, s, 3] -> uint8 [n, px, px, 3], as `prepare` does it."""
    if pixels.shape[1] == px:
        return pixels
    return np.stack([_sized(Image.fromarray(photo), px) for photo in pixels])


def _reshaped(image: Image.Image, rng: Generator) -> Image.Image:
    if _happens(0.6, rng):
        # Sides drawn apart between .4 and 1 are hardly ever small both: first how much is left, then of which side.
        most = rng.uniform(SMALLEST_SIDE_OF_A_COPY, 1.0)
        image = _crop(image, 0.85 * most, rng, most)
    image = ImageOps.mirror(image) if _happens(0.3, rng) else image
    if _happens(0.35, rng):
        return image.transpose(TURNS[rng.choice(3, p=(0.4, 0.2, 0.4))])
    if _happens(0.4, rng):
        fill = BLACK if _happens(0.7, rng) else _colour(rng)
        angle = rng.uniform(-LARGEST_TURN_DEGREES, LARGEST_TURN_DEGREES)
        return image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=fill)
    return image


def _recoloured(image: Image.Image, rng: Generator) -> Image.Image:
    if _happens(0.2, rng):
        image = ImageOps.grayscale(image).convert("RGB")
    elif _happens(0.2, rng):
        image = Image.blend(image, Image.new("RGB", image.size, _colour(rng)), rng.uniform(0.1, 0.35))
    return _relit(image, 0.6, rng) if _happens(0.6, rng) else image


def _surrounded(image: Image.Image, other: Image.Image, rng: Generator) -> Image.Image:
    kind = rng.choice(["nothing", "text", "frame", "screenshot", "collage"], p=(0.52, 0.14, 0.12, 0.1, 0.12))
    if kind == "text":
        text = "".join(rng.choice(LETTERS, rng.integers(4, 26))).strip() or "A"
        return captioned(image, text, rng.uniform(0.02, 0.85), rng.uniform(0.06, 0.22), _colour(rng))
    if kind == "frame":
        return framed(image, rng.uniform(0.02, 0.2), _colour(rng))
    if kind == "screenshot":
        paper, ink = (LIGHT, DARK) if _happens(0.5, rng) else (DARK, LIGHT)
        return screenshot(image.resize((image.width, round(image.height * rng.uniform(0.6, 1.5)))), paper, ink)
    if kind == "collage":
        width = round(rng.uniform(0.5, 0.8) * image.width)
        height = image.height if _happens(0.6, rng) else round(rng.uniform(0.6, 0.9) * image.height)
        sheet = other.resize(image.size)
        place = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
        sheet.paste(image.resize((width, height)), place)
        return sheet
    return image


def _worn(image: Image.Image, rng: Generator) -> Image.Image:
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3))) if _happens(0.2, rng) else image
    image = scaled(image, rng.uniform(0.25, 0.7)) if _happens(0.2, rng) else image
    return jpeg(image, int(rng.integers(5, 50))) if _happens(0.35, rng) else image


def _happens(probability: float, rng: Generator) -> bool:
    return bool(rng.random() < probability)


def _crop(image: Image.Image, smallest: float, rng: Generator, largest: float = 1.0) -> Image.Image:
    """A part whose sides, drawn apart, are `smallest` to `largest` of the image's, anywhere in it."""
    width, height = (round(rng.uniform(smallest, largest) * side) for side in image.size)
    left, top = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _relit(image: Image.Image, most: float, rng: Generator) -> Image.Image:
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(1 - most, 1 + most))
    return image


def _colour(rng: Generator) -> Colour:
    """Black or white mostly."""
    if _happens(0.6, rng):
        return WHITE if _happens(0.5, rng) else BLACK
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _sized(image: Image.Image, px: int) -> NDArray[np.uint8]:
    return np.asarray(image.resize((px, px), Image.Resampling.BICUBIC), dtype=np.uint8)
