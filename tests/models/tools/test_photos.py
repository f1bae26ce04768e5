"""models/tools/photos.py: what counts as a photo, its label, and how it is opened."""

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from models.tools.photos import open_rgb, read_photos


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_class_folders_are_labels_and_the_order_is_fixed(photo_folder: Path) -> None:
    photos = list(read_photos([photo_folder]))

    assert [photo.name for photo in photos[:2]] == ["blue/0.png", "blue/1.png"]
    assert [photo.label for photo in photos] == ["blue"] * 6 + ["green"] * 6 + ["red"] * 6
    assert photos == list(read_photos([photo_folder]))


def test_photos_beside_the_class_folders_have_no_label_and_other_files_are_no_photos(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").write_bytes(b"whatever")
    (tmp_path / "notes.txt").write_text("no photo")

    assert [(photo.name, photo.label) for photo in read_photos([tmp_path])] == [("a.PNG", "")]


def test_a_tar_takes_its_labels_from_the_table_beside_it(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set_1.tar.gz", "w:gz") as archive:
        for name in ("00.webp", "01.webp", "readme.txt"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(name[:3].encode()))
    (tmp_path / "set_1.csv").write_text("file,label,source\n00.webp,dress,clothing\n01.webp,,web\n")

    photos = list(read_photos([tmp_path / "set_1.tar.gz"]))

    assert [(photo.name, photo.label, photo.source) for photo in photos] == [
        ("00.webp", "dress", "clothing"),
        ("01.webp", "", "web"),
    ]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(read_photos([tmp_path / "nowhere"]))


def test_a_photo_is_opened_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    content = encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif)

    assert open_rgb(content).size == (20, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert(mode)
    content = encoded(clear, "PNG", **({"transparency": 0} if mode == "P" else {}))

    assert open_rgb(content).getpixel((1, 1)) == (255, 255, 255)


def test_what_is_no_image_is_an_os_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        open_rgb(b"text")
