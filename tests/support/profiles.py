"""Colour profiles of Debian's packages, and pictures in their colours."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms

PROFILES = Path("/usr/share/color/icc")
# By the folder of a profile; those of inks are in no other package.
PACKAGES = {"ghostscript": "libgs-common", "colord": "colord-data"}


def profile_of(name: str) -> bytes:
    """The profile; skips the test where it is not installed."""
    path = PROFILES / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: apt install {PACKAGES.get(path.parent.name, 'icc-profiles-free')}")
    return path.read_bytes()


def in_space_of(profile: bytes, photo: Image.Image, mode: str = "RGB") -> Image.Image:
    """The sRGB photo with the values that it has in that profile's colours."""
    stored = ImageCms.profileToProfile(
        photo,
        ImageCms.createProfile("sRGB"),
        io.BytesIO(profile),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        mode,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert stored is not None
    return stored
