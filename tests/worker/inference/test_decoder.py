"""Every kind of image that people keep embeds, upright; what cannot be opened gets a reason they understand."""

import io
import struct
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from lookalike.library.errors import Rejected
from models.preprocess import PixelBox, prepare
from models.tools.photos import open_rgb
from tests.support.pictures import encoded, picture
from worker.inference.decoder import DecodedImage, decode_image, enable_formats, pixels_in
from worker.inference.embedder import Embedder
from worker.searching.example_vectors import Decodes

Opened = Callable[[bytes], DecodedImage]
ORIENTATIONS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def off_by(one: DecodedImage, other: DecodedImage) -> float:
    """Mean absolute difference of two model inputs, in grey levels."""
    return float(np.abs(one.pixels.astype(int) - other.pixels.astype(int)).mean())


def as_lab(image: Image.Image) -> Image.Image:
    """In CIE Lab, of which a file needs no profile."""
    srgb, space = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(image.convert("RGB"), srgb, space, outputMode="LAB")
    assert lab is not None
    del lab.info["icc_profile"]
    return lab


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "RGBA", "LA", "LAB", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(opened: Opened, mode: str) -> None:
    grey = picture(1).convert("L")
    deep = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257)
    lab = as_lab(grey)
    image = {"I;16": deep, "LAB": lab, "I": grey.convert("I"), "F": grey.convert("F")}.get(mode) or (
        picture(1).convert(mode)
    )
    seen = grey if mode in ("I;16", "LAB", "I", "F") else image

    found = opened(encoded(image, "TIFF"))

    assert found.pixels.shape == (32, 32, 3)
    assert found.pixels.dtype == np.uint8
    assert off_by(found, opened(encoded(seen.convert("RGB")))) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(opened: Opened, kind: str, orientation: int) -> None:
    upright = picture(2, (96, 48))
    turn = ORIENTATIONS[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}

    found = opened(encoded(stored, kind, exif=exif, **options))

    assert (found.width_px, found.height_px) == (96, 48)
    assert off_by(found, opened(encoded(upright))) < 4


def test_transparency_lies_on_white(opened: Opened) -> None:
    clear = Image.new("RGBA", (40, 40), (10, 20, 30, 0))

    assert opened(encoded(clear)).pixels.min() == 255


def test_of_an_animation_the_first_frame_counts(opened: Opened) -> None:
    first, second = picture(1), picture(2)

    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        moving = encoded(first, kind, save_all=True, append_images=[second], **options)
        assert off_by(opened(moving), opened(encoded(first))) < 12


def test_heic_embeds(opened: Opened) -> None:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture(1, (128, 128))).save(out, quality=90)

    found = opened(out.getvalue())

    assert found.format == "HEIF"
    assert off_by(found, opened(encoded(picture(1, (128, 128))))) < 6


def test_the_content_decides_and_not_the_name(opened: Opened) -> None:
    assert opened(encoded(picture(1), "BMP")).format == "BMP"


def test_a_large_jpeg_is_decoded_small_without_changing_the_embedding(embedder: Embedder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    large = Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC)
    blob = encoded(large, "JPEG", quality=95)
    enable_formats()

    def embedding(source: bytes) -> npt.NDArray[np.float32]:
        return embedder.embed([decode_image(source, embedder.card, max_pixels=10**7).pixels])

    assert float(np.vdot(embedding(blob), embedding(encoded(large)))) > 0.995


