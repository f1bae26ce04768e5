"""What people's files really are: side data that is broken, wide values, RAW, large pictures, and true reasons."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from lookalike.library.errors import Rejected
from models.contract import ModelCard, read_card
from tests.support.dng import dng
from tests.support.pictures import encoded, picture
from tests.support.tiffs import as_tiff
from tests.worker.inference.test_decoder import Opened, off_by
from worker.inference.decoder import decode_image


@pytest.fixture(scope="module")
def card(model: Path) -> ModelCard:
    return read_card(model)


def png_with(kind: bytes, content: bytes) -> bytes:
    blob = encoded(picture(1))
    crc = zlib.crc32(kind + content)
    return blob[:33] + struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc) + blob[33:]


def test_side_data_costs_no_picture_and_its_turn_is_kept(opened: Opened) -> None:
    whole = opened(encoded(picture(1)))

    for kind, content in (
        (b"gAMA", b"\0"),
        (b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        (b"acTL", b"\0" * 8),
    ):
        assert off_by(opened(png_with(kind, content)), whole) == 0


@pytest.mark.parametrize("name", ["Raw profile type exif", "Raw profile type APP1"])
def test_an_orientation_in_imagemagicks_older_form_turns(opened: Opened, name: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blob = exif.tobytes()
    told = f"{name}\0\nexif\n{len(blob):8}\n{blob.hex()}\n".encode()
    stored = png_with(b"tEXt", told)

    found = opened(stored)

    assert off_by(found, opened(encoded(picture(1).transpose(Image.Transpose.ROTATE_270)))) < 1


def test_a_jpeg_that_lacks_nothing_but_its_end_is_whole(opened: Opened) -> None:
    blob = encoded(picture(1), "JPEG")

    assert off_by(opened(blob[:-2]), opened(blob)) == 0


def test_unlike_white_shapes_on_nothing_are_unlike(opened: Opened) -> None:
    def shape(box: tuple[int, int, int, int]) -> bytes:
        image = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
        image.paste((255, 255, 255, 255), box)
        return encoded(image)

    assert off_by(opened(shape((0, 0, 32, 64))), opened(shape((32, 0, 64, 64)))) > 100


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_raw_file_without_preview_is_developed_and_turned(opened: Opened, orientation: int) -> None:
    found = opened(dng(orientation=orientation))

    assert found.format == "RAW"
    assert (found.width_px > found.height_px) == (orientation == 1)
    assert found.pixels.std() > 10


def test_a_dng_with_a_small_thumbnail_is_read_by_its_own_pixels(opened: Opened) -> None:
    found = opened(dng(Image.new("RGB", (24, 16), "red")))

    assert found.format == "RAW"
    assert found.pixels[..., 1].astype(int).mean() > 20


@pytest.mark.parametrize("preview", [None, Image.new("RGB", (24, 16), "red")])
def test_a_raw_file_without_its_pixels_is_incomplete_and_no_black_picture(
    opened: Opened, preview: Image.Image | None
) -> None:
    with pytest.raises(Rejected, match="the file is incomplete"):
        opened(dng(preview)[:-20_000])


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"%PDF-1.7\n", "it is not an image of a known format but a PDF document"),
        (b"PK\x03\x04" + bytes(50), "it is not an image of a known format but an archive (ZIP)"),
        (b"just some words", "it is not an image of a known format but text"),
        (bytes(range(256)) * 4, "it is not an image of a known format"),
        (b"\xff\x4f\xff\x51\0\x29" + bytes(4) + b"\0\0\0\x08" * 2 + bytes(300), "the image is broken"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "the image is broken (its header cannot be read)"),
        (b"\0\0\1\0" + bytes(2), "the image is broken (its header cannot be read)"),
        (b"\xff\x0a" + bytes(40), "the image is broken"),
        (as_tiff(np.zeros((9, 9), np.uint16), photometric=32844), "it is TIFF with LogL, which is not supported"),
        (b"FUJIFILMCCD-RAW " + bytes(500), "the image is broken (Unsupported file format or not RAW file)"),
        (b"PF\n9 9\n-1.0\n" + bytes(9), "it is a Portable FloatMap in colour, which is not supported"),
        (b"P7\nWIDTH 9\n", "it is a Portable Arbitrary Map, which is not supported"),
        (b"v/1\x01" + bytes(40), "it is OpenEXR, which is not supported"),
        (encoded(picture(1), "JPEG").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c"), "it is 12-bit JPEG"),
        (encoded(picture(1), "JPEG").replace(b"\xff\xc0", b"\xff\xf7", 1), "it is JPEG-LS"),
        (encoded(picture(1), "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1), "it is lossless JPEG"),
        (encoded(picture(1), "BMP")[:-50], "the file is incomplete"),
        (encoded(picture(1), "GIF")[:-50], "the file is incomplete"),
        (encoded(picture(1), "TIFF")[: len(encoded(picture(1), "TIFF")) // 2], "the file is incomplete"),
        (encoded(picture(1))[:40] + bytes(30) + encoded(picture(1))[70:], "the image is broken"),
    ],
)
def test_reasons_are_true(opened: Opened, blob: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        opened(blob)

    assert str(caught.value).startswith(reason)


def test_of_a_raw_file_what_is_decoded_counts_before_it_is(card: ModelCard) -> None:
    assert decode_image(dng(), card, max_pixels=192 * 128 // 4).width_px == 192
    with pytest.raises(Rejected, match="it has 96 x 64 pixels, the limit is"):
        decode_image(dng(), card, max_pixels=192 * 128 // 4 - 1)


def test_what_is_decoded_counts_and_not_what_the_file_has(card: ModelCard) -> None:
    panorama = encoded(Image.new("RGB", (6000, 400), "teal"), "JPEG")

    found = decode_image(panorama, card, max_pixels=200_000)

    assert (found.width_px, found.height_px) == (6000, 400)
    with pytest.raises(Rejected, match=r"the limit is 0\.2 million"):
        decode_image(encoded(Image.new("RGB", (6000, 400))), card, max_pixels=200_000)


def test_a_progressive_jpeg_takes_the_memory_of_all_its_coefficients(card: ModelCard) -> None:
    blob = encoded(Image.new("RGB", (1000, 1000), "teal"), "JPEG", progressive=True)

    assert decode_image(blob, card, max_pixels=200_000, max_memory_bytes=4_000_000).width_px == 1000
    with pytest.raises(Rejected, match=r"progressive JPEG of 1000 x 1000 pixels.*LOOKALIKE_MAX_WORKER_MIB"):
        decode_image(blob, card, max_pixels=200_000, max_memory_bytes=2_000_000)
