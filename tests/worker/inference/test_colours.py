"""One photo in the colours of any profile is one photo: RGB in every container, greys, and the inks of a printer."""

import io
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms

from lookalike.settings import Settings
from models.decoding.jpeg2000 import jpeg2000_profile
from tests.support.pictures import encoded, picture
from tests.support.profiles import drawn_inks, in_space_of, profile_of
from tests.support.tiffs import as_tiff
from tests.worker.inference.test_decoder import Opened, off_by
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder, model_path

PHOTO = picture(3, (120, 80))
WIDE = "colord/ProPhotoRGB.icc"
# Of Debian's libgs-common: the two packages with RGB profiles have none for inks.
INKS = "ghostscript/default_cmyk.icc"


def heic(image: Image.Image, profile: bytes) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=95, icc_profile=profile)
    return out.getvalue()


def jp2(image: Image.Image, profile: bytes) -> bytes:
    """A JPEG 2000 whose box of colours holds the profile in place of a name."""
    blob = encoded(image, "JPEG2000")
    at = blob.find(b"colr") - 4
    (length,) = struct.unpack_from(">I", blob, at)
    box = struct.pack(">I4sBBB", 11 + len(profile), b"colr", 2, 0, 0) + profile
    header_at = blob.find(b"jp2h") - 4
    (header,) = struct.unpack_from(">I", blob, header_at)
    grown = struct.pack(">I", header + len(box) - length)
    return blob[:header_at] + grown + blob[header_at + 4 : at] + box + blob[at + length :]


def deep_tiff(image: Image.Image, profile: bytes, kind: str) -> bytes:
    values: npt.NDArray[np.generic] = np.asarray(image) * np.uint16(257)
    return as_tiff(values if kind == "u2" else values.astype(kind) / 65535, photometric="rgb", iccprofile=profile)


CONTAINERS: dict[str, Callable[[Image.Image, bytes], bytes]] = {
    "PNG": lambda image, profile: encoded(image, icc_profile=profile),
    "transparent PNG": lambda image, profile: encoded(image.convert("RGBA"), icc_profile=profile),
    "JPEG": lambda image, profile: encoded(image, "JPEG", quality=98, subsampling=0, icc_profile=profile),
    "WebP": lambda image, profile: encoded(image, "WEBP", lossless=True, icc_profile=profile),
    "AVIF": lambda image, profile: encoded(image, "AVIF", quality=98, icc_profile=profile),
    "HEIC": heic,
    "JPEG 2000": jp2,
    "TIFF": lambda image, profile: encoded(image, "TIFF", icc_profile=profile),
    "TIFF of 16 bits": lambda image, profile: deep_tiff(image, profile, "u2"),
    "TIFF of floats": lambda image, profile: deep_tiff(image, profile, "f4"),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_profile_is_converted_in_every_container(opened: Opened, container: str) -> None:
    profile = profile_of(WIDE)
    stored = CONTAINERS[container](in_space_of(profile, PHOTO), profile)

    assert off_by(opened(stored), opened(encoded(PHOTO))) < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_profile_of_greys_is_converted(opened: Opened, kind: str) -> None:
    profile, grey = profile_of("Gray.icc"), PHOTO.convert("L")
    stored = in_space_of(profile, grey.convert("RGB"), "L")
    quality = {"quality": 98} if kind == "JPEG" else {}

    found = opened(encoded(stored, kind, icc_profile=profile, **quality))

    assert off_by(found, opened(encoded(grey))) < 2
    assert off_by(found, opened(encoded(stored, kind, icc_profile=b"", **quality))) > 10


@pytest.mark.parametrize("bits", [8, 16])
def test_cie_lab_keeps_its_colours(opened: Opened, bits: int) -> None:
    space = ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(PHOTO, ImageCms.createProfile("sRGB"), space, outputMode="LAB")
    assert lab is not None
    # Signed a and b, as TIFF 6.0 has them.
    values = np.asarray(lab)

    found = opened(as_tiff(values * np.uint16(256) if bits == 16 else values, photometric="cielab"))

    assert off_by(found, opened(encoded(PHOTO))) < 3


@pytest.fixture(scope="module")
def shipped() -> Embedder:
    enable_formats()
    return Embedder(model_path(Settings()), inference_batch=8)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_inks_mean_what_their_profile_says(opened: Opened, kind: str) -> None:
    red, green, blue = PHOTO.split()
    inks = [ImageChops.invert(band) for band in (blue, red, green)]
    stored = Image.merge("CMYK", [*inks, Image.new("L", PHOTO.size)])
    quality = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}

    found = opened(encoded(stored, kind, icc_profile=drawn_inks(), **quality))

    assert off_by(found, opened(encoded(PHOTO))) < 4
    assert off_by(opened(encoded(stored, kind, icc_profile=b"", **quality)), opened(encoded(PHOTO))) > 30


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
@pytest.mark.parametrize("seed", range(4))
def test_a_photo_in_the_inks_of_a_printer_is_the_same_photo(shipped: Embedder, kind: str, seed: int) -> None:
    inks = profile_of(INKS)
    printed = in_space_of(inks, picture(seed, (240, 160)), "CMYK")
    in_gamut = ImageCms.profileToProfile(
        printed,
        io.BytesIO(inks),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert in_gamut is not None
    stored = in_space_of(inks, in_gamut, "CMYK")
    quality = {"quality": 97} if kind == "JPEG" else {}

    def embedding(blob: bytes) -> npt.NDArray[np.float32]:
        return shipped.embed([decode_image(blob, shipped.card, max_pixels=10**7).pixels])

    seen = embedding(encoded(in_gamut, icc_profile=b""))
    assert float(np.vdot(seen, embedding(encoded(stored, kind, icc_profile=inks, **quality)))) >= 0.99
    assert float(np.vdot(seen, embedding(encoded(stored, kind, icc_profile=b"", **quality)))) < 0.99


@pytest.mark.parametrize("blob", [b"", b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x01jp2h"])
def test_a_broken_jpeg_2000_has_no_profile(blob: bytes) -> None:
    assert jpeg2000_profile(blob) is None
