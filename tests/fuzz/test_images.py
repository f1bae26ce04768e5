"""Whatever bytes lie in a file, opening it gives a picture or a reason: drawn ones that were mutated, and a corpus."""

import faulthandler
import io
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.library.errors import Rejected
from models.contract import ModelCard, read_card
from tests.support.pictures import encoded, picture
from tests.support.pngs import png_of_16_bits
from tests.support.tiffs import as_tiff, pages, with_float_predictor
from tests.support.tiny_model import SIDE_PX, tiny_model
from worker.inference.decoder import decode_image, enable_formats

ROOT = Path(__file__).resolve().parents[2]
ODD_PHOTOS = Path(os.environ.get("LOOKALIKE_ODD_PHOTOS") or ROOT.parent / "shared" / "data" / "odd")
MAX_PIXELS = 4_000_000
# Far above what any of it takes; a decoder that hangs ends the run and says where.
HANGS_AFTER_S = 30
# Starting the clock anew takes longer than most of the pictures.
RESTARTED_AFTER_S = 1.0
EXTREMES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x01", b"\x80"]


def heif() -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture(1)).save(out, quality=50)
    return out.getvalue()


def samples() -> dict[str, bytes]:
    """A small picture in every format that can be written here."""
    enable_formats()
    plain = {kind: encoded(picture(1), kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "DIB", "ICO")}
    plain |= {kind: encoded(picture(1), kind) for kind in ("TGA", "PCX", "PPM", "SGI", "DDS", "JPEG2000", "QOI")}
    ways = ("raw", "tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate")
    tiffs = {f"TIFF {way}": encoded(picture(1), "TIFF", compression=way) for way in ways}
    group4 = encoded(picture(1).convert("1"), "TIFF", compression="group4")
    colours = np.asarray(picture(1))
    others = {
        "TIFF floats": as_tiff(colours.astype(np.float32) / 255, photometric="rgb", compression="zlib"),
        "TIFF planes": as_tiff(np.moveaxis(colours, 2, 0) * np.uint16(257), photometric="rgb", planarconfig="separate"),
        "TIFF big": as_tiff(colours.astype(np.int16), photometric="rgb", tile=(16, 16), bigtiff=True),
        "TIFF thumbnail": pages((colours[::8, ::8].copy(), {"photometric": "rgb"}), (colours, {"photometric": "rgb"})),
        "TIFF predictor": with_float_predictor(colours.astype(np.float32)),
        "PNG 12 of 16": png_of_16_bits(colours * np.uint16(16), 2),
        "PNG P": encoded(picture(1).convert("P"), "PNG"),
        "PNG 16": encoded(picture(1).convert("I;16"), "PNG"),
        "JPEG progressive": encoded(picture(1), "JPEG", progressive=True),
        "JPEG CMYK": encoded(picture(1).convert("CMYK"), "JPEG"),
        "WEBP lossless": encoded(picture(1), "WEBP", lossless=True),
        "TGA RLE": encoded(picture(1), "TGA", compression="tga_rle"),
        "GIF moving": encoded(picture(1), "GIF", save_all=True, append_images=[picture(2)]),
    }
    return {**plain, **tiffs, "TIFF group4": group4, **others, "HEIF": heif()}


SAMPLES = samples()


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of some bytes at some place, given in parts of the length."""
    at, to = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
    # Where formats keep their sizes and offsets.
    at = draw(st.sampled_from([at, at * 0.05]))
    noise = draw(st.binary(min_size=1, max_size=12) | st.sampled_from(EXTREMES))
    way = draw(st.sampled_from(["overwrite", "insert", "cut", "repeat", "truncate", "zero"]))

    def mutate(blob: bytes) -> bytes:
        start, end = int(at * len(blob)), int(to * len(blob))
        return {
            "overwrite": blob[:start] + noise + blob[start + len(noise) :],
            "insert": blob[:start] + noise + blob[start:],
            "cut": blob[:start] + blob[end:],
            "repeat": blob[:end] + blob[start:],
            "truncate": blob[:end],
            "zero": blob[:start] + bytes(end - start) + blob[end:],
        }[way]

    return mutate


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return read_card(tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx"))


class Clock:
    """Ends the run, and says where, once no picture was begun for HANGS_AFTER_S."""

    def __init__(self) -> None:
        self._started = -math.inf

    def go_on(self) -> None:
        now = time.monotonic()
        if now - self._started > RESTARTED_AFTER_S:
            self._started = now
            faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)

    def stop(self) -> None:
        self._started = -math.inf
        faulthandler.cancel_dump_traceback_later()


CLOCK = Clock()


@pytest.fixture(autouse=True)
def hangs_are_told() -> Iterator[None]:
    yield
    CLOCK.stop()


def check(blob: bytes, card: ModelCard) -> bool:
    """Whether there is a picture; if not, there is a reason."""
    CLOCK.go_on()
    reason, found = None, None
    try:
        found = decode_image(blob, card, max_pixels=MAX_PIXELS)
    except Rejected as rejected:
        reason = str(rejected).strip()
    if found is None:
        assert reason
        return False
    assert found.pixels.shape == (SIDE_PX, SIDE_PX, 3)
    # Of a JPEG an eighth of its sides is decoded at best.
    assert 0 < found.width_px * found.height_px <= MAX_PIXELS * (64 if found.format in ("JPEG", "MPO") else 1)
    return True


def test_each_sample_opens_as_it_is(card: ModelCard) -> None:
    assert [name for name, blob in SAMPLES.items() if not check(blob, card)] == []


@given(name=st.sampled_from(sorted(SAMPLES)), changes=st.lists(mutations(), min_size=1, max_size=4))
@settings(max_examples=2500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_mutated_picture_opens_or_is_rejected_with_a_reason(
    card: ModelCard, name: str, changes: list[Callable[[bytes], bytes]]
) -> None:
    blob = SAMPLES[name]
    for change in changes:
        blob = change(blob)

    check(blob, card)


@given(blob=st.binary(max_size=200), start=st.sampled_from(sorted(SAMPLES)))
@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_noise_behind_a_head_that_looks_right_opens_or_is_rejected(card: ModelCard, blob: bytes, start: str) -> None:
    check(SAMPLES[start][:16] + blob, card)


@pytest.mark.skipif(not ODD_PHOTOS.is_dir(), reason="LOOKALIKE_ODD_PHOTOS names no folder with odd photos")
def test_every_odd_photo_opens_or_is_rejected_with_a_reason(card: ModelCard) -> None:
    photos = [path for path in sorted(ODD_PHOTOS.rglob("*")) if path.is_file()]

    opened = [check(path.read_bytes(), card) for path in photos]

    assert photos
    assert any(opened)
