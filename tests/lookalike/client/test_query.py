"""A query travels as it is while it is small, and scaled down without changing what is seen when it is large."""

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from lookalike.client.queries.query_image import QueryImage, query_image
from lookalike.errors import Refused
from tests.support.pictures import encoded, picture


def large_jpeg(**options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (1600, 2000, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), "JPEG", quality=90, **options)


def test_a_small_image_travels_unchanged(tmp_path: Path) -> None:
    blob = encoded(picture(1))
    (tmp_path / "a.png").write_bytes(blob)

    assert query_image(tmp_path / "a.png", max_bytes=10**6).blob == blob
    assert query_image(blob, max_bytes=10**6).blob == blob


def test_a_large_jpeg_is_scaled_and_turned_upright() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blob = large_jpeg(exif=exif)

    with Image.open(io.BytesIO(query_image(blob, max_bytes=10**7).blob)) as sent:
        assert sent.size == (800, 1000)
        assert sent.getexif().get(ExifTags.Base.Orientation, 1) == 1


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        # Pillow's decoder raises NotImplementedError for flags of pixels that it does not know.
        b"DDS " + struct.pack("<IIII", 124, 0x1007, 64, 64) + bytes(56) + struct.pack("<II", 32, 8) + bytes(44),
        encoded(picture(1)),
        encoded(picture(1), "JPEG")[:300],
        encoded(picture(1), "JPEG").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
    ],
    ids=["nothing", "DDS", "PNG", "cut off", "12 bits"],
)
def test_what_is_no_whole_jpeg_is_left_to_the_worker(blob: bytes) -> None:
    large = blob + bytes(2_000_000)

    assert query_image(large, max_bytes=10**7).blob == large


def test_bounds_and_unreadable_files_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="LOOKALIKE_MAX_QUERY_BYTES"):
        query_image(b"\0" * 2_000_000, max_bytes=10**6)
    with pytest.raises(Refused, match="empty"):
        query_image(b"", max_bytes=10)
    with pytest.raises(Refused, match="cannot be read"):
        query_image(tmp_path, max_bytes=10)


def test_the_profile_travels_and_inks_are_left_to_the_worker() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    with Image.open(io.BytesIO(query_image(large_jpeg(icc_profile=profile), max_bytes=10**7).blob)) as sent:
        assert sent.size == (1000, 800)
        assert sent.info["icc_profile"] == profile
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1400, 4), dtype=np.uint8)
    inks = encoded(Image.fromarray(noise, "CMYK"), "JPEG", quality=95)
    assert query_image(inks, max_bytes=10**8).blob == inks


def test_a_photo_of_very_many_pixels_warns_nobody_and_is_scaled() -> None:
    wide = encoded(Image.new("L", (16_000, 12_000)), "JPEG") + bytes(2_000_000)

    with Image.open(io.BytesIO(query_image(wide, max_bytes=10**7).blob)) as sent:
        assert sent.size == (2000, 1500)


@pytest.mark.parametrize(("height", "is_sent_whole"), [(10_000, True), (9_000, False)])
def test_the_coefficients_of_a_very_large_progressive_jpeg_are_left_to_the_worker(
    height: int,
    is_sent_whole: bool,  # noqa: FBT001
) -> None:
    large = encoded(Image.new("L", (10_001, height)), "JPEG", progressive=True) + bytes(2_000_000)

    assert (query_image(large, max_bytes=10**7).blob == large) == is_sent_whole


def test_a_box_in_pixels_of_a_photo_on_its_side_becomes_fractions_of_the_upright_one() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blob = large_jpeg(exif=exif)

    found = query_image(blob, max_bytes=10**7, box_px=(0, 200, 1600, 2000), hashed=True)

    assert (found.box, found.box_px) == ((0, 0.1, 1, 1), None)
    assert (len(found.blob) < len(blob), found.sha256) == (True, hashlib.sha256(blob).hexdigest())
    with pytest.raises(Refused, match=r"\[0, 0, 1601, 2000\] reaches outside the picture, which is 1600 x 2000 pixels"):
        query_image(blob, max_bytes=10**7, box_px=(0, 0, 1601, 2000))


def test_a_box_in_pixels_of_what_only_a_worker_can_open_travels_as_it_is() -> None:
    tiff = encoded(picture(1), "TIFF")

    assert query_image(tiff, max_bytes=10**7, box_px=(0, 0, 9000, 9), hashed=True) == QueryImage(
        tiff, box_px=(0, 0, 9000, 9)
    )
