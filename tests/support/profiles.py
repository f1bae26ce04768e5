"""Colour profiles of Debian's packages, and pictures in their colours."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

PROFILES = Path("/usr/share/color/icc")
# By the folder of a profile; those of inks are in no other package.
PACKAGES = {"ghostscript": "libgs-common", "colord": "colord-data"}
ICC_HEADER_BYTES = 128
GRID_POINTS = 9


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


def drawn_inks() -> bytes:
    """A profile of four inks whose names are mixed up: the first takes blue out, the second red, the third green.

    Version 2 of the format, with one table of 8 bits from inks to CIE Lab (ICC.1:2001-04, 6.5.8).
    """
    steps = np.linspace(0, 255, GRID_POINTS).round().astype(np.uint8)
    first, second, third, black = np.meshgrid(steps, steps, steps, steps, indexing="ij")
    light = (255.0 - np.stack([second, third, first], axis=-1)) * (1.0 - black[..., None] / 255.0)
    colours = Image.fromarray(light.round().astype(np.uint8).reshape(1, -1, 3))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    table = ImageCms.profileToProfile(colours, srgb, lab, outputMode="LAB")
    assert table is not None
    # Pillow gives a and b signed, the format counts them from -128.
    points = (np.asarray(table) ^ np.array([0, 128, 128], np.uint8)).tobytes()
    unchanged = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1" + bytes(4) + bytes([4, 3, GRID_POINTS, 0]) + matrix + unchanged * 4 + points + unchanged * 3
    offset = ICC_HEADER_BYTES + 4 + 12
    tags = struct.pack(">I4sII", 1, b"A2B0", offset, len(lut))
    size = struct.pack(">I", offset + len(lut))
    white = struct.pack(">3i", 63190, 65536, 54061)
    header = size + b"test" + struct.pack(">I", 0x02400000) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + white
    return header.ljust(ICC_HEADER_BYTES, b"\0") + tags + lut
