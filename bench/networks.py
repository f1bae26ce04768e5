"""The models to measure with: the one that ships, and a ResNet-50 with random weights, which cost what others cost.

The ResNet-50 is written thrice: fp32 and int8 by the contract of models/, and fp32 as fastembed takes a model. All
three compute the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from lookalike.settings import Settings
from lookalike.system.service_paths import services_dir
from models.contract import INPUT, ModelCard
from models.tools.embedder import FLOAT_RULE, IMAGENET_MEAN, IMAGENET_STD
from models.tools.graph import resnet_graph
from models.tools.metadata import stamp
from models.tools.photos import Photo
from models.tools.quantize import quantize

BLOCKS = (3, 4, 6, 3)  # He et al., arXiv:1512.03385, table 1
CHANNELS = (64, 128, 256, 512)
EXPANSION = 4
SIDE_PX = 224
# What stands before the first convolution in models/tools/graph.py, and what it leaves in that convolution's weights.
PREPROCESSING = ("pixels", "channels_first", "centred_pixels")

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Networks:
    """Files of the models; `float_contract` is a folder as fastembed wants it."""

    shipped: Path
    resnet50: Path
    resnet50_int8: Path
    float_contract: Path


def networks(folder: Path, photos: Sequence[Path]) -> Networks:
    """The model files, made in `folder` if they are not there yet (15 s)."""
    made = Networks(
        shipped=services_dir() / "models" / f"{Settings.model_fields['model'].default}.onnx",
        resnet50=folder / "resnet50-random.onnx",
        resnet50_int8=folder / "resnet50-random-int8.onnx",
        float_contract=folder / "float-contract",
    )
    if not made.resnet50_int8.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_contract(made.resnet50)
        _write_float_contract(made.resnet50, made.float_contract / "model.onnx")
        quantize(made.resnet50, made.resnet50_int8, [Photo(path.name, path.read_bytes(), "", "") for path in photos])
    return made


def random_resnet50(rng: np.random.Generator) -> Weights:
    """Weights with torchvision's names: He's deviations, and residual branches weak enough that nothing overflows."""
    weights: Weights = {}

    def add(conv: str, norm: str, shape: tuple[int, ...], gain: float = 1.0) -> None:
        deviation = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        weights[f"{conv}.weight"] = rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
        weights[f"{norm}.weight"] = np.full(shape[0], gain, np.float32)
        weights[f"{norm}.bias"] = np.zeros(shape[0], np.float32)
        weights[f"{norm}.running_mean"] = np.zeros(shape[0], np.float32)
        weights[f"{norm}.running_var"] = np.ones(shape[0], np.float32)

    add("conv1", "bn1", (64, 3, 7, 7))
    before = 64
    for stage, (count, channels) in enumerate(zip(BLOCKS, CHANNELS, strict=True), start=1):
        for position in range(count):
            block, after = f"layer{stage}.{position}", channels * EXPANSION
            add(f"{block}.conv1", f"{block}.bn1", (channels, before, 1, 1))
            add(f"{block}.conv2", f"{block}.bn2", (channels, channels, 3, 3))
            add(f"{block}.conv3", f"{block}.bn3", (after, channels, 1, 1), gain=0.3)
            if position == 0:
                add(f"{block}.downsample.0", f"{block}.downsample.1", (after, before, 1, 1))
            before = after
    return weights


def _write_contract(path: Path) -> None:
    graph = resnet_graph(
        random_resnet50(np.random.default_rng(50)),
        BLOCKS,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
    card = ModelCard(
        name="resnet50-random",
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        resize=FLOAT_RULE,
        dimension=CHANNELS[-1] * EXPANSION,
        source="random numbers, for measuring speed",
        licence="none needed",
        precision="fp32",
        fingerprint="",
    )
    stamp(graph, card, path)


def _write_float_contract(contract: Path, path: Path) -> None:
    """The same network for float32 [n, 3, 224, 224], normalised outside as fastembed and the tutorials do it."""
    model = onnx.load(contract)
    graph = model.graph
    kept = [node for node in graph.node if node.name not in PREPROCESSING]
    first = next(node for node in kept if node.name == "conv1")
    first.input[0] = INPUT
    del graph.node[:]
    graph.node.extend(kept)
    stored = next(tensor for tensor in graph.initializer if tensor.name == "conv1.weight")
    per_channel = 255 * np.array(IMAGENET_STD, np.float32).reshape(1, 3, 1, 1)
    stored.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(stored) * per_channel, stored.name))
    graph.initializer.remove(next(tensor for tensor in graph.initializer if tensor.name == "pixel_mean"))
    del graph.input[:]
    floats = onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, ["batch", 3, SIDE_PX, SIDE_PX])
    graph.input.append(floats)
    del graph.value_info[:]
    onnx.helper.set_model_props(model, {})
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    (path.parent / "preprocessor_config.json").write_text(PREPROCESSOR_CONFIG)
    (path.parent / "config.json").write_text("{}")


# Short side to 256, centre crop 224, ImageNet's means: the keys that fastembed reads.
PREPROCESSOR_CONFIG = """{
  "image_processor_type": "CLIPImageProcessor",
  "do_resize": true, "size": {"shortest_edge": 256}, "resample": 3,
  "do_center_crop": true, "crop_size": {"height": 224, "width": 224},
  "do_rescale": true, "rescale_factor": 0.00392156862745098,
  "do_normalize": true, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]
}
"""
