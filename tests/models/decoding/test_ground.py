"""Transparent pictures lie on a ground that they stand out from."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.decoding.ground import on_ground


def drawn(draw: Callable[[ImageDraw.ImageDraw], object]) -> Image.Image:
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    draw(ImageDraw.Draw(image))
    return image


@pytest.mark.parametrize("colour", ["black", "red", "blue", "grey", "green"])
def test_most_pictures_lie_on_white(colour: str) -> None:
    flat = on_ground(drawn(lambda draw: draw.ellipse((10, 10, 50, 50), fill=colour)))

    assert flat.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("colour", ["white", "#f0f0f0", "lightyellow"])
def test_what_would_vanish_on_white_lies_on_black(colour: str) -> None:
    flat = on_ground(drawn(lambda draw: draw.ellipse((10, 10, 50, 50), fill=colour)))

    assert flat.getpixel((0, 0)) == (0, 0, 0)
    assert np.ptp(np.asarray(flat.convert("L"))) > 200


def test_nothing_at_all_is_a_white_page() -> None:
    assert np.asarray(on_ground(Image.new("RGBA", (5, 5), (9, 9, 9, 0)))).min() == 255


def test_half_transparent_edges_blend() -> None:
    flat = on_ground(Image.new("RGBA", (5, 5), (0, 0, 0, 128)))

    assert flat.getpixel((2, 2)) == (127, 127, 127)
