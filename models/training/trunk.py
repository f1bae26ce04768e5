"""The stages that training leaves as they are, run as the int8 file that ships runs them. NumPy in and out, no torch.

They are most of the work of a network. In int8 they take a fifth of the time, and what is trained on top of them
learns from the very maps that it will meet.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.contract import INPUT, ModelCard
from models.preprocess import STRETCH
from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, open_session
from models.tools.graph import resnet_graph
from models.tools.metadata import stamp
from models.tools.quantize import quantize_on

AT_ONCE = 16


class Trunk:
    """One open trunk. The numbers that the bytes of its maps stand for: (bytes - `zero_point`) x `scale`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = open_session(path, threads)
        (self._output,) = (output.name for output in self._session.get_outputs())
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.scale = float(metadata["scale"])
        self.zero_point = int(metadata["zero_point"])

    def maps(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB [n, px, px, 3] -> what the last of the stages makes of it, [n, channels, h, w], as bytes."""
        parts = [
            self._session.run([self._output], {INPUT: pixels[start : start + AT_ONCE]})[0]
            for start in range(0, len(pixels), AT_ONCE)
        ]
        return np.concatenate(parts)


def write_trunk(
    path: Path,
    weights: Mapping[str, NDArray[np.float32]],
    blocks: tuple[int, ...],
    calibration: NDArray[np.uint8],
    *,
    stages: int,
    v1: bool,
) -> None:
    """Writes stem and first `stages` stages of a ResNet as int8, calibrated on photos [n, px, px, 3]."""
    px = calibration.shape[1]
    network = resnet_graph(weights, blocks, height_px=px, width_px=px, mean=IMAGENET_MEAN, std=IMAGENET_STD, v1=v1)
    dimension = network.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    card = ModelCard("trunk", px, px, STRETCH, dimension, "made for training", "as its weights", "fp32", "")
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        stamp(network, card, whole)
        quantize_on(whole, small, calibration)
        model = onnx.load(small)
        last = f"layer{stages}.{blocks[stages - 1] - 1}.relu"
        (node,) = (each for each in model.graph.node if each.op_type == "QuantizeLinear" and each.input[0] == last)
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        onnx.utils.extract_model(small, path, [INPUT], [node.output[0]], check_model=False)
    trunk = onnx.load(path)
    quantization = {"scale": str(stored[node.input[1]]), "zero_point": str(stored[node.input[2]])}
    onnx.helper.set_model_props(trunk, quantization)
    onnx.save(trunk, path)
