"""Converts an image to sRGB by the profile that its file carries. Keeps the transforms, which take longer than images.

Only embedded ICC profiles count; a profile that cannot be read, or is for another kind of image, is ignored. Gain maps
of HDR photos are ignored: the picture that every viewer shows is the one that is embedded.
"""

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms

# Of a transform that is built for it and kept; a larger one is ignored.
LARGEST_PROFILE_BYTES = 8 * 2**20
# Photos of one library come from a handful of devices.
KEPT = 64
# Modes that Little CMS takes here, by the colour space that a profile must be for.
SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image as RGB in sRGB, by its profile if it has one that fits; else the image as it is, in its mode.

    CIE Lab (D50), which needs none, is converted in any case.
    """
    if image.mode == "LAB":
        return ImageCms.applyTransform(image, _from_lab()) or image
    if not profile or image.mode not in SPACES or len(profile) > LARGEST_PROFILE_BYTES:
        return image
    transform = _transform(profile, image.mode)
    if transform is None:
        return image
    converted = ImageCms.applyTransform(image, transform)
    return image if converted is None else converted


@cache
def _from_lab() -> ImageCms.ImageCmsTransform:
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(*profiles, "LAB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)


@lru_cache(maxsize=KEPT)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != SPACES[mode].strip() or _is_srgb(source, mode):
            return None
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _is_srgb(profile: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Whether the profile changes nothing that an embedding would notice, whatever it calls itself."""
    if mode != "RGB":
        return False
    steps = Image.fromarray(_PROBES)
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    converted = ImageCms.applyTransform(steps, transform)
    if converted is None:
        return False
    return bool(np.abs(np.asarray(converted, dtype=int) - _PROBES).max() <= ROUNDING)


# Grey levels by which tables and formulas of the same space differ.
ROUNDING = 2
_STEPS = np.array([0, 64, 128, 192, 255], dtype=np.uint8)
_PROBES = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(1, -1, 3)
