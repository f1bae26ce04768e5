"""The model that is there the moment the repository is cloned."""

import io

import numpy as np
import pytest
from PIL import Image

from models.contract import read_card
from models.preprocess import prepare
from models.tools.embedder import Embedder
from models.tools.photos import open_rgb
from tests.support.shipped import MODEL, SHIPPED

LARGEST_BYTES = 25_000_000
FIRST_FIVE = [-0.0567, -0.111, 0.1255, 0.0664, 0.1018]  # of the known image; other values mean another model
# How a picture must be turned before it is stored with an EXIF orientation that turns it back.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
EXIF_ORIENTATION = 0x0112


def known_image() -> Image.Image:
    """A disc on a slope of two colours: no file needed, the same everywhere."""
    y, x = np.mgrid[0:240, 0:320]
    disc = (x - 130) ** 2 + (y - 110) ** 2 < 70**2
    channels = [np.where(disc, 220, x * 0.5), np.where(disc, 90, y * 0.8), np.where(disc, 40, 200 - x * 0.4)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8), "RGB")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(SHIPPED)


def test_it_keeps_the_contract_and_is_small() -> None:
    card = read_card(SHIPPED)

    assert (card.name, card.precision) == (MODEL, "int8")
    assert SHIPPED.stat().st_size <= LARGEST_BYTES


def test_a_known_image_has_a_known_embedding(embedder: Embedder) -> None:
    (embedding,) = embedder.embed([known_image()])

    assert embedding[:5].tolist() == pytest.approx(FIRST_FIVE, abs=0.005)


def test_the_same_photo_has_the_same_vectors_in_every_batch(embedder: Embedder) -> None:
    noise = [
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8), "RGB")
        for seed in range(7)
    ]

    alone = embedder.describe([known_image()])
    among_others = embedder.describe([*noise, known_image()])

    for one, many in zip(alone, among_others, strict=True):
        assert many[-1] == pytest.approx(one[0], abs=1e-5)


def test_a_copy_is_far_nearer_than_another_picture(embedder: Embedder) -> None:
    image = known_image()
    y, x = np.mgrid[0:240, 0:320]
    squares = ((x // 40 + y // 40) % 2 * 200).astype(np.uint8)
    another = Image.fromarray(np.stack([squares, squares, 255 - squares], axis=-1), "RGB")

    for vectors in embedder.describe([image, image.resize((160, 120)), another]):
        original, half, other = vectors
        assert original @ half > 0.95
        assert original @ other < 0.7


def test_a_photo_stored_in_any_of_the_eight_orientations_is_the_same_photo(embedder: Embedder) -> None:
    image = known_image()
    stored = []
    for orientation in range(1, 9):
        turned = image.transpose(STORED_AS[orientation]) if orientation in STORED_AS else image
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        buffer = io.BytesIO()
        turned.save(buffer, "JPEG", quality=92, exif=exif)
        stored.append(open_rgb(buffer.getvalue()))

    cosines = embedder.embed(stored) @ embedder.embed([image])[0]

    assert cosines.min() >= 0.99


def test_preparing_it_takes_the_whole_picture() -> None:
    card = read_card(SHIPPED)
    left = Image.new("RGB", (600, 400))
    left.paste((255, 255, 255), (0, 0, 60, 400))

    assert prepare(left, card)[:, 0].min() > 200
