"""Builds the ONNX graph of a ResNet from its weights, the whole recipe in it. Arrays in, ModelProto out.

Written by hand and not traced: BatchNorm is folded here, the names are ours, and no exporter package is needed.
Knows nothing of PyTorch or files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.contract import COPY, INPUT, OUTPUT
from models.tools.window import WINDOW

# 17 is the oldest with everything used here, so that older runtimes load the file too.
OPSET, IR_VERSION = 17, 8
AXES_ARE_AN_INPUT = 18  # opset from which ReduceL2 takes its axes as an input
BATCH_NORM_EPSILON = 1e-5  # PyTorch's default, which torchvision's ResNets keep
SMALLEST_NORM = 1e-12  # as in torch.nn.functional.normalize
MIDDLE_TENTHS = 8  # of each side: what the second of two views shows
HEADS = {OUTPUT: "embedding_head", COPY: "copy_head"}  # names of their weights, by output
DETAIL = "detail_head"  # what it makes of the stage before the last is joined to the embedding
DETAIL_SHARE = f"{DETAIL}.share"  # its length there, where the rest has 1

Weights = Mapping[str, NDArray[np.float32]]


class GraphBuilder:
    """Collects nodes and stored tensors; every method returns the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Adds one node whose single output carries the node's name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def store(self, name: str, values: NDArray[np.generic]) -> str:
        """Adds one stored tensor."""
        self.stored.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def conv(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32], name: str, stride: int) -> str:
        """A convolution padded to keep the size: weight float32 [out, in, k, k], bias float32 [out]."""
        pad = weight.shape[2] // 2
        stored = [self.store(f"{name}.weight", weight), self.store(f"{name}.bias", bias)]
        return self.node("Conv", [x, *stored], name, strides=[stride] * 2, pads=[pad] * 4)


