"""Turns a model file, int8 or not, back into weights that can be trained: the way back from models/tools/export.py.

So the file that ships is enough to go on from. What rounding to int8 took does not come back; a pass of training
makes up for it.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD
from models.tools.graph import BATCH_NORM_EPSILON, DETAIL, HEADS
from models.tools.resnet import ResNet, as_float
from models.tools.window import WINDOW


def unfold(path: Path, depth: str, pixels: Tensor, *, v1: bool = False) -> dict[str, Tensor]:
    """A state dict with torchvision's names, and `mean_feature`, heads and window if there are some, from our file.

    Folding put each BatchNorm into its convolution. Here each gets the mean and variance back that its input has
    over `pixels`, uint8 [n, 3, h, w], with a scale and shift that undo them: the network computes what the file
    does, and training finds it in the state it would have left it. Raises ValueError for another depth's file.
    """
    stored = stored_tensors(path)
    stored["conv1.weight"] = stored["conv1.weight"] * (255 * np.array(IMAGENET_STD).reshape(1, 3, 1, 1))
    network = ResNet(depth, v1=v1).eval()
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            norm = network.get_submodule(_norm_of(name))
            _fill(module.weight, stored, f"{name}.weight")
            _fill(norm.bias, stored, f"{name}.bias")
            norm.weight.data.fill_(1.0)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - BATCH_NORM_EPSILON)
            norm.register_forward_pre_hook(_give_statistics)
    with torch.inference_mode():
        network(as_float(pixels, IMAGENET_MEAN, IMAGENET_STD))
    state: dict[str, Tensor] = {name: value.clone() for name, value in network.state_dict().items()}
    if "mean_feature" in stored:
        state["mean_feature"] = torch.from_numpy(stored["mean_feature"].astype(np.float32).reshape(-1))
    if WINDOW in stored:
        state[WINDOW] = torch.from_numpy(stored[WINDOW].astype(np.float32))
    for name in (*HEADS.values(), DETAIL):
        if f"{name}.weight" in stored:
            parts = [part for part in (f"{name}.weight", f"{name}.bias", f"{name}.share") if part in stored]
            state |= {part: torch.from_numpy(stored[part].astype(np.float32)) for part in parts}
    return state


def stored_tensors(path: Path) -> dict[str, NDArray[np.float64]]:
    """Each stored tensor of an ONNX file by the name it had before quantisation, float64, scales applied."""
    model = onnx.load(path)
    raw = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values = {name: value.astype(np.float64) for name, value in raw.items()}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in raw:
            continue
        quantized, scale = values[node.input[0]], values[node.input[1]]
        along = [-1] + [1] * (quantized.ndim - 1) if scale.ndim > 0 and scale.size > 1 else [1] * quantized.ndim
        zero_point = values[node.input[2]].reshape(along) if len(node.input) == 3 else 0.0  # noqa: PLR2004
        name = node.input[0].removesuffix("_quantized")
        values[name] = (quantized - zero_point) * scale.reshape(along)
    return values


def _norm_of(convolution: str) -> str:
    """The BatchNorm behind a convolution, by torchvision's names."""
    if convolution.endswith("downsample.0"):
        return convolution.removesuffix("0") + "1"
    head, _, last = convolution.rpartition(".")
    return f"{head}.{last.replace('conv', 'bn')}".lstrip(".")


def _fill(parameter: Tensor, stored: dict[str, NDArray[np.float64]], name: str) -> None:
    values = stored.get(name)
    if values is None or values.shape != tuple(parameter.shape):
        found = "missing" if values is None else str(values.shape)
        raise ValueError(f"in this file {name} is {found} and must be {tuple(parameter.shape)}: another depth?")
    parameter.data.copy_(torch.from_numpy(values))


def _give_statistics(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
    """Before a BatchNorm that does nothing but shift runs: gives it its input's statistics, and undoes them."""
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.data.copy_(torch.sqrt(variance + BATCH_NORM_EPSILON))
    norm.bias.data.add_(mean)
