"""Thumbnails, lettering, sheets and HTML: of odd pictures and odd names, and of what cannot be read."""

import base64
import io
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lookalike.pictures.html import MOST_PICTURES, pictures_html
from lookalike.pictures.lettering import Lettering
from lookalike.pictures.sheet import COLUMNS, GAP_PX, MARK, SIDE_PX, Part, Picture, draw_sheet
from lookalike.pictures.sheet import MOST_PICTURES as MOST_ON_A_SHEET
from lookalike.pictures.thumbnails import Thumbnails, Unreadable
from lookalike.search.neighbour import Neighbour
from tests.support.pictures import encoded, picture


@pytest.fixture
def thumbnails(tmp_path: Path) -> Thumbnails:
    return Thumbnails(tmp_path, max_bytes=1_000_000, max_pixels=1_000_000)


def hit(path: str, similarity: float = 0.5) -> Neighbour:
    return Neighbour(path, similarity, similarity, {})


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (picture(1, (640, 480)), (200, 150)),
        (picture(1, (4, 3)), (4, 3)),
        (picture(1, (3000, 2)), (200, 1)),
        (picture(1, (1, 900)), (1, 200)),
        (picture(1, (300, 300)).convert("L"), (200, 200)),
        (picture(1, (300, 300)).convert("P"), (200, 200)),
        (picture(1, (300, 300)).convert("1"), (200, 200)),
        (Image.fromarray(np.full((300, 300), 40_000, dtype=np.uint16)), (200, 200)),
        (Image.fromarray(np.linspace(0, 1, 90_000, dtype=np.float32).reshape(300, 300)), (200, 200)),
    ],
)
def test_pictures_of_all_shapes_and_kinds_become_small_ones(
    thumbnails: Thumbnails, tmp_path: Path, image: Image.Image, size: tuple[int, int]
) -> None:
    image.save(tmp_path / "a.tiff")

    small = thumbnails.of_path("a.tiff", 200)

    assert (small.mode, small.size) == ("RGB", size)


def test_what_was_turned_is_upright_and_what_is_clear_is_white(thumbnails: Thumbnails) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = thumbnails.of_bytes(encoded(picture(1, (64, 48)), "JPEG", exif=exif), 200)
    clear = thumbnails.of_bytes(encoded(Image.new("RGBA", (9, 9), (255, 0, 0, 0))), 200)

    assert turned.size == (48, 64)
    assert clear.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("name", "blob", "reason"),
    [
        ("gone.jpg", None, "there is no file"),
        ("text.jpg", b"hello", "Pillow does not open this format"),
        ("cut.png", encoded(picture(1))[:200], "it cannot be decoded"),
        ("many.jpg", encoded(Image.new("L", (1001, 1000)), "JPEG"), "too many pixels"),
        ("large.jpg", b"x" * 1_000_001, "too many bytes"),
        ("x" * 5000, None, "there is no file"),
    ],
)
def test_what_cannot_be_read_says_why(
    thumbnails: Thumbnails, tmp_path: Path, name: str, blob: bytes | None, reason: str
) -> None:
    if blob is not None:
        (tmp_path / name).write_bytes(blob)

    with pytest.raises(Unreadable, match=reason):
        thumbnails.of_path(name, 100)