def resnet_graph(
    weights: Weights,
    blocks: Sequence[int],
    *,
    height_px: int,
    width_px: int,
    mean: Sequence[float],
    std: Sequence[float],
    views: int = 1,
    v1: bool = False,
) -> onnx.ModelProto:
    """The model contract's graph: uint8 [batch, height, width, 3] RGB -> float32 [batch, d], L2 norm 1.

    weights: torchvision's names, and `mean_feature` [d] if the pooled feature is to be centred; blocks: how many
    each stage has; mean and std: of each channel, for pixels in 0..1, that the network was trained with; views: 1,
    or 2 for the average of what the network makes of the whole photo and of its middle, both 0.8 of the size;
    v1: the stride of a bottleneck sits on its first convolution, as in the paper, and not on its second.

    The pooled feature of the last stage is the embedding, or `embedding_head.weight` [d, f] and `.bias` [d] make it
    from that; what `detail_head.weight` [e, g] and `.bias` make of the stage before the last is then joined to it, both
    with length 1, times `detail_head.share` [1]: d + e values. `copy_head.weight` [d2, g] and `.bias` make the output
    `copy` from that stage too, or with [d2, f + g] from both; `copy_head.window` [h, w] is the share of each place of
    its map, all have the same if it is not there. Raises ValueError for a size whose middle has no whole margins.
    """
    graph = GraphBuilder()
    x = graph.node("Cast", [INPUT], "pixels", to=TensorProto.FLOAT)
    x = graph.node("Transpose", [x], "channels_first", perm=[0, 3, 1, 2])
    # Only the subtraction stays a node, a hundredth of a percent of the work: folded into the bias it would be
    # wrong along the border, where the padding must be the mean colour and not black.
    shift = graph.store("pixel_mean", 255 * np.array(mean, dtype=np.float32).reshape(1, 3, 1, 1))
    x = graph.node("Sub", [x, shift], "centred_pixels")
    if views == 2:  # noqa: PLR2004
        x = _two_views(graph, x, height_px, width_px)
    weight, bias = folded(weights, "conv1", "bn1")
    weight /= 255 * np.array(std, dtype=np.float32).reshape(1, 3, 1, 1)
    x = graph.node("Relu", [graph.conv(x, weight, bias, "conv1", 2)], "relu")
    x = graph.node("MaxPool", [x], "maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    before_last = x
    for number, count in enumerate(blocks, start=1):
        before_last = x
        for position in range(count):
            stride = 2 if number > 1 and position == 0 else 1
            x = _block(graph, weights, x, f"layer{number}.{position}", stride, v1=v1)
    channels = weights[f"{_last(blocks, weights)}.weight"].shape[0]
    x = last = _by_view(graph, _pooled(graph, x, ""), "", channels, views)
    if "mean_feature" in weights:
        centre = graph.store("mean_feature", weights["mean_feature"].reshape(1, -1))
        x = graph.node("Sub", [x, centre], "centred_feature")
    dimensions = {OUTPUT: channels}
    middle = ""
    if f"{DETAIL}.weight" in weights or f"{HEADS[COPY]}.weight" in weights:
        before = weights[f"layer{len(blocks)}.0.conv1.weight"].shape[1]
        middle = _by_view(graph, _pooled(graph, before_last, "middle_", weights.get(WINDOW)), "middle_", before, views)
    if f"{HEADS[OUTPUT]}.weight" in weights:
        x, dimensions[OUTPUT] = _head(graph, weights, x, HEADS[OUTPUT])
    if f"{DETAIL}.weight" in weights:
        l2_normalise(graph, x, output="coarse")
        detail, more = _head(graph, weights, middle, DETAIL)
        l2_normalise(graph, detail, output="detail")
        share = graph.store(DETAIL_SHARE, weights[DETAIL_SHARE])
        x = graph.node("Concat", ["coarse", graph.node("Mul", ["detail", share], "shared_detail")], "joined", axis=1)
        dimensions[OUTPUT] += more
    l2_normalise(graph, x)
    if f"{HEADS[COPY]}.weight" in weights:
        seen = middle
        if weights[f"{HEADS[COPY]}.weight"].shape[1] > before:
            seen = graph.node("Concat", [last, middle], "both_features", axis=1)
        x, dimensions[COPY] = _head(graph, weights, seen, HEADS[COPY])
        l2_normalise(graph, x, output=COPY)
    return as_model(graph, (height_px, width_px), dimensions)


def _pooled(graph: GraphBuilder, x: str, name: str, window: NDArray[np.float32] | None = None) -> str:
    """[n, channels, h, w] -> [n, channels]: the mean over the map, each place with its share in `window` [h, w]."""
    if window is None:
        x = graph.node("GlobalAveragePool", [x], f"{name}pooled")
        return graph.node("Flatten", [x], f"{name}feature", axis=1)
    x = graph.node("Mul", [x, graph.store(WINDOW, window)], f"{name}weighed")
    axes = graph.store(f"{name}map_axes", np.array([2, 3], dtype=np.int64))
    return graph.node("ReduceSum", [x, axes], f"{name}feature", keepdims=0)


def _by_view(graph: GraphBuilder, x: str, name: str, channels: int, views: int) -> str:
    """[views x n, channels] -> [n, channels]: the mean over the views."""
    if views == 1:
        return x
    by_view = graph.store(f"{name}by_view", np.array([views, -1, channels], dtype=np.int64))
    x = graph.node("Reshape", [x, by_view], f"{name}features_by_view")
    return graph.node("ReduceMean", [x], f"{name}mean_of_views", axes=[0], keepdims=0)


def _head(graph: GraphBuilder, weights: Weights, x: str, name: str) -> tuple[str, int]:
    """A linear layer, [n, f] -> [n, d], and d."""
    stored = [graph.store(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias")]
    return graph.node("Gemm", [x, *stored], name, transB=1), weights[f"{name}.bias"].shape[0]


def view_of(size_px: int) -> tuple[int, int]:
    """Side of the views of a photo of `size_px`, and the margin around its middle, in px.

    Raises ValueError where 0.8 of the size, or the margin, is no whole number.
    """
    px, rest = divmod(size_px * MIDDLE_TENTHS, 10)
    margin, odd = divmod(size_px - px, 2)
    if rest or odd:
        raise ValueError(f"a photo of {size_px} px has no whole margins around its middle: take a multiple of 10")
    return px, margin


def photo_of(view_px: int) -> int:
    """Side of the photo whose views have `view_px`, in px; the inverse of `view_of`."""
    return view_px * 10 // MIDDLE_TENTHS


def _two_views(graph: GraphBuilder, x: str, height_px: int, width_px: int) -> str:
    """[n, 3, h, w] -> [2n, 3, 0.8 h, 0.8 w]: the whole photos, shrunk, and then their middles."""
    (height, top), (width, left) = view_of(height_px), view_of(width_px)
    scales = graph.store("view_scales", np.array([1, 1, height / height_px, width / width_px], dtype=np.float32))
    whole = graph.node("Resize", [x, "", scales], "whole", mode="linear", coordinate_transformation_mode="half_pixel")
    starts = graph.store("middle_starts", np.array([top, left], dtype=np.int64))
    ends = graph.store("middle_ends", np.array([top + height, left + width], dtype=np.int64))
    axes = graph.store("middle_axes", np.array([2, 3], dtype=np.int64))
    middle = graph.node("Slice", [x, starts, ends, axes], "middle")
    return graph.node("Concat", [whole, middle], "views", axis=0)


def l2_normalise(graph: GraphBuilder, x: str, opset: int = OPSET, output: str = OUTPUT) -> None:
    """Ends a graph: `x` float32 [batch, d] divided by its length, as one of the contract's outputs."""
    prefix = "" if output == OUTPUT else f"{output}_"
    if opset < AXES_ARE_AN_INPUT:
        length = graph.node("ReduceL2", [x], f"{prefix}length", axes=[1], keepdims=1)
    else:
        axes = graph.store(f"{prefix}length_axes", np.array([1], dtype=np.int64))
        length = graph.node("ReduceL2", [x, axes], f"{prefix}length", keepdims=1)
    smallest = graph.store(f"{prefix}smallest_length", np.array(SMALLEST_NORM, dtype=np.float32))
    graph.node("Div", [x, graph.node("Max", [length, smallest], f"{prefix}safe_length")], output)


def as_model(graph: GraphBuilder, size_px: tuple[int, int], dimensions: Mapping[str, int]) -> onnx.ModelProto:
    """Joins what was collected into a model with the contract's input and, by name, its outputs of that many values."""
    pixels = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", *size_px, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", dimension])
        for name, dimension in dimensions.items()
    ]
    made = helper.make_graph(graph.nodes, "lookalike", [pixels], outputs, graph.stored)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lookalike")
    return onnx.shape_inference.infer_shapes(model)


