"""models/preprocess.py: what of an image the model sees."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.preprocess import DECODE_MARGIN, decode_size, prepare, source_box


@dataclass(frozen=True)
class Rule:
    height_px: int
    width_px: int
    resize: str


rules = st.builds(
    Rule,
    height_px=st.integers(1, 64),
    width_px=st.integers(1, 64),
    resize=st.sampled_from(["stretch", "crop:0.875", "crop:1", "crop:0.1"]),
)
sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards, blue is a slow wave."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 127 + 120 * np.sin(x / 40 + y / 55)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8), "RGB")


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(st.integers(1, 200), st.integers(1, 200)), rule=rules)
def test_any_image_becomes_uint8_of_the_models_size(size: tuple[int, int], rule: Rule) -> None:
    prepared = prepare(Image.new("RGB", size, (10, 200, 30)), rule)

    assert prepared.shape == (rule.height_px, rule.width_px, 3)
    assert prepared.dtype == np.uint8
    assert (prepared == (10, 200, 30)).all()


@given(size=sizes, rule=rules)
def test_what_is_used_lies_within_the_image(size: tuple[int, int], rule: Rule) -> None:
    left, top, right, bottom = source_box(size, rule)

    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


@given(size=sizes, rule=rules)
def test_a_crop_is_centred_and_has_the_inputs_proportions(size: tuple[int, int], rule: Rule) -> None:
    left, top, right, bottom = source_box(size, rule)

    assert left == pytest.approx(size[0] - right, abs=1e-6)
    assert top == pytest.approx(size[1] - bottom, abs=1e-6)
    if rule.resize != "stretch":
        assert (right - left) * rule.height_px == pytest.approx((bottom - top) * rule.width_px, rel=1e-6)


@given(size=sizes, rule=rules)
def test_a_decoder_may_deliver_less_but_never_less_than_twice_what_is_needed(size: tuple[int, int], rule: Rule) -> None:
    delivered = decode_size(size, rule)

    assert 1 <= delivered[0] <= size[0]
    assert 1 <= delivered[1] <= size[1]
    if delivered != size:
        left, top, right, bottom = source_box(delivered, rule)
        assert right - left >= DECODE_MARGIN * rule.width_px * 0.999
        assert bottom - top >= DECODE_MARGIN * rule.height_px * 0.999


def test_stretch_shows_the_whole_picture() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste((255, 255, 255), (0, 0, 60, 100))
    image.paste((255, 0, 0), (240, 0, 300, 100))

    prepared = prepare(image, Rule(20, 20, "stretch"))

    assert (prepared[:, :3] > 240).all()
    assert (prepared[:, -3:, 0] > 240).all()


def test_crop_875_is_short_side_256_and_centre_crop_224() -> None:
    image = gradient(640, 480)
    short = image.resize((341, 256), Image.Resampling.BICUBIC)
    expected = np.asarray(short.crop((58, 16, 282, 240)), dtype=np.int16)

    prepared = prepare(image, Rule(224, 224, "crop:0.875")).astype(np.int16)

    # 341 px is 341.33 rounded, so the crops lie a third of a pixel apart
    assert np.abs(prepared - expected).max() <= 5


def test_a_jpeg_decoded_at_the_decode_size_prepares_alike() -> None:
    rule = Rule(96, 96, "stretch")
    buffer = io.BytesIO()
    gradient(1600, 1200).save(buffer, "JPEG", quality=90)
    with Image.open(buffer) as full, Image.open(io.BytesIO(buffer.getvalue())) as scaled:
        scaled.draft("RGB", decode_size(scaled.size, rule))

        difference = prepare(full.convert("RGB"), rule).astype(int) - prepare(scaled.convert("RGB"), rule)

    assert scaled.size == (400, 300)
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
def test_another_mode_than_rgb_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=mode):
        prepare(Image.new(mode, (10, 10)), Rule(8, 8, "stretch"))


@pytest.mark.parametrize("rule", ["", "pad", "crop", "crop:", "crop:0", "crop:1.01", "crop:nan", "crop:x", "0.875"])
def test_an_unknown_rule_is_refused_and_the_known_ones_are_named(rule: str) -> None:
    with pytest.raises(ValueError, match=r"'stretch' or 'crop:F'"):
        source_box((10, 10), Rule(8, 8, rule))
