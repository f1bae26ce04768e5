"""Small real things to test with: photos that tell classes apart, and a ResNet of a few channels."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.contract import ModelCard
from models.tools.graph import resnet_graph
from models.tools.metadata import stamp

COLOURS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 210)}


def picture(label: str, number: int, size: tuple[int, int] = (60, 48)) -> Image.Image:
    """A noisy patch pattern in the class's colour; `number` makes it another one."""
    rng = np.random.default_rng([number, *COLOURS[label]])
    patches = rng.integers(-60, 60, (6, 6, 3)) + np.array(COLOURS[label])
    small = Image.fromarray(patches.clip(0, 255).astype(np.uint8), "RGB")
    return small.resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three class folders of six photos each."""
    folder = tmp_path_factory.mktemp("photos")
    for label in COLOURS:
        (folder / label).mkdir()
        for number in range(6):
            (folder / label / f"{number}.png").write_bytes(encoded(picture(label, number)))
    return folder


def tiny_weights(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights of a ResNet with one basic block in each stage and 8 to 24 channels, centred."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32]] = {}

    def add(conv: str, norm: str, shape: tuple[int, ...]) -> None:
        fan_in = float(np.prod(shape[1:]))
        weights[f"{conv}.weight"] = rng.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32)
        weights[f"{norm}.weight"] = rng.uniform(0.8, 1.2, shape[0]).astype(np.float32)
        weights[f"{norm}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
        weights[f"{norm}.running_mean"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
        weights[f"{norm}.running_var"] = rng.uniform(0.8, 1.2, shape[0]).astype(np.float32)

    add("conv1", "bn1", (8, 3, 7, 7))
    before = 8
    for number, channels in enumerate((8, 12, 16, 24), start=1):
        block = f"layer{number}.0"
        add(f"{block}.conv1", f"{block}.bn1", (channels, before, 3, 3))
        add(f"{block}.conv2", f"{block}.bn2", (channels, channels, 3, 3))
        if channels != before:
            add(f"{block}.downsample.0", f"{block}.downsample.1", (channels, before, 1, 1))
        before = channels
    weights["mean_feature"] = rng.uniform(0, 0.3, before).astype(np.float32)
    return weights


def tiny_heads(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Heads for `tiny_weights`: an embedding of 10 values, and a copy descriptor of 6 from both last stages."""
    rng = np.random.default_rng(seed)
    shapes = {"embedding_head.weight": (10, 24), "embedding_head.bias": (10,)}
    shapes |= {"copy_head.weight": (6, 24 + 16), "copy_head.bias": (6,)}
    return {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


TINY_CARD = ModelCard(
    name="tiny",
    height_px=32,
    width_px=32,
    resize="stretch",
    dimension=24,
    source="made by the tests",
    licence="Apache-2.0",
    precision="fp32",
    fingerprint="",
)


TWO_OUTPUTS_CARD = replace(TINY_CARD, dimension=10, copy_dimension=6, near=0.9, similar=0.5)


@pytest.fixture(scope="session")
def write_tiny() -> Callable[..., ModelCard]:
    """Writes a tiny model file of the contract at a path and returns its card; with a copy descriptor by that card."""

    def write(path: Path, seed: int = 0, card: ModelCard = TINY_CARD) -> ModelCard:
        graph = resnet_graph(
            tiny_weights(seed) | (tiny_heads(seed) if card.copy_dimension is not None else {}),
            (1, 1, 1, 1),
            height_px=card.height_px,
            width_px=card.width_px,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        )
        return stamp(graph, card, path)

    return write


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, write_tiny: Callable[..., ModelCard]) -> Path:
    """A model file of the contract: 32 px, 24 dimensions, random weights."""
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_tiny(path)
    return path


@pytest.fixture(scope="session")
def tiny_copy_model(tmp_path_factory: pytest.TempPathFactory, write_tiny: Callable[..., ModelCard]) -> Path:
    """The same network with two heads: an embedding of 10 values, a copy descriptor of 6, and thresholds."""
    path = tmp_path_factory.mktemp("model") / "two.onnx"
    write_tiny(path, card=TWO_OUTPUTS_CARD)
    return path
