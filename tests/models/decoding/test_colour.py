"""Embedded profiles are converted to sRGB; one that is broken, or for another kind of image, is ignored."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from models.decoding.colour import to_srgb
from tests.support.pictures import picture
from tests.support.profiles import in_space_of, profile_of

WIDE = ("colord/AdobeRGB1998.icc", "colord/ProPhotoRGB.icc", "colord/WideGamutRGB.icc", "colord/AppleRGB.icc")


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).mean())


@pytest.mark.parametrize("name", WIDE)
def test_a_photo_in_a_wide_space_comes_back_as_it_was(name: str) -> None:
    blob, photo = profile_of(name), picture(3)
    stored = in_space_of(blob, photo)

    assert difference(stored, photo) > 1
    assert difference(to_srgb(stored, blob), photo) < 1.5


def test_srgb_changes_nothing() -> None:
    photo = picture(3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert to_srgb(photo, srgb) is photo
    assert to_srgb(photo, None) is photo


@pytest.mark.parametrize("broken", [b"", b"no profile", b"\0" * 200])
def test_a_broken_profile_is_ignored(broken: bytes) -> None:
    photo = picture(3)

    assert to_srgb(photo, broken) is photo


def test_a_profile_for_another_kind_of_image_is_ignored() -> None:
    grey = picture(3).convert("L")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert to_srgb(grey, srgb) is grey


def test_a_profile_that_is_too_large_is_ignored() -> None:
    photo = picture(3)

    assert to_srgb(photo, b"x" * (9 * 2**20)) is photo
