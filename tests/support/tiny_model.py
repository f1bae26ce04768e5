"""Writes a small real ResNet with our contract: one residual block with random weights, for quick tests."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.contract import ModelCard

SIDE_PX = 32
CHANNELS = 24
COPY_DIMENSION = 12
NEAR, SIMILAR = 0.95, 0.9


def tiny_model(path: Path, *, seed: int = 0, name: str = "tiny", copies: bool = False) -> Path:
    """Writes the model: uint8 [batch, 32, 32, 3] -> float32 [batch, 24], L2 norm 1.

    With `copies` also a copy descriptor, float32 [batch, 12].
    """
    chance = np.random.default_rng(seed)
    weights = {
        "stem": chance.normal(0, 0.02, (CHANNELS, 3, 5, 5)).astype(np.float32),
        "first": chance.normal(0, 0.1, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32),
        "second": chance.normal(0, 0.1, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "grey"], ["centred"]),
        helper.make_node("Transpose", ["centred"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "stem"], ["a"], strides=[2, 2], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "first"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "second"], ["e"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["b", "e"], ["f"]),
        helper.make_node("GlobalAveragePool", ["f"], ["g"]),
        helper.make_node("Flatten", ["g"], ["h"]),
        helper.make_node("LpNormalization", ["h"], ["embedding"], axis=1, p=2),
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", CHANNELS])]
    if copies:
        weights["copies"] = chance.normal(0, 1, (CHANNELS, COPY_DIMENSION)).astype(np.float32)
        nodes += [
            helper.make_node("GlobalAveragePool", ["d"], ["i"]),
            helper.make_node("Flatten", ["i"], ["j"]),
            helper.make_node("MatMul", ["j", "copies"], ["k"]),
            helper.make_node("LpNormalization", ["k"], ["copy"], axis=1, p=2),
        ]
        outputs.append(helper.make_tensor_value_info("copy", TensorProto.FLOAT, ["batch", COPY_DIMENSION]))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])],
        outputs,
        [numpy_helper.from_array(array, key) for key, array in weights.items()]
        + [numpy_helper.from_array(np.array(118.0, np.float32), "grey")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = ModelCard(
        name=name,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        resize="stretch",
        dimension=CHANNELS,
        source="random numbers",
        licence="none",
        precision="fp32",
        fingerprint=hashlib.sha256(b"".join(array.tobytes() for array in weights.values())).hexdigest(),
        copy_dimension=COPY_DIMENSION if copies else None,
        near=NEAR if copies else None,
        similar=SIMILAR if copies else None,
    )
    helper.set_model_props(model, card.metadata())
    onnx.save(model, path)
    return path
