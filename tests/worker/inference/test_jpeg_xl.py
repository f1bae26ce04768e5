"""JPEG XL is read where its decoder is; elsewhere the reason says what it takes."""

import numpy as np
import pytest
from PIL import Image

from lookalike.library.errors import Rejected
from tests.support.pictures import encoded, picture
from tests.support.profiles import in_space_of, profile_of
from tests.worker.inference.test_decoder import Opened, off_by

# There is no wheel for every platform.
pylibjxl = pytest.importorskip("pylibjxl", reason="no JPEG XL here: pip install 'lookalike[jxl]'")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_jpeg_xl_is_read(opened: Opened, mode: str) -> None:
    image = picture(1).convert(mode)
    values = np.asarray(image)

    found = opened(pylibjxl.encode(values if values.ndim == 3 else values[..., None], distance=0.5))

    assert (found.format, found.width_px) == ("JXL", image.width)
    assert off_by(found, opened(encoded(image))) < 4


def test_jpeg_xl_without_its_decoder_says_what_it_takes(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = pylibjxl.encode(np.asarray(picture(1)))
    monkeypatch.delitem(Image.OPEN, "JXL")

    with pytest.raises(Rejected, match=r"it is JPEG XL, which takes pip install 'lookalike\[jxl\]'"):
        opened(blob)


def test_a_profile_in_jpeg_xl_is_converted(opened: Opened) -> None:
    profile, photo = profile_of("colord/ProPhotoRGB.icc"), picture(3)

    found = opened(pylibjxl.encode(np.asarray(in_space_of(profile, photo)), lossless=True, icc=profile))

    assert off_by(found, opened(encoded(photo))) < 2
