"""How a copy lies on its picture, and the picture of what differs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from lookalike.duplicates.plan import Keeping, planned
from lookalike.pictures.alignment import WHOLE, align
from lookalike.pictures.difference import OUTSIDE, difference_of
from lookalike.pictures.groups import MOST_FILES, MOST_GROUPS, parts_of
from lookalike.pictures.sheet import draw_sheet
from lookalike.pictures.thumbnails import Thumbnails
from tests.duplicates.samples import facts, group
from tests.support.pictures import picture

Turn = Image.Transpose


@pytest.fixture
def photo() -> Image.Image:
    """Something that looks like nothing else of itself."""
    drawn = picture(7, (200, 140)).convert("RGB")
    pen = ImageDraw.Draw(drawn)
    pen.ellipse((20, 10, 70, 90), fill="red")
    pen.rectangle((120, 70, 180, 130), fill="white")
    pen.polygon([(90, 10), (150, 30), (100, 60)], fill="black")
    return drawn


@pytest.mark.parametrize("turn", [None, *Turn])
def test_a_turned_or_mirrored_copy_is_turned_back(photo: Image.Image, turn: Turn | None) -> None:
    copy = photo if turn is None else photo.transpose(turn)

    found = difference_of(photo, copy)

    assert np.asarray(found.picture).min() > 250
    assert found.words.endswith("0.0% apart")
    assert (align(photo, copy).words == "") == (turn is None)


@pytest.mark.parametrize("box", [(20, 14, 180, 126), (50, 35, 150, 105), (0, 0, 120, 98), (90, 0, 200, 140)])
def test_a_crop_is_laid_on_its_place(photo: Image.Image, box: tuple[int, int, int, int]) -> None:
    found = align(photo, photo.crop(box).resize((300, 300 * (box[3] - box[1]) // (box[2] - box[0]))))

    assert found.whole == "first"
    expected = [edge / side for edge, side in zip(box, (200, 140, 200, 140), strict=True)]
    assert found.box == pytest.approx(expected, abs=0.03)


def test_a_frame_is_left_out_and_what_one_lacks_is_blue(photo: Image.Image) -> None:
    framed = ImageOps.expand(photo, 20, "black")

    assert align(photo, framed).whole == "second"
    shown = difference_of(framed, photo).picture
    assert shown.size == framed.size
    assert shown.getpixel((2, 2)) == OUTSIDE
    assert np.median(np.asarray(shown.crop((40, 40, 200, 140)))) > 240


def test_what_was_painted_over_is_dark_and_the_rest_white(photo: Image.Image) -> None:
    other = photo.copy()
    ImageDraw.Draw(other).rectangle((150, 5, 170, 25), fill="blue")

    found = difference_of(photo, other)
    grey = np.asarray(found.picture.convert("L"))

    assert align(photo, other).box == WHOLE
    assert grey[10:20, 155:165].max() < 128
    assert grey[:, :140].min() == 255
    assert found.words != "0.0% apart"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_odd_shapes_are_compared_with_anything(photo: Image.Image, size: tuple[int, int]) -> None:
    odd = Image.new("RGB", size, "white")

    assert difference_of(photo, odd).picture.size == photo.size
    assert difference_of(odd, photo).picture.size == odd.size


def test_a_sheet_of_groups_has_each_file_and_its_difference_and_names_what_is_not_there(
    photo: Image.Image, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        photo.save(tmp_path / name)
    many = [facts(f"gone/{number}.png") for number in range(MOST_FILES + 3)]
    files = [facts("a.png", width_px=200), facts("b.png", size_bytes=1500), facts("lost.png")]
    rest = [group(facts(f"{number}/x.png"), facts(f"{number}/y.png")) for number in range(MOST_GROUPS)]
    plans = list(planned([group(*files), group(*many), *rest], Keeping()))

    parts = parts_of(plans, Thumbnails(tmp_path, 1_000_000, 1_000_000))

    assert len(parts) == MOST_GROUPS
    first, second = parts[:2]
    assert first.title == "near: 3 files, 2.5 kB to save; keep: most pixels, 200x30"
    assert [each.name for each in first.pictures] == [
        "a.png", "b.png", "difference", "lost.png", "no difference to show",
    ]  # fmt: skip
    assert [each.line for each in first.pictures[:3]] == [
        "keep: 200x30, 1.0 kB, JPEG", "move: 40x30, 1.5 kB, JPEG", "0.0% apart",
    ]  # fmt: skip
    assert f"{MOST_FILES + 3} files, {MOST_FILES} of them here" in second.title
    assert len(second.pictures) == 2 * MOST_FILES - 1
    assert draw_sheet(parts[:2]).width > 1000
