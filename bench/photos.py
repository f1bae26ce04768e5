"""Photos to measure with: drawn by code with the detail that photos have, or those of a folder. Knows no model.

Amplitudes of natural images fall with one over the spatial frequency (Field, J. Opt. Soc. Am. A 4, 1987); drawn so,
and with some edges, a JPEG of quality 88 has the bytes per pixel that cameras write, which is what decoding costs.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZES = {"0.5 MP": (816, 612), "1 MP": (1152, 864), "12 MP": (4000, 3000)}
DRAWN = 6  # different pictures of each size
CANVAS_PX = (4608, 3456)
QUALITY = 88
CONTRAST = 45.0  # standard deviation of the brightness, 0 to 255
FALL = 1.3  # a little steeper than one, so that q88 gives the 2 bits a pixel of the median camera photo
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif"}


def drawn(folder: Path) -> dict[str, list[Path]]:
    """The drawn photos of each size, as JPEGs in `folder`; made once (10 s), then found there."""
    wanted = {size: [folder / size.replace(" ", "") / f"{number}.jpg" for number in range(DRAWN)] for size in SIZES}
    if not all(path.exists() for paths in wanted.values() for path in paths):
        rng = np.random.default_rng(1)
        canvas = _canvas(rng)
        for number in range(DRAWN):
            picture = _window(canvas, rng)
            for size, paths in wanted.items():
                paths[number].parent.mkdir(parents=True, exist_ok=True)
                picture.resize(SIZES[size], Image.Resampling.LANCZOS).save(paths[number], quality=QUALITY)
    return wanted


def found(folder: Path) -> dict[str, list[Path]]:
    """The photos of a given folder, as they are, all in one group."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise FileNotFoundError(f"there are no photos in {folder}")
    return {"PHOTOS": paths}


def many(sources: Sequence[Path], count: int) -> Iterator[bytes]:
    """`count` files of different content: JPEGs get a comment with their number, which costs a decoder nothing."""
    blobs = [path.read_bytes() for path in sources]
    for number in range(count):
        blob = blobs[number % len(blobs)]
        comment = f"{number:08d}".encode()
        if blob[:2] == b"\xff\xd8":
            # ITU T.81, B.2.4.5: marker COM, length with itself, text; allowed right after the start of the image.
            yield blob[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + blob[2:]
        else:
            yield blob + comment


def write_many(sources: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Writes them as files; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, blob in enumerate(many(sources, count)):
        path = folder / f"{number:06d}{sources[number % len(sources)].suffix}"
        path.write_bytes(blob)
        paths.append(path)
    return paths


def _canvas(rng: np.random.Generator) -> Image.Image:
    """A picture larger than any photo, RGB: bright and dark by 1/f, colours softer than that."""
    width, height = CANVAS_PX
    light = 118 + CONTRAST * _one_over_f(rng, height, width)
    hues = [12 * _one_over_f(rng, height // 4, width // 4) for _ in range(2)]
    warm, green = (np.asarray(Image.fromarray(hue).resize((width, height), Image.Resampling.BICUBIC)) for hue in hues)
    rgb = np.stack([light + warm, light + green, light - warm], axis=-1)
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def _one_over_f(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 1 whose amplitude falls with the frequency: float32 [height, width]."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width), dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(spectrum / frequency**FALL, s=(height, width)).astype(np.float32)
    return np.asarray(field / field.std(), dtype=np.float32)


def _window(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part of the canvas of 12 MP, sometimes mirrored, with a few things that have edges."""
    width, height = SIZES["12 MP"]
    left, top = (int(rng.integers(0, room + 1)) for room in (canvas.width - width, canvas.height - height))
    picture = canvas.crop((left, top, left + width, top + height))
    if rng.integers(2):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(12):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        wide, high = (int(side) for side in rng.integers(100, 1200, 2))
        colour = (*(int(value) for value in rng.integers(30, 225, 3)), 90)
        (draw.ellipse if rng.integers(2) else draw.rectangle)((x, y, x + wide, y + high), fill=colour)
    return picture


def mean_bytes(paths: Sequence[Path]) -> int:
    """Mean size of the files."""
    return sum(path.stat().st_size for path in paths) // len(paths)