def test_the_date_is_that_of_the_exposure(opened: Opened) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:02:29 12:30:00"

    assert opened(encoded(picture(1), "JPEG", exif=exif)).taken_at == "2024-02-29T12:30:00"
    assert opened(encoded(picture(1), "JPEG")).taken_at is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_date_that_lies_behind_the_end_is_none_and_no_warning(opened: Opened, kind: str) -> None:
    entry = struct.pack("<HHII", ExifTags.IFD.Exif, 4, 1, 9999)
    blob = encoded(picture(1), kind, exif=b"Exif\0\0II*\0\x08\0\0\0\1\0" + entry + bytes(4))

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = opened(blob)

    assert found.taken_at is None
    assert warned == []


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "it is not an image of a known format but a web page"),
        (encoded(picture(1), "JPEG")[:-200], "the file is incomplete: it ends before the image does"),
        (encoded(picture(1), "PNG")[:-200], "the file is incomplete: it ends before the image does"),
        (encoded(Image.new("1", (4000, 2000))), "it has 4000 x 2000 pixels, the limit is 4 million"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
            "it is not an image of a known format but a PostScript file",
        ),
    ],
)
def test_what_cannot_be_opened_says_why(opened: Opened, blob: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        opened(blob)

    assert str(caught.value).startswith(reason)


@given(
    cut=st.integers(0, 2000), noise=st.binary(max_size=40), kind=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP"])
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_broken_bytes_are_rejected_or_open_and_nothing_else(
    embedder: Embedder, cut: int, noise: bytes, kind: str
) -> None:
    blob = encoded(picture(1), kind)
    broken = blob[: cut % len(blob)] + noise + blob[cut % len(blob) + len(noise) :]

    try:
        outcome: object = decode_image(broken, embedder.card, max_pixels=10**6).pixels.shape
    except Rejected as rejected:
        outcome = str(rejected)

    assert outcome == (32, 32, 3) or (isinstance(outcome, str) and outcome)


def large(mode: str) -> Image.Image:
    """A picture with fine detail, much larger than the model's input."""
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257)
    if mode == "RGBA":
        image.putalpha(image.getchannel("G"))
        return image
    return image.convert(mode)


def heif(image: Image.Image, exif: Image.Exif) -> bytes:
    """What decodes here does not encode."""
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=90, exif=exif.tobytes())
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("JPEG", mode) for mode in ("RGB", "L", "CMYK")),
        *(("PNG", mode) for mode in ("RGB", "P", "RGBA", "LA", "I;16")),
        *(("TIFF", mode) for mode in ("RGB", "F", "LAB")),
        *((kind, "RGB") for kind in ("WEBP", "GIF", "BMP", "HEIF", "AVIF", "JPEG2000")),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_evaluation_measures_the_pixels_that_the_worker_embeds(
    embedder: Embedder, kind: str, mode: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = large("RGB") if mode == "LAB" else large(mode)
    if mode == "LAB":
        image = as_lab(image)
    # Pillow writes no EXIF into the other formats.
    turned = {"exif": exif} if kind in {"JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"} else {}
    blob = heif(image, exif) if kind == "HEIF" else encoded(image, kind, **turned)

    measured = prepare(open_rgb(blob, embedder.card), embedder.card)
    used = decode_image(blob, embedder.card, max_pixels=10**7).pixels

    assert np.array_equal(used, measured)


@pytest.mark.parametrize("turn", ORIENTATIONS)
@pytest.mark.parametrize("box", [(0.0, 0.0, 0.25, 0.5), (0.5, 0.25, 1.0, 0.75)])
def test_a_box_is_a_part_of_the_upright_picture(opened: Decodes, turn: int, box: tuple[float, ...]) -> None:
    upright = picture(4, (1280, 960))
    left, top, right, bottom = (round(share * side) for share, side in zip(box, (1280, 960) * 2, strict=True))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    how = ORIENTATIONS[turn]
    stored = upright if how is None else upright.transpose(undo.get(turn, how))

    found = opened(encoded(stored, "JPEG", quality=95, exif=exif), box)  # type: ignore[arg-type]

    wanted = opened(encoded(upright.crop((left, top, right, bottom)), "PNG"))
    assert off_by(found, wanted) < 3
    assert (found.width_px, found.height_px) == (1280, 960)


def test_a_box_smaller_than_a_pixel_is_a_pixel(opened: Decodes) -> None:
    assert opened(encoded(picture(1)), (0.999, 0.999, 1.0, 1.0)).pixels.std(axis=(0, 1)).max() == 0


def test_a_small_box_does_not_pass_the_limit_of_pixels(embedder: Embedder) -> None:
    """A JPEG above the limit is decoded at a fraction of its size, and for a small box that would be the whole."""
    blob = encoded(picture(1, (2000, 1000)), "JPEG")

    assert decode_image(blob, embedder.card, (0, 0, 1, 1), max_pixels=1_000_000)
    with pytest.raises(Rejected, match="2000 x 1000 pixels, the limit is 1 million"):
        decode_image(blob, embedder.card, (0, 0, 0.01, 0.01), max_pixels=1_000_000)


@given(size=st.tuples(st.integers(1, 9000), st.integers(1, 9000)), share=st.tuples(*[st.floats(0, 1)] * 4))
@settings(max_examples=300, derandomize=True)
def test_fractions_that_were_made_of_pixels_are_these_pixels(size: tuple[int, int], share: tuple[float, ...]) -> None:
    width, height = size
    left, top = int(share[0] * (width - 1)), int(share[1] * (height - 1))
    right, bottom = left + 1 + int(share[2] * (width - left - 1)), top + 1 + int(share[3] * (height - top - 1))

    box = (left / width, top / height, right / width, bottom / height)

    assert pixels_in(box, size) == (left, top, right, bottom)
    assert pixels_in(PixelBox(left, top, right, bottom), size) == (left, top, right, bottom)