def folded(weights: Weights, conv: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The convolution that does what `conv` followed by the BatchNorm `norm` does: weight, bias.

    Folded in float64; arXiv:1712.05877, section 3.2.
    """
    gamma, beta, mean, variance = (
        weights[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    weight = weights[f"{conv}.weight"] * scale.reshape(-1, 1, 1, 1)
    return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _block(graph: GraphBuilder, weights: Weights, x: str, name: str, stride: int, *, v1: bool) -> str:
    """A basic block or, if the weights hold a third convolution, a bottleneck."""
    deep = f"{name}.conv3.weight" in weights
    last = 3 if deep else 2
    strided = 1 if v1 or not deep else 2  # the first of two; the middle of three but for v1
    y = x
    for number in range(1, last + 1):
        convolution = f"{name}.conv{number}"
        own = stride if number == strided else 1
        y = graph.conv(y, *folded(weights, convolution, f"{name}.bn{number}"), convolution, own)
        if number < last:
            y = graph.node("Relu", [y], f"{name}.relu{number}")
    shortcut = f"{name}.downsample.0"
    if f"{shortcut}.weight" in weights:
        x = graph.conv(x, *folded(weights, shortcut, f"{name}.downsample.1"), shortcut, stride)
    return graph.node("Relu", [graph.node("Add", [y, x], f"{name}.add")], f"{name}.relu")


def _last(blocks: Sequence[int], weights: Weights) -> str:
    """The name of the last convolution: it knows how many channels the pooled feature has."""
    name = f"layer{len(blocks)}.{blocks[-1] - 1}"
    return f"{name}.conv{3 if f'{name}.conv3.weight' in weights else 2}"
