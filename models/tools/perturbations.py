"""The transformed copies of a photo that a search should still find. Images in, images out."""

import io
from collections.abc import Callable

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Transform = Callable[[Image.Image], Image.Image]


def _jpeg(quality: int) -> Transform:
    def reencoded(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as copy:
            return copy.convert("RGB")

    return reencoded


def _scaled(factor: float) -> Transform:
    def scaled(image: Image.Image) -> Image.Image:
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        return image.resize(size, Image.Resampling.BICUBIC)

    return scaled


def _cropped(side: float) -> Transform:
    def cropped(image: Image.Image) -> Image.Image:
        width, height = max(1, round(image.width * side)), max(1, round(image.height * side))
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))

    return cropped


# RGB in, RGB out. Crops keep that part of each side, around the centre; turn10 leaves black corners.
TRANSFORMS: dict[str, Transform] = {
    "q75": _jpeg(75),
    "q10": _jpeg(10),
    "half": _scaled(0.5),
    "crop80": _cropped(0.8),
    "crop50": _cropped(0.5),
    "mirror": ImageOps.mirror,
    "turn10": lambda image: image.rotate(10, Image.Resampling.BICUBIC),
    "turn90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
}