def test_a_pipe_is_not_waited_for_and_without_a_library_nothing_is_opened(
    thumbnails: Thumbnails, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    with pytest.raises(Unreadable, match="there is no file"):
        thumbnails.of_path("pipe.jpg", 100)
    with pytest.raises(Unreadable, match="the library is not here"):
        Thumbnails(None, 1, 1).of_path("a.jpg", 100)


def test_a_name_with_bytes_that_are_no_text_is_found(thumbnails: Thumbnails, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(encoded(picture(1)))

    assert thumbnails.of_path("caf\\xe9.png", 32).width == 32


def test_letters_that_no_font_has_are_spelled_and_the_others_are_drawn() -> None:
    text = Lettering(13)
    # Of the private use area: no font of the list has it.
    assert text.drawable("a\ue0f5b\x1b[31m\U0010abcd.png") == "a\\ue0f5b\\x1b[31m\\U0010abcd.png"
    assert text.drawable("plain name (1).jpg") == "plain name (1).jpg"


def test_a_long_name_keeps_its_ends_and_fits() -> None:
    text = Lettering(13)
    name = "summer " * 40 + "IMG_1234.jpg"

    fitted = text.fitted(name, 200)

    assert text.width(fitted) <= 200 < text.width(name)
    assert fitted.startswith("summer")
    assert fitted.endswith("1234.jpg")
    assert text.fitted("short.jpg", 200) == "short.jpg"
    assert text.fitted("anything", 0) == "…"


def test_lettering_draws_within_its_width() -> None:
    text, sheet = Lettering(13), Image.new("L", (400, 40), 255)
    text.draw(ImageDraw.Draw(sheet), (10, 25), text.drawable("Птицы, ἀγορά, שלום.jpg"), "#000000")

    box = Image.eval(sheet, lambda value: 255 - value).getbbox()
    assert box is not None
    assert 8 <= box[0] <= 12
    assert box[2] <= 12 + text.width(text.drawable("Птицы, ἀγορά, שלום.jpg"))


def test_a_sheet_has_a_place_for_each_and_shows_what_cannot_be_read(thumbnails: Thumbnails, tmp_path: Path) -> None:
    red = Image.new("RGB", (100, 100), (200, 0, 0))
    red.save(tmp_path / "red.png")
    pictures = [Picture(partial(thumbnails.of_path, "red.png"), "red.png", "1.000") for _ in range(6)]
    pictures.append(Picture(partial(thumbnails.of_path, "gone.png"), "gone.png"))
    boxed = Picture(partial(thumbnails.of_path, "red.png"), "red.png", box=(0, 0, 0.5, 0.5))

    sheet = draw_sheet([Part("query", [boxed]), Part("7 neighbours", pictures)])

    assert sheet.width == GAP_PX + COLUMNS * (SIDE_PX + GAP_PX)
    colours = {colour: count for count, colour in sheet.getcolors(1 << 24) or []}
    # Seven pictures of 100 px, one of them with the outline of its box on it.
    outline = colours[tuple(bytes.fromhex(MARK[1:]))]
    assert colours[200, 0, 0] == 7 * 100 * 100 - outline
    assert outline == 4 * 50 * 2 - 16


def test_a_sheet_of_very_many_shows_the_first() -> None:
    def make(side_px: int) -> Image.Image:
        return Image.new("RGB", (side_px, side_px))

    few = draw_sheet([Part("all", [Picture(make, "a")] * MOST_ON_A_SHEET)])
    many = draw_sheet([Part("all", [Picture(make, "a")] * (MOST_ON_A_SHEET + 50))])

    assert many.size == few.size


def test_html_has_the_pictures_within_and_nothing_of_a_name_that_is_markup(
    thumbnails: Thumbnails, tmp_path: Path
) -> None:
    evil = "<script>alert('x')<\\x2fscript>\"&.png"
    (tmp_path / evil).write_bytes(encoded(picture(1)))

    html = pictures_html([hit(evil), hit("gone\x1b.png", 0.25)], None, thumbnails=thumbnails)

    assert "<script" not in html
    assert "\x1b" not in html
    assert "there is no file" in html
    assert "<b>0.500</b>" in html
    assert "<b>0.250</b>" in html
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
        assert shown.size == (64, 48)


@pytest.mark.parametrize("library", [None, Path("/nowhere")])
def test_html_is_a_table_where_the_library_is_not(library: Path | None) -> None:
    html = pictures_html([hit("<b>.png")], "a <note>", thumbnails=Thumbnails(library, 1, 1))

    assert "<table>" in html
    assert "<td>&lt;b&gt;.png</td>" in html
    assert "a &lt;note&gt;" in html
    assert "<img" not in html


def test_html_says_that_there_is_nothing_and_how_many_more(thumbnails: Thumbnails) -> None:
    assert pictures_html([], "Nothing is similar enough.", thumbnails=thumbnails) == "<p>Nothing is similar enough.</p>"
    assert "and 3 more" in pictures_html([hit("a.png")] * (MOST_PICTURES + 3), None, thumbnails=thumbnails)
