"""Wraps a published float model into the contract: uint8 photos in, L2-normalised embeddings out.

Nodes are put before and after its graph; its weights stay as they are. Knows nothing of downloads.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.contract import INPUT, OUTPUT, ContractBroken, ModelCard
from models.tools.embedder import FLOAT_RULE, IMAGENET_MEAN, IMAGENET_STD, Embedder, float_input, open_session
from models.tools.graph import GraphBuilder, l2_normalise
from models.tools.metadata import Origin, stamp
from models.tools.retrieval import normalised

PREFIX = "published."  # before every name of the published graph: none of them can meet one of ours
CHECKED_IMAGES = 3  # more than one, and odd: a batch that was fixed in the published graph shows
LARGEST_DIFFERENCE = 1e-4
FREE_SIDE_PX = 224  # where the published graph leaves height and width open


def wrap(published: Path, path: Path, origin: Origin, dimension: int) -> ModelCard:
    """Writes the contract's model file around `published` and checks that both compute the same.

    `published` takes float32 [n, 3, h, w], ImageNet-normalised, and its first output holds n x dimension values,
    as [n, dimension] or [n, dimension, 1, 1]. Raises ContractBroken for anything else, leaving no file.
    """
    model = onnx.load(published)
    entry = _entry(model)
    side_px = [axis.dim_value or FREE_SIDE_PX for axis in entry.type.tensor_type.shape.dim[2:]]
    pixels = np.random.default_rng(0).integers(0, 256, (CHECKED_IMAGES, *side_px, 3), dtype=np.uint8)
    expected = _one_by_one(published, entry.name, pixels, dimension)
    exit_name = PREFIX + model.graph.output[0].name
    opset = max(each.version for each in model.opset_import if not each.domain)
    inner = onnx.compose.add_prefix_graph(model.graph, PREFIX)

    before, after = GraphBuilder(), GraphBuilder()
    x = before.node("Cast", [INPUT], "pixels", to=TensorProto.FLOAT)
    x = before.node("Transpose", [x], "channels_first", perm=[0, 3, 1, 2])
    mean = 255 * np.array(IMAGENET_MEAN, dtype=np.float32).reshape(1, 3, 1, 1)
    x = before.node("Sub", [x, before.store("pixel_mean", mean)], "centred_pixels")
    scale = 1 / (255 * np.array(IMAGENET_STD, dtype=np.float32).reshape(1, 3, 1, 1))
    before.node("Mul", [x, before.store("pixel_scale", scale)], PREFIX + entry.name)
    feature = after.node("Flatten", [exit_name], "feature", axis=1)
    l2_normalise(after, feature, opset)

    graph = helper.make_graph(
        [*before.nodes, *inner.node, *after.nodes],
        origin.name,
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", *side_px, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", dimension])],
        [*before.stored, *inner.initializer, *after.stored],
    )
    whole = helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version, producer_name="lookalike"
    )
    card = ModelCard(
        name=origin.name,
        height_px=side_px[0],
        width_px=side_px[1],
        resize=FLOAT_RULE,
        dimension=dimension,
        source=origin.source,
        licence=origin.licence,
        precision="fp32",
        fingerprint="",
    )
    unchecked = path.with_suffix(".unchecked.onnx")
    try:
        card = stamp(whole, card, unchecked)
        difference = float(np.abs(Embedder(unchecked).embed_pixels(pixels) - expected).max())
        if not difference <= LARGEST_DIFFERENCE:  # NaN is refused too
            raise ContractBroken(f"wrapped, {published} gives embeddings that differ by {difference:.1e}")
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return card


def _entry(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one input that is fed and not stored."""
    stored = {tensor.name for tensor in model.graph.initializer}
    fed = [each for each in model.graph.input if each.name not in stored]
    shape = fed[0].type.tensor_type.shape.dim if len(fed) == 1 else []
    if len(shape) != 4 or fed[0].type.tensor_type.elem_type != TensorProto.FLOAT:  # noqa: PLR2004
        names = ", ".join(each.name for each in fed)
        raise ContractBroken(f"the published model must take one float32 [n, 3, h, w] and takes: {names}")
    entry: onnx.ValueInfoProto = fed[0]
    return entry


def _one_by_one(published: Path, entry: str, pixels: NDArray[np.uint8], dimension: int) -> NDArray[np.float32]:
    """What the published model says of each image, L2-normalised: uint8 [n, h, w, 3] -> float32 [n, dimension]."""
    session = open_session(published)
    outputs = [session.run(None, {entry: float_input(image[np.newaxis])})[0] for image in pixels]
    if outputs[0].size != dimension:
        raise ContractBroken(f"{published} gives {outputs[0].size} values for an image, not {dimension}")
    return normalised(np.stack([output.reshape(-1) for output in outputs]))
