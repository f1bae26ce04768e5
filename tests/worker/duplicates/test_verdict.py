"""The second look: copies of a picture are near, other pictures and flat ones are not."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from examples.samples import EACH, MOTIFS, picture
from models.tools.perturbations import TRANSFORMS, jpeg
from worker.duplicates.alignment import places
from worker.duplicates.small import SMALL_PX, Small, small_jpeg
from worker.duplicates.verdict import look

COPIES = ("q75", "half", "crop80", "crop50", "mirror", "turn90", "grey", "frame", "text", "screenshot")


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft ground with sharp things on it, different for each seed."""
    draw = np.random.default_rng(seed)
    ground = Image.fromarray(draw.integers(40, 216, (5, 6, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pencil = ImageDraw.Draw(ground)
    for _ in range(60):
        x, y = int(draw.integers(0, size[0])), int(draw.integers(0, size[1]))
        w, h = (int(side) for side in draw.integers(6, 60, 2))
        colour = tuple(int(level) for level in draw.integers(0, 256, 3))
        shape = pencil.ellipse if draw.random() < 0.5 else pencil.rectangle
        shape((x, y, x + w, y + h), fill=colour)
    return ground


def small(image: Image.Image) -> Small:
    return Small.of(small_jpeg(image))


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_near_in_both_directions(kind: str) -> None:
    for seed in range(4):
        photo = scene(seed)
        copy = jpeg(TRANSFORMS[kind](photo), 85)
        assert look(small(photo), small(copy)).is_near
        assert look(small(copy), small(photo)).is_near


def test_all_eight_orientations_are_found() -> None:
    photo = scene(7)
    for mirrored in (photo, ImageOps.mirror(photo)):
        for turn in range(4):
            assert look(small(photo), small(mirrored.rotate(90 * turn, expand=True))).is_near


def test_a_part_that_is_not_in_the_middle_is_found() -> None:
    photo = scene(8)
    part = photo.crop((10, 5, 210, 155))
    found = places(small(photo), small(part))[0]
    assert (found.swapped, found.orientation) == (True, 0)
    assert look(small(photo), small(part)).is_near


def test_other_pictures_are_not_near() -> None:
    pictures = [small(scene(seed)) for seed in range(20, 30)]
    assert not any(look(a, b).is_near for at, a in enumerate(pictures) for b in pictures[:at])


@pytest.mark.parametrize("motif", MOTIFS)
def test_drawings_of_one_motif_on_flat_ground_are_not_near(motif: str) -> None:
    """Those that `make run` draws: what people see first."""
    drawn = [small(picture(MOTIFS[motif], f"{motif} {number}")) for number in range(1, EACH + 1)]
    assert not any(look(a, b).is_near for at, a in enumerate(drawn) for b in drawn[:at])


def test_a_thing_that_moved_makes_another_picture() -> None:
    def street(car: int) -> Image.Image:
        image = scene(3)
        ImageDraw.Draw(image).rectangle((car, 60, car + 190, 200), fill=(200, 30, 30), outline=(0, 0, 0), width=6)
        return image

    found = look(small(street(5)), small(street(110)))
    assert not found.is_near
    assert found.agreeing < 0.9


def test_another_colour_of_the_same_thing_is_not_near() -> None:
    photo = scene(4)
    red, green, blue = photo.split()
    luma = np.asarray(photo.convert("L"), np.float32)
    other = Image.merge("RGB", (blue, red, green))
    ratio = luma / np.maximum(1, np.asarray(other.convert("L"), np.float32))
    recoloured = Image.fromarray(np.clip(np.asarray(other) * ratio[..., None], 0, 255).astype(np.uint8))
    assert look(small(photo), small(photo.convert("L").convert("RGB"))).is_near
    assert not look(small(photo), small(recoloured)).is_near


def wall(seed: int) -> Image.Image:
    draw = np.random.default_rng(seed)
    level = draw.integers(120, 230) + draw.normal(0, 1.5, (240, 320, 1))
    slope = np.linspace(0, draw.uniform(-8, 8), 320)[None, :, None]
    return Image.fromarray(np.clip(level + slope, 0, 255).astype(np.uint8).repeat(3, 2))


def night(seed: int) -> Image.Image:
    draw = np.random.default_rng(seed)
    image = Image.fromarray((8 + draw.normal(0, 2, (240, 320, 1))).clip(0, 255).astype(np.uint8).repeat(3, 2))
    for _ in range(30):
        image.putpixel((int(draw.integers(320)), int(draw.integers(240))), (220, 220, 200))
    return image


def icon(seed: int) -> Image.Image:
    draw = np.random.default_rng(seed)
    image = Image.new("RGB", (128, 128), "white")
    pencil = ImageDraw.Draw(image)
    for _ in range(3):
        box = (
            sorted(int(one) for one in draw.integers(16, 112, 2)),
            sorted(int(one) for one in draw.integers(16, 112, 2)),
        )
        shape = pencil.ellipse if draw.random() < 0.5 else pencil.rectangle
        colour = tuple(int(level) for level in draw.integers(0, 200, 3))
        shape((box[0][0], box[1][0], box[0][1] + 8, box[1][1] + 8), outline=colour, width=6)
    return image


@pytest.mark.parametrize("drawn", [wall, night, icon])
def test_flat_pictures_are_not_near(drawn: Callable[[int], Image.Image]) -> None:
    pictures = [small(drawn(seed)) for seed in range(24)]
    assert not any(look(a, b).is_near for at, a in enumerate(pictures) for b in pictures[:at])


def test_the_small_picture_is_small() -> None:
    for size in [(4000, 30), (1, 1), (300, 400)]:
        jpeg_bytes = small_jpeg(scene(1).resize(size))
        assert max(Small.of(jpeg_bytes).luma.shape) == SMALL_PX
        assert len(jpeg_bytes) < 8000
        assert not look(Small.of(jpeg_bytes), small(scene(2))).is_near


def test_more_than_half_of_another_picture_is_another_picture() -> None:
    photo = scene(5)
    covered = photo.copy()
    covered.paste(scene(6, (320, 150)), (0, 0))
    assert not look(small(photo), small(covered)).is_near
