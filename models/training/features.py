"""What the heads of an int8 network see: its pooled features, from a file made for that. NumPy in and out, no torch."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.contract import INPUT, ModelCard
from models.preprocess import STRETCH
from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, open_session
from models.tools.graph import Weights, resnet_graph
from models.tools.metadata import stamp
from models.tools.quantize import quantize_on

AT_ONCE = 16
LAST, BEFORE = "feature", "middle_feature"


def write_features(path: Path, weights: Weights, blocks: tuple[int, ...], few: NDArray[np.uint8], *, v1: bool) -> None:
    """Writes a ResNet as int8 that gives the pooled feature of its last stage and, if a head sees it, the one before.

    few: photos to calibrate with, uint8 [n, px, px, 3].
    """
    px = few.shape[1]
    network = resnet_graph(weights, blocks, height_px=px, width_px=px, mean=IMAGENET_MEAN, std=IMAGENET_STD, v1=v1)
    sizes = [output.type.tensor_type.shape.dim[1].dim_value for output in network.graph.output]
    card = ModelCard("features", px, px, STRETCH, sizes[0], "made for training", "as its weights", "fp32", "")
    card = replace(card, copy_dimension=sizes[1]) if len(sizes) > 1 else card
    names = [LAST, BEFORE] if any(node.name == BEFORE for node in network.graph.node) else [LAST]
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        stamp(network, card, whole)
        quantize_on(whole, small, few)
        onnx.utils.extract_model(small, path, [INPUT], names, check_model=False)


class Features:
    """One such file, opened; `px`: the side of its input."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = open_session(path, threads)
        self.px: int = self._session.get_inputs()[0].shape[1]

    def of(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """RGB [n, px, px, 3] -> float32 [n, f] and, where it is there, [n, g]."""
        parts = [
            self._session.run(None, {INPUT: pixels[begin : begin + AT_ONCE]})
            for begin in range(0, len(pixels), AT_ONCE)
        ]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
