"""models/resnet18.onnx: the model that is there the moment the repository is cloned."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.contract import read_card
from models.preprocess import prepare
from models.tools.embedder import Embedder

SHIPPED = Path(__file__).parents[2] / "models" / "resnet18.onnx"
LARGEST_BYTES = 25_000_000
FIRST_FIVE = [0.3682, 0.0724, 0.0726, 0.076, -0.2414]  # of the known image; other values mean another model


def known_image() -> Image.Image:
    """A disc on a slope of two colours: no file needed, the same everywhere."""
    y, x = np.mgrid[0:240, 0:320]
    disc = (x - 130) ** 2 + (y - 110) ** 2 < 70**2
    channels = [np.where(disc, 220, x * 0.5), np.where(disc, 90, y * 0.8), np.where(disc, 40, 200 - x * 0.4)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8), "RGB")


def test_it_keeps_the_contract_and_is_small() -> None:
    card = read_card(SHIPPED)

    assert (card.name, card.dimension, card.precision) == ("resnet18", 512, "int8")
    assert SHIPPED.stat().st_size <= LARGEST_BYTES


def test_a_known_image_has_a_known_embedding() -> None:
    (embedding,) = Embedder(SHIPPED).embed([known_image()])

    assert embedding[:5].tolist() == pytest.approx(FIRST_FIVE, abs=0.005)


def test_the_same_photo_has_the_same_embedding_in_every_batch() -> None:
    embedder = Embedder(SHIPPED)
    pixels = prepare(known_image(), embedder.rule)
    noise = np.random.default_rng(0).integers(0, 256, (7, *pixels.shape), dtype=np.uint8)

    alone = embedder.embed_pixels(pixels[np.newaxis])[0]
    among_others = embedder.embed_pixels(np.concatenate([noise, pixels[np.newaxis]]))[-1]

    assert among_others == pytest.approx(alone, abs=1e-5)


def test_a_copy_is_far_nearer_than_another_picture() -> None:
    embedder = Embedder(SHIPPED)
    image = known_image()
    another = Image.fromarray(np.asarray(image)[::-1, :, ::-1].copy(), "RGB")

    original, half, other = embedder.embed([image, image.resize((160, 120)), another])

    assert original @ half > 0.98
    assert original @ other < 0.9
