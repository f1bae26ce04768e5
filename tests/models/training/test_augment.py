"""models/training/augment.py, batches.py and what the losses of a student ask for."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.preprocess import prepare
from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, Rule
from models.tools.graph import resnet_graph
from models.training.augment import as_blurred, as_copy, as_grey, as_part, lightly
from models.training.batches import Batches
from models.training.trunk import Trunk, write_trunk
from tests.models.conftest import picture, tiny_weights


@pytest.fixture(scope="module")
def photos() -> NDArray[np.uint8]:
    """Ten squares of 48 px."""
    return np.stack([np.asarray(picture("red", number, (48, 48))) for number in range(10)])


def test_a_light_change_keeps_a_photo_and_a_copy_differs_more(photos: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    whole = prepare(Image.fromarray(photos[0]), Rule(32, 32, "stretch")).astype(float)

    light = np.stack([lightly(photos[0], 32, rng) for _ in range(30)])
    copies = np.stack([as_copy(photos[0], photos[1], 32, rng) for _ in range(30)])

    assert light.shape == copies.shape == (30, 32, 32, 3)
    assert light.dtype == copies.dtype == np.uint8
    assert len(np.unique(copies.reshape(30, -1), axis=0)) == 30
    assert 0 < np.abs(light - whole).mean() < np.abs(copies - whole).mean()


def test_a_part_is_cut_from_anywhere_in_a_photo() -> None:
    rng = np.random.default_rng(0)
    slope = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8)[:, np.newaxis], (48, 48))
    photo = np.stack([slope, slope.T, slope * 0], axis=2)

    parts = np.stack([as_part(photo, 32, rng) for _ in range(60)]).astype(float)

    for axis, colour in ((1, 0), (2, 1)):
        spread = np.ptp(parts[..., colour].mean(axis=3 - axis), axis=1)
        assert spread.max() < 0.75 * 240  # never the whole side
        assert spread.min() > 0.3 * 240
        assert np.ptp(parts[..., colour].mean(axis=(1, 2))) > 0.3 * 240  # here one end, there the other


def test_an_epoch_shows_each_photo_once_and_the_same_to_whoever_asks(photos: NDArray[np.uint8]) -> None:
    rows = np.arange(1, 10)
    nowhere = Path("trunk.onnx")
    one, same, other = (Batches(photos, rows, trunk=nowhere, size=3, px=32, seed=seed) for seed in (1, 1, 2))

    shown = np.concatenate([one.views(number)[0] for number in range(len(one))])

    assert sorted(shown) == list(rows)
    assert one.views(0)[1].shape == (6, 32, 32, 3)
    assert (one.views(2)[1] == same.views(2)[1]).all()
    assert (one.views(0)[0] != other.views(0)[0]).any()
    with pytest.raises(IndexError):
        one[3]


def test_the_trunk_is_the_first_stages_in_int8_and_batches_hold_what_it_makes(
    photos: NDArray[np.uint8], tmp_path: Path
) -> None:
    weights = tiny_weights()
    squares = np.stack([np.asarray(Image.fromarray(photo).resize((32, 32))) for photo in photos])
    network = resnet_graph(weights, (1, 1, 1), height_px=32, width_px=32, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    del network.graph.node[-6:]  # what follows the maps: pooling and the length
    network.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("layer3.0.relu", 1, ["batch", 16, 2, 2]))
    expected: Any
    expected, *_ = onnx.reference.ReferenceEvaluator(network).run(None, {"image": squares})

    write_trunk(tmp_path / "trunk.onnx", weights, (1, 1, 1, 1), squares, stages=3, v1=False)
    trunk = Trunk(tmp_path / "trunk.onnx")
    found = (trunk.maps(squares).astype(float) - trunk.zero_point) * trunk.scale
    rows, maps, _ = Batches(photos, np.arange(10), trunk=tmp_path / "trunk.onnx", size=4, px=32, seed=0)[0]

    assert found.shape == (10, 16, 2, 2)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98
    assert (len(rows), maps.shape) == (4, (8, 16, 2, 2))
    assert maps.dtype == np.uint8


def test_grey_and_blurred_change_nothing_else(photos: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    grey, blurred = as_grey(photos[0], 48, rng).astype(float), as_blurred(photos[0], 48, rng).astype(float)

    assert np.ptp(grey, axis=2).max() == 0
    assert np.corrcoef(grey.mean(axis=2).ravel(), photos[0].mean(axis=2).ravel())[0, 1] > 0.8
    assert np.abs(np.diff(blurred, axis=0)).mean() < np.abs(np.diff(photos[0].astype(float), axis=0)).mean()
    assert blurred.mean(axis=(0, 1)) == pytest.approx(photos[0].mean(axis=(0, 1)), abs=2)
