"""Side data of any kind of brokenness costs no picture; what carries pixels is kept byte by byte."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, TiffImagePlugin

from models.decoding.side_data import without_side_data
from tests.support.pictures import encoded, picture


def chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    told = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", told)


def png_with(*chunks: bytes) -> bytes:
    """A PNG with chunks right behind its header."""
    blob = encoded(picture(1))
    return blob[:33] + b"".join(chunks) + blob[33:]


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2 if length is None else length) + content


def jpeg_with(*segments: bytes) -> bytes:
    blob = encoded(picture(1), "JPEG", quality=95)
    return blob[:2] + b"".join(segments) + blob[2:]


def pixels(blob: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(blob)) as image:
        return np.asarray(image.convert("RGB"))


TOO_LARGE = zlib.compress(bytes(3_000_000))


@pytest.mark.parametrize(
    "broken",
    [
        chunk(b"zTXt", b"Comment\0\0" + TOO_LARGE),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + TOO_LARGE),
        chunk(b"iCCP", b"icc\0\0" + TOO_LARGE),
        chunk(b"iCCP", b"icc\0\0no deflate"),
        chunk(b"gAMA", b"\0"),
        chunk(b"cHRM", b"\0" * 5),
        chunk(b"sRGB", b""),
        chunk(b"pHYs", b"\0" * 3),
        chunk(b"pHYs", b"\0" * 9, crc=1),
        chunk(b"tIME", b"\0", crc=7),
        chunk(b"eXIf", b"Exif\0\0garbage", crc=3),
        chunk(b"acTL", b"\0" * 8),
        chunk(b"fcTL", b"\0" * 3),
        chunk(b"qzZz", b"what nobody knows", crc=5),
    ],
    ids=lambda broken: broken[4:8].decode(),
)
def test_a_png_survives_its_side_chunks(broken: bytes) -> None:
    whole = png_with()

    bare = without_side_data(png_with(broken))

    assert bare is not None
    assert np.array_equal(pixels(bare), pixels(whole))


def test_what_carries_pixels_palette_transparency_and_orientation_of_a_png_stays() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x")
    blob = encoded(picture(1).convert("P"), "PNG", transparency=0, exif=exif, pnginfo=text, dpi=(72, 72))

    bare = without_side_data(blob)

    assert bare is not None
    with Image.open(io.BytesIO(blob)) as one, Image.open(io.BytesIO(bare)) as other:
        assert other.getexif()[ExifTags.Base.Orientation] == 6
        assert (one.info["transparency"], "dpi" in other.info, "Comment" in other.info) == (
            other.info["transparency"], False, False
        )  # fmt: skip
        assert one.getpalette() == other.getpalette()
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize(
    "broken",
    [
        segment(0xE2, b"ICC_PROFILE\0\1\1" + b"x" * 50),
        segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        segment(0xED, b"Photoshop 3.0\x008BIM\xff\xff"),
        segment(0xEF, b"y" * 100),
        segment(0xFE, b"comment", length=9000),
        segment(0xFE, b"", length=0),
        segment(0xE5, b"z" * 20, length=4),
        segment(0xEE, b"Adobe"),
        segment(0xF0, b"reserved"),
        b"\xaa\xbb",
    ],
    ids=["icc", "mpf", "photoshop", "unknown", "too long", "no length", "too short", "adobe", "reserved", "between"],
)
def test_a_jpeg_survives_its_application_segments(broken: bytes) -> None:
    bare = without_side_data(jpeg_with(broken))

    assert bare is not None
    assert np.array_equal(pixels(bare), pixels(jpeg_with()))


def test_the_segment_that_says_how_colours_are_coded_stays() -> None:
    blob = encoded(picture(1).convert("CMYK"), "JPEG", quality=95)

    bare = without_side_data(blob[:2] + segment(0xFE, b"comment") + blob[2:])

    assert bare is not None
    assert np.array_equal(pixels(bare), pixels(blob))


def test_exif_behind_a_comment_of_a_wrong_length_stays() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blob = encoded(picture(1), "JPEG", exif=exif)

    bare = without_side_data(blob[:2] + segment(0xFE, b"", length=9000) + blob[2:])

    assert bare is not None
    with Image.open(io.BytesIO(bare)) as image:
        assert image.getexif()[ExifTags.Base.Orientation] == 6


@pytest.mark.parametrize("length", [0, 1, 5, 0x7FFFFFF0, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [b"ICCP", b"EXIF", b"XMP "])
def test_a_webp_survives_a_chunk_of_a_wrong_length(kind: bytes, length: int) -> None:
    blob = encoded(picture(1), "WEBP", lossless=True, icc_profile=b"x" * 9, exif=b"MM\0*" + bytes(8), xmp=b"<x/>")
    at = blob.find(kind)

    bare = without_side_data(blob[: at + 4] + struct.pack("<I", length) + blob[at + 8 :])

    assert bare is not None
    assert np.array_equal(pixels(bare), pixels(blob))


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_survives_its_chunks(lossless: bool) -> None:  # noqa: FBT001
    blob = encoded(picture(1).convert("RGBA"), "WEBP", lossless=lossless, icc_profile=b"no profile", xmp=b"<x/>")

    bare = without_side_data(blob)

    assert bare is not None
    assert len(bare) < len(blob)
    with Image.open(io.BytesIO(blob)) as one, Image.open(io.BytesIO(bare)) as other:
        assert "xmp" not in other.info
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "jpeg"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "I;16"])
def test_a_tiff_survives_its_tags(mode: str, compression: str | None) -> None:
    if compression == "jpeg" and mode in ("P", "I;16"):
        pytest.skip("JPEG has no such mode")
    image = picture(1).convert("L").convert("I;16") if mode == "I;16" else picture(1).convert(mode)
    blob = encoded(image, "TIFF", compression=compression, description="x" * 500, dpi=(300, 300))

    bare = without_side_data(blob)

    assert bare is not None
    with Image.open(io.BytesIO(blob)) as one, Image.open(io.BytesIO(bare)) as other:
        assert isinstance(other, TiffImagePlugin.TiffImageFile)
        assert 270 not in other.tag_v2
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize(
    "broken",
    [b"!\xf9\0", b"!\xff\0", b"!\xfe\x03abc\0", b"!\x55\x02ab\0", b"!\xff\x03abc\0"],
    ids=["short control", "empty application", "comment", "unknown", "short application"],
)
def test_a_gif_survives_its_extensions_and_keeps_what_is_transparent(broken: bytes) -> None:
    colours = picture(1).convert("P")
    blob = encoded(colours, "GIF", transparency=colours.getpixel((0, 0)))
    at = blob.find(b"!\xf9\x04")
    assert at > 0

    assert without_side_data(blob[:at] + broken + blob[at:]) == blob


def psd(resources: bytes) -> bytes:
    """A drawn one: header, no palette, resources, no layers, and planes of plain bytes."""
    image = picture(1)
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, image.height, image.width, 8, 3)
    planes = np.moveaxis(np.asarray(image), 2, 0).tobytes()
    return header + bytes(4) + struct.pack(">I", len(resources)) + resources + bytes(4) + bytes(2) + planes


def test_a_psd_survives_its_resources() -> None:
    bare = without_side_data(psd(b"\xa5" * 50))

    assert bare == psd(b"")
    assert np.array_equal(pixels(bare), np.asarray(picture(1)))


@pytest.mark.parametrize("broken", [b"\0\0\x06\x40uuid" + bytes(8), b"\0\0\0\x0cxml <x/>", b"junkjunk"])
def test_a_jpeg_xl_survives_its_boxes(broken: bytes) -> None:
    pylibjxl = pytest.importorskip("pylibjxl", reason="no JPEG XL here: pip install 'lookalike[jxl]'")
    blob = pylibjxl.encode(np.asarray(picture(1)), lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")

    bare = without_side_data(blob + broken)

    assert bare is not None
    assert np.array_equal(pylibjxl.decode(bare), np.asarray(picture(1)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_that_is_whole_stays(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noted: dict[str, dict[str, Any]] = {
        "TIFF": {"description": "x" * 500},
        "PNG": {"dpi": (72, 72)},
        "JPEG": {"comment": "x"},
        "WEBP": {"xmp": b"x"},
    }

    bare = without_side_data(encoded(picture(1), kind, icc_profile=profile, **noted[kind]))

    assert bare is not None
    with Image.open(io.BytesIO(bare)) as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("kind", ["GIF", "BMP", "PPM", "ICO"])
def test_other_formats_are_left_alone(kind: str) -> None:
    assert without_side_data(encoded(picture(1), kind)) is None


def mutated(make: Callable[[], bytes]) -> st.SearchStrategy[bytes]:
    blob = make()
    places = st.lists(st.tuples(st.integers(0, len(blob) - 1), st.integers(0, 255)), max_size=20)

    def change(changes: list[tuple[int, int]]) -> bytes:
        broken = bytearray(blob)
        for at, value in changes:
            broken[at] = value
        return bytes(broken)

    cut = st.integers(0, len(blob))
    return st.tuples(places.map(change), cut).map(lambda pair: pair[0][: pair[1]])


@given(
    st.one_of(
        mutated(lambda: png_with(chunk(b"tEXt", b"a\0b"))),
        mutated(lambda: jpeg_with(segment(0xE1, b"Exif\0\0"))),
        mutated(lambda: encoded(picture(1), "WEBP", xmp=b"<x/>")),
        mutated(lambda: encoded(picture(1), "TIFF")),
        st.binary(max_size=200),
    )
)
def test_no_bytes_make_it_fail_or_grow_without_end(blob: bytes) -> None:
    bare = without_side_data(blob)

    assert bare is None or len(bare) <= 2 * len(blob) + 100
